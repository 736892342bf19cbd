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
    /// The disk or folder refuses.
    #[error("cannot write {path} in the lake")]
    Io {
        /// Relative path.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The Parquet writer refuses.
    #[error("cannot write {path} as Parquet")]
    Parquet {
        /// Relative path.
        path: String,
        /// What the writer said.
        source: ParquetError,
    },
    /// Counts so large that their sum does not fit.
    #[error("the sum of {column} over one file exceeds 64 bits")]
    SumTooLarge {
        /// Name of the column.
        column: &'static str,
    },
}

/// Writes the columns under a new unique name and forces file and folder to disk. Blocks.
///
/// # Errors
/// When the disk refuses or a sum does not fit; a half-written file is never listed.
pub fn write_lake_file(
    root: &Path,
    kind: FileKind,
    columns: &RecordBatch,
    named_at: UtcMillis,
) -> Result<LakeFile, LakeFileError> {
    let summary = summarise(kind, columns)?;
    let path = file_path(kind, named_at, Uuid::new_v4());
    let target = local_path(root, &path).expect("our own paths stay inside the lake");
    let io = |source| LakeFileError::Io { path: path.clone(), source };
    let folder = target.parent().expect("a lake file lies in a day's folder");
    create_folder(folder).map_err(io)?;
    let file = File::create_new(&target).map_err(io)?;
    let file = encode(file, columns).map_err(|source| LakeFileError::Parquet { path: path.clone(), source })?;
    file.sync_all().map_err(io)?;
    sync_folder(folder).map_err(io)?;
    let bytes = i64::try_from(file.metadata().map_err(io)?.len()).unwrap_or(i64::MAX);
    Ok(LakeFile { kind, path, named_at, bytes, summary })
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

fn summarise(kind: FileKind, columns: &RecordBatch) -> Result<Summary, LakeFileError> {
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
            *sum = sum_of(columns, name)?;
        }
    }
    Ok(summary)
}

fn sum_of(columns: &RecordBatch, name: &'static str) -> Result<i64, LakeFileError> {
    let column = columns.column_by_name(name).expect("summed columns are stored columns").as_primitive::<Int64Type>();
    let sum: i128 = column.iter().flatten().map(i128::from).sum();
    i64::try_from(sum).map_err(|_| LakeFileError::SumTooLarge { column: name })
}

/// Creates the folder and makes each new entry durable.
fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.try_exists()? {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        create_folder(parent)?;
        match fs::create_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => created?,
        }
        sync_folder(parent)?;
    }
    Ok(())
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
