//! What a file holds, added up: one group per combination of all dimensions and minute.
//!
//! In: a Parquet file, of which only the needed columns are read. Out: [`Group`]s, sorted. Polars decodes the columns and groups
//! the rows; the sums are added here, because they must be exact or refused, and a group-by would wrap silently.

mod columns;
mod keys;

use std::fs::File;
use std::path::{Path, PathBuf};

use opstream_schemas::UtcMillis;
use opstream_schemas::lake::COST_PARTS;
use opstream_schemas::sketch::{BucketTally, Sketch};
use opstream_schemas::window::{Dimension, DimensionSet, Dimensions, Level, SUM_COLUMNS, SumOverflow, WindowSums};
use polars::prelude::*;

use self::columns::{RowBuckets, bucket_rows, count_nulls, count_values, sum_column, sum_differences, sum_reported};
use self::keys::row_keys;

/// Operations that are read at once: their columns take about 100 MB. The ingestor's files are smaller.
const SLICE_ROWS: usize = 300_000;
/// What the sums need beside the dimensions.
const MEASURES: [&str; 18] = [
    "time_ms",
    "success",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "output_image_tokens",
    "web_searches",
    "cost_nano_usd",
    "reported_cost_nano_usd",
    "cost_status",
    "latency_us",
    "ttft_us",
];
/// The catalogue's cost beside a reported one.
const CATALOGUE_COST: &str = "catalogue_cost_nano_usd";

/// The operations of one combination in one minute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    /// Start of the minute.
    pub(crate) minute: UtcMillis,
    /// All dimensions.
    pub(crate) dimensions: Dimensions,
    /// Sums over its operations.
    pub(crate) sums: WindowSums,
    /// Latencies in microseconds.
    pub(crate) latency: Sketch,
    /// Times to first token in microseconds.
    pub(crate) ttft: Sketch,
}

/// A file that cannot be windowed now. It stays pending and is tried again: a backup may bring it back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// Missing, or not to be read.
    #[error("cannot open {}", path.display())]
    Missing { path: PathBuf, source: std::io::Error },
    /// Not the Parquet file that was written.
    #[error("cannot read {}", path.display())]
    Unreadable { path: PathBuf, source: PolarsError },
    /// The reader gave up on damaged bytes.
    #[error("reading {} failed on damaged bytes", path.display())]
    Damaged { path: PathBuf },
    /// Not the file that the manifest lists.
    #[error("{} has {found} operations, the manifest says {expected}", path.display())]
    OtherCount { path: PathBuf, found: usize, expected: i64 },
    /// A duration below zero, which no ingestor writes.
    #[error("{column} of an operation is negative in {}", path.display())]
    Negative { path: PathBuf, column: &'static str },
    /// More than a window can hold.
    #[error("the file cannot be added: {0}")]
    Overflow(#[from] SumOverflow),
    /// The manifest was tampered with.
    #[error(transparent)]
    Path(#[from] opstream_schemas::lake::LakePathError),
}

impl FileError {
    /// Label of the metric.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::Unreadable { .. } | Self::Damaged { .. } => "unreadable",
            Self::OtherCount { .. } => "other_count",
            Self::Negative { .. } => "negative",
            Self::Overflow(_) => "overflow",
            Self::Path(_) => "path",
        }
    }
}

/// Reads a file of `expected` operations. Blocks; the groups are sorted by minute and combination, and a combination can come
/// more than once in a large file.
pub(crate) fn read_groups(path: &Path, expected: i64) -> Result<Vec<Group>, FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
    let rows = open(path)?.num_rows().map_err(unreadable)?;
    if i64::try_from(rows) != Ok(expected) {
        return Err(FileError::OtherCount { path: path.to_owned(), found: rows, expected });
    }
    let mut groups = Vec::new();
    for start in (0..rows).step_by(SLICE_ROWS) {
        let mut reader = open(path)?;
        let present = reader.schema().map_err(unreadable)?;
        let columns = needed_columns(&present);
        let reader = reader.with_slice(Some((start, SLICE_ROWS))).with_columns(Some(columns));
        let frame = reader.read_parallel(ParallelStrategy::None).finish().map_err(unreadable)?;
        Slice::group(&frame).map_err(unreadable)?.collect(path, &mut groups)?;
    }
    groups.sort_unstable_by(|a: &Group, b| (a.minute, &a.dimensions).cmp(&(b.minute, &b.dimensions)));
    Ok(groups)
}

fn open(path: &Path) -> Result<ParquetReader<File>, FileError> {
    let file = File::open(path).map_err(|source| FileError::Missing { path: path.to_owned(), source })?;
    Ok(ParquetReader::new(file))
}

/// The columns to read of a file with these. Files of earlier versions have none of the [`later`] ones, which then add nothing.
fn needed_columns(present: &ArrowSchema) -> Vec<String> {
    let dimensions = Dimension::ALL.into_iter().map(Dimension::column);
    let later = later().filter(|name| present.contains(name));
    dimensions.chain(MEASURES).chain(later).map(str::to_owned).collect()
}

/// What files of earlier versions are without.
fn later() -> impl Iterator<Item = &'static str> {
    COST_PARTS.into_iter().chain([CATALOGUE_COST])
}

/// Operations in memory, with the group of each.
struct Slice<'a> {
    frame: &'a DataFrame,
    groups: GroupPositions,
    /// The number of its group for each row.
    group_of_row: Vec<usize>,
}

