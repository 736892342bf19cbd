//! `POST /v1/operations`: the front door. Answers once the broker has acknowledged every accepted operation.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::Response;
use futures_util::StreamExt;
use opstream_schemas::UtcMicros;
use opstream_schemas::validate::AcceptedTimes;
use tokio::sync::OwnedSemaphorePermit;

use crate::RequestLimits;
use crate::error::{ApiError, ErrorAnswer};
use crate::front_door::{
    Admission, BodyTooLarge, CHUNK_BYTES, Document, Flaw, Halt, IdempotencyKey, IntakeAnswer, Line, LineSplitter,
    Submission, broken_off, check_announced_length, read_body, read_line, read_operation, respond,
};
use crate::state::{BODY_MEMORY_KIB, Shared};

/// Records operations, from JSON (one object or an array) or NDJSON (one object a line).
///
/// Refused items do not stop the others; each is named with its position, field and reason. An item without
/// `operation_id` gets an id derived from the `Idempotency-Key` header, or a new one: then the answer warns that a
/// retry would double it.
#[utoipa::path(post, path = "/v1/operations", tag = "operations",
    params(("Idempotency-Key" = Option<String>, Header,
        description = "Derives the ids of items without operation_id; they need started_at")),
    request_body(content(
        (crate::routes::openapi::Operation = "application/json"), (String = "application/x-ndjson"),
    )),
    responses(
        (status = 200, body = IntakeAnswer, description = "At least one item accepted, or none sent"),
        (status = 400, body = IntakeAnswer, description = "No item accepted"),
        (status = 413, body = ErrorAnswer, description = "The body is too large"),
        (status = 415, body = ErrorAnswer, description = "Neither JSON nor NDJSON"),
        (status = 503, body = IntakeAnswer, description = "The broker does not acknowledge; try again"),
    ))]
pub(crate) async fn post_operations(
    State(state): State<Shared>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let format = BodyFormat::of(&headers)?;
    let announced = check_announced_length(&headers, state.limits.body_bytes)?;
    let now = UtcMicros::now();
    let admission = Admission {
        accepted_times: AcceptedTimes::at(now.to_millis(), state.retention_floor.get()),
        now,
        idempotency_key: idempotency_key(&headers)?,
        content: state.content,
    };
    let mut submission = Submission::new(&state.producer, admission);
    let _memory = reserve_memory(&state, format, announced).await?;
    let halt = match format {
        BodyFormat::Json => submit_document(&mut submission, body, state.limits).await?,
        BodyFormat::Ndjson => submit_lines(&mut submission, body, state.limits).await,
    };
    let (outcome, halt) = submission.finish(halt.err()).await;
    let (status, answer) = outcome.finish(halt);
    crate::metrics::count_accepted(answer.accepted);
    Ok(respond(status, answer))
}

/// The outer error refuses the whole document before anything is sent.
async fn submit_document(
    submission: &mut Submission<'_>,
    body: Body,
    limits: RequestLimits,
) -> Result<Result<(), Halt>, ApiError> {
    let body = read_body(body, limits.body_bytes).await?;
    let document = Document::check(&body).map_err(|error| ApiError::invalid(error.code(), error.to_string()))?;
    for item in document.items() {
        let operation = if item.len() > limits.item_bytes { Err(item_too_large(limits)) } else { read_operation(item) };
        if let Err(halt) = submission.take(operation, item.len(), None).await {
            return Ok(Err(halt));
        }
    }
    Ok(Ok(()))
}

async fn submit_lines(submission: &mut Submission<'_>, body: Body, limits: RequestLimits) -> Result<(), Halt> {
    let mut splitter = LineSplitter::new(limits.item_bytes);
    let mut pieces = body.into_data_stream();
    let mut total_bytes = 0;
    while let Some(piece) = pieces.next().await {
        let mut piece = piece.map_err(|error| Halt::BrokenOff { reason: broken_off(&error) })?;
        total_bytes += piece.len();
        if total_bytes > limits.body_bytes {
            return Err(Halt::TooLarge { reason: BodyTooLarge { max_bytes: limits.body_bytes }.to_string() });
        }
        while let Some(line) = splitter.next_line(&mut piece) {
            take_line(submission, line, limits).await?;
        }
    }
    match splitter.last_line() {
        Some(line) => take_line(submission, line, limits).await,
        None => Ok(()),
    }
}

async fn take_line(submission: &mut Submission<'_>, line: Line, limits: RequestLimits) -> Result<(), Halt> {
    let bytes = line.content.as_ref().map_or(0, bytes::Bytes::len);
    let operation = match line.content {
        Ok(content) => read_line(&content),
        Err(_) => Err(item_too_large(limits)),
    };
    submission.take(operation, bytes, Some(line.number)).await
}

fn item_too_large(limits: RequestLimits) -> Flaw {
    Flaw::of_item("too_large", format!("an operation may have at most {} bytes of JSON", limits.item_bytes))
}

/// Waits until the body's share of the memory for all bodies is free; back-pressure reaches the client's socket.
async fn reserve_memory(
    state: &Shared,
    format: BodyFormat,
    announced: Option<usize>,
) -> Result<OwnedSemaphorePermit, ApiError> {
    let body_bytes = announced.unwrap_or(state.limits.body_bytes);
    let held_bytes = match format {
        BodyFormat::Json => body_bytes,
        BodyFormat::Ndjson => body_bytes.min(CHUNK_BYTES + state.limits.item_bytes),
    };
    // A configured limit beyond the whole budget takes all of it.
    let kib = u32::try_from(held_bytes / 1024 + 1).unwrap_or(BODY_MEMORY_KIB).min(BODY_MEMORY_KIB);
    let permit = state.body_memory.clone().acquire_many_owned(kib).await;
    permit.map_err(|closed| ApiError::Internal(Box::new(closed)))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, ApiError> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let key = keys.next().map(|value| IdempotencyKey::new(value.as_bytes())).transpose();
    let is_repeated = keys.next().is_some();
    match key {
        Ok(key) if !is_repeated => Ok(key),
        _ => Err(ApiError::invalid("invalid_idempotency_key", crate::front_door::IdempotencyKeyError.to_string())),
    }
}

/// How the operations are written in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyFormat {
    Json,
    Ndjson,
}

impl BodyFormat {
    fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let header = |name| headers.get(name).map(|value: &axum::http::HeaderValue| value.to_str().unwrap_or("?"));
        let unsupported = |message: String| ApiError::UnsupportedMediaType { message };
        if let Some(encoding) = header(CONTENT_ENCODING).filter(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
            return Err(unsupported(format!("content-encoding {encoding:?} is not supported; send the body as it is")));
        }
        let sent = header(CONTENT_TYPE).unwrap_or("");
        let mut parts = sent.split(';').map(|part| part.trim().to_ascii_lowercase());
        let media_type = parts.next().unwrap_or_default();
        if let Some(charset) =
            parts.find(|part| part.starts_with("charset=") && part.trim_matches('"') != "charset=utf-8")
        {
            return Err(unsupported(format!("{charset} is not supported; send UTF-8")));
        }
        match media_type.as_str() {
            "application/json" => Ok(Self::Json),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
                Ok(Self::Ndjson)
            }
            _ => Err(unsupported(format!(
                "content-type {sent:?} is not supported; send application/json (an object or an array) or \
                 application/x-ndjson (an object a line)"
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
