//! The lake's files as a source of the numbers of `GET /v1/query`.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use opstream_schemas::UtcMillis;
use opstream_schemas::sketch::{Bucket, Sketch, TooManyValues, bucket_of};
use polars::prelude::*;

use super::files::within;
use super::sums::{SumColumns, SumError, sum_of};
use crate::error::ApiError;
use crate::query::{Axis, DURATIONS, Group, Measure, Sketches, StepBy, Sums, WindowRow};
use crate::routes::query::{Largest, MergedSketches, Part, Source};
use crate::scan::conditions::values_of;

/// Most groups that can be put in order: their sums are in memory at once.
const MAX_GROUPS: usize = 2_000_000;
/// Most counts of buckets that are made into sketches.
const MAX_COUNTS: usize = 5_000_000;
const STEP: &str = "step";
const BUCKET: &str = "bucket";
const COUNT: &str = "count";
const OPERATIONS: &str = "operations";

/// Operations of the lake's files, as far as they pass the filters of a question.
pub(super) struct Operations {
    /// The rows that pass.
    table: LazyFrame,
    axes: Vec<Axis>,
    /// The sums that the question needs.
    columns: Vec<&'static str>,
    /// Places of the durations whose sketches it needs.
    durations: Vec<usize>,
}

impl Operations {
    /// Rows that pass already, for these measures by these axes.
    pub(super) fn new<'a>(table: LazyFrame, axes: &[Axis], measures: impl Iterator<Item = &'a Measure>) -> Self {
        let (mut columns, mut durations) = (vec![OPERATIONS], Vec::new());
        for measure in measures {
            columns.extend(measure.columns());
            durations.extend(measure.duration());
        }
        columns.sort_unstable();
        columns.dedup();
        durations.sort_unstable();
        durations.dedup();
        Self { table, axes: axes.to_vec(), columns, durations }
    }

    /// Rows that pass already, for the distribution of one duration.
    pub(super) fn of_duration(table: LazyFrame, axes: &[Axis], duration: usize) -> Self {
        Self { table, axes: axes.to_vec(), columns: vec![OPERATIONS], durations: vec![duration] }
    }

    /// The rows of a part, with the columns that its groups are told apart by, and the names of these.
    fn rows(&self, part: Part<'_>) -> PolarsResult<(LazyFrame, Vec<PlSmallStr>)> {
        let from = part.spans.iter().map(|span| span.from).min();
        let to = part.spans.iter().map(|span| span.to).max();
        // No window is no operation.
        let range = if part.spans.is_empty() { lit(false) } else { within(from, to) };
        let axes: &[Axis] = if part.is_grouped { &self.axes } else { &[] };
        let mut names: Vec<PlSmallStr> = (0..axes.len()).map(|place| format!("axis_{place}").into()).collect();
        let keys = axes.iter().zip(&names).map(|(axis, name)| values_of(axis).alias(name.clone()));
        let mut rows = self.table.clone().filter(range).with_columns(keys.collect::<Vec<_>>());
        if let Some(groups) = part.only.filter(|_| !axes.is_empty()) {
            let values = |(place, name): (usize, &PlSmallStr)| {
                let values = groups.iter().map(|group| group.get(place).and_then(Option::as_deref));
                Column::new(name.clone(), values.collect::<Vec<_>>())
            };
            let columns: Vec<Column> = names.iter().enumerate().map(values).collect();
            let groups = DataFrame::new(groups.len(), columns)?.lazy();
            let on: Vec<Expr> = names.iter().map(|name| col(name.clone())).collect();
            let join = rows.join_builder().with(groups).how(JoinType::Semi).left_on(&on).right_on(&on);
            rows = join.join_nulls(true).finish();
        }
        if let Some(step) = part.step {
            rows = rows.with_column(step_of(step).alias(STEP));
            names.push(STEP.into());
        }
        Ok((rows, names))
    }

    /// Sums of all groups of a part, one row each.
    fn summed(&self, part: Part<'_>) -> Result<DataFrame, SumError> {
        let (rows, names) = self.rows(part)?;
        let sums: Vec<Expr> = self.columns.iter().flat_map(|column| sum_of(column)).collect();
        let keys: Vec<Expr> = names.iter().map(|name| col(name.clone())).collect();
        let summed = if keys.is_empty() { rows.select(sums) } else { rows.group_by(keys).agg(sums) };
        Ok(collect(summed)?)
    }

    /// A row of sums at a time, of those that are in `places`.
    fn read(
        &self,
        frame: &DataFrame,
        part: Part<'_>,
        places: impl IntoIterator<Item = usize>,
    ) -> Result<Vec<WindowRow<Sums>>, SumError> {
        let sums = SumColumns::of(frame, &self.columns)?;
        let keys = Keys::of(frame, if part.is_grouped { self.axes.len() } else { 0 }, part.step.is_some())?;
        let row = |place| WindowRow { step: keys.step(place), dimensions: keys.group(place), value: sums.row(place) };
        Ok(places.into_iter().map(row).collect())
    }

    fn largest_of(&self, part: Part<'_>, by: Measure, limit: usize) -> Result<Largest, ApiError> {
        let frame = self.summed(part)?;
        let groups = frame.height();
        if groups > MAX_GROUPS {
            let message =
                format!("{groups} groups are more than {MAX_GROUPS}; ask for a shorter range, or name more filters");
            return Err(ApiError::invalid("too_many_groups", message));
        }
        let sums = SumColumns::of(&frame, &self.columns)?;
        let keys = Keys::of(&frame, self.axes.len(), false).map_err(SumError::from)?;
        let sketches = Sketches::default();
        let numbers: Vec<(f64, i64)> = (0..groups)
            .map(|place| {
                let sums = sums.row(place);
                (by.number(&sums, &sketches).sort_key(), sums.kept.operations)
            })
            .collect();
        // Equal groups stay in one order from answer to answer.
        let order = |a: &usize, b: &usize| -> Ordering {
            let (x, y) = (numbers[*a], numbers[*b]);
            let by_number = y.0.total_cmp(&x.0).then_with(|| y.1.cmp(&x.1));
            by_number.then_with(|| keys.group(*a).cmp(&keys.group(*b)))
        };
        let mut places: Vec<usize> = (0..groups).collect();
        if limit < groups {
            places.select_nth_unstable_by(limit, order);
            places.truncate(limit);
        }
        places.sort_unstable_by(order);
        Ok(Largest { rows: self.read(&frame, part, places)?, groups })
    }

    /// Counts of a duration's buckets, by group and step.
    fn counted(&self, part: Part<'_>, duration: &'static str) -> Result<DataFrame, ApiError> {
        let (rows, names) = self.rows(part).map_err(SumError::from)?;
        let bucket = col(duration)
            .map(|column| buckets(&column), |_, field| Ok(Field::new(field.name().clone(), DataType::Int64)));
        let keys = names.iter().map(|name| col(name.clone())).chain([col(BUCKET)]);
        let counted = rows
            .filter(col(duration).is_not_null())
            .with_column(bucket.alias(BUCKET))
            .group_by(keys.collect::<Vec<_>>())
            .agg([len().cast(DataType::Int64).alias(COUNT)]);
        let frame = collect(counted).map_err(SumError::from)?;
        if frame.height() > MAX_COUNTS {
            let message = "the percentiles of so many groups and steps are too many; ask for a shorter range, a wider resolution or a smaller limit";
            return Err(ApiError::invalid("too_many_points", message));
        }
        Ok(frame)
    }

    fn merged(&self, part: Part<'_>) -> Result<MergedSketches, ApiError> {
        let mut counts: BTreeMap<(Group, Option<UtcMillis>), Counts> = BTreeMap::new();
        for duration in &self.durations {
            let frame = self.counted(part, DURATIONS[*duration])?;
            let axes = if part.is_grouped { self.axes.len() } else { 0 };
            let keys = Keys::of(&frame, axes, part.step.is_some()).map_err(SumError::from)?;
            let number =
                |name: &str| frame.column(name).and_then(|column| column.i64().cloned()).map_err(SumError::from);
            let (buckets, numbers) = (number(BUCKET)?, number(COUNT)?);
            for place in 0..frame.height() {
                let bucket = buckets.get(place).and_then(|number| Bucket::from_number(number.cast_unsigned()));
                let (Some(bucket), Some(count)) = (bucket, numbers.get(place)) else { continue };
                let of_group = counts.entry((keys.group(place), keys.step(place))).or_default();
                of_group[*duration].push((bucket, count.cast_unsigned()));
            }
        }
        let mut merged = MergedSketches::new();
        for ((group, step), counts) in counts {
            let [latency, ttft, queue, generation] = counts.map(Sketch::from_counts);
            let sketches = || Ok::<_, TooManyValues>([latency?, ttft?, queue?, generation?]);
            let sketches = sketches().map_err(|error| ApiError::Internal(error.into()))?;
            merged.entry(group).or_default().insert(step, sketches);
        }
        Ok(merged)
    }
}

