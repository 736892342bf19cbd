//! Postgres' table for each UTC day. They are created beside the parent and attached in a transaction of their own: a
//! `create table … partition of` would wait behind another ingestor's open COPY.

use std::collections::BTreeSet;

use opstream_schemas::OperationId;
use opstream_schemas::database::{Database, Transaction, within};
use opstream_schemas::time::{DAY_MILLIS, UtcMillis};
use sqlx::AssertSqlSafe;

use super::{ANSWER_LIMIT, StoreError};

/// Serialises the creation of day tables over all ingestors; an arbitrary number that only we use.
const ADVISORY_LOCK: &str = "select pg_advisory_xact_lock(7302201)";

/// Days created in one transaction. Each takes about four entries of the server's table of locks, which has room for some
/// six thousand and is shared by everybody.
const DAYS_AT_ONCE: usize = 16;

/// The days whose tables are known to exist.
#[derive(Debug, Default)]
pub struct DayTables {
    known: BTreeSet<UtcMillis>,
}

impl DayTables {
    /// Creates what is missing for these days. Does nothing in SQLite, which has one table.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn ensure(&mut self, database: &Database, days: &BTreeSet<UtcMillis>) -> Result<(), StoreError> {
        let missing: Vec<UtcMillis> = days.difference(&self.known).copied().collect();
        if missing.is_empty() || !matches!(database, Database::Postgres(_)) {
            return Ok(());
        }
        for days in missing.chunks(DAYS_AT_ONCE) {
            within(ANSWER_LIMIT, create_days(database, days)).await?;
            self.known.extend(days);
        }
        Ok(())
    }

    /// Forgets which tables exist: somebody may have taken one away.
    pub fn forget(&mut self) {
        self.known.clear();
    }
}

async fn create_days(database: &Database, days: &[UtcMillis]) -> Result<(), StoreError> {
    let mut tx = database.begin().await?;
    // Whoever holds the lock is soon done, unless it was frozen.
    database.without_blockers(&mut tx, async |tx| tx.fetch_all(ADVISORY_LOCK, &[]).await).await?;
    for day in days {
        create_day(&mut tx, *day).await?;
    }
    Ok(tx.commit().await?)
}

/// Name of the table that holds this day's operations.
pub(super) fn day_table(day: UtcMillis) -> String {
    let date: String = day.to_string().chars().take(10).filter(char::is_ascii_digit).collect();
    format!("operations_{date}")
}

async fn create_day(tx: &mut Transaction, day: UtcMillis) -> Result<(), StoreError> {
    let table = day_table(day);
    let exists = tx
        .fetch_optional("select 1 as found from pg_class where oid = to_regclass($1)", &[table.as_str().into()])
        .await?;
    if exists.is_some() {
        return Ok(());
    }
    let from = OperationId::lowest_at(day);
    let to = OperationId::lowest_at(day.plus_millis(DAY_MILLIS));
    // Names and bounds are made of digits only.
    tx.execute(AssertSqlSafe(format!("create table {table} (like operations including all)")), &[]).await?;
    let attach = format!("alter table operations attach partition {table} for values from ('{from}') to ('{to}')");
    tx.execute(AssertSqlSafe(attach), &[]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_a_table_named_by_its_date() {
        assert_eq!(day_table(UtcMillis::from_millis(1_790_000_000_000).day_start()), "operations_20260921");
    }
}
