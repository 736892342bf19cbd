//! Writes one Parquet file of the lake, durable before it returns, and says what its manifest row must say.
//!
//! A file counts only if a committed manifest row lists it. A crash before that leaves an orphan, which nobody reads.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use opstream_schemas::OperationId;
use opstream_schemas::failpoint::{self, Step};
use opstream_schemas::lake::durable::{create_durably, create_folder, remove_unlisted};
use opstream_schemas::lake::{FileKind, file_path, id_hash, local_path};
use opstream_schemas::time::UtcMillis;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use uuid::Uuid;

use crate::columns::read_id;

/// A file that has been written and is not listed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LakeFile {
    /// What it holds.
    pub kind: FileKind,
    /// Path relative to the lake's root.
    pub path: String,
    /// When the name was chosen.
    pub named_at: UtcMillis,
    /// Size.
    pub bytes: i64,
    /// Count, hash, range and sums of what it holds.
    pub summary: Summary,
}

/// What a file holds, as the manifest states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Number of rows.
    pub rows: i64,
    /// Order-independent hash of the ids.
    pub id_hash: i64,
    /// Lowest and highest id.
    pub ids: (OperationId, OperationId),
    /// Operations without success.
    pub failures: i64,
    /// Operations without a cost.
    pub unpriced: i64,
    /// Sums of `SUMMED` columns.
    pub sums: [i64; SUMMED.len()],
}

/// Columns whose sums the manifest states, in the order of [`Summary::sums`].
pub const SUMMED: [&str; 6] = [
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cost_nano_usd",
    "reported_cost_nano_usd",
];

/// Why a file could not be written. The caller tries again: nothing has been listed.
#[derive(Debug, thiserror::Error)]
pub enum LakeFileError {
    /// The disk, the folder or the Parquet writer refuses.
    #[error("cannot write {path} in the lake")]
    Write {
        /// Relative path.
        path: String,
        /// What the system or the writer said.
        source: io::Error,
    },
    /// The writer gave up in a way it does not report.
    #[error("writing the file panicked")]
    Panicked,
}

/// Writes the columns under a new unique name and forces file and folder to disk. Blocks.
///
/// # Errors
/// When the disk refuses. A half-written file is removed again: on a full disk each attempt would leave more of them.
pub fn write_lake_file(
    root: &Path,
    kind: FileKind,
    columns: &RecordBatch,
    named_at: UtcMillis,
) -> Result<LakeFile, LakeFileError> {
    let path = file_path(kind, named_at, Uuid::new_v4());
    let target = local_path(root, &path).expect("our own paths stay inside the lake");
    match write_durably(&target, columns) {
        Ok(bytes) => Ok(LakeFile { kind, path, named_at, bytes, summary: summarise(kind, columns) }),
        Err(source) => {
            remove_unlisted(root, &path);
            Err(LakeFileError::Write { path, source })
        }
    }
}

/// Creates the root of the lake and shows that it can be written. Blocks.
///
/// # Errors
/// When it cannot.
pub fn open_lake(root: &Path) -> io::Result<()> {
    create_folder(root)?;
    let probe = root.join(format!(".probe-{}", Uuid::new_v4().simple()));
    File::create_new(&probe)?;
    fs::remove_file(probe)
}

/// Returns the length of the file once it and its entry in the folder are on disk.
fn write_durably(target: &Path, columns: &RecordBatch) -> io::Result<i64> {
    create_durably(target, |file| {
        failpoint::reach_blocking(Step::FileNamed)?;
        let file = encode(file, columns).map_err(io::Error::other)?;
        failpoint::reach_blocking(Step::FileWritten)?;
        Ok(file)
    })
}

fn encode(file: File, columns: &RecordBatch) -> Result<File, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        // Ids are random past their time: a dictionary of them only costs.
        .set_column_dictionary_enabled("operation_id".into(), false)
        .build();
    let mut writer = ArrowWriter::try_new(file, columns.schema(), Some(properties))?;
    writer.write(columns)?;
    writer.into_inner()
}

