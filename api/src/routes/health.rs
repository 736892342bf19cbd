//! `GET /health/live` and `GET /health/ready`, for whoever restarts processes or sends them traffic.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::health::ReadyAnswer;
use crate::state::HealthState;

/// Whether the process turns.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LiveAnswer {
    live: bool,
    /// Roles whose loop has not turned for minutes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stuck: Vec<&'static str>,
}

/// Whether the process turns; restart it when this fails or is not answered. An outage of database or broker does not make
/// it fail: a restart would not help.
#[utoipa::path(get, path = "/health/live", tag = "health", security(()),
    responses((status = 200, body = LiveAnswer), (status = 503, body = LiveAnswer)))]
pub(crate) async fn live(State(state): State<HealthState>) -> (StatusCode, Json<LiveAnswer>) {
    let stuck = state.health.stuck_roles();
    let live = stuck.is_empty();
    (status_when(live), Json(LiveAnswer { live, stuck }))
}

/// Whether database and broker answer and every role of the process can work; send no requests while this fails.
#[utoipa::path(get, path = "/health/ready", tag = "health", security(()),
    responses((status = 200, body = ReadyAnswer), (status = 503, body = ReadyAnswer)))]
pub(crate) async fn ready(State(state): State<HealthState>) -> (StatusCode, Json<ReadyAnswer>) {
    let answer = state.health.check().await;
    (status_when(answer.ready), Json(answer))
}

fn status_when(all_is_well: bool) -> StatusCode {
    if all_is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
