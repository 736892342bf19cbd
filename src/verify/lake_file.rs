//! Reads one Parquet file of the lake: its sums for the manifest, or its operations between two ids.
//!
//! Every column is decoded, also those that count nowhere: a file of which a column cannot be decoded is lost to whoever
//! asks for it. Sync and without the database: callers run it on a blocking thread. A file is read in batches, so that its size
//! does not matter; row groups whose statistics lie outside the wanted ids are skipped.

use std::fs::File;
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;

use arrow_array::{Array, RecordBatch, StringArray};
use opstream_schemas::OperationId;
use opstream_schemas::lake::MANIFEST_SUMS;
use opstream_schemas::lake::{CONTENT_COLUMNS, Column, OPERATION_COLUMNS, id_hash, value_hash};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;

use super::facts::{NumberColumn, hash_of_text, id_at, id_column, text_column};

/// Ids from the first to the last, both included.
pub(super) type IdRange = RangeInclusive<OperationId>;

/// Rows decoded at once; with some forty columns about 3 MB.
const BATCH_ROWS: usize = 8192;

/// Why a file cannot be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LakeFileError {
    /// The manifest names no file below the lake's root.
    #[error("path leaves the lake")]
    Path,
    /// The decoder gave up in a way it does not report.
    #[error("file makes the decoder fail")]
    Undecodable,
    /// Nothing is there.
    #[error("file is missing")]
    Missing,
    /// The operating system does not hand it out.
    #[error("file cannot be opened")]
    Open(#[source] io::Error),
    /// Its bytes are no Parquet, or damaged.
    #[error("file cannot be decoded")]
    Decode(#[source] ParquetError),
    /// Parquet, but not with the lake's columns.
    #[error("column {name} is absent or is not {expected}")]
    Column {
        /// Name of the column.
        name: String,
        /// What the lake's files hold there.
        expected: &'static str,
    },
}

/// What the manifest says about a file, and what the file itself adds up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FileSums {
    /// Rows.
    pub(super) rows: i64,
    /// Order-independent fingerprint of the ids.
    pub(super) id_hash: i64,
    /// Lowest id; none without rows.
    pub(super) min_id: Option<OperationId>,
    /// Highest id; none without rows.
    pub(super) max_id: Option<OperationId>,
    /// Sums in the order of [`MANIFEST_SUMS`]. They are wider than their columns, so that damage cannot overflow them.
    pub(super) sums: [i128; MANIFEST_SUMS.len()],
}

/// An operations file as a whole.
#[derive(Debug, Default)]
pub(super) struct Measured {
    /// Its sums.
    pub(super) sums: FileSums,
    /// Ids with `has_content`, ascending.
    pub(super) content_ids: Vec<OperationId>,
}

/// A file of contents as a whole.
#[derive(Debug, Default)]
pub(super) struct MeasuredContents {
    /// Its sums, of which only the ids' are not 0.
    pub(super) sums: FileSums,
    /// Ids and hashes of their contents, ascending.
    pub(super) contents: Vec<(OperationId, u64)>,
}

/// Reads an operations file and adds it up.
pub(super) fn measure_operations(path: &Path) -> Result<Measured, LakeFileError> {
    let sources: Vec<&Column> = ["success", "has_content"]
        .iter()
        .chain(&MANIFEST_SUMS)
        .filter_map(|name| OPERATION_COLUMNS.iter().find(|column| column.name == *name))
        .collect();
    let mut measured = Measured::default();
    read(path, |_| true, |batch| measured.add(batch, &sources))?;
    measured.content_ids.sort_unstable();
    Ok(measured)
}

/// Reads a file of contents.
pub(super) fn measure_contents(path: &Path) -> Result<MeasuredContents, LakeFileError> {
    let mut measured = MeasuredContents::default();
    read(path, |_| true, |batch| measured.add(batch))?;
    measured.contents.sort_unstable();
    Ok(measured)
}

/// Hash of the texts of one row of contents, in the order of [`CONTENT_COLUMNS`] after the id.
pub(super) fn content_hash(texts: [Option<&str>; CONTENT_COLUMNS.len() - 1]) -> u64 {
    value_hash(texts.map(|text| hash_of_text(text).to_be_bytes()).as_flattened())
}

