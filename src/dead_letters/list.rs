//! `opstream dead-letters list`: the newest letters at a glance, page by page. Reads no record bytes.

use std::io::Write;

use anyhow::Context as _;
use opstream_api::dead_letters::{Cursor, Entry, Page, parse_cursor, read_page};
use opstream_schemas::UtcMillis;

use super::WhereArgs;
use super::filter::FilterArgs;
use super::reasons::require_known;
use super::summary;
use crate::escaped::{excerpt, size};
use crate::failure::unless_reader_left;
use crate::settings::whole_number;

/// Characters of a reason in the table; JSON lines have all of it.
const REASON_CHARACTERS: usize = 72;

/// List dead letters, newest first. Shows sizes and reasons, never the records themselves.
///
/// STATE: `stored` is only in the table, `copied` is on the topic of dead letters too, `redriven` was sent to the operations
/// topic again. A redriven letter stays listed; if its record failed again, that is a letter with a place of its own.
#[derive(clap::Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    place: WhereArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// Only letters that were not sent to the topic again
    #[arg(long)]
    not_redriven: bool,
    /// How many letters are shown, 1 to 10000
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = whole_number::<i64>(1..=10_000), allow_negative_numbers = true)]
    limit: i64,
    /// Continue behind this letter: what the end of the list before shows
    #[arg(long, value_name = "CURSOR", value_parser = parse_cursor)]
    after: Option<Cursor>,
    /// Count the letters by reason instead of listing them
    #[arg(long, conflicts_with_all = ["limit", "after"])]
    summary: bool,
    /// One JSON object per line instead of a table
    #[arg(long)]
    json: bool,
}

/// Prints the list or the summary.
///
/// # Errors
/// When the database or standard output fails.
pub(super) async fn run(args: &ListArgs) -> anyhow::Result<()> {
    let database = args.place.open().await?;
    require_known(&args.filter.reason, &database).await?;
    let mut conditions = args.filter.conditions();
    if args.not_redriven {
        conditions = conditions.not_redriven();
    }
    let mut out = std::io::stdout().lock();
    let written = if args.summary {
        let summary = summary::read(&database, &conditions).await.context("cannot count the dead letters")?;
        if args.json { summary.write_json(&mut out) } else { summary.write_table(&mut out) }
    } else {
        if let Some(cursor) = args.after {
            conditions = conditions.beside("<", cursor);
        }
        let page = read_page(&database, conditions, args.limit).await.context("cannot list the dead letters")?;
        if args.json { write_json(&page, &mut out) } else { write_table(&page, &mut out) }
    };
    database.close().await;
    unless_reader_left(written.and_then(|()| out.flush())).context("cannot write the list")
}

const fn state(entry: &Entry) -> &'static str {
    match (entry.redriven_at_ms, entry.published_at_ms) {
        (Some(_), _) => "redriven",
        (None, Some(_)) => "copied",
        (None, None) => "stored",
    }
}

fn write_json(page: &Page, out: &mut impl Write) -> std::io::Result<()> {
    for entry in &page.entries {
        serde_json::to_writer(&mut *out, entry)?;
        writeln!(out)?;
    }
    Ok(())
}

fn write_table(page: &Page, out: &mut impl Write) -> std::io::Result<()> {
    if page.entries.is_empty() {
        return writeln!(out, "no dead letters");
    }
    let longest = |text: fn(&Entry) -> String| page.entries.iter().map(|entry| text(entry).len()).max().unwrap_or(0);
    let place_width = longest(|entry| entry.place.to_string()).max("PLACE".len());
    let code_width = longest(|entry| entry.reason_code.clone()).max("CODE".len());
    writeln!(
        out,
        "{:place_width$}  {:20}  {:code_width$}  {:36}  {:>9}  {:>10}  {:8}  REASON",
        "PLACE", "STORED", "CODE", "OPERATION", "KEY", "VALUE", "STATE"
    )?;
    for entry in &page.entries {
        let id = entry.operation_id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let bytes = |bytes: Option<i64>| bytes.map_or_else(|| "none".to_owned(), size);
        writeln!(
            out,
            "{:place_width$}  {:20}  {:code_width$}  {id:36}  {:>9}  {:>10}  {:8}  {}",
            entry.place,
            to_second(entry.stored_at_ms),
            entry.reason_code,
            bytes(entry.key_bytes),
            bytes(entry.value_bytes),
            state(entry),
            excerpt(&entry.reason, REASON_CHARACTERS)
        )?;
    }
    match page.entries.last() {
        Some(last) if page.goes_on => writeln!(out, "older letters: the same command with --after {}", last.cursor),
        _ => Ok(()),
    }
}

