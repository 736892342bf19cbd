//! Files of the lake opened for being written anew, and what can be wrong with them. Blocks.

use std::fs::File;
use std::path::{Path, PathBuf};

use opstream_schemas::OperationId;
use opstream_schemas::lake::{FileKind, LakePathError};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;

/// A file that cannot be merged. It stays as it is and is tried again later: a backup may bring it back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
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
    pub(crate) const fn reason(&self) -> &'static str {
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

/// Opens a file of the lake, to be read in the steps in which files are written.
pub(crate) fn open(path: &Path, kind: FileKind) -> Result<ParquetRecordBatchReader, InputError> {
    let file = File::open(path).map_err(|source| InputError::Open { path: path.to_owned(), source })?;
    let undecodable = |source| InputError::Decode { path: path.to_owned(), source };
    // The types are those of the Parquet schema, whatever Arrow type the writer had in hand.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(undecodable)?;
    builder.with_batch_size(step_rows(kind)).build().map_err(undecodable)
}

/// Rows that are decoded or written in one step: operations have some hundred bytes each, contents up to a megabyte.
pub(crate) const fn step_rows(kind: FileKind) -> usize {
    match kind {
        FileKind::Operations => 4096,
        FileKind::Contents => 64,
    }
}