impl Source for Operations {
    async fn minutes_from(&mut self) -> Result<UtcMillis, ApiError> {
        Ok(UtcMillis::from_millis(i64::MIN))
    }

    async fn sums(&mut self, part: Part<'_>, limit: usize) -> Result<Vec<WindowRow<Sums>>, ApiError> {
        let frame = self.summed(part)?;
        let places = 0..frame.height().min(limit);
        Ok(self.read(&frame, part, places)?)
    }

    async fn largest(&mut self, part: Part<'_>, by: Measure, limit: usize) -> Result<Largest, ApiError> {
        self.largest_of(part, by, limit)
    }

    async fn sketches(&mut self, part: Part<'_>) -> Result<MergedSketches, ApiError> {
        self.merged(part)
    }

    async fn unattributed(&mut self, _: Part<'_>) -> Result<Option<i64>, ApiError> {
        // Every operation is in the files with all that it has.
        Ok(None)
    }
}

/// Runs a plan, batch by batch.
pub(super) fn collect(plan: LazyFrame) -> PolarsResult<DataFrame> {
    Ok(plan.collect_with_engine(Engine::Streaming)?.unwrap_single())
}

/// Counts of the buckets of each duration.
type Counts = [Vec<(Bucket, u64)>; DURATIONS.len()];

