//! `GET /v1/breakdown`: totals of a range by dimensions.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use opstream_schemas::UtcMillis;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::query::{
    AnsweredPeriod, DurationFigures, FIGURE_COLUMNS, Figures, Filters, GroupBy, Largest, Parameters, Period, Question,
    dimension_values, fetch_largest, minutes_kept_from, read_group_by, unattributed,
};
use crate::routes::openapi::{BreakdownParameters, FilterParameters, OrderParameters, RangeParameters};
use crate::state::Shared;

/// Rows of an answer that names no limit.
const DEFAULT_ROWS: u32 = 100;
/// Most rows of an answer.
const MAX_ROWS: u32 = 1000;

/// Totals of a range by dimensions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BreakdownAnswer {
    #[serde(flatten)]
    period: AnsweredPeriod,
    /// The groups, largest first. Values beyond the 2000 combinations that are kept per workspace and hour are together in
    /// `(other)`.
    rows: Vec<BreakdownRow>,
    /// Groups beyond the limit.
    left_out: usize,
    /// Operations that may or may not pass the filters and are in no row: combinations beyond the 2000 that are kept.
    /// Absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    unattributed: Option<i64>,
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

    /// The SQL that is compared.
    const fn measure(self) -> &'static str {
        match self {
            Self::Cost => "sum(w.cost_nano_usd)",
            Self::Operations => "sum(w.operations)",
            Self::Failures => "sum(w.failures)",
            Self::InputTokens => "sum(w.input_tokens)",
            Self::OutputTokens => "sum(w.output_tokens)",
            Self::LatencyMean => "sum(w.latency_sum_us) * 1.0 / nullif(sum(w.latency_count), 0)",
        }
    }
}

/// Totals of a range for every value, or combination of values, of dimensions.
#[utoipa::path(get, path = "/v1/breakdown", tag = "answers",
    params(RangeParameters, BreakdownParameters, OrderParameters, FilterParameters),
    responses((status = 200, body = BreakdownAnswer)))]
pub(crate) async fn breakdown(
    State(state): State<Shared>,
    mut parameters: Parameters,
) -> Result<Json<BreakdownAnswer>, ApiError> {
    let period = Period::read(&mut parameters, UtcMillis::now())?;
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

    let complete_to = state.complete_to().await?;
    let mut reading = state.begin_reading().await?;
    let spans = period.range.spans(minutes_kept_from(&mut reading).await?)?;
    let group_by = GroupBy { step: None, dimensions };
    let question = Question { spans: &spans, filters: &filters, group_by: &group_by, only: None };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let largest = fetch_largest(&mut reading, question, &FIGURE_COLUMNS, order.measure(), limit).await?;
    let Largest { rows, groups } = largest;
    let unattributed = unattributed(&mut reading, question).await?;
    let left_out = groups.saturating_sub(rows.len());
    let rows = rows
        .into_iter()
        .map(|row| BreakdownRow {
            figures: Figures::from(&row.value),
            durations: DurationFigures::from(&row.value),
            dimensions: dimension_values(&group_by.dimensions, row.dimensions),
        })
        .collect();
    let period = period.answered(None);
    Ok(Json(BreakdownAnswer { period, rows, left_out, unattributed, complete_to }))
}
