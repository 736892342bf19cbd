//! What the tables say about each other beside rows, files and windows: how far windows reach and who may write them.
//!
//! In: the snapshot. Out: the check `bookkeeping`. Each promise is one query whose rows are what breaks it.

use opstream_schemas::database::{Row, Value};

use super::report::{Check, Finding};
use super::snapshot::{Snapshot, VerifyError, unfetched};

/// One promise: its query, which takes the generation, and what its rows mean.
struct Promise {
    sql: &'static str,
    describe: fn(&Row) -> Result<String, sqlx::Error>,
    cause: &'static str,
    way_out: &'static str,
}

const PROMISES: [Promise; 5] = [
    Promise {
        sql: include_str!("bookkeeping/windowed_too_far.sql"),
        describe: windowed_too_far,
        cause: "windowed_offsets was moved by hand, or a file was unmarked in windowed_files",
        way_out: "delete the partition's row of windowed_offsets; the aggregator writes it again",
    },
    Promise {
        sql: include_str!("bookkeeping/windowed_beyond_checkpoint.sql"),
        describe: windowed_beyond_checkpoint,
        cause: "windowed_offsets or stream_partitions was moved by hand",
        way_out: "see `applied_ranges` first; then delete the partition's row of windowed_offsets",
    },
    Promise {
        sql: include_str!("bookkeeping/windowed_without_operations.sql"),
        describe: windowed_without_operations,
        cause: "windowed_files was changed outside the aggregator",
        way_out: "delete that row of windowed_files",
    },
    Promise {
        sql: include_str!("bookkeeping/unknown_windows.sql"),
        describe: unknown_windows,
        cause: "a newer opstream wrote these windows, or they were inserted by hand",
        way_out: "verify with the opstream that wrote them, or `opstream aggregator --rebuild`",
    },
    Promise {
        sql: include_str!("bookkeeping/idle_progress.sql"),
        describe: idle_progress,
        cause: "the file was given up or taken out of the manifest while it was being added",
        way_out: "`opstream aggregator --rebuild` makes windows without it",
    },
];

/// Checks what the tables say about each other.
///
/// # Errors
/// When the database fails.
pub(super) async fn check_bookkeeping(snapshot: &mut Snapshot) -> Result<Check, VerifyError> {
    let mut check = Check::new("bookkeeping", "windows reach as far as the tables say, and no further");
    let generation: Value = snapshot.settings.generation.into();
    for promise in PROMISES {
        check.compared("promises", 1);
        let broken = |source| VerifyError::Database { what: "bookkeeping", source };
        let rows = snapshot.fetch("bookkeeping", promise.sql, std::slice::from_ref(&generation)).await?;
        check.findings_total += unfetched(&rows).map_err(broken)?;
        for row in rows {
            let what = (promise.describe)(&row).map_err(broken)?;
            check.find(|| Finding { what, cause: promise.cause, way_out: promise.way_out });
        }
    }
    Ok(check)
}

fn windowed_too_far(row: &Row) -> Result<String, sqlx::Error> {
    Ok(format!(
        "partition {} of stream {}: all offsets below {} are said to be in windows, but offset {} is in file {}, which \
         is not marked as windowed",
        row.int("partition")?,
        row.int("stream_id")?,
        row.int("next_offset")?,
        row.int("from_offset")?,
        row.int("file_number")?
    ))
}

fn windowed_beyond_checkpoint(row: &Row) -> Result<String, sqlx::Error> {
    let checkpoint = row.optional_int("checkpoint")?;
    Ok(format!(
        "partition {} of stream {}: all offsets below {} are said to be in windows, the checkpoint is {}",
        row.int("partition")?,
        row.int("stream_id")?,
        row.int("next_offset")?,
        checkpoint.map_or_else(|| "absent".to_owned(), |offset| offset.to_string())
    ))
}

fn windowed_without_operations(row: &Row) -> Result<String, sqlx::Error> {
    let number = row.int("file_number")?;
    Ok(format!("windowed_files marks file {number}, which is not an operations file of the manifest"))
}

fn unknown_windows(row: &Row) -> Result<String, sqlx::Error> {
    let (set, level, windows) = (row.int("dimension_set")?, row.int("level")?, row.int("windows")?);
    Ok(format!("{windows} windows have the set {set} and level {level}, which this opstream does not know"))
}

fn idle_progress(row: &Row) -> Result<String, sqlx::Error> {
    let number = row.int("file_number")?;
    Ok(format!("a part of file {number} is in windows, but it is no live file that waits for the rest"))
}
