//! `GET /v1/query`: measures of a range, over time and by dimensions, in one answer.

mod answer;
mod fetch;
#[cfg(test)]
mod tests;

use axum::Json;
use axum::extract::State;
use opstream_schemas::UtcMillis;
use opstream_schemas::window::Dimension;

use self::answer::QueryAnswer;
use self::fetch::fetch;
use crate::error::ApiError;
use crate::query::{Filters, Measure, Parameters, Period, Stepping, read_group_by};
use crate::routes::openapi::{FilterParameters, GroupParameters, QueryParameters, RangeParameters};
use crate::state::Shared;

/// Groups of an answer that names no limit.
const DEFAULT_GROUPS: u32 = 20;
/// Most groups of an answer.
const MAX_GROUPS: u32 = 1000;

/// What is asked.
struct Asked {
    now: UtcMillis,
    period: Period,
    stepping: Stepping,
    measures: Vec<Measure>,
    dimensions: Vec<Dimension>,
    filters: Filters,
    order: Measure,
    limit: usize,
    compares: bool,
}

impl Asked {
    fn read(mut parameters: Parameters, now: UtcMillis) -> Result<Self, ApiError> {
        let period = Period::read(&mut parameters, now)?;
        let stepping = parameters.take_stepping()?;
        let measures = parameters.take_measures()?;
        let dimensions = read_group_by(&mut parameters)?;
        let order = parameters.take_order(&measures)?;
        let limit = parameters.take_count("limit", MAX_GROUPS)?.unwrap_or(DEFAULT_GROUPS);
        let compares = parameters.take_choice("compare", &[("previous", true)])?.unwrap_or(false);
        let filters = Filters::read(&mut parameters)?;
        parameters.finish()?;
        if measures.is_empty() {
            let message = "parameter measures is missing; name one or more, such as measures=operations,cost_usd";
            return Err(ApiError::invalid("missing_parameter", message));
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(Self { now, period, stepping, measures, dimensions, filters, order, limit, compares })
    }

    fn needs_sketches(&self) -> bool {
        self.measures.iter().any(Measure::is_percentile)
    }
}

/// Measures of a range: as totals, by dimensions with `by`, in steps of time with `resolution`, beside the period before with
/// `compare`.
///
/// Sums are exact to the operation and the nano-dollar; percentiles differ from the exact order statistic by at most
/// `percentile_error`, a part of it.
#[utoipa::path(get, path = "/v1/query", tag = "answers",
    params(QueryParameters, RangeParameters, GroupParameters, FilterParameters),
    responses((status = 200, body = QueryAnswer)))]
pub(crate) async fn query(State(state): State<Shared>, parameters: Parameters) -> Result<Json<QueryAnswer>, ApiError> {
    let asked = Asked::read(parameters, UtcMillis::now())?;
    // Read first: the windows may be ahead of this moment, never behind it.
    let complete_to = state.complete_to().await?;
    let mut reading = state.begin_reading().await?;
    let fetched = fetch(&mut reading, &asked).await?;
    Ok(Json(QueryAnswer::of(&asked, fetched, complete_to)))
}