/// The time to the second, which is enough to look at.
pub(super) fn to_second(millis: i64) -> String {
    UtcMillis::from_millis(millis - millis.rem_euclid(1000)).to_string().replace(".000Z", "Z")
}

#[cfg(test)]
mod tests {
    use opstream_api::dead_letters::{Conditions, Place};

    use super::*;
    use crate::dead_letters::test_letters::{Letters, letter};

    async fn places(letters: &Letters, conditions: Conditions, limit: i64) -> (Vec<i64>, Option<String>) {
        let page = read_page(&letters.database, conditions, limit).await.unwrap();
        let cursor = page.entries.last().filter(|_| page.goes_on).map(|entry| entry.cursor.clone());
        (page.entries.iter().map(|entry| entry.place.offset).collect(), cursor)
    }

    #[tokio::test]
    async fn pages_follow_each_other_newest_first_without_hole_or_repetition() {
        let letters = Letters::new().await;
        // All but the last at the same time: only their places tell them apart.
        for offset in 0..5 {
            letters.add(&letter(offset)).await;
        }
        letters.run("update dead_letters set stored_at_ms = stored_at_ms + 1 where source_offset = 2").await;
        let (mut seen, mut conditions) = (Vec::new(), Conditions::default());
        loop {
            let (page, cursor) = places(&letters, conditions, 2).await;
            assert!(page.len() <= 2);
            seen.extend(page);
            let Some(cursor) = cursor else { break };
            conditions = Conditions::default().beside("<", parse_cursor(&cursor).unwrap());
        }
        assert_eq!(seen, [2, 4, 3, 1, 0]);
    }

    #[tokio::test]
    async fn filters_choose_and_redriven_letters_can_be_left_out() {
        let letters = Letters::new().await;
        for offset in 0..4 {
            letters.add(&letter(offset)).await;
        }
        letters.run("update dead_letters set redriven_at_ms = 7 where source_offset = 1").await;
        letters.run("update dead_letters set reason_code = 'no_value' where source_offset = 3").await;
        let filter = FilterArgs { reason: vec!["negative_count".to_owned()], ..FilterArgs::default() };
        assert_eq!(places(&letters, filter.conditions(), 9).await.0, [2, 1, 0]);
        assert_eq!(places(&letters, filter.conditions().not_redriven(), 9).await.0, [2, 0]);
        let place = |offset| Place { stream: 1, partition: 0, offset };
        assert_eq!(places(&letters, Conditions::of_places(&[place(3), place(0), place(9)]), 9).await.0, [3, 0]);
    }

    #[tokio::test]
    async fn a_list_shows_sizes_and_never_the_record() {
        let letters = Letters::new().await;
        letters.add(&letter(0)).await;
        letters.run("update dead_letters set reason = reason || char(27) || '[2J'").await;
        let page = read_page(&letters.database, Conditions::default(), 9).await.unwrap();
        let (mut table, mut json) = (Vec::new(), Vec::new());
        write_table(&page, &mut table).unwrap();
        write_json(&page, &mut json).unwrap();
        let (table, json) = (String::from_utf8(table).unwrap(), String::from_utf8(json).unwrap());
        assert!(table.contains("1/0/0 ") && table.contains(" negative_count ") && table.contains("input_tokens is -1"));
        assert!(!table.contains('\u{1b}'), "{table}");
        for text in [table, json] {
            assert!(!text.contains("the secret prompt"), "{text}");
        }
    }
}
