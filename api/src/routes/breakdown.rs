//! `GET /v1/breakdown`: totals of a range by dimensions.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use opstream_schemas::UtcMillis;
use opstream_schemas::window::{WindowSums, complete_to};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{ApiError, ErrorAnswer};
use crate::query::{
    DurationFigures, Figures, Filters, GroupBy, Parameters, Question, Range, dimension_values, fetch_sums,
    read_group_by, retained_spans,
};
use crate::routes::openapi::{FilterParameters, GroupParameters, OrderParameters, RangeParameters};
use crate::state::Shared;

/// Rows of an answer that names no limit.
const DEFAULT_ROWS: u32 = 100;
/// Most rows of an answer.
const MAX_ROWS: u32 = 1000;

/// Totals of a range by dimensions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BreakdownAnswer {
    /// The groups, largest first. Values beyond the 2000 combinations that are kept per workspace and hour are
    /// together in
    /// `(other)`.
    rows: Vec<BreakdownRow>,
    /// Groups beyond the limit.
    left_out: usize,
    /// Every operation that the broker acknowledged before this moment is counted; null until it is known.
    #[schema(value_type = Option<String>, format = "date-time")]
    complete_to: Option<UtcMillis>,
}

/// One group.
#[derive(Debug, Serialize, ToSchema)]
struct BreakdownRow {
    /// Values of the dimensions in `by`; null for operations without one.
    dimensions: BTreeMap<&'static str, Option<String>>,
    #[serde(flatten)]
    figures: Figures,
    #[serde(flatten)]
    durations: DurationFigures,
}

/// What the rows are ordered by, descending.
#[derive(Clone, Copy, Debug)]
enum Order {
    Cost,
    Operations,
    Failures,
    InputTokens,
    OutputTokens,
    LatencyMean,
}

impl Order {
    const WORDS: [(&'static str, Self); 6] = [
        ("cost_usd", Self::Cost),
        ("operations", Self::Operations),
        ("failures", Self::Failures),
        ("input_tokens", Self::InputTokens),
        ("output_tokens", Self::OutputTokens),
        ("latency_mean_us", Self::LatencyMean),
    ];

    fn key(self, sums: &WindowSums) -> i64 {
        match self {
            Self::Cost => sums.cost.nanos(),
            Self::Operations => sums.operations,
            Self::Failures => sums.failures,
            Self::InputTokens => sums.input_tokens,
            Self::OutputTokens => sums.output_tokens,
            Self::LatencyMean => sums.latency_sum_us.checked_div(sums.latency_count).unwrap_or(-1),
        }
    }
}

/// Totals of a range for every value, or combination of values, of dimensions.
#[utoipa::path(get, path = "/v1/breakdown", tag = "answers",
    params(RangeParameters, GroupParameters, OrderParameters, FilterParameters),
    responses((status = 200, body = BreakdownAnswer), (status = 400, body = ErrorAnswer)))]
pub(crate) async fn breakdown(
    State(state): State<Shared>,
    mut parameters: Parameters,
) -> Result<Json<BreakdownAnswer>, ApiError> {
    let range = Range::read(&mut parameters)?;
    let dimensions = read_group_by(&mut parameters)?;
    let order = parameters.take_choice("order", &Order::WORDS)?.unwrap_or(Order::Cost);
    let limit = parameters.take_count("limit", MAX_ROWS)?.unwrap_or(DEFAULT_ROWS);
    let filters = Filters::read(&mut parameters)?;
    parameters.finish()?;
    if dimensions.is_empty() {
        return Err(ApiError::invalid(
            "missing_parameter",
            "parameter by is missing; name one or more dimensions, such as by=model",
        ));
    }

    let complete_to = complete_to(&state.database, &state.topics.operations()).await?;
    let spans = retained_spans(&state.database, range).await?;
    let group_by = GroupBy { step: None, dimensions };
    let question = Question { spans: &spans, filters: &filters, group_by: &group_by };
    let mut rows = fetch_sums(&state.database, question).await?;
    // Equal keys stay in one order from answer to answer.
    rows.sort_by(|a, b| {
        (Reverse(order.key(&a.value)), Reverse(a.value.operations), &a.dimensions).cmp(&(
            Reverse(order.key(&b.value)),
            Reverse(b.value.operations),
            &b.dimensions,
        ))
    });
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let left_out = rows.len().saturating_sub(limit);
    rows.truncate(limit);
    let rows = rows
        .into_iter()
        .map(|row| BreakdownRow {
            figures: Figures::from(&row.value),
            durations: DurationFigures::from(&row.value),
            dimensions: dimension_values(&group_by.dimensions, row.dimensions),
        })
        .collect();
    Ok(Json(BreakdownAnswer { rows, left_out, complete_to }))
}
