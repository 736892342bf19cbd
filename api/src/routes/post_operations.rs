//! `POST /v1/operations`: the front door. Answers once the broker has acknowledged every accepted operation.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use opstream_schemas::UtcMicros;
use opstream_schemas::validate::AcceptedTimes;
use tokio::time::Instant;

use crate::RequestLimits;
use crate::error::{ApiError, ErrorAnswer};
use crate::front_door::{
    Admission, BodyBounds, BodyError, BodyMemory, Document, DocumentError, Flaw, Grant, Halt, IdempotencyKey,
    IntakeAnswer, Line, LineSplitter, Packing, Pieces, Submission, check_announced_length, read_body, read_line,
    read_operation, respond,
};
use crate::rate::Allowance;
use crate::state::Shared;

/// Documents of up to this size are read in about a millisecond.
const QUICKLY_CHECKED_BYTES: usize = 256 << 10;

/// Records operations, from JSON (one object or an array) or NDJSON (one object a line).
///
/// Refused items do not stop the others; each is named with its position, field and reason. An item without
/// `operation_id` gets an id derived from the `Idempotency-Key` header, or a new one: then the answer warns that a
/// retry would double it.
#[utoipa::path(post, path = "/v1/operations", tag = "operations",
    params(("Idempotency-Key" = Option<String>, Header,
        description = "Derives the ids of items without operation_id, from their content, however it is written, and their position; \
            they need started_at. To repeat a request send all its items again, at the same places")),
    request_body(content(
        (crate::routes::openapi::Operation = "application/json"), (String = "application/x-ndjson"),
    )),
    responses(
        (status = 200, body = IntakeAnswer, description = "At least one item accepted, or none sent"),
        (status = 400, body = IntakeAnswer, description = "No item accepted"),
        (status = 413, body = ErrorAnswer, description = "The body is too large"),
        (status = 415, body = ErrorAnswer, description = "Neither JSON nor NDJSON"),
        (status = 429, body = IntakeAnswer, description = "The caller sends faster than it may; try again after Retry-After"),
        (status = 503, body = IntakeAnswer, description = "The broker does not acknowledge; try again"),
    ))]
pub(crate) async fn post_operations(
    State(state): State<Shared>,
    Extension(allowance): Extension<Allowance>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let packing = Packing::of(&headers)?;
    let format = BodyFormat::of(&headers)?;
    check_announced_length(&headers, state.limits.body_bytes)?;
    let now = UtcMicros::now();
    let admission = Admission {
        accepted_times: AcceptedTimes::at(now.to_millis(), state.retention_floor.get()),
        now,
        idempotency_key: idempotency_key(&headers)?,
        content: state.content,
        subject: None,
    };
    let deadline = deadline_of(state.limits);
    let memory = state.body_budget.for_one(deadline);
    let pieces = Pieces::of(body, packing, BodyBounds::new(state.limits.body_bytes, deadline))?;
    let posted = Posted { pieces: pieces.charged_to(allowance.clone()), memory };
    let mut submission = Submission::new(&state.producer, admission, Grant { deadline, allowance });
    let halt = match format {
        BodyFormat::Json => submit_document(&mut submission, posted, state.limits).await?,
        BodyFormat::Ndjson => submit_lines(&mut submission, posted, state.limits).await,
    };
    let (outcome, halt) = submission.finish(halt.err()).await;
    let (status, answer) = outcome.finish(halt);
    crate::metrics::count_accepted(answer.accepted);
    Ok(respond(status, answer))
}

/// A body that has not been read, and what it takes.
struct Posted {
    pieces: Pieces,
    memory: BodyMemory,
}

/// When to stop taking operations, a little before the time that a request may take: the answer has to say which were
/// accepted, so nobody else ends this request.
pub(super) fn deadline_of(limits: RequestLimits) -> Instant {
    let for_the_answer = Duration::from_secs(1).min(limits.timeout / 10);
    Instant::now() + limits.timeout.saturating_sub(for_the_answer)
}

/// The outer error refuses the whole document before anything is sent.
async fn submit_document(
    submission: &mut Submission<'_>,
    mut posted: Posted,
    limits: RequestLimits,
) -> Result<Result<(), Halt>, ApiError> {
    let body = read_body(posted.pieces, &mut posted.memory).await?;
    let document = check_document(body).await?;
    for item in document.items() {
        let operation = if item.len() > limits.item_bytes { Err(item_too_large(limits)) } else { read_operation(item) };
        if let Err(halt) = submission.take(operation, item.as_bytes(), None).await {
            return Ok(Err(halt));
        }
    }
    Ok(Ok(()))
}

/// Reads a long document on a thread where that holds up nobody.
async fn check_document(body: Vec<u8>) -> Result<Document, ApiError> {
    let checked = if body.len() > QUICKLY_CHECKED_BYTES {
        let checking = tokio::task::spawn_blocking(move || Document::check(body));
        checking.await.map_err(|error| ApiError::Internal(error.into()))?
    } else {
        Document::check(body)
    };
    checked.map_err(|error| match error {
        DocumentError::TooManyItems => ApiError::TooLarge { message: error.to_string() },
        _ => ApiError::invalid(error.code(), error.to_string()),
    })
}

async fn submit_lines(submission: &mut Submission<'_>, mut posted: Posted, limits: RequestLimits) -> Result<(), Halt> {
    let mut splitter = LineSplitter::new(limits.item_bytes);
    let mut rate = Ok(());
    while let Some(mut piece) = posted.pieces.next().await? {
        rate.map_err(Halt::Throttled)?;
        let partial = splitter.held_bytes() + piece.len() + posted.pieces.held_bytes();
        if posted.memory.hold(submission.held_bytes() + partial).is_err() {
            // What waits to be sent needs no memory once it is sent.
            submission.send_chunk().await?;
            posted.memory.wait_to_hold(partial).await.map_err(BodyError::from)?;
        }
        while let Some(line) = splitter.next_line(&mut piece) {
            take_line(submission, line, limits).await?;
        }
        // Of no account if this was the last.
        rate = submission.check_rate();
    }
    match splitter.last_line() {
        Some(line) => take_line(submission, line, limits).await,
        None => Ok(()),
    }
}

async fn take_line(submission: &mut Submission<'_>, line: Line, limits: RequestLimits) -> Result<(), Halt> {
    match line.content {
        Ok(text) => submission.take(read_line(&text), &text, Some(line.number)).await,
        Err(_) => submission.take(Err(item_too_large(limits)), b"", Some(line.number)).await,
    }
}

fn item_too_large(limits: RequestLimits) -> Flaw {
    Flaw::of_item("too_large", format!("an operation may have at most {} bytes of JSON", limits.item_bytes))
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
