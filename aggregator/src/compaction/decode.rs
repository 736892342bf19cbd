//! A file with its contents, decoded and held against its rows in the manifest. Blocks.
//!
//! Only what is exactly as the manifest states may be merged: once the files are gone, nothing could tell any more where a
//! difference came from.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use opstream_schemas::OperationId;
use opstream_schemas::lake::{FileKind, LakePathError, local_path};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

use super::listed::{Input, ListedFile};
use super::stored_columns::to_stored;
use super::summary::{Summary, id_of};

/// What the files of one merge may take in memory once they are decoded, content included.
pub(super) const MOST_BYTES: usize = 64 << 20;

/// A file that cannot be merged. It stays as it is and is tried again later: a backup may bring it back.
#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    /// The manifest was tampered with.
    #[error(transparent)]
    Path(#[from] LakePathError),
    /// Missing, or not to be read.
    #[error("cannot open {}", path.display())]
    Open { path: PathBuf, source: std::io::Error },
    /// Not the Parquet file that was written.
    #[error("cannot decode {}", path.display())]
    Decode { path: PathBuf, source: ParquetError },
    /// The reader gave up on damaged bytes.
    #[error("decoding failed on damaged bytes")]
    Damaged,
    /// Written by another version of opstream, or by something else.
    #[error("{} does not have the columns that this version of opstream writes", path.display())]
    Columns { path: PathBuf },
    /// Not the file that the manifest lists.
    #[error("{} is not what the manifest says: {differences}", path.display())]
    OtherContent { path: PathBuf, differences: String },
    /// Contents of other operations, or not of all.
    #[error("the operations that have content are not those whose content is in the files of contents")]
    OtherOperations,
    /// An operation that is in two live files.
    #[error("operation {id} is in another live file too")]
    Duplicate { id: OperationId },
}

impl InputError {
    /// Label of the metric.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Path(_) => "path",
            Self::Open { .. } => "missing",
            Self::Decode { .. } | Self::Damaged => "unreadable",
            Self::Columns { .. } => "columns",
            Self::OtherContent { .. } | Self::OtherOperations => "other_content",
            Self::Duplicate { .. } => "duplicate",
        }
    }
}

/// An input in memory.
#[derive(Debug)]
pub(super) struct Decoded {
    /// Which it is.
    pub(super) input: Input,
    /// Its operations.
    pub(super) operations: Vec<RecordBatch>,
    /// Their contents.
    pub(super) contents: Vec<RecordBatch>,
    /// What both take.
    pub(super) bytes: usize,
}

/// Decodes an input. `None` when it would take more than `most_bytes`; then at most one batch more is in memory meanwhile.
pub(super) fn decode(lake: &Path, input: Input, most_bytes: usize) -> Result<Option<Decoded>, InputError> {
    let mut decoded = Decoded { input, operations: Vec::new(), contents: Vec::new(), bytes: 0 };
    let files: Vec<ListedFile> = decoded.input.files().cloned().collect();
    for file in &files {
        let path = local_path(lake, &file.path)?;
        let mut found = Summary::default();
        for batch in open(&path, file.kind)? {
            let batch = batch.map_err(|error| InputError::Decode { path: path.clone(), source: error.into() })?;
            let batch = to_stored(file.kind, &batch).ok_or_else(|| InputError::Columns { path: path.clone() })?;
            decoded.bytes += batch.get_array_memory_size();
            if decoded.bytes > most_bytes {
                return Ok(None);
            }
            found.add_batch(file.kind, &batch);
            decoded.batches(file.kind).push(batch);
        }
        let differences = file.summary.differences(&found);
        if !differences.is_empty() {
            return Err(InputError::OtherContent { path, differences });
        }
    }
    if decoded.ids_with_content() != ids_of(&decoded.contents) {
        return Err(InputError::OtherOperations);
    }
    Ok(Some(decoded))
}

/// Opens a file of the lake, to be read in the steps in which files are written.
pub(super) fn open(path: &Path, kind: FileKind) -> Result<ParquetRecordBatchReader, InputError> {
    let file = File::open(path).map_err(|source| InputError::Open { path: path.to_owned(), source })?;
    let undecodable = |source| InputError::Decode { path: path.to_owned(), source };
    // The types are those of the Parquet schema, whatever Arrow type the writer had in hand.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(undecodable)?;
    builder.with_batch_size(step_rows(kind)).build().map_err(undecodable)
}

/// Rows that are decoded or written in one step: operations have some hundred bytes each, contents up to a megabyte.
pub(super) const fn step_rows(kind: FileKind) -> usize {
    match kind {
        FileKind::Operations => 4096,
        FileKind::Contents => 64,
    }
}

impl Decoded {
    fn batches(&mut self, kind: FileKind) -> &mut Vec<RecordBatch> {
        match kind {
            FileKind::Operations => &mut self.operations,
            FileKind::Contents => &mut self.contents,
        }
    }

    /// Ascending.
    fn ids_with_content(&self) -> Vec<OperationId> {
        let mut with_content = Vec::new();
        for batch in &self.operations {
            let has_content = batch.column_by_name("has_content").expect("stored columns have it").as_boolean();
            let ids = batch.column(0).as_fixed_size_binary();
            let rows = (0..batch.num_rows()).filter(|row| has_content.value(*row));
            with_content.extend(rows.map(|row| id_of(ids.value(row))));
        }
        with_content.sort_unstable();
        with_content
    }
}

/// Ascending.
fn ids_of(batches: &[RecordBatch]) -> Vec<OperationId> {
    let mut found = Vec::new();
    for batch in batches {
        let ids = batch.column(0).as_fixed_size_binary();
        found.extend((0..ids.len()).map(|row| id_of(ids.value(row))));
    }
    found.sort_unstable();
    found
}
