//! Removed files that end below the floor: deleted from the disk an hour after they were removed, then from the manifest.
//!
//! Readers that planned with a file before it was removed have that hour. The disk comes first: a row whose file is gone already is
//! found again and finds nothing to delete, while a file whose row is gone would be found by nobody.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Transaction, Value};
use opstream_schemas::lake::local_path;
use opstream_schemas::offsets::Fence;

use super::{RetentionError, lowest_kept};
use crate::rows_statement::RowsStatement;
use crate::{lease, metrics};

/// How long a removed file stays for those who are reading it.
const READERS_TIME_MILLIS: i64 = 3_600_000;

/// Everything that refers to a file, and its row last.
static FORGET: LazyLock<[RowsStatement; 4]> = LazyLock::new(|| {
    ["windowed_files", "window_progress", "given_up_files", "lake_files"]
        .map(|table| RowsStatement::new(&format!("delete from {table} where file_number in ({{rows}})"), 0, 1))
});

/// A removed file.
struct RemovedFile {
    number: i64,
    path: String,
}

/// Deletes the next files. Returns whether there may be more.
pub(super) async fn delete_slice(
    database: &Database,
    fence: Fence,
    lake: Arc<PathBuf>,
    (floor, now): (UtcMillis, UtcMillis),
) -> Result<bool, RetentionError> {
    let values = [lowest_kept(floor).into(), now.plus_millis(-READERS_TIME_MILLIS).into()];
    let rows = database.fetch_all(include_str!("files_to_delete.sql"), &values).await?;
    let mut files = Vec::with_capacity(rows.len());
    for row in rows {
        files.push(RemovedFile { number: row.int("file_number")?, path: row.text("path")? });
    }
    if files.is_empty() {
        return forget_past_files(database, fence, floor).await;
    }
    let found = files.len();
    // A panic would be an error in the program; nothing is forgotten then.
    let deleted = tokio::task::spawn_blocking(move || delete_from_disk(&lake, files)).await.unwrap_or_default();
    let mut tx = lease::begin(database, fence).await?;
    forget(&mut tx, &deleted).await?;
    tx.commit().await?;
    metrics::record_deleted_files(deleted.len());
    // One that cannot be deleted would be found first again.
    Ok(deleted.len() == found)
}

/// What is known of files that were merged into others goes last: nobody compares ranges below the floor with it.
async fn forget_past_files(database: &Database, fence: Fence, floor: UtcMillis) -> Result<bool, RetentionError> {
    let found = "select 1 as found from past_files where max_operation_id < $1 limit 1";
    if database.fetch_optional(found, &[lowest_kept(floor).into()]).await?.is_none() {
        return Ok(false);
    }
    let mut tx = lease::begin(database, fence).await?;
    let slice = "delete from past_files where file_number in \
                 (select file_number from past_files where max_operation_id < $1 order by file_number limit 1000)";
    tx.execute(slice, &[lowest_kept(floor).into()]).await?;
    tx.commit().await?;
    Ok(true)
}

/// Numbers of those that are not there any more.
fn delete_from_disk(lake: &std::path::Path, files: Vec<RemovedFile>) -> Vec<i64> {
    let mut deleted = Vec::with_capacity(files.len());
    for RemovedFile { number, path } in files {
        let outcome = local_path(lake, &path).map_err(std::io::Error::other).and_then(std::fs::remove_file);
        match outcome {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(file = number, path, %error, "cannot delete a file that is no longer kept; trying again later");
            }
            _ => deleted.push(number),
        }
    }
    deleted
}

async fn forget(tx: &mut Transaction, numbers: &[i64]) -> Result<(), sqlx::Error> {
    for statement in FORGET.iter() {
        for (range, text) in statement.chunks(tx.engine(), numbers.len()) {
            let values: Vec<Value> = numbers[range].iter().map(|number| Value::from(*number)).collect();
            tx.execute(text, &values).await?;
        }
    }
    Ok(())
}
