//! How many letters there are for which reason.

use std::io::Write;

use opstream_schemas::database::{Database, Row};
use serde::Serialize;
use sqlx::AssertSqlSafe;

use super::list::to_second;
use opstream_api::dead_letters::Conditions;

/// The conditions come in place of `{conditions}`.
const SUMMARY: &str = include_str!("summary.sql");

/// The letters by reason, the most frequent first.
#[derive(Debug)]
pub(super) struct Summary {
    reasons: Vec<Counted>,
}

/// The letters with one reason.
#[derive(Debug, Serialize)]
struct Counted {
    reason_code: String,
    letters: i64,
    not_redriven: i64,
    first_stored_at_ms: i64,
    last_stored_at_ms: i64,
}

/// Counts the letters that meet the conditions.
///
/// # Errors
/// What the database answers.
pub(super) async fn read(database: &Database, conditions: &Conditions) -> Result<Summary, sqlx::Error> {
    let sql = SUMMARY.replace("{conditions}", &conditions.sql());
    let rows = database.fetch_all(AssertSqlSafe(sql), conditions.values()).await?;
    Ok(Summary { reasons: rows.iter().map(Counted::of).collect::<Result<_, _>>()? })
}

impl Counted {
    fn of(row: &Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            reason_code: row.text("reason_code")?,
            letters: row.int("letters")?,
            not_redriven: row.int("not_redriven")?,
            first_stored_at_ms: row.int("first_stored_at_ms")?,
            last_stored_at_ms: row.int("last_stored_at_ms")?,
        })
    }
}

impl Summary {
    /// Writes a JSON object per reason and line.
    ///
    /// # Errors
    /// When the output is closed.
    pub(super) fn write_json(&self, out: &mut impl Write) -> std::io::Result<()> {
        for reason in &self.reasons {
            serde_json::to_writer(&mut *out, reason)?;
            writeln!(out)?;
        }
        Ok(())
    }

    /// Writes a table.
    ///
    /// # Errors
    /// When the output is closed.
    pub(super) fn write_table(&self, out: &mut impl Write) -> std::io::Result<()> {
        if self.reasons.is_empty() {
            return writeln!(out, "no dead letters");
        }
        writeln!(out, "{:26} {:>12} {:>13}  {:20}  LAST STORED", "CODE", "LETTERS", "NOT REDRIVEN", "FIRST STORED")?;
        for reason in &self.reasons {
            let Counted { reason_code, letters, not_redriven, first_stored_at_ms, last_stored_at_ms } = reason;
            let (first, last) = (to_second(*first_stored_at_ms), to_second(*last_stored_at_ms));
            writeln!(out, "{reason_code:26} {letters:>12} {not_redriven:>13}  {first:20}  {last}")?;
        }
        let sum = |count: fn(&Counted) -> i64| self.reasons.iter().map(count).sum::<i64>();
        let (letters, waiting) = (sum(|reason| reason.letters), sum(|reason| reason.not_redriven));
        writeln!(out, "{:26} {letters:>12} {waiting:>13}", "all")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead_letters::test_letters::{Letters, letter};

    #[tokio::test]
    async fn letters_are_counted_by_reason_with_those_that_wait() {
        let letters = Letters::new().await;
        for offset in 0..5 {
            letters.add(&letter(offset)).await;
        }
        letters.run("update dead_letters set reason_code = 'no_value' where source_offset = 4").await;
        letters.run("update dead_letters set redriven_at_ms = 7 where source_offset = 1").await;
        let summary = read(&letters.database, &Conditions::default()).await.unwrap();
        let counts: Vec<_> = summary
            .reasons
            .iter()
            .map(|reason| (reason.reason_code.as_str(), reason.letters, reason.not_redriven))
            .collect();
        assert_eq!(counts, [("negative_count", 4, 3), ("no_value", 1, 1)]);
        let mut table = Vec::new();
        summary.write_table(&mut table).unwrap();
        let table = String::from_utf8(table).unwrap();
        let all: Vec<&str> = table.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(all, ["all", "5", "4"]);
    }
}
