//! The database's part of the law: claims, the one transaction of a batch, and what its failures mean.
//!
//! The database is the only authority on which offsets are applied, who may apply them and which files exist. Every
//! statement that both databases understand is written once; only the bulk insert of rows differs.

mod claim;
mod commit;
mod days;
mod existing;
mod failure;
mod postgres_rows;
mod sqlite_rows;

pub use claim::{Checkpoint, StreamKey, claim_partition, find_stream, record_retention_gap};
pub use commit::{AppliedRange, BatchCommit, read_checkpoint};
pub use days::DayTables;
pub use existing::find_existing;
pub use failure::StoreError;

use std::time::Duration;

use opstream_schemas::database::{Database, within};
use opstream_schemas::offsets::{Offset, Partition, StreamId};
use opstream_schemas::time::UtcMillis;
use opstream_schemas::validate::DEFAULT_RETENTION_FLOOR;

/// How long a look-up or a small transaction may take: more than waiting for a lock, less than an operator's patience.
const ANSWER_LIMIT: Duration = Duration::from_mins(1);

/// First id time that is still accepted.
///
/// # Errors
/// What the database answers.
pub async fn retention_floor(database: &Database) -> Result<UtcMillis, StoreError> {
    let sql = "select value from settings where name = 'retention_floor_ms'";
    let row = within(ANSWER_LIMIT, database.fetch_optional(sql, &[])).await?;
    let millis = row.map(|row| row.int("value")).transpose()?;
    Ok(millis.map_or(DEFAULT_RETENTION_FLOOR, UtcMillis::from_millis))
}

/// A moment and what the broker had acknowledged by then, for "complete to T".
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    /// The partition.
    pub partition: Partition,
    /// Taken before the broker was asked.
    pub observed_at: UtcMillis,
    /// End of the log.
    pub high_watermark: Offset,
}

/// Marks that were taken together.
#[derive(Clone, Debug)]
pub struct Marks {
    /// Number of the topic's partitions, asked for after the marks' time.
    pub partitions: i64,
    /// Marks of some of them.
    pub marks: Vec<Mark>,
}

/// Remembers marks and forgets those that a younger, already passed one replaces.
///
/// # Errors
/// What the database answers.
pub async fn remember_marks(database: &Database, stream: StreamId, taken: &Marks) -> Result<(), StoreError> {
    within(ANSWER_LIMIT, insert_marks(database, stream, taken)).await
}

async fn insert_marks(database: &Database, stream: StreamId, taken: &Marks) -> Result<(), StoreError> {
    let mut tx = database.begin().await?;
    // In the same transaction: a mark must not be seen without the partitions that existed when it was taken.
    tx.execute(include_str!("store/raise_partitions.sql"), &[stream.0.into(), taken.partitions.into()]).await?;
    for mark in &taken.marks {
        let key = [stream.0.into(), mark.partition.0.into()];
        tx.execute(include_str!("store/forget_marks.sql"), &key).await?;
        let values = [stream.0.into(), mark.partition.0.into(), mark.observed_at.into(), mark.high_watermark.0.into()];
        tx.execute(include_str!("store/insert_mark.sql"), &values).await?;
    }
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests;
