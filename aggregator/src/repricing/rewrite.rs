//! A live file with other costs: read, priced, written beside it, and what that changes in windows. Blocks; nothing is listed.
//!
//! In memory is one file, decoded twice. The new file is read back before anybody relies on it.

use std::io;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use opstream_schemas::lake::durable::{create_durably, remove_unlisted};
use opstream_schemas::lake::{FileKind, file_path, local_path};
use opstream_schemas::window::SumOverflow;
use opstream_schemas::{OperationId, UtcMillis};
use parquet::arrow::ArrowWriter;
use uuid::Uuid;

use super::deltas::differences;
use super::revise::{NewPrices, Revision, Scope, revise};
use crate::file_sums::{FileError, Group, read_groups};
use crate::rewriting::listed::ListedFile;
use crate::rewriting::opened::{InputError, open};
use crate::rewriting::stored_columns::{are_same, stored_schema, to_stored};
use crate::rewriting::summary::{Summary, id_of};
use crate::rewriting::written::{WrittenFile, writer_properties};

/// Why a file was not priced again. It is tried again later; its costs stay as they are.
#[derive(Debug, thiserror::Error)]
pub(super) enum RewriteError {
    /// Missing, damaged, or not what the manifest says.
    #[error(transparent)]
    Input(#[from] InputError),
    /// It cannot be added up.
    #[error(transparent)]
    Sums(#[from] FileError),
    /// The disk refuses.
    #[error("cannot write {path} in the lake")]
    Write { path: String, source: io::Error },
    /// Memory or disk is not sound, or the program is wrong.
    #[error("{path} does not read back as it was written; it is not used")]
    OtherRows { path: String },
    /// More than windows can hold.
    #[error("the new costs cannot be added up: {0}")]
    Overflow(#[from] SumOverflow),
}

/// A file that is to take the place of another.
#[derive(Debug)]
pub(super) struct Rewritten {
    /// What it holds.
    pub(super) revision: Revision,
    /// The new file; none when no cost changed.
    pub(super) file: Option<WrittenFile>,
    /// What it changes in windows.
    pub(super) deltas: Vec<Group>,
    /// Where the portion ends; none: it is the whole file.
    pub(super) until: Option<UtcMillis>,
}

/// Where a file is and what becomes of it.
pub(super) struct Workplace {
    /// Root of the lake.
    pub(super) lake: PathBuf,
    /// The database's clock, for the name.
    pub(super) named_at: UtcMillis,
}

/// Prices a live file again.
pub(super) fn rewrite(
    place: &Workplace,
    listed: &ListedFile,
    prices: &mut NewPrices,
    scope: Scope,
) -> Result<Rewritten, RewriteError> {
    let source = local_path(&place.lake, &listed.path).map_err(InputError::from)?;
    let batches = read(&source, &listed.summary)?;
    let mut revision = revise(&batches, prices, scope);
    let mut until = scope.until;
    if let Some(end) = revision.portion_end() {
        until = Some(end);
        revision = revise(&batches, prices, Scope { until, ..scope });
    }
    drop(batches);
    if revision.changed.is_empty() {
        return Ok(Rewritten { revision, file: None, deltas: Vec::new(), until });
    }
    let file = write(place, &revision.batches)?;
    let sums = |path: &Path| read_groups(path, listed.summary.rows);
    let target = local_path(&place.lake, &file.path).map_err(InputError::from)?;
    let deltas = sums(&source).and_then(|before| Ok((before, sums(&target)?)));
    match deltas.map_err(RewriteError::from).and_then(|(before, after)| Ok(differences(before, after)?)) {
        Ok(deltas) => Ok(Rewritten { revision, file: Some(file), deltas, until }),
        Err(error) => {
            remove_unlisted(&place.lake, &file.path);
            Err(error)
        }
    }
}

/// The ids of a file's operations.
pub(super) fn ids(lake: &Path, listed: &ListedFile) -> Result<Vec<OperationId>, RewriteError> {
    let path = local_path(lake, &listed.path).map_err(InputError::from)?;
    let mut ids = Vec::new();
    for batch in open(&path, FileKind::Operations)? {
        let batch = batch.map_err(|error| InputError::Decode { path: path.clone(), source: error.into() })?;
        let batch =
            to_stored(FileKind::Operations, &batch).ok_or_else(|| InputError::Columns { path: path.clone() })?;
        let column = batch.column(0).as_fixed_size_binary();
        ids.extend((0..batch.num_rows()).map(|row| id_of(column.value(row))));
    }
    Ok(ids)
}

/// All rows of a file that is what the manifest says.
fn read(path: &Path, expected: &Summary) -> Result<Vec<RecordBatch>, InputError> {
    let mut batches = Vec::new();
    let mut found = Summary::default();
    for batch in open(path, FileKind::Operations)? {
        let batch = batch.map_err(|error| InputError::Decode { path: path.to_owned(), source: error.into() })?;
        let batch =
            to_stored(FileKind::Operations, &batch).ok_or_else(|| InputError::Columns { path: path.to_owned() })?;
        found.add_batch(FileKind::Operations, &batch);
        batches.push(batch);
    }
    let differences = expected.differences(&found);
    if differences.is_empty() {
        Ok(batches)
    } else {
        Err(InputError::OtherContent { path: path.to_owned(), differences })
    }
}

fn write(place: &Workplace, batches: &[RecordBatch]) -> Result<WrittenFile, RewriteError> {
    let path = file_path(FileKind::Operations, place.named_at, Uuid::new_v4());
    let local = local_path(&place.lake, &path).map_err(InputError::from)?;
    let mut summary = Summary::default();
    let written = create_durably(&local, |file| {
        let schema = stored_schema(FileKind::Operations);
        let mut writer = ArrowWriter::try_new(file, schema, Some(writer_properties().map_err(io::Error::other)?))?;
        for batch in batches {
            summary.add_batch(FileKind::Operations, batch);
            writer.write(batch)?;
        }
        writer.into_inner().map_err(io::Error::other)
    });
    let checked = written.map_err(|source| RewriteError::Write { path: path.clone(), source }).and_then(|bytes| {
        let found = read(&local, &summary)?;
        let is_same =
            found.len() == batches.len() && found.iter().zip(batches).all(|(one, other)| are_same(one, other));
        if is_same { Ok(bytes) } else { Err(RewriteError::OtherRows { path: path.clone() }) }
    });
    match checked {
        Ok(bytes) => Ok(WrittenFile { kind: FileKind::Operations, path, bytes, summary }),
        Err(error) => {
            remove_unlisted(&place.lake, &path);
            Err(error)
        }
    }
}
