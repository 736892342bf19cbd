//! Decoded files to new ones: sorted by id, one for each UTC day, read back and compared before anybody relies on them. Blocks.
//!
//! Memory: the decoded inputs ([`super::decode::MOST_BYTES`]), 24 bytes for the place of each row, one step of rows twice, and the
//! compressed pages of one row group.

use std::fs::File;
use std::io;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_select::interleave::interleave_record_batch;
use opstream_schemas::lake::durable::{create_durably, remove_unlisted};
use opstream_schemas::lake::{FileKind, file_path, local_path};
use opstream_schemas::{OperationId, UtcMillis};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::decode::Decoded;
use crate::rewriting::opened::{InputError, open, step_rows};
use crate::rewriting::stored_columns::{are_same, stored_schema, to_stored};
use crate::rewriting::summary::{Summary, id_of};
use crate::rewriting::written::{WrittenFile, writer_properties};

/// Why no files were written. None of those that were begun is left, unless it could not be removed: then the sweeper does it.
#[derive(Debug, thiserror::Error)]
pub(super) enum MergeError {
    /// Leave this input out.
    #[error("file {file} cannot be merged")]
    Input { file: i64, source: InputError },
    /// Try again later.
    #[error("cannot write {path} in the lake")]
    Write { path: String, source: std::io::Error },
    /// Try again later: memory or disk is not sound, or the program is wrong.
    #[error("{path} does not read back as it was written; it is not used")]
    OtherRows { path: String },
    /// The process stops.
    #[error("merging was interrupted")]
    Stopped,
}

/// A new file of operations with its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Output {
    /// The operations.
    pub(super) operations: WrittenFile,
    /// Their contents, if any has some.
    pub(super) contents: Option<WrittenFile>,
}

/// Everything that one merge has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outputs {
    /// The new files.
    pub(super) files: Vec<Output>,
    /// When their names were chosen.
    pub(super) named_at: UtcMillis,
    /// How often their rows have been written again, this time included.
    pub(super) merges: i64,
}

/// Where files are written, and when it is given up.
pub(super) struct Workplace<'a> {
    /// Root of the lake.
    pub(super) lake: &'a Path,
    /// The database's clock, for the names.
    pub(super) named_at: UtcMillis,
    /// Looked at between two steps.
    pub(super) stop: &'a CancellationToken,
}

/// Writes the outputs: the step before the transaction that lists them.
pub(super) fn write_outputs(inputs: &[Decoded], place: &Workplace<'_>) -> Result<Outputs, MergeError> {
    let operations = Sorted::new(inputs, FileKind::Operations)?;
    let contents = Sorted::new(inputs, FileKind::Contents)?;
    let merges = inputs.iter().map(|input| input.input.operations.merges).max().unwrap_or(0) + 1;
    let mut outputs = Outputs { files: Vec::new(), named_at: place.named_at, merges };
    for day in operations.rows.chunk_by(|one, other| one.day() == other.day()) {
        let ends = day.first().zip(day.last());
        let (first, last) = ends.map(|(first, last)| (first.id, last.id)).expect("a chunk has a row");
        let written = operations.write(day, place).and_then(|written| {
            outputs.files.push(Output { operations: written, contents: None });
            let contents_of_day = contents.between(first, last);
            if contents_of_day.is_empty() {
                return Ok(());
            }
            let written = contents.write(contents_of_day, place)?;
            outputs.files.last_mut().expect("it was just added").contents = Some(written);
            Ok(())
        });
        if let Err(error) = written {
            remove_outputs(place.lake, &outputs);
            return Err(error);
        }
    }
    Ok(outputs)
}

/// Removes files that no transaction lists or will list. Blocks.
pub(super) fn remove_outputs(lake: &Path, outputs: &Outputs) {
    let files = outputs.files.iter().flat_map(|output| std::iter::once(&output.operations).chain(&output.contents));
    files.for_each(|file| remove_unlisted(lake, &file.path));
}

/// Where a row is.
#[derive(Clone, Copy, Debug)]
struct RowPlace {
    id: OperationId,
    batch: u32,
    row: u32,
}

impl RowPlace {
    fn day(&self) -> UtcMillis {
        self.id.time().day_start()
    }
}

