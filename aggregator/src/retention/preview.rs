//! What retention has dropped and would drop, without dropping anything.

use opstream_schemas::UtcMillis;
use opstream_schemas::database::Database;

use super::floor::floor_at;
use super::{KeepDays, lowest_kept, read_floor};
use crate::lease;

/// What would go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The first moment that is kept now.
    pub floor: UtcMillis,
    /// The first moment that would be kept; `None` while no operation is in windows, when nothing is dropped.
    pub next_floor: Option<UtcMillis>,
    /// The time of the oldest operation that is kept now.
    pub oldest: Option<UtcMillis>,
    /// Operations that would be dropped.
    pub operations: i64,
    /// Files that would be removed, those of contents included.
    pub files: i64,
    /// Their length.
    pub bytes: i64,
    /// Files of operations on both sides of the floor, which stay until they are wholly below it.
    pub straddling_files: i64,
}

/// Looks at what keeping this many days would drop.
///
/// # Errors
/// What the database answers.
pub async fn preview(database: &Database, keep_days: KeepDays) -> Result<Preview, sqlx::Error> {
    let floor = read_floor(database).await?;
    let now = lease::database_now(database).await?;
    let next_floor = floor_at(database, keep_days, now).await?.map(|next| next.max(floor));
    let values = [lowest_kept(next_floor.unwrap_or(floor)).into()];
    let row = database.fetch_optional(include_str!("preview.sql"), &values).await?.ok_or(sqlx::Error::RowNotFound)?;
    // Rows go by their own time, whichever file holds them too.
    let dropped = "select count(*) as operations from operations where operation_id < $1";
    let dropped = database.fetch_optional(dropped, &values).await?.ok_or(sqlx::Error::RowNotFound)?;
    let oldest = "select operation_id from operations where operation_id >= $1 order by operation_id limit 1";
    let oldest = database.fetch_optional(oldest, &[lowest_kept(floor).into()]).await?;
    Ok(Preview {
        floor,
        next_floor,
        oldest: oldest.map(|row| row.id("operation_id")).transpose()?.map(opstream_schemas::OperationId::time),
        operations: dropped.int("operations")?,
        files: row.int("files")?,
        bytes: row.int("bytes")?,
        straddling_files: row.int("straddling_files")?,
    })
}
