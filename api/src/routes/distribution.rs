//! `GET /v1/distribution`: how a duration is distributed, as a histogram.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use opstream_schemas::UtcMillis;
use opstream_schemas::sketch::{Bucket, Sketch, bucket_bounds};
use opstream_schemas::window::Dimension;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::query::{
    AnsweredPeriod, Axis, DURATION_NAMES, Filters, KEPT_DURATIONS, Parameters, Period, Selection, invalid, read_axes,
};
use crate::routes::openapi::{DistributionParameters, FilterParameters, OpenFilterParameters, RangeParameters};
use crate::routes::query::{Part, Source, Windows};
use crate::scan::{Scanned, Task};
use crate::state::Shared;

/// Bins of an answer that names no number.
const DEFAULT_BINS: u32 = 60;
const MAX_BINS: u32 = 400;
/// Most groups of an answer.
const MAX_GROUPS: u32 = 100;
const DEFAULT_GROUPS: u32 = 8;

/// What is asked.
pub(crate) struct AskedDistribution {
    period: Period,
    axes: Vec<Axis>,
    selection: Selection,
    duration: usize,
    bins: usize,
    limit: usize,
}

/// Distributions of a duration.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DistributionAnswer {
    #[serde(flatten)]
    period: AnsweredPeriod,
    /// Every operation that the broker acknowledged before this moment is counted; null until it is known.
    #[schema(value_type = Option<String>, format = "date-time")]
    complete_to: Option<UtcMillis>,
    /// What was read: `windows`, or `files` where windows do not keep what is asked.
    source: &'static str,
    /// How much was read, where it was files.
    #[serde(skip_serializing_if = "Option::is_none")]
    scanned: Option<Scanned>,
    /// The groups with the most values first; a single one when nothing is grouped.
    groups: Vec<Distribution>,
    /// Groups beyond the limit.
    left_out: usize,
}

/// The distribution of a group.
#[derive(Debug, Serialize, ToSchema)]
struct Distribution {
    /// Values of the dimensions in `by`; null for operations without one.
    dimensions: BTreeMap<String, Option<String>>,
    /// Operations with a known duration.
    count: u64,
    /// The bins in ascending order, those without operations left out. Bins of different groups have the same bounds.
    bins: Vec<Bin>,
}

/// How many operations took how long. Bounds are exact.
#[derive(Debug, Serialize, ToSchema)]
struct Bin {
    /// Shortest duration that counts here, microseconds.
    from_us: u64,
    /// Longest duration that counts here, microseconds.
    to_us: u64,
    /// Operations.
    count: u64,
}

impl AskedDistribution {
    pub(crate) fn read(mut parameters: Parameters, now: UtcMillis) -> Result<Self, ApiError> {
        let period = Period::read(&mut parameters, now)?;
        let places: [(&str, usize); DURATION_NAMES.len()] = std::array::from_fn(|place| (DURATION_NAMES[place], place));
        let duration = parameters.take_choice("duration", &places)?.unwrap_or(0);
        let axes = read_axes(&mut parameters)?;
        if axes.len() > 1 {
            return Err(invalid("by", "names several dimensions; distributions are by one at most"));
        }
        let bins = parameters.take_count("bins", MAX_BINS)?.unwrap_or(DEFAULT_BINS);
        let limit = parameters.take_count("limit", MAX_GROUPS)?.unwrap_or(DEFAULT_GROUPS);
        let selection = Selection::read(&mut parameters)?;
        parameters.finish()?;
        let whole = |number| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(Self { period, axes, selection, duration, bins: whole(bins), limit: whole(limit) })
    }

    /// By what groups are told apart.
    pub(crate) fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Which operations are meant.
    pub(crate) const fn selection(&self) -> &Selection {
        &self.selection
    }

    /// The place of the duration among all.
    pub(crate) const fn duration(&self) -> usize {
        self.duration
    }

    /// The question as windows understand it, if they keep all that it names.
    fn of_windows(&self) -> Option<(Filters, Vec<Dimension>)> {
        let dimensions = self.axes.iter().map(Axis::kept).collect::<Option<_>>()?;
        let filters = self.selection.kept()?;
        (self.duration < KEPT_DURATIONS).then_some((filters, dimensions))
    }

