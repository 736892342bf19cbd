//! `GET /v1/progress`: how far operations have come on their way from the topic into rows and windows.

use axum::Json;
use axum::extract::State;
use opstream_schemas::UtcMillis;
use opstream_schemas::window::partition_progress;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::state::Shared;

/// How far the pipeline has come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProgressAnswer {
    /// One entry per partition of the topic that this server posts to.
    committed: Vec<PartitionProgress>,
    /// Every operation that the broker acknowledged before this moment is in the windows; null until it is known. What
    /// producers still hold is not covered.
    #[schema(value_type = Option<String>, format = "date-time")]
    complete_to: Option<UtcMillis>,
    /// Operations before this moment are refused, and those that were there are dropped; totals over time stay.
    #[schema(value_type = String, format = "date-time")]
    retention_floor: UtcMillis,
}

/// How far one partition has come.
#[derive(Debug, Serialize, ToSchema)]
struct PartitionProgress {
    /// Number of the partition.
    partition: i32,
    /// Every record below this offset is a row, a dead letter or a duplicate.
    next_offset: i64,
    /// Every record below this offset is in the windows too.
    windowed_to: i64,
}

/// How far operations have come: an operation is in `/v1/operations` once `next_offset` is above its offset, and in
/// totals once `windowed_to` is.
#[utoipa::path(get, path = "/v1/progress", tag = "operations", responses((status = 200, body = ProgressAnswer)))]
pub(crate) async fn progress(State(state): State<Shared>) -> Result<Json<ProgressAnswer>, ApiError> {
    // In this order the answer may be older than the windows, never younger.
    let complete_to = state.complete_to().await?;
    let committed = partition_progress(&state.database, &state.topics.operations()).await?;
    let committed = committed
        .into_iter()
        .map(|place| PartitionProgress {
            partition: place.partition.0,
            next_offset: place.next_offset.0,
            windowed_to: place.windowed_to.0,
        })
        .collect();
    state.retention_floor.refresh(&state.database).await?;
    Ok(Json(ProgressAnswer { committed, complete_to, retention_floor: state.retention_floor.get() }))
}
