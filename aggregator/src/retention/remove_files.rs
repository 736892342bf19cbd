//! Files wholly below the floor cease to be live, each together with its contents.
//!
//! Only a file whose operations are in windows is removed, since nobody could add them afterwards. Another transaction that wants the
//! same file, such as a compaction, loses or wins as a whole: whoever sets `removed_at_ms` first has it.

use std::sync::LazyLock;

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Value};
use opstream_schemas::offsets::Fence;

use super::{RetentionError, file_numbers, lowest_kept};
use crate::rows_statement::RowsStatement;
use crate::{lease, metrics};

static REMOVE: LazyLock<RowsStatement> = LazyLock::new(|| {
    let text = "update lake_files set removed_at_ms = $1 \
                where file_number in ({rows}) and removed_at_ms is null returning bytes";
    RowsStatement::new(text, 1, 1)
});
static REMOVE_CONTENTS: LazyLock<RowsStatement> = LazyLock::new(|| {
    let text = "update lake_files set removed_at_ms = $1 \
                where operations_file in ({rows}) and removed_at_ms is null returning bytes";
    RowsStatement::new(text, 1, 1)
});

/// Removes the next files. Returns whether there may be more.
pub(super) async fn remove_slice(
    database: &Database,
    fence: Fence,
    (floor, now): (UtcMillis, UtcMillis),
) -> Result<bool, RetentionError> {
    let due = database.fetch_all(include_str!("files_below_floor.sql"), &[lowest_kept(floor).into()]).await?;
    let numbers = file_numbers(&due)?;
    if numbers.is_empty() {
        return Ok(false);
    }
    let (mut files, mut bytes) = (0, 0);
    let mut tx = lease::begin(database, fence).await?;
    for statement in [&REMOVE, &REMOVE_CONTENTS] {
        for (range, text) in statement.chunks(database.engine(), numbers.len()) {
            let mut values = vec![Value::from(now)];
            values.extend(numbers[range].iter().map(|number| Value::from(*number)));
            for row in tx.fetch_all(text, &values).await? {
                files += 1;
                bytes += row.int("bytes")?;
            }
        }
    }
    tx.commit().await?;
    metrics::record_removed_files(files, bytes);
    tracing::info!(files, bytes, "files before {floor} are no longer part of the lake");
    Ok(true)
}
