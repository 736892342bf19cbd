//! `GET /v1/traces` and `GET /v1/traces/{trace_id}`.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;

use super::belonging::{MembersAnswer, OverviewsAnswer, members, overviews};
use crate::error::ApiError;
use crate::query::Parameters;
use crate::routes::openapi::{
    FilterParameters, MemberParameters, OpenFilterParameters, OverviewParameters, RangeParameters,
};
use crate::scan::Bond;
use crate::state::Shared;

/// Traces of a range, a line for each: how long they took, what they cost, with what they began.
///
/// Read from the lake's files. Only operations of the range count.
#[utoipa::path(get, path = "/v1/traces", tag = "operations",
    params(OverviewParameters, RangeParameters, FilterParameters, OpenFilterParameters),
    responses((status = 200, body = OverviewsAnswer)))]
pub(crate) async fn list_traces(State(state): State<Shared>, parameters: Parameters) -> Result<Response, ApiError> {
    overviews(&state, Bond::Trace, parameters).await
}

/// All operations of one trace, oldest first, with the spans that they are and were called from.
#[utoipa::path(get, path = "/v1/traces/{trace_id}", tag = "operations",
    params(("trace_id" = String, Path, description = "W3C trace id"), MemberParameters, RangeParameters),
    responses((status = 200, body = MembersAnswer)))]
pub(crate) async fn show_trace(
    State(state): State<Shared>,
    Path(trace_id): Path<String>,
    parameters: Parameters,
) -> Result<Json<MembersAnswer>, ApiError> {
    members(&state, Bond::Trace, trace_id, parameters).await
}
