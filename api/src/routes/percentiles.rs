//! `GET /v1/percentiles`: latency and time to first token, from the sketches of windows.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use opstream_schemas::UtcMillis;
use opstream_schemas::calendar::Resolution;
use opstream_schemas::sketch::{RELATIVE_ERROR, Sketch};
use opstream_schemas::window::Dimension;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::query::{
    AnsweredPeriod, BySteps, Filters, GroupBy, Merged, Parameters, Period, Present, Question, StepTimes, Steps,
    dimension_values, fetch_merged, minutes_kept_from, read_group_by, unattributed,
};
use crate::routes::openapi::{FilterParameters, GroupParameters, RangeParameters, StepParameters};
use crate::state::Shared;

/// Percentiles of a range: of all operations in `latency` and `ttft`, with `resolution` in `points`, with `by` in `groups`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PercentilesAnswer {
    #[serde(flatten)]
    period: AnsweredPeriod,
    /// All operations; absent when dimensions are asked for.
    #[serde(flatten)]
    all: Option<OverTime>,
    /// One entry per group, the most latencies first; absent when no dimension is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<Group>>,
    /// Width of the steps, when one is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<&'static str>,
    /// Every percentile differs from the exact order statistic by at most this part of it.
    relative_error: f64,
    /// Operations that may or may not pass the filters and are not counted; absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    unattributed: Option<i64>,
    /// Every operation that the broker acknowledged before this moment is counted; null until it is known.
    #[schema(value_type = Option<String>, format = "date-time")]
    complete_to: Option<UtcMillis>,
}

/// One group.
#[derive(Debug, Serialize, ToSchema)]
struct Group {
    /// Values of the dimensions in `by`.
    dimensions: BTreeMap<&'static str, Option<String>>,
    #[serde(flatten)]
    over_time: OverTime,
}

/// The whole range at once, or its steps.
#[derive(Debug, Serialize, ToSchema)]
struct OverTime {
    /// The whole range; absent when a resolution is asked for.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    whole: Option<Distributions>,
    /// Steps that have operations, in order of time, when a resolution is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    points: Option<Vec<Step>>,
}

/// One step.
#[derive(Debug, Serialize, ToSchema)]
struct Step {
    #[serde(flatten)]
    times: StepTimes,
    #[serde(flatten)]
    distributions: Distributions,
}

/// Both distributions.
#[derive(Debug, Serialize, ToSchema)]
struct Distributions {
    /// Total duration of operations.
    latency: Percentiles,
    /// Time to the first token of streamed operations.
    ttft: Percentiles,
}

/// Percentiles of a duration, microseconds, with a fraction where the error asks for it; null when no operation has it.
#[derive(Debug, Serialize, ToSchema)]
struct Percentiles {
    /// Operations with a known duration.
    count: u64,
    p50_us: Option<f64>,
    p90_us: Option<f64>,
    p95_us: Option<f64>,
    p99_us: Option<f64>,
    max_us: Option<f64>,
}

/// Percentiles of latency and time to first token, over a whole range or in steps, optionally by dimensions.
#[utoipa::path(get, path = "/v1/percentiles", tag = "answers",
    params(RangeParameters, StepParameters, GroupParameters, FilterParameters),
    responses((status = 200, body = PercentilesAnswer)))]
pub(crate) async fn percentiles(
    State(state): State<Shared>,
    mut parameters: Parameters,
) -> Result<Json<PercentilesAnswer>, ApiError> {
    let now = UtcMillis::now();
    let period = Period::read(&mut parameters, now)?;
    let resolution = parameters.take_resolution()?;
    let dimensions = read_group_by(&mut parameters)?;
    let filters = Filters::read(&mut parameters)?;
    parameters.finish()?;

    let complete_to = state.complete_to().await?;
    let mut reading = state.begin_reading().await?;
    let minutes_kept_from = minutes_kept_from(&mut reading).await?;
    let present = Present { now, minutes_kept_from };
    let steps = resolution.map(|_| Steps::of(period, resolution, present)).transpose()?;
    let spans = match &steps {
        Some(steps) => steps.spans.clone(),
        None => period.range.spans(minutes_kept_from)?,
    };
    let group_by = GroupBy { step: steps.as_ref().map(|steps| steps.step_by.clone()), dimensions };
    let question = Question { spans: &spans, filters: &filters, group_by: &group_by, only: None };
    let merged = fetch_merged(&mut reading, question).await?;
    let unattributed = unattributed(&mut reading, question).await?;
    let to = steps.as_ref().map(|steps| steps.end_with(merged.values().filter_map(last_step).max()));
    let (all, groups) = if group_by.dimensions.is_empty() {
        (Some(OverTime::of(merged.into_values().next().unwrap_or_default(), steps.as_ref())), None)
    } else {
        (None, Some(collect_groups(merged, &group_by.dimensions, steps.as_ref())))
    };
    Ok(Json(PercentilesAnswer {
        period: period.answered(to),
        all,
        groups,
        resolution: resolution.map(Resolution::name),
        relative_error: RELATIVE_ERROR,
        unattributed,
        complete_to,
    }))
}

fn collect_groups(merged: Merged, dimensions: &[Dimension], steps: Option<&Steps>) -> Vec<Group> {
    let latencies = |steps: &BySteps| steps.values().map(|[latency, _]| latency.count()).sum::<u64>();
    let mut groups: Vec<_> = merged.into_iter().collect();
    // The map's order stays among equals.
    groups.sort_by_key(|(_, steps)| Reverse(latencies(steps)));
    groups
        .into_iter()
        .map(|(values, over_time)| Group {
            dimensions: dimension_values(dimensions, values),
            over_time: OverTime::of(over_time, steps),
        })
        .collect()
}

fn last_step(sketches: &BySteps) -> Option<UtcMillis> {
    sketches.keys().next_back().copied().flatten()
}

impl OverTime {
    fn of(mut sketches: BySteps, steps: Option<&Steps>) -> Self {
        let Some(steps) = steps else {
            let whole = sketches.remove(&None).unwrap_or_default();
            return Self { whole: Some(Distributions::of(&whole)), points: None };
        };
        let points = sketches.iter().filter_map(|(start, sketches)| {
            start.map(|start| Step { times: steps.times(start), distributions: Distributions::of(sketches) })
        });
        Self { whole: None, points: Some(points.collect()) }
    }
}

impl Distributions {
    fn of([latency, ttft]: &[Sketch; 2]) -> Self {
        Self { latency: Percentiles::of(latency), ttft: Percentiles::of(ttft) }
    }
}

impl Percentiles {
    /// Not rounded: below 100 µs half a microsecond is more than the error that is promised.
    fn of(sketch: &Sketch) -> Self {
        let at = |q: f64| sketch.quantile(q).map(|quantile| quantile.value);
        Self {
            count: sketch.count(),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p95_us: at(0.95),
            p99_us: at(0.99),
            max_us: at(1.0),
        }
    }
}
