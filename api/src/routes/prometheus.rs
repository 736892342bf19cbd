//! `GET /metrics`: the process's own counters, for Prometheus.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use crate::error::{ApiError, ErrorAnswer};
use crate::state::HealthState;

/// Counters and gauges of this process as Prometheus text.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, body = String, content_type = "text/plain"),
        (status = 404, body = ErrorAnswer, description = "This process keeps no metrics")))]
pub(crate) async fn metrics(State(state): State<HealthState>) -> Result<impl IntoResponse, ApiError> {
    let Some(metrics) = &state.metrics else {
        return Err(ApiError::NotFound { message: "this process keeps no metrics".to_owned() });
    };
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()))
}