    /// Answers from a source.
    ///
    /// # Errors
    /// What the source says.
    pub(crate) async fn answer(
        &self,
        source: &mut impl Source,
        complete_to: Option<UtcMillis>,
        scanned: impl FnOnce() -> Option<Scanned> + Send,
    ) -> Result<DistributionAnswer, ApiError> {
        let spans = self.period.range.spans(source.minutes_from().await?)?;
        let part = Part { spans: &spans, step: None, is_grouped: true, only: None };
        let merged = source.sketches(part).await?;
        let sketch = |steps: BTreeMap<_, crate::query::Sketches>| {
            steps.into_values().next().map_or_else(Sketch::default, |sketches| sketches[self.duration].clone())
        };
        let mut groups: Vec<_> = merged.into_iter().map(|(group, steps)| (group, sketch(steps))).collect();
        // Windows of a group without the duration hold an empty sketch.
        groups.retain(|(_, sketch)| !sketch.is_empty());
        // The order of the values stays among equals.
        groups.sort_by_key(|(_, sketch)| std::cmp::Reverse(sketch.count()));
        let left_out = groups.len().saturating_sub(self.limit);
        groups.truncate(self.limit);
        if groups.is_empty() && self.axes.is_empty() {
            groups.push((Vec::new(), Sketch::default()));
        }
        let width = bin_width(groups.iter().map(|(_, sketch)| sketch), self.bins);
        let groups = groups.into_iter().map(|(group, sketch)| Distribution {
            dimensions: self.axes.iter().map(Axis::to_string).zip(group).collect(),
            count: sketch.count(),
            bins: bins(&sketch, width),
        });
        let scanned = scanned();
        Ok(DistributionAnswer {
            period: self.period.answered(None),
            complete_to,
            source: if scanned.is_some() { "files" } else { "windows" },
            scanned,
            groups: groups.collect(),
            left_out,
        })
    }
}

/// How many buckets make a bin, so that what is between the lowest and the highest of all takes no more than `bins`.
fn bin_width<'a>(sketches: impl Iterator<Item = &'a Sketch>, bins: usize) -> u16 {
    let numbers = sketches.flat_map(|sketch| sketch.buckets().iter().map(|(bucket, _)| bucket.number()));
    let (lowest, highest) = numbers.fold((u16::MAX, 0), |(low, high), number| (low.min(number), high.max(number)));
    let buckets = usize::from(highest.saturating_sub(lowest)) + 1;
    // Bins begin at multiples of their width, so that one more may be touched.
    u16::try_from(buckets.div_ceil(bins.saturating_sub(1).max(1))).unwrap_or(u16::MAX)
}

fn bins(sketch: &Sketch, width: u16) -> Vec<Bin> {
    let mut bins: Vec<Bin> = Vec::new();
    for (bucket, count) in sketch.buckets() {
        let first = u64::from(bucket.number() / width) * u64::from(width);
        let bounds = |number: u64| Bucket::from_number(number).map(bucket_bounds);
        let from_us = bounds(first).map_or(0, |(low, _)| low);
        // The last bin may be cut by the end of all buckets.
        let to_us = bounds(first + u64::from(width) - 1).map_or(u64::MAX, |(_, high)| high);
        match bins.last_mut() {
            Some(bin) if bin.from_us == from_us => bin.count += count,
            _ => bins.push(Bin { from_us, to_us, count: *count }),
        }
    }
    bins
}

/// How long operations took: a histogram, over a whole range, optionally by one dimension.
#[utoipa::path(get, path = "/v1/distribution", tag = "answers",
    params(DistributionParameters, RangeParameters, FilterParameters, OpenFilterParameters),
    responses((status = 200, body = DistributionAnswer)))]
pub(crate) async fn distribution(State(state): State<Shared>, parameters: Parameters) -> Result<Response, ApiError> {
    let (given, now) = (parameters.pairs(), UtcMillis::now());
    let asked = AskedDistribution::read(parameters, now)?;
    let complete_to = state.complete_to().await?;
    if let Some((filters, dimensions)) = asked.of_windows() {
        let mut reading = state.begin_reading().await?;
        let mut windows = Windows { reading: &mut reading, filters, dimensions, columns: Vec::new() };
        return Ok(Json(asked.answer(&mut windows, complete_to, || None).await?).into_response());
    }
    state
        .scan(
            Task::Distribution { parameters: given, now: now.into(), complete_to: complete_to.map(Into::into) },
            asked.period.range,
        )
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_few_and_count_everything_once() {
        let sketch = Sketch::from_values((0..5_000).map(|number| number * number));
        for most in [2, 10, 60, 400] {
            let width = bin_width([&sketch].into_iter(), most);
            let bins = bins(&sketch, width);
            assert!(bins.len() <= most, "{} of {most}", bins.len());
            assert_eq!(bins.iter().map(|bin| bin.count).sum::<u64>(), 5_000);
            assert!(bins.windows(2).all(|pair| pair[0].to_us < pair[1].from_us));
            for bin in &bins {
                let within = |value: &u64| (bin.from_us..=bin.to_us).contains(value);
                assert_eq!((0..5_000).map(|n: u64| n * n).filter(within).count() as u64, bin.count);
            }
        }
        assert!(super::bins(&Sketch::default(), 1).is_empty());
    }
}