/// The rows of one kind of all inputs, in the order of their ids.
struct Sorted<'a> {
    kind: FileKind,
    batches: Vec<&'a RecordBatch>,
    rows: Vec<RowPlace>,
}

impl<'a> Sorted<'a> {
    fn new(inputs: &'a [Decoded], kind: FileKind) -> Result<Self, MergeError> {
        let mut sorted = Self { kind, batches: Vec::new(), rows: Vec::new() };
        let mut file_of_batch = Vec::new();
        for input in inputs {
            let batches = if kind == FileKind::Operations { &input.operations } else { &input.contents };
            for batch in batches {
                let number = u32::try_from(sorted.batches.len()).expect("the rows of a merge fit 32 bits");
                let ids = batch.column(0).as_fixed_size_binary();
                let places = (0..).zip(0..ids.len());
                sorted.rows.extend(places.map(|(row, at)| RowPlace { id: id_of(ids.value(at)), batch: number, row }));
                sorted.batches.push(batch);
                file_of_batch.push(input.input.operations.number);
            }
        }
        sorted.rows.sort_unstable_by_key(|place| (place.id, place.batch, place.row));
        let twice = sorted.rows.windows(2).find(|pair| pair[0].id == pair[1].id).map(|pair| pair[1]);
        match twice.and_then(|place| Some((place.id, file_of_batch.get(usize::try_from(place.batch).ok()?)?))) {
            Some((id, file)) => Err(MergeError::Input { file: *file, source: InputError::Duplicate { id } }),
            None => Ok(sorted),
        }
    }

    /// The rows from one id to another, both included.
    fn between(&self, first: OperationId, last: OperationId) -> &[RowPlace] {
        let from = self.rows.partition_point(|place| place.id < first);
        let to = self.rows.partition_point(|place| place.id <= last);
        &self.rows[from..to]
    }

    fn encode(
        &self,
        rows: &[RowPlace],
        (file, summary): (File, &mut Summary),
        stop: &CancellationToken,
    ) -> Result<File, ParquetError> {
        let mut writer = ArrowWriter::try_new(file, stored_schema(self.kind), Some(writer_properties()?))?;
        for step in rows.chunks(step_rows(self.kind)) {
            if stop.is_cancelled() {
                break;
            }
            let batch = self.take(step);
            summary.add_batch(self.kind, &batch);
            writer.write(&batch)?;
        }
        writer.into_inner()
    }

    /// Writes these rows to a new file and reads them back.
    fn write(&self, rows: &[RowPlace], place: &Workplace<'_>) -> Result<WrittenFile, MergeError> {
        let path = file_path(self.kind, place.named_at, Uuid::new_v4());
        let local = local_path(place.lake, &path).expect("our own paths stay inside the lake");
        let mut summary = Summary::default();
        let written = create_durably(&local, |file| {
            self.encode(rows, (file, &mut summary), place.stop).map_err(io::Error::other)
        });
        let checked = written.map_err(|source| MergeError::Write { path: path.clone(), source }).and_then(|bytes| {
            if place.stop.is_cancelled() {
                return Err(MergeError::Stopped);
            }
            if !self.reads_back(&local, rows) {
                return Err(MergeError::OtherRows { path: path.clone() });
            }
            Ok(bytes)
        });
        match checked {
            Ok(bytes) => Ok(WrittenFile { kind: self.kind, path, bytes, summary }),
            Err(error) => {
                remove_unlisted(place.lake, &path);
                Err(error)
            }
        }
    }

    /// Whether the file holds these rows, in this order, the same in every column.
    fn reads_back(&self, local: &Path, rows: &[RowPlace]) -> bool {
        let Ok(reader) = open(local, self.kind) else { return false };
        let mut steps = rows.chunks(step_rows(self.kind));
        for batch in reader {
            let Some(found) = batch.ok().and_then(|batch| to_stored(self.kind, &batch)) else { return false };
            if !steps.next().is_some_and(|step| are_same(&found, &self.take(step))) {
                return false;
            }
        }
        steps.next().is_none()
    }

    fn take(&self, rows: &[RowPlace]) -> RecordBatch {
        let index = |number: u32| usize::try_from(number).expect("32 bits fit a machine's word");
        let places: Vec<(usize, usize)> = rows.iter().map(|place| (index(place.batch), index(place.row))).collect();
        interleave_record_batch(&self.batches, &places).expect("places are within batches of one schema")
    }
}
