//! Rows below the floor: first the contents and earlier costs that are kept in SQL, then the operations, day by day.
//!
//! Postgres drops the table of a day. SQLite, which has one table and one writer for all roles, deletes in slices.

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Row};
use opstream_schemas::offsets::Fence;

use super::{RetentionError, lowest_kept, postgres_days};
use crate::{lease, metrics};

/// A table beside the operations: of prompts and answers, or of earlier costs.
#[derive(Clone, Copy)]
struct Beside {
    slice: &'static str,
    delete: &'static str,
    record: fn(u64),
}

const OPERATION_CONTENTS: Beside = Beside {
    slice: "select operation_id as id from operation_contents where operation_id < $1 order by operation_id limit 100",
    delete: "delete from operation_contents where operation_id <= $1",
    record: metrics::record_dropped_contents,
};
/// Ids of what came as log records begin with a time as well: their own.
const SPAN_CONTENTS: Beside = Beside {
    slice: "select content_id as id from span_contents where content_id < $1 order by content_id limit 100",
    delete: "delete from span_contents where content_id <= $1",
    record: metrics::record_dropped_contents,
};

/// What operations cost before they were priced again.
const REPRICED_OPERATIONS: Beside = Beside {
    slice: "select operation_id as id from repriced_operations where operation_id < $1 order by operation_id limit 1000",
    delete: "delete from repriced_operations where operation_id <= $1",
    record: |_| {},
};

/// A day while its rows are being deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DroppedDay {
    day: UtcMillis,
    operations: u64,
}

/// Drops the next rows below the floor. Returns whether there may be more.
pub(super) async fn drop_slice(
    database: &Database,
    fence: Fence,
    floor: UtcMillis,
    dropping: &mut Option<DroppedDay>,
) -> Result<bool, RetentionError> {
    for table in [OPERATION_CONTENTS, SPAN_CONTENTS, REPRICED_OPERATIONS] {
        if delete_beside(database, fence, floor, table).await? {
            return Ok(true);
        }
    }
    match database {
        Database::Postgres(pool) => {
            // The statements that drop a day cannot be in a transaction with the fence. Whoever runs them, they are right.
            lease::renew(database, fence).await?;
            Ok(postgres_days::drop_next(database, pool, floor).await?)
        }
        Database::Sqlite { .. } => delete_operations(database, fence, floor, dropping).await,
    }
}

async fn delete_beside(
    database: &Database,
    fence: Fence,
    floor: UtcMillis,
    table: Beside,
) -> Result<bool, RetentionError> {
    let rows = database.fetch_all(table.slice, &[lowest_kept(floor).into()]).await?;
    let Some(last) = rows.last() else { return Ok(false) };
    let mut tx = lease::begin(database, fence).await?;
    let rows = tx.execute(table.delete, &[last.id("id")?.into()]).await?;
    tx.commit().await?;
    (table.record)(rows);
    Ok(true)
}

async fn delete_operations(
    database: &Database,
    fence: Fence,
    floor: UtcMillis,
    dropping: &mut Option<DroppedDay>,
) -> Result<bool, RetentionError> {
    let slice = "select operation_id from operations where operation_id < $1 order by operation_id limit 1000";
    let rows = database.fetch_all(slice, &[lowest_kept(floor).into()]).await?;
    let day_of = |row: &Row| row.id("operation_id").map(|id| id.time().day_start());
    let next_day = rows.first().map(day_of).transpose()?;
    if let Some(dropped) = dropping.take_if(|dropped| Some(dropped.day) != next_day) {
        report_dropped(dropped.day, dropped.operations);
    }
    let Some(day) = next_day else { return Ok(false) };
    let mut last = None;
    for row in &rows {
        if day_of(row)? != day {
            break;
        }
        last = Some(row.id("operation_id")?);
    }
    let mut tx = lease::begin(database, fence).await?;
    let operations = tx.execute("delete from operations where operation_id <= $1", &[last.into()]).await?;
    tx.commit().await?;
    metrics::record_removed_operations(operations);
    dropping.get_or_insert(DroppedDay { day, operations: 0 }).operations += operations;
    Ok(true)
}

/// Says once that a day is gone. `operations` are those that this process deleted.
pub(super) fn report_dropped(day: UtcMillis, operations: u64) {
    metrics::record_dropped_day();
    let date: String = day.to_string().chars().take(10).collect();
    tracing::info!(day = date, operations, "dropped the operations of {date}");
}
