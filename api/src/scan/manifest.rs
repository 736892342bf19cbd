//! The files that the manifest lists for a range.

use opstream_schemas::database::{Database, Row, Value};
use opstream_schemas::lake::FileKind;
use opstream_schemas::{OperationId, UtcMillis};

use super::task::File;
use crate::error::ApiError;
use crate::query::Range;

/// The live files of a kind that may hold something of a range, oldest first.
pub(super) async fn live_files(database: &Database, kind: FileKind, range: Range) -> Result<Vec<File>, ApiError> {
    let lowest = |moment: Option<UtcMillis>, other| moment.map_or(other, OperationId::lowest_at);
    let from = lowest(range.from, OperationId::lowest_at(UtcMillis::from_millis(0)));
    let to = lowest(range.to, OperationId::MAX);
    let sql = "select path, rows, bytes from lake_files where kind = $1 and removed_at_ms is null \
               and max_operation_id >= $2 and min_operation_id <= $3 order by min_operation_id, file_number";
    let values: [Value; 3] = [kind.name().into(), from.into(), to.into()];
    let rows = database.fetch_all(sql, &values).await?;
    let file = |row: &Row| Ok(File { path: row.text("path")?, rows: row.int("rows")?, bytes: row.int("bytes")? });
    Ok(rows.iter().map(file).collect::<Result<_, sqlx::Error>>()?)
}