/// Hands every batch to `take`, leaving out row groups that `wanted` refuses.
pub(super) fn read(
    path: &Path,
    wanted: impl Fn(&RowGroupMetaData) -> bool,
    mut take: impl FnMut(&RecordBatch) -> Result<(), LakeFileError>,
) -> Result<(), LakeFileError> {
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => LakeFileError::Missing,
        _ => LakeFileError::Open(error),
    })?;
    // The types are those of the Parquet schema, whatever Arrow type the writer had in hand.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder =
        ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(LakeFileError::Decode)?;
    let groups = builder.metadata().row_groups().iter().enumerate();
    let groups = groups.filter(|(_, group)| wanted(group)).map(|(index, _)| index).collect();
    let reader = builder.with_row_groups(groups).with_batch_size(BATCH_ROWS).build();
    for batch in reader.map_err(LakeFileError::Decode)? {
        take(&batch.map_err(|error| LakeFileError::Decode(error.into()))?)?;
    }
    Ok(())
}

/// Whether a row group may hold ids of this range; true when its statistics do not say.
pub(super) fn may_hold(group: &RowGroupMetaData, range: &IdRange) -> bool {
    let column = group.columns().iter().find(|column| column.column_path().string() == "operation_id");
    let Some(statistics) = column.and_then(|column| column.statistics()) else { return true };
    // Truncated statistics still are bounds: shortened minima are lower, shortened maxima are rounded up.
    let starts_late = statistics.min_bytes_opt().is_some_and(|min| min > &range.end().bytes()[..]);
    let ends_early = statistics.max_bytes_opt().is_some_and(|max| max < &range.start().bytes()[..]);
    !starts_late && !ends_early
}

impl Measured {
    fn add(&mut self, batch: &RecordBatch, sources: &[&Column]) -> Result<(), LakeFileError> {
        self.sums.add_ids(batch)?;
        let ids = id_column(batch)?;
        for source in sources {
            let column = NumberColumn::of(batch, source)?;
            let values = (0..batch.num_rows()).map(|row| column.value(row));
            match source.name {
                "success" => {
                    *self.sums.sum_of("failures") += values.map(|value| i128::from(value != Some(1))).sum::<i128>();
                }
                "has_content" => {
                    let with_content = values.enumerate().filter(|(_, value)| *value == Some(1));
                    self.content_ids.extend(with_content.map(|(row, _)| id_at(ids, row)));
                }
                name => *self.sums.sum_of(name) += values.flatten().map(i128::from).sum::<i128>(),
            }
            if source.name == "cost_nano_usd" {
                let nulls = (0..batch.num_rows()).filter(|row| column.value(*row).is_none()).count();
                *self.sums.sum_of("unpriced") += i128::try_from(nulls).expect("a batch's rows fit 128 bits");
            }
        }
        Ok(())
    }
}

impl MeasuredContents {
    fn add(&mut self, batch: &RecordBatch) -> Result<(), LakeFileError> {
        let ids = self.sums.add_ids(batch)?;
        let [_, columns @ ..] = CONTENT_COLUMNS else { return Ok(()) };
        let columns: Vec<&StringArray> =
            columns.iter().map(|column| text_column(batch, column.name)).collect::<Result<_, _>>()?;
        for (row, id) in ids.into_iter().enumerate() {
            let text = |place: usize| columns[place].is_valid(row).then(|| columns[place].value(row));
            self.contents.push((id, content_hash(std::array::from_fn(text))));
        }
        Ok(())
    }
}

impl FileSums {
    /// Adds the ids of a batch and returns them in its order.
    fn add_ids(&mut self, batch: &RecordBatch) -> Result<Vec<OperationId>, LakeFileError> {
        let column = id_column(batch)?;
        let ids: Vec<OperationId> = (0..column.len()).map(|row| id_at(column, row)).collect();
        let bytes: Vec<[u8; 16]> = ids.iter().map(|id| id.bytes()).collect();
        self.rows += i64::try_from(ids.len()).expect("a batch's rows fit 63 bits");
        self.id_hash = self.id_hash.wrapping_add(id_hash(bytes.iter().map(|id| &id[..])));
        self.min_id = self.min_id.into_iter().chain(ids.iter().copied()).min();
        self.max_id = self.max_id.into_iter().chain(ids.iter().copied()).max();
        Ok(ids)
    }

    /// The sum of one of [`MANIFEST_SUMS`].
    pub(super) fn sum_of(&mut self, name: &str) -> &mut i128 {
        let place = MANIFEST_SUMS.iter().position(|summed| *summed == name).expect("every summed column is listed");
        &mut self.sums[place]
    }
}
