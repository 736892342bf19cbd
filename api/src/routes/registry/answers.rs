//! Answers and errors as clients of the Schema Registry protocol expect them.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

const REGISTRY_JSON: HeaderValue = HeaderValue::from_static("application/vnd.schemaregistry.v1+json");

/// Why the registry does not answer with what was asked for; the codes are Confluent's.
#[derive(Debug, thiserror::Error)]
pub(super) enum RegistryError {
    /// Nothing is served at this path.
    #[error("this registry serves the read endpoints of the protocol only")]
    NoSuchEndpoint,
    /// No subject of this name.
    #[error("subject {subject:?} not found")]
    NoSuchSubject {
        /// The name.
        subject: String,
    },
    /// The subject has no such version.
    #[error("version {version} not found")]
    NoSuchVersion {
        /// The number.
        version: u32,
    },
    /// No schema of this id or text.
    #[error("schema not found")]
    NoSuchSchema,
    /// Not the text of a schema.
    #[error("invalid schema: {reason}")]
    InvalidSchema {
        /// What is wrong with it.
        reason: String,
    },
    /// Neither a number nor `latest`.
    #[error("version {version:?} is neither a positive number nor \"latest\"")]
    InvalidVersion {
        /// The text.
        version: String,
    },
    /// Something would have to be written.
    #[error("this registry is read-only: its schemas are part of opstream and cannot be changed")]
    ReadOnly,
}

impl RegistryError {
    const fn status_and_code(&self) -> (StatusCode, u32) {
        match self {
            Self::NoSuchEndpoint => (StatusCode::NOT_FOUND, 404),
            Self::NoSuchSubject { .. } => (StatusCode::NOT_FOUND, 40401),
            Self::NoSuchVersion { .. } => (StatusCode::NOT_FOUND, 40402),
            Self::NoSuchSchema => (StatusCode::NOT_FOUND, 40403),
            Self::InvalidSchema { .. } => (StatusCode::UNPROCESSABLE_ENTITY, 42201),
            Self::InvalidVersion { .. } => (StatusCode::UNPROCESSABLE_ENTITY, 42202),
            Self::ReadOnly => (StatusCode::UNPROCESSABLE_ENTITY, 42205),
        }
    }
}

impl IntoResponse for RegistryError {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        (status, respond(&json!({ "error_code": code, "message": self.to_string() }))).into_response()
    }
}

/// A successful answer. Never fails: the type is that of the handlers.
#[expect(clippy::unnecessary_wraps, reason = "handlers end with it, next to the errors of their look-ups")]
pub(super) fn answer(body: &Value) -> Result<Response, RegistryError> {
    Ok(respond(body))
}

fn respond(body: &Value) -> Response {
    ([(CONTENT_TYPE, REGISTRY_JSON)], body.to_string()).into_response()
}
