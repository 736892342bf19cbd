//! `GET /v1/operations/{operation_id}`: everything that is known of one operation, its content included.

use axum::Json;
use axum::extract::{Path, State};
use opstream_schemas::database::{Database, Row};
use opstream_schemas::{OperationId, UtcMillis};
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::AssertSqlSafe;
use utoipa::ToSchema;

use crate::content::{Content, find_in_lake};
use crate::error::{ApiError, ErrorAnswer};
use crate::state::Shared;
use crate::stored_operation::Extent;

/// Bytes of log records that are shown with one operation; those beyond are left out.
const MOST_LOGGED_BYTES: i64 = 16 << 20;

/// One operation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OperationAnswer {
    /// Every column that has a value.
    #[serde(flatten)]
    #[schema(value_type = super::openapi::StoredOperation)]
    operation: Map<String, Value>,
    /// Prompts, messages and tool definitions; null when none were captured or they are no longer kept.
    content: Option<Content>,
}

/// One operation with its content.
#[utoipa::path(get, path = "/v1/operations/{operation_id}", tag = "operations",
    params(("operation_id" = String, Path, description = "UUIDv7")),
    responses((status = 200, body = OperationAnswer), (status = 404, body = ErrorAnswer, description = "Not here, not yet, or no longer kept")))]
pub(crate) async fn show_operation(
    State(state): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<OperationAnswer>, ApiError> {
    let id: OperationId = id
        .parse()
        .map_err(|error: opstream_schemas::ids::IdError| ApiError::invalid("invalid_id", error.to_string()))?;
    let sql = format!("select {} from operations where operation_id = $1", Extent::Whole.select_list());
    let row = state.database.fetch_optional(AssertSqlSafe(sql), &[id.into()]).await?;
    let Some(row) = row else {
        state.retention_floor.refresh(&state.database).await?;
        return Err(ApiError::NotFound { message: why_absent(id, state.retention_floor.get()) });
    };
    let own = if row.bool("has_content")? { find_content(&state, id).await? } else { None };
    let logged = logged_content(&state.database, &row).await?;
    let content = match (own, logged) {
        (Some(own), Some(logged)) => Some(own.or(logged)),
        (own, logged) => own.or(logged),
    };
    Ok(Json(OperationAnswer { operation: Extent::Whole.read(&row)?, content }))
}

fn why_absent(id: OperationId, floor: UtcMillis) -> String {
    if id.time() < floor {
        return format!(
            "operation {id} is of {}, and operations before {floor} are no longer kept; totals over time still count them",
            id.time()
        );
    }
    format!("operation {id} is not here; /v1/progress says how far the topic has been read")
}

async fn find_content(state: &Shared, id: OperationId) -> Result<Option<Content>, ApiError> {
    if let Some(content) = find_in_sql(&state.database, id).await? {
        return Ok(Some(content));
    }
    match &state.lake {
        Some(lake) => find_in_lake(&state.database, lake, id).await,
        None => Ok(None),
    }
}

async fn find_in_sql(database: &Database, id: OperationId) -> Result<Option<Content>, sqlx::Error> {
    let sql = "select system_prompt, input_messages, output_messages, tool_definitions \
               from operation_contents where operation_id = $1";
    let Some(row) = database.fetch_optional(sql, &[id.into()]).await? else { return Ok(None) };
    Ok(Some(Content {
        system_prompt: row.optional_text("system_prompt")?,
        input_messages: row.optional_text("input_messages")?,
        output_messages: row.optional_text("output_messages")?,
        tool_definitions: row.optional_text("tool_definitions")?,
    }))
}

/// What came as log records of the operation's span.
async fn logged_content(database: &Database, operation: &Row) -> Result<Option<Content>, ApiError> {
    let [trace_id, span_id] = [operation.optional_text("trace_id")?, operation.optional_text("span_id")?];
    let (Some(trace_id), Some(span_id)) = (trace_id, span_id) else { return Ok(None) };
    let values = [trace_id.into(), span_id.into(), operation.text("workspace")?.into(), MOST_LOGGED_BYTES.into()];
    let rows = database.fetch_all(include_str!("show_operation/span_contents.sql"), &values).await?;
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        events.push(Content {
            system_prompt: row.optional_text("system_prompt")?,
            input_messages: row.optional_text("input_messages")?,
            output_messages: row.optional_text("output_messages")?,
            tool_definitions: row.optional_text("tool_definitions")?,
        });
    }
    Ok((!events.is_empty()).then(|| Content::of_events(&events)))
}

#[cfg(test)]
mod tests;
