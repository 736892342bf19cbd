//! `POST /v1/traces`: spans of OpenTelemetry over HTTP. Answers once the broker has acknowledged every operation among them.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use opstream_schemas::UtcMicros;
use opstream_schemas::validate::AcceptedTimes;

use super::post_operations::deadline_of;
use crate::error::ApiError;
use crate::front_door::{
    Admission, BodyBounds, BodyError, Flaw, IntakeAnswer, Submission, check_announced_length, read_body,
};
use crate::otlp::{Converted, DecodeError, Encoding, Failure, Partial, Terms, convert};
use crate::state::Shared;

/// Bodies of up to this size are converted in about a millisecond.
const QUICKLY_CONVERTED_BYTES: usize = 128 << 10;
/// Reasons that an answer names.
const NAMED_REASONS: usize = 5;
/// Names the workspace of a request's spans.
const WORKSPACE: &str = "opstream-workspace";

/// Records the operations among spans of OpenTelemetry (OTLP/HTTP): calls of models, embeddings, rerankings, tools, retrievals and
/// agents, in the dialects of OpenTelemetry, `OpenInference` and `OpenLLMetry`. Spans that are sent again count once.
#[utoipa::path(post, path = "/v1/traces", tag = "operations",
    params(("opstream-workspace" = Option<String>, Header,
        description = "Workspace of the operations; without it the resource's service.namespace")),
    request_body(content(
        (Vec<u8> = "application/x-protobuf"), (Object = "application/json"),
    ), description = "ExportTraceServiceRequest, also gzipped"),
    responses(
        (status = 200, description = "ExportTraceServiceResponse; partial success names refused spans, which must not be sent again"),
        (status = 400, description = "google.rpc.Status: the body is damaged"),
        (status = 413, description = "google.rpc.Status: the body is too large, perhaps once it is unpacked"),
        (status = 503, description = "google.rpc.Status: the broker does not acknowledge; try again"),
    ))]
pub(crate) async fn post_traces(State(state): State<Shared>, headers: HeaderMap, body: Body) -> Response {
    let encoding = match Encoding::of(&headers) {
        Ok(encoding) => encoding,
        Err(failure) => return Encoding::Json.failure(&failure),
    };
    match take(&state, &headers, body, encoding).await {
        Ok(partial) => encoding.success(partial),
        Err(failure) => encoding.failure(&failure),
    }
}

async fn take(state: &Shared, headers: &HeaderMap, body: Body, encoding: Encoding) -> Result<Option<Partial>, Failure> {
    let limits = state.limits;
    check_announced_length(headers, limits.body_bytes).map_err(of_body)?;
    let deadline = deadline_of(limits);
    let mut memory = state.body_budget.begin(deadline).await.map_err(|error| of_body(error.into()))?;
    let body = read_body(body, BodyBounds::new(limits.body_bytes, deadline), &mut memory).await.map_err(of_body)?;
    let terms = Terms { workspace: workspace(headers)?, content: state.content };
    let Converted { items, surroundings } = convert_aside(body, encoding, terms).await?;
    crate::metrics::count_surroundings(surroundings);
    let now = UtcMicros::now();
    let admission = Admission {
        accepted_times: AcceptedTimes::at(now.to_millis(), state.retention_floor.get()),
        now,
        idempotency_key: None,
        content: state.content,
    };
    let mut submission = Submission::new(&state.producer, admission, deadline);
    let mut halt = Ok(());
    for item in items {
        let item = item.map_err(|reason| Flaw::of_item("no_operation", reason));
        halt = submission.take(item, b"", None).await;
        if halt.is_err() {
            break;
        }
    }
    let (outcome, halt) = submission.finish(halt.err()).await;
    let is_halted = halt.is_some();
    let (status, answer) = outcome.finish(halt);
    crate::metrics::count_accepted(answer.accepted);
    if is_halted {
        let message = answer.error.map(|error| error.message).unwrap_or_default();
        return Err(Failure { status, message });
    }
    Ok(partial_of(&answer))
}

async fn convert_aside(body: Vec<u8>, encoding: Encoding, terms: Terms) -> Result<Converted, Failure> {
    let converted = if body.len() > QUICKLY_CONVERTED_BYTES {
        let converting = tokio::task::spawn_blocking(move || convert(&body, encoding, &terms));
        converting.await.map_err(|error| of_api(&ApiError::Internal(error.into())))?
    } else {
        convert(&body, encoding, &terms)
    };
    converted.map_err(|error| {
        let status = match error {
            DecodeError::Damaged(_) => StatusCode::BAD_REQUEST,
            DecodeError::TooMany { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        };
        Failure { status, message: error.to_string() }
    })
}

fn partial_of(answer: &IntakeAnswer) -> Option<Partial> {
    let listed = u64::try_from(answer.refused.len()).unwrap_or(u64::MAX);
    let rejected = listed + answer.refused_not_listed;
    if rejected == 0 {
        return None;
    }
    let reasons: Vec<&str> = answer.refused.iter().take(NAMED_REASONS).map(|refusal| refusal.reason.as_str()).collect();
    let more = if rejected > NAMED_REASONS as u64 { "; …" } else { "" };
    Some(Partial { rejected, message: reasons.join("; ") + more })
}

fn workspace(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get(WORKSPACE) else { return Ok(None) };
    let name = value.to_str().map(str::trim).unwrap_or_default();
    if name.is_empty() {
        let message = format!("the header {WORKSPACE} is not visible ASCII text; name the workspace or leave it out");
        return Err(Failure { status: StatusCode::BAD_REQUEST, message });
    }
    Ok(Some(name.to_owned()))
}

fn of_body(error: BodyError) -> Failure {
    of_api(&error.into())
}

fn of_api(error: &ApiError) -> Failure {
    Failure { status: error.status(), message: error.to_string() }
}

#[cfg(test)]
mod tests;
