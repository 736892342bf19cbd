//! `POST /v1/operations/lookup`: which of these ids are committed already.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use opstream_schemas::OperationId;
use opstream_schemas::database::Value;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use utoipa::ToSchema;

use crate::error::{ApiError, ErrorAnswer};
use crate::front_door::{excerpt, read_small_body};
use crate::state::Shared;

/// Most ids of one question.
const MAX_IDS: usize = 1000;
/// A thousand quoted ids, and room for white space.
const MAX_BODY_BYTES: usize = 100_000;

/// Longest reason of a refusal.
const MAX_REASON_CHARACTERS: usize = 300;

/// Ids to look for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LookupQuestion {
    /// At most 1000 operation ids.
    #[schema(value_type = Vec<String>)]
    ids: Vec<OperationId>,
}

/// Ids that are there.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LookupAnswer {
    /// Those of the ids that are committed, in no order.
    #[schema(value_type = Vec<String>)]
    existing: Vec<OperationId>,
}

/// Which of these operations are committed already, by primary key.
#[utoipa::path(post, path = "/v1/operations/lookup", tag = "operations", request_body = LookupQuestion,
    responses((status = 200, body = LookupAnswer),
        (status = 413, body = ErrorAnswer, description = "The body is too large")))]
pub(crate) async fn look_up(State(state): State<Shared>, body: Body) -> Result<Json<LookupAnswer>, ApiError> {
    let body = read_small_body(body, MAX_BODY_BYTES).await?;
    let question: LookupQuestion = serde_json::from_slice(&body).map_err(|error| {
        // The reason quotes what is no id, which may be the whole body.
        let reason = excerpt(&error.to_string(), MAX_REASON_CHARACTERS);
        ApiError::invalid("invalid_body", format!("expected {{\"ids\": [operation ids]}}: {reason}"))
    })?;
    if question.ids.len() > MAX_IDS {
        let message = format!("{} ids are asked for; at most {MAX_IDS} fit one request", question.ids.len());
        return Err(ApiError::invalid("too_many_ids", message));
    }
    if question.ids.is_empty() {
        return Ok(Json(LookupAnswer { existing: Vec::new() }));
    }
    let places: Vec<String> = (1..=question.ids.len()).map(|place| format!("${place}")).collect();
    let sql = format!("select operation_id from operations where operation_id in ({})", places.join(", "));
    let ids: Vec<Value> = question.ids.into_iter().map(Value::from).collect();
    let rows = state.database.fetch_all(AssertSqlSafe(sql), &ids).await?;
    let existing = rows.iter().map(|row| row.id("operation_id")).collect::<Result<_, _>>()?;
    Ok(Json(LookupAnswer { existing }))
}

#[cfg(test)]
mod tests {
    use opstream_schemas::UtcMillis;
    use serde_json::json;

    use super::*;
    use crate::fixture::Fixture;

    #[tokio::test]
    async fn only_committed_ids_are_named() {
        let api = Fixture::new().await;
        let stored = api.store(1, &[]).await;
        let unknown = OperationId::generate(UtcMillis::from_millis(0));
        let question = json!({ "ids": [unknown, stored] }).to_string();
        let answer = api.post("/v1/operations/lookup", "application/json", question).await;
        assert_eq!(answer.json(), json!({ "existing": [stored] }));
        let nothing = api.post("/v1/operations/lookup", "application/json", "{\"ids\": []}").await;
        assert_eq!(nothing.json(), json!({ "existing": [] }));
    }

    #[tokio::test]
    async fn too_many_ids_and_what_is_no_id_are_refused() {
        let api = Fixture::new().await;
        let id = OperationId::generate(UtcMillis::from_millis(0));
        let most = json!({ "ids": vec![id; 1000] }).to_string();
        assert_eq!(api.post("/v1/operations/lookup", "application/json", most).await.status, 200);
        let more = json!({ "ids": vec![id; 1001] }).to_string();
        assert!(api.post("/v1/operations/lookup", "application/json", more).await.text.contains("at most 1000"));
        let long = format!("{{\"ids\": [\"{}\"]}}", "x".repeat(90_000));
        assert!(api.post("/v1/operations/lookup", "application/json", long).await.text.len() < 1000);
        for body in ["{\"ids\": [\"x\"]}", "{\"id\": []}", "[]", ""] {
            assert_eq!(api.post("/v1/operations/lookup", "application/json", body).await.status, 400, "{body}");
        }
    }
}
