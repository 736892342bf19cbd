//! `GET /v1/percentiles`: latency and time to first token, from the sketches of windows.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use opstream_schemas::UtcMillis;
use opstream_schemas::sketch::{RELATIVE_ERROR, Sketch};
use opstream_schemas::window::complete_to;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{ApiError, ErrorAnswer};
use crate::query::{
    Filters, GroupBy, Parameters, Question, Range, fetch_sketches, read_steps, retained_spans, unattributed,
};
use crate::routes::openapi::{FilterParameters, RangeParameters, StepParameters};
use crate::state::Shared;

/// Most windows whose sketches are merged for one answer; each has at most a few kilobytes.
const MAX_SKETCHES: usize = 50_000;

/// Percentiles of a range.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PercentilesAnswer {
    /// The whole range; absent when a resolution is asked for.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    whole: Option<Distributions>,
    /// Width of the steps, when one is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<&'static str>,
    /// Steps that have operations, in order of time, when a resolution is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    points: Option<Vec<Step>>,
    /// Every percentile differs from the exact one by at most this part of it.
    relative_error: f64,
    /// Operations that may or may not pass the filters and are not counted; absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    unattributed: Option<i64>,
    /// Every operation that the broker acknowledged before this moment is counted; null until it is known.
    #[schema(value_type = Option<String>, format = "date-time")]
    complete_to: Option<UtcMillis>,
}

/// One step.
#[derive(Debug, Serialize, ToSchema)]
struct Step {
    /// Start of the step.
    #[schema(value_type = String, format = "date-time")]
    start: UtcMillis,
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

/// Percentiles of a duration, microseconds; null when no operation has it.
#[derive(Debug, Serialize, ToSchema)]
struct Percentiles {
    /// Operations with a known duration.
    count: u64,
    p50_us: Option<u64>,
    p90_us: Option<u64>,
    p95_us: Option<u64>,
    p99_us: Option<u64>,
    max_us: Option<u64>,
}

/// Percentiles of latency and time to first token, over a whole range or in steps.
#[utoipa::path(get, path = "/v1/percentiles", tag = "answers",
    params(RangeParameters, StepParameters, FilterParameters),
    responses((status = 200, body = PercentilesAnswer), (status = 400, body = ErrorAnswer)))]
pub(crate) async fn percentiles(
    State(state): State<Shared>,
    mut parameters: Parameters,
) -> Result<Json<PercentilesAnswer>, ApiError> {
    let range = Range::read(&mut parameters)?;
    let resolution = parameters.take_level("resolution")?;
    let filters = Filters::read(&mut parameters)?;
    parameters.finish()?;

    let complete_to = complete_to(&state.database, &state.topics.operations()).await?;
    let (spans, step) = if resolution.is_none() {
        (retained_spans(&state.database, range).await?, None)
    } else {
        let steps = read_steps(&state.database, range, resolution, UtcMillis::now()).await?;
        (steps.spans, Some(steps.resolution))
    };
    let group_by = GroupBy { step, dimensions: Vec::new() };
    let mut merged = merge(&state, Question { spans: &spans, filters: &filters, group_by: &group_by }).await?;
    let unattributed = unattributed(&state.database, &spans, &filters).await?;
    let (whole, points) = if step.is_none() {
        (Some(Distributions::of(&merged.remove(&None).unwrap_or_default())), None)
    } else {
        let steps = merged.iter().filter_map(|(start, sketches)| {
            start.map(|start| Step { start, distributions: Distributions::of(sketches) })
        });
        (None, Some(steps.collect()))
    };
    let resolution = step.map(opstream_schemas::window::Level::name);
    Ok(Json(PercentilesAnswer { whole, resolution, points, relative_error: RELATIVE_ERROR, unattributed, complete_to }))
}

/// The sketches of latency and time to first token, merged per step.
async fn merge(state: &Shared, question: Question<'_>) -> Result<BTreeMap<Option<UtcMillis>, [Sketch; 2]>, ApiError> {
    let internal = |error: Box<dyn std::error::Error + Send + Sync>| ApiError::Internal(error);
    let rows = fetch_sketches(&state.database, question, MAX_SKETCHES + 1).await?;
    if rows.len() > MAX_SKETCHES {
        let message =
            format!("the answer needs more than {MAX_SKETCHES} windows; ask for a shorter range or fewer combinations");
        return Err(ApiError::invalid("too_many_windows", message));
    }
    let mut merged: BTreeMap<Option<UtcMillis>, [Sketch; 2]> = BTreeMap::new();
    for row in rows {
        let sketches = merged.entry(row.step).or_default();
        for (sketch, bytes) in sketches.iter_mut().zip(&row.value) {
            let more = Sketch::from_bytes(bytes).map_err(|error| internal(error.into()))?;
            *sketch = sketch.merge(&more).map_err(|error| internal(error.into()))?;
        }
    }
    Ok(merged)
}

impl Distributions {
    fn of([latency, ttft]: &[Sketch; 2]) -> Self {
        Self { latency: Percentiles::of(latency), ttft: Percentiles::of(ttft) }
    }
}

impl Percentiles {
    fn of(sketch: &Sketch) -> Self {
        let at = |q: f64| sketch.quantile(q).map(|quantile| whole_micros(quantile.value));
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

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative, and saturates where u64 ends"
)]
fn whole_micros(value: f64) -> u64 {
    value.round() as u64
}
