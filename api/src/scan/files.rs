//! The files of a question as one lazy table, with the columns that all of them should have.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use opstream_schemas::UtcMillis;
use opstream_schemas::lake::{Column as StoredColumn, ColumnKind, LakePathError, local_path};
use polars::prelude::*;

use super::task::File;

/// The table of these files. Columns that a file of an earlier version does not have are null there.
///
/// # Errors
/// When a path leaves the lake, or Polars cannot plan the scan.
pub(super) fn table(lake: &Path, files: &[File], columns: &[StoredColumn]) -> Result<LazyFrame, TableError> {
    let schema = schema_of(columns);
    if files.is_empty() {
        return Ok(DataFrame::empty_with_schema(&schema).lazy());
    }
    let paths = files.iter().map(|file| local_path(lake, &file.path)).collect::<Result<Vec<PathBuf>, _>>()?;
    let paths = paths.into_iter().map(PlRefPath::try_from_pathbuf).collect::<PolarsResult<Vec<_>>>()?;
    let arguments = ScanArgsParquet {
        // A path is a name of the manifest, whatever characters it has.
        glob: false,
        cache: false,
        schema: Some(Arc::new(schema)),
        allow_missing_columns: true,
        ..ScanArgsParquet::default()
    };
    Ok(LazyFrame::scan_parquet_files(paths.into(), arguments)?)
}

/// The files cannot be read as a table.
#[derive(Debug, thiserror::Error)]
pub(super) enum TableError {
    /// The manifest names no file inside the lake.
    #[error(transparent)]
    Path(#[from] LakePathError),
    /// Polars says no.
    #[error(transparent)]
    Polars(#[from] PolarsError),
}

fn schema_of(columns: &[StoredColumn]) -> Schema {
    columns.iter().map(|column| (PlSmallStr::from_static(column.name), type_of(column.kind))).collect()
}

const fn type_of(kind: ColumnKind) -> DataType {
    match kind {
        ColumnKind::Id => DataType::Binary,
        ColumnKind::Int => DataType::Int64,
        ColumnKind::SmallInt => DataType::Int32,
        ColumnKind::Float => DataType::Float64,
        ColumnKind::Bool => DataType::Boolean,
        ColumnKind::Text | ColumnKind::Json => DataType::String,
    }
}

/// That an operation is in a range, whose ends are the first moment and the first one after it.
pub(super) fn within(from: Option<UtcMillis>, to: Option<UtcMillis>) -> Expr {
    let time = || col("time_ms");
    let from = from.map(|from| time().gt_eq(lit(from.millis())));
    let to = to.map(|to| time().lt(lit(to.millis())));
    from.into_iter().chain(to).reduce(Expr::and).unwrap_or_else(|| lit(true))
}