/// What rows of a frame are told apart by.
struct Keys<'a> {
    axes: Vec<&'a StringChunked>,
    step: Option<&'a Int64Chunked>,
}

impl<'a> Keys<'a> {
    fn of(frame: &'a DataFrame, axes: usize, has_steps: bool) -> PolarsResult<Self> {
        let axis = |place| frame.column(&format!("axis_{place}"))?.str();
        let step = if has_steps { Some(frame.column(STEP)?.i64()?) } else { None };
        Ok(Self { axes: (0..axes).map(axis).collect::<PolarsResult<_>>()?, step })
    }

    fn group(&self, row: usize) -> Group {
        self.axes.iter().map(|values| values.get(row).map(str::to_owned)).collect()
    }

    fn step(&self, row: usize) -> Option<UtcMillis> {
        self.step.and_then(|steps| steps.get(row)).map(UtcMillis::from_millis)
    }
}

/// Start of the step that contains an operation.
fn step_of(step: &StepBy) -> Expr {
    let time = col("time_ms");
    match step {
        StepBy::Level(level) => {
            let width = level.width_millis();
            time.clone() - time % lit(width)
        }
        StepBy::Spans(spans) => {
            // In order of time, as ranges are cut.
            let starts: Vec<(i64, i64)> =
                spans.iter().map(|span| (span.span.from.millis(), span.step.millis())).collect();
            let find = move |time: i64| {
                let behind = starts.partition_point(|(from, _)| *from <= time);
                behind.checked_sub(1).map(|place| starts[place].1)
            };
            map_numbers(time, find)
        }
    }
}

fn buckets(column: &Column) -> PolarsResult<Column> {
    let bucket = |value: i64| u64::try_from(value).ok().map(|value| i64::from(bucket_of(value).number()));
    let buckets: Int64Chunked = column.i64()?.iter().map(|value| value.and_then(bucket)).collect();
    Ok(buckets.with_name(column.name().clone()).into_column())
}

fn map_numbers(values: Expr, of: impl Fn(i64) -> Option<i64> + Send + Sync + 'static) -> Expr {
    let map = move |column: Column| {
        let mapped: Int64Chunked = column.i64()?.iter().map(|value| value.and_then(&of)).collect();
        Ok(mapped.with_name(column.name().clone()).into_column())
    };
    values.map(map, |_, field| Ok(field.clone()))
}

impl From<SumError> for ApiError {
    fn from(error: SumError) -> Self {
        Self::Internal(Box::new(error))
    }
}
