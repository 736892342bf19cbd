//! The newest letters, page by page, without their records.

use opstream_schemas::database::{Database, Row};
use opstream_schemas::{OperationId, UtcMillis};
use serde::Serialize;
use sqlx::AssertSqlSafe;

use super::conditions::{Conditions, Cursor};
use super::place::Place;

/// The conditions come in place of `{conditions}`.
const PAGE: &str = include_str!("page.sql");

/// What is known of a letter without its record.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// Where the record was.
    pub place: Place,
    /// Name of the topic.
    pub topic: String,
    /// Stable code of the reason.
    pub reason_code: String,
    /// The reason in words.
    pub reason: String,
    /// The operation's id, if the record could be read that far.
    pub operation_id: Option<OperationId>,
    /// Length of the key; none without one.
    pub key_bytes: Option<i64>,
    /// Length of the value; none without one.
    pub value_bytes: Option<i64>,
    /// Timestamp of the record, Unix milliseconds.
    pub record_timestamp_ms: Option<i64>,
    /// When it became a dead letter, Unix milliseconds.
    pub stored_at_ms: i64,
    /// When it was copied to the topic of dead letters, Unix milliseconds.
    pub published_at_ms: Option<i64>,
    /// When it was last sent to the operations topic again, Unix milliseconds.
    pub redriven_at_ms: Option<i64>,
    /// Continues a list behind this letter.
    pub cursor: String,
}

/// A part of the list.
pub struct Page {
    /// The letters, newest first.
    pub entries: Vec<Entry>,
    /// Whether there are older letters.
    pub goes_on: bool,
}

/// The newest letters that meet the conditions.
///
/// # Errors
/// What the database answers.
pub async fn read_page(database: &Database, mut conditions: Conditions, limit: i64) -> Result<Page, sqlx::Error> {
    // One more tells whether the list goes on.
    let bound = conditions.bind((limit + 1).into());
    let sql = PAGE.replace("{conditions}", &conditions.sql()).replace("{limit}", &bound);
    let rows = database.fetch_all(AssertSqlSafe(sql), conditions.values()).await?;
    let mut entries: Vec<Entry> = rows.iter().map(Entry::of).collect::<Result<_, _>>()?;
    let goes_on = usize::try_from(limit).is_ok_and(|limit| entries.len() > limit);
    if goes_on {
        entries.pop();
    }
    Ok(Page { entries, goes_on })
}

impl Entry {
    fn of(row: &Row) -> Result<Self, sqlx::Error> {
        let (place, stored_at_ms) = (Place::of(row)?, row.int("stored_at_ms")?);
        let cursor = Cursor { stored_at: UtcMillis::from_millis(stored_at_ms), place }.to_string();
        Ok(Self {
            place,
            topic: row.text("topic")?,
            reason_code: row.text("reason_code")?,
            reason: row.text("reason")?,
            operation_id: row.optional_id("operation_id")?,
            key_bytes: row.optional_int("key_bytes")?,
            value_bytes: row.optional_int("value_bytes")?,
            record_timestamp_ms: row.optional_int("record_timestamp_ms")?,
            stored_at_ms,
            published_at_ms: row.optional_int("published_at_ms")?,
            redriven_at_ms: row.optional_int("redriven_at_ms")?,
            cursor,
        })
    }
}
