//! `/registry/…`: the read endpoints of the Schema Registry protocol for the built-in schemas.
//!
//! A stock Confluent client at this address can decode our topics and look up its own copy of a schema. Nothing can be
//! registered: the schemas are part of the program. Registering a schema that is already here answers its id, because
//! serialisers with `auto.register.schemas` do so before their first record.

mod answers;
mod builtin;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;

use self::answers::{RegistryError, answer};
use self::builtin::{find_by_id, find_by_text, find_version, find_versions, subjects, subjects_of};
use crate::front_door::read_small_body;
use crate::state::Shared;

/// Evolution rule of our subjects: any version reads any other.
const COMPATIBILITY: &str = "FULL_TRANSITIVE";
/// Most bytes of a schema that is looked up.
const MAX_SCHEMA_BYTES: usize = 1 << 20;

type Answer = Result<Response, RegistryError>;

/// The routes, relative to `/registry`.
pub(crate) fn router() -> Router<Shared> {
    Router::new()
        .route("/", get(root))
        .route("/subjects", get(list_subjects))
        .route("/subjects/{subject}", post(look_up))
        .route("/subjects/{subject}/versions", get(list_versions).post(register))
        .route("/subjects/{subject}/versions/{version}", get(show_version))
        .route("/subjects/{subject}/versions/{version}/schema", get(show_version_text))
        .route("/schemas/ids/{id}", get(show_schema))
        .route("/schemas/ids/{id}/schema", get(show_schema_text))
        .route("/schemas/ids/{id}/subjects", get(show_schema_subjects))
        .route("/schemas/ids/{id}/versions", get(show_schema_versions))
        .route("/schemas/types", get(async || answer(&json!(["AVRO"]))))
        .route("/config", get(async || answer(&json!({ "compatibilityLevel": COMPATIBILITY }))))
        .route("/config/{subject}", get(show_config))
        .route("/mode", get(async || answer(&json!({ "mode": "READONLY" }))))
        .fallback(async || RegistryError::NoSuchEndpoint)
        .method_not_allowed_fallback(async || RegistryError::ReadOnly)
}

/// What clients ask to see whether a registry is there.
pub(crate) async fn root() -> impl IntoResponse {
    answer(&json!({}))
}

async fn list_subjects(State(state): State<Shared>) -> Answer {
    answer(&json!(subjects(&state.topics)))
}

async fn list_versions(State(state): State<Shared>, Path(subject): Path<String>) -> Answer {
    let versions: Vec<u32> = find_versions(&state.topics, &subject)?.iter().map(|schema| schema.version).collect();
    answer(&json!(versions))
}

async fn show_version(State(state): State<Shared>, Path((subject, version)): Path<(String, String)>) -> Answer {
    let schema = find_version(&state.topics, &subject, &version)?;
    answer(&json!({ "subject": subject, "id": schema.id.0, "version": schema.version, "schema": schema.text }))
}

async fn show_version_text(State(state): State<Shared>, Path((subject, version)): Path<(String, String)>) -> Answer {
    answer(&json_of(find_version(&state.topics, &subject, &version)?.text))
}

async fn show_schema(Path(id): Path<String>) -> Answer {
    answer(&json!({ "schema": find_by_id(&id)?.text }))
}

async fn show_schema_text(Path(id): Path<String>) -> Answer {
    answer(&json_of(find_by_id(&id)?.text))
}

async fn show_schema_subjects(State(state): State<Shared>, Path(id): Path<String>) -> Answer {
    answer(&json!(subjects_of(&state.topics, find_by_id(&id)?)))
}

async fn show_schema_versions(State(state): State<Shared>, Path(id): Path<String>) -> Answer {
    let schema = find_by_id(&id)?;
    let versions: Vec<_> = subjects_of(&state.topics, schema)
        .into_iter()
        .map(|subject| json!({ "subject": subject, "version": schema.version }))
        .collect();
    answer(&json!(versions))
}

async fn show_config(State(state): State<Shared>, Path(subject): Path<String>) -> Answer {
    find_versions(&state.topics, &subject)?;
    answer(&json!({ "compatibilityLevel": COMPATIBILITY }))
}

/// Body of a look-up or registration; other members, such as references, do not matter here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchemaBody {
    schema: String,
    schema_type: Option<String>,
}

async fn look_up(State(state): State<Shared>, Path(subject): Path<String>, body: Body) -> Answer {
    let versions = find_versions(&state.topics, &subject)?;
    let schema = find_by_text(&versions, &read_schema(body).await?).ok_or(RegistryError::NoSuchSchema)?;
    answer(&json!({ "subject": subject, "id": schema.id.0, "version": schema.version, "schema": schema.text }))
}

async fn register(State(state): State<Shared>, Path(subject): Path<String>, body: Body) -> Answer {
    let versions = find_versions(&state.topics, &subject).map_err(|_| RegistryError::ReadOnly)?;
    let schema = find_by_text(&versions, &read_schema(body).await?).ok_or(RegistryError::ReadOnly)?;
    answer(&json!({ "id": schema.id.0 }))
}

async fn read_schema(body: Body) -> Result<serde_json::Value, RegistryError> {
    let bytes = read_small_body(body, MAX_SCHEMA_BYTES)
        .await
        .map_err(|error| RegistryError::InvalidSchema { reason: error.to_string() })?;
    let invalid = |error: serde_json::Error| RegistryError::InvalidSchema { reason: error.to_string() };
    let body: SchemaBody = serde_json::from_slice(&bytes).map_err(invalid)?;
    match body.schema_type.as_deref() {
        None | Some("AVRO") => serde_json::from_str(&body.schema).map_err(invalid),
        Some(other) => Err(RegistryError::InvalidSchema { reason: format!("schema type {other:?} is not AVRO") }),
    }
}

fn json_of(schema: &str) -> serde_json::Value {
    serde_json::from_str(schema).expect("the built-in schemas are JSON, which their own tests check")
}

#[cfg(test)]
mod tests;
