//! Reads request bodies up to a limit.

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use futures_util::StreamExt;

use crate::error::ApiError;

/// Takes the whole body into memory.
///
/// # Errors
/// When it has more than `max_bytes` bytes or breaks off.
pub(crate) async fn read_body(body: Body, max_bytes: usize) -> Result<Bytes, ApiError> {
    let mut pieces = body.into_data_stream();
    let mut whole = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| ApiError::invalid("body_broken_off", broken_off(&error)))?;
        if whole.len() + piece.len() > max_bytes {
            return Err(BodyTooLarge { max_bytes }.into());
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.into())
}

/// Refuses a body whose Content-Length says that it is too large, before any of it is read.
///
/// # Errors
/// Names the limit.
pub(crate) fn check_announced_length(headers: &HeaderMap, max_bytes: usize) -> Result<Option<usize>, ApiError> {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    match length {
        Some(bytes) if bytes > max_bytes => Err(BodyTooLarge { max_bytes }.into()),
        other => Ok(other),
    }
}

/// A body beyond the limit.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the body has more than {max_bytes} bytes; send the operations in several requests")]
pub(crate) struct BodyTooLarge {
    /// The limit.
    pub(crate) max_bytes: usize,
}

impl From<BodyTooLarge> for ApiError {
    fn from(error: BodyTooLarge) -> Self {
        Self::TooLarge { message: error.to_string() }
    }
}

/// Says that the client went away or its transfer encoding is broken.
pub(crate) fn broken_off(error: &axum::Error) -> String {
    format!("the body broke off: {error}")
}
