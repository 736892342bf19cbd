//! `GET /health/live` and `GET /health/ready`, for whoever restarts processes or sends them traffic.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::readiness::ReadyAnswer;
use crate::state::Shared;

/// The process turns: it could send this.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LiveAnswer {
    live: bool,
}

/// Whether the process turns; restart it when this is not answered.
#[utoipa::path(get, path = "/health/live", tag = "health", responses((status = 200, body = LiveAnswer)))]
pub(crate) async fn live() -> Json<LiveAnswer> {
    Json(LiveAnswer { live: true })
}

/// Whether database and broker answer; send no requests while they do not.
#[utoipa::path(get, path = "/health/ready", tag = "health",
    responses((status = 200, body = ReadyAnswer), (status = 503, body = ReadyAnswer)))]
pub(crate) async fn ready(State(state): State<Shared>) -> (StatusCode, Json<ReadyAnswer>) {
    let answer = state.readiness.check().await;
    let status = if answer.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(answer))
}
