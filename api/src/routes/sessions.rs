//! `GET /v1/sessions` and `GET /v1/sessions/{session_id}`.

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

/// Sessions of a range, a line for each: how long they took, what they cost, who took part.
///
/// Read from the lake's files. Only operations of the range count: a session that began before it is there with its later part.
#[utoipa::path(get, path = "/v1/sessions", tag = "operations",
    params(OverviewParameters, RangeParameters, FilterParameters, OpenFilterParameters),
    responses((status = 200, body = OverviewsAnswer)))]
pub(crate) async fn list_sessions(State(state): State<Shared>, parameters: Parameters) -> Result<Response, ApiError> {
    overviews(&state, Bond::Session, parameters).await
}

/// All operations of one session, oldest first.
#[utoipa::path(get, path = "/v1/sessions/{session_id}", tag = "operations",
    params(("session_id" = String, Path, description = "The session"), MemberParameters, RangeParameters),
    responses((status = 200, body = MembersAnswer)))]
pub(crate) async fn show_session(
    State(state): State<Shared>,
    Path(session_id): Path<String>,
    parameters: Parameters,
) -> Result<Json<MembersAnswer>, ApiError> {
    members(&state, Bond::Session, session_id, parameters).await
}