impl<'a> Slice<'a> {
    fn group(frame: &'a DataFrame) -> PolarsResult<Self> {
        let keys = vec![row_keys(frame)?.into_column()];
        // One thread: the files of a tick are small, and the other cores belong to the other roles.
        let groups = frame.group_by_with_series(keys, false, false)?.into_groups();
        let mut group_of_row = vec![0; frame.height()];
        for (number, group) in groups.iter().enumerate() {
            for_each_row(&group, |row| group_of_row[row] = number);
        }
        Ok(Self { frame, groups, group_of_row })
    }

    fn collect(&self, path: &Path, out: &mut Vec<Group>) -> Result<(), FileError> {
        let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
        let mut sums = vec![[0; SUM_COLUMNS.len()]; self.groups.len()];
        for (place, column) in SUM_COLUMNS.into_iter().enumerate() {
            let per_group = self.sums_of(column).map_err(unreadable)?.ok_or(SumOverflow { column })?;
            for (sums, sum) in sums.iter_mut().zip(per_group) {
                sums[place] = sum;
            }
        }
        let buckets = |column| {
            let rows = bucket_rows(self.frame.column(column).and_then(|c| c.i64()).map_err(unreadable)?);
            rows.ok_or_else(|| FileError::Negative { path: path.to_owned(), column })
        };
        let (latency, ttft) = (buckets("latency_us")?, buckets("ttft_us")?);
        let mut tally = BucketTally::default();
        for (group, sums) in self.groups.iter().zip(sums) {
            let (minute, dimensions) = self.key_of(place_of(group.first())).map_err(unreadable)?;
            let mut sketch = |buckets: &RowBuckets| {
                for_each_row(&group, |row| {
                    if let Some(bucket) = buckets[row] {
                        tally.add(bucket);
                    }
                });
                tally.take()
            };
            let (latency, ttft) = (sketch(&latency), sketch(&ttft));
            out.push(Group { minute, dimensions, sums: WindowSums::from_array(sums), latency, ttft });
        }
        Ok(())
    }

    /// One column of the windows' sums per group; `None` when a sum leaves 64 bits.
    fn sums_of(&self, column: &str) -> PolarsResult<Option<Vec<i64>>> {
        let groups = self.groups.len();
        let ints = |name: &str| self.frame.column(name)?.i64();
        Ok(match column {
            "operations" => Some(columns::count_rows(&self.group_of_row, groups)),
            "failures" => Some(columns::count_false(self.frame.column("success")?.bool()?, &self.group_of_row, groups)),
            "unpriced" => Some(count_nulls(ints("cost_nano_usd")?, &self.group_of_row, groups)),
            "reported" => Some(count_values(ints("reported_cost_nano_usd")?, &self.group_of_row, groups)),
            "latency_count" => Some(count_values(ints("latency_us")?, &self.group_of_row, groups)),
            "ttft_count" => Some(count_values(ints("ttft_us")?, &self.group_of_row, groups)),
            "latency_sum_us" => sum_column(ints("latency_us")?, &self.group_of_row, groups),
            "ttft_sum_us" => sum_column(ints("ttft_us")?, &self.group_of_row, groups),
            "compared" | "reported_difference_nano_usd" if is_absent(self.frame, CATALOGUE_COST) => {
                Some(vec![0; groups])
            }
            "compared" => Some(count_values(ints(CATALOGUE_COST)?, &self.group_of_row, groups)),
            "reported_difference_nano_usd" => {
                let (reported, catalogue) = (ints("reported_cost_nano_usd")?, ints(CATALOGUE_COST)?);
                sum_differences((reported, catalogue), &self.group_of_row, groups)
            }
            "reported_as_cost_nano_usd" => {
                let statuses = self.frame.column("cost_status")?.str()?;
                sum_reported((ints("cost_nano_usd")?, statuses), &self.group_of_row, groups)
            }
            name if is_absent(self.frame, name) => Some(vec![0; groups]),
            name => sum_column(ints(name)?, &self.group_of_row, groups),
        })
    }

    fn key_of(&self, row: usize) -> PolarsResult<(UtcMillis, Dimensions)> {
        let millis = self.frame.column("time_ms")?.i64()?.get(row).unwrap_or_default();
        let mut columns = Vec::with_capacity(Dimension::ALL.len());
        for dimension in Dimension::ALL {
            columns.push((dimension, self.frame.column(dimension.column())?.str()?));
        }
        let value = |dimension| columns.iter().find(|(of, _)| *of == dimension).and_then(|(_, values)| values.get(row));
        let dimensions = Dimensions::from_values(DimensionSet::Base, |dimension| value(dimension).map(str::to_owned));
        Ok((Level::Minute.window_start(UtcMillis::from_millis(millis)), dimensions))
    }
}

/// Whether the file was written before there was such a column.
fn is_absent(frame: &DataFrame, name: &str) -> bool {
    later().any(|later| later == name) && frame.get_column_index(name).is_none()
}

/// Polars names the rows of a group one by one or as a span.
fn for_each_row(group: &GroupsIndicator<'_>, mut act: impl FnMut(usize)) {
    match group {
        GroupsIndicator::Idx((_, rows)) => rows.iter().for_each(|row| act(place_of(*row))),
        GroupsIndicator::Slice([first, length]) => {
            (place_of(*first)..place_of(*first) + place_of(*length)).for_each(act);
        }
    }
}

fn place_of(row: IdxSize) -> usize {
    usize::try_from(row).expect("rows of a frame in memory are counted in usize")
}