/// What the manifest must say about a file of these columns.
pub(crate) fn summarise(kind: FileKind, columns: &RecordBatch) -> Summary {
    let ids = columns.column_by_name("operation_id").expect("stored columns have an id").as_fixed_size_binary();
    let every_id = || ids.iter().map(|id| id.expect("operation_id is not nullable"));
    let bounds =
        (every_id().min().map_or(OperationId::MIN, read_id), every_id().max().map_or(OperationId::MIN, read_id));
    let mut summary = Summary {
        rows: i64::try_from(columns.num_rows()).unwrap_or(i64::MAX),
        id_hash: id_hash(every_id()),
        ids: bounds,
        failures: 0,
        unpriced: 0,
        sums: [0; SUMMED.len()],
    };
    if kind == FileKind::Operations {
        let success = columns.column_by_name("success").expect("operations have an outcome").as_boolean();
        summary.failures = i64::try_from(columns.num_rows() - success.true_count()).unwrap_or(i64::MAX);
        let cost = columns.column_by_name("cost_nano_usd").expect("operations have a cost column");
        summary.unpriced = i64::try_from(cost.null_count()).unwrap_or(i64::MAX);
        for (sum, name) in summary.sums.iter_mut().zip(SUMMED) {
            *sum = sum_of(columns, name);
        }
    }
    summary
}

fn sum_of(columns: &RecordBatch, name: &'static str) -> i64 {
    let column = columns.column_by_name(name).expect("summed columns are stored columns").as_primitive::<Int64Type>();
    // Checked amounts of a bounded number of operations: `opstream_schemas::validate` proves that they fit.
    column.iter().flatten().sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{FixedSizeBinaryArray, StringArray};
    use opstream_schemas::lake::CONTENT_COLUMNS;

    use super::*;
    use crate::columns::stored_schema;

    fn contents() -> RecordBatch {
        let ids = FixedSizeBinaryArray::try_from_iter([[7_u8; 16]].into_iter()).unwrap();
        let text = || Arc::new(StringArray::from(vec![Some("be kind")]));
        RecordBatch::try_new(stored_schema(CONTENT_COLUMNS), vec![Arc::new(ids), text(), text(), text(), text()])
            .unwrap()
    }

    fn files_below(folder: &Path) -> usize {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { files_below(&path) } else { 1 }).sum()
    }

    #[test]
    fn a_file_that_could_not_be_written_whole_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        // The Parquet writer does not know this type, and says so after the file was created.
        let schema = arrow_schema::Schema::new(vec![arrow_schema::Field::new(
            "operation_id",
            arrow_schema::DataType::Interval(arrow_schema::IntervalUnit::MonthDayNano),
            true,
        )]);
        let column = arrow_array::new_null_array(schema.field(0).data_type(), 1);
        let unwritable = RecordBatch::try_new(Arc::new(schema), vec![column]).unwrap();
        let now = UtcMillis::from_millis(1_790_000_000_000);
        let refused = write_lake_file(folder.path(), FileKind::Contents, &unwritable, now);
        assert!(matches!(refused, Err(LakeFileError::Write { .. })), "{refused:?}");
        assert_eq!(files_below(folder.path()), 0);
        write_lake_file(folder.path(), FileKind::Contents, &contents(), now).unwrap();
        assert_eq!(files_below(folder.path()), 1);
    }

    #[test]
    fn a_lake_that_cannot_be_written_is_named_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let lake = folder.path().join("new").join("lake");
        open_lake(&lake).unwrap();
        assert_eq!(files_below(&lake), 0, "the probe is gone");
        // Tests run in the folder of their crate.
        let relative = tempfile::tempdir_in(".").unwrap();
        let name = Path::new(relative.path().file_name().unwrap());
        fs::remove_dir(name).unwrap();
        open_lake(name).unwrap();
        let occupied = folder.path().join("file");
        fs::write(&occupied, b"").unwrap();
        assert!(open_lake(&occupied).is_err());
        assert!(open_lake(&occupied.join("lake")).is_err());
    }
}
