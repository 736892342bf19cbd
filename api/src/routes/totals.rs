//! `GET /v1/totals`: what a range of time adds up to.

use axum::Json;
use axum::extract::State;
use opstream_schemas::UtcMillis;
use opstream_schemas::window::WindowSums;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::query::{
    AnsweredPeriod, FIGURE_COLUMNS, Figures, Filters, GroupBy, Parameters, Period, Question, fetch_sums,
    minutes_kept_from, unattributed,
};
use crate::routes::openapi::{FilterParameters, RangeParameters};
use crate::state::Shared;

/// What the operations of a range add up to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TotalsAnswer {
    #[serde(flatten)]
    period: AnsweredPeriod,
    #[serde(flatten)]
    figures: Figures,
    /// Operations that may or may not pass the filters, and are not counted: combinations of values beyond the 2000
    /// that are kept per workspace and hour. Absent when there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    unattributed: Option<i64>,
    /// Every operation that the broker acknowledged before this moment is counted; null until it is known. What
    /// producers still hold is not covered.
    #[schema(value_type = Option<String>, format = "date-time")]
    complete_to: Option<UtcMillis>,
}

/// Totals of a range, exact to the operation and the nano-dollar.
///
/// Any dimension is a filter; an empty value asks for operations without one.
#[utoipa::path(get, path = "/v1/totals", tag = "answers", params(RangeParameters, FilterParameters),
    responses((status = 200, body = TotalsAnswer)))]
pub(crate) async fn totals(
    State(state): State<Shared>,
    mut parameters: Parameters,
) -> Result<Json<TotalsAnswer>, ApiError> {
    let period = Period::read(&mut parameters, UtcMillis::now())?;
    let filters = Filters::read(&mut parameters)?;
    parameters.finish()?;

    // Read first: the windows may be ahead of this moment, never behind it.
    let complete_to = state.complete_to().await?;
    let mut reading = state.begin_reading().await?;
    let spans = period.range.spans(minutes_kept_from(&mut reading).await?)?;
    let question = Question { spans: &spans, filters: &filters, group_by: &GroupBy::default(), only: None };
    let rows = fetch_sums(&mut reading, question, &FIGURE_COLUMNS, 1).await?;
    let sums = rows.first().map_or_else(WindowSums::default, |row| row.value);
    let unattributed = unattributed(&mut reading, question).await?;
    let period = period.answered(None);
    Ok(Json(TotalsAnswer { period, figures: Figures::from(&sums), unattributed, complete_to }))
}
