//! `POST /v1/traces` and the same over gRPC: spans of OpenTelemetry. Answers once the broker has acknowledged every operation among them.

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::post_operations::deadline_of;
use crate::error::ApiError;
use crate::front_door::{BodyBounds, BodyMemory, Grant, Packing, Pieces, check_announced_length, read_body};
use crate::otlp::{Encoding, Failure, grpc, record_spans};
use crate::rate::Allowance;
use crate::state::Shared;

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
        (status = 429, description = "google.rpc.Status: the caller sends faster than it may; try again after Retry-After"),
        (status = 503, description = "google.rpc.Status: the broker does not acknowledge; try again"),
    ))]
pub(crate) async fn post_traces(
    State(state): State<Shared>,
    Extension(allowance): Extension<Allowance>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let encoding = match Encoding::of(&headers) {
        Ok(encoding) => encoding,
        Err(failure) => return Encoding::Json.failure(&failure),
    };
    let taken = async {
        let Arrived { body, grant, memory: _memory } = arrive(&state, &headers, body, allowance).await?;
        record_spans(&state, &headers, (body, encoding), grant).await
    };
    match taken.await {
        Ok(partial) => encoding.success(partial),
        Err(failure) => encoding.failure(&failure),
    }
}

/// The same as a call of gRPC.
pub(crate) async fn export_traces(
    State(state): State<Shared>,
    Extension(allowance): Extension<Allowance>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let taken = async {
        let Arrived { body, grant, memory: _memory } = arrive_framed(&state, &headers, body, allowance).await?;
        record_spans(&state, &headers, (body, Encoding::Protobuf), grant).await
    };
    grpc::respond(taken.await)
}

/// A body that has arrived, and what it takes.
pub(super) struct Arrived {
    pub(super) body: Vec<u8>,
    pub(super) grant: Grant,
    pub(super) memory: BodyMemory,
}

/// Takes a whole body within the limits of requests.
///
/// # Errors
/// When it is too large, breaks off, or there is no room for it.
pub(super) async fn arrive(
    state: &Shared,
    headers: &HeaderMap,
    body: Body,
    allowance: Allowance,
) -> Result<Arrived, Failure> {
    let limits = state.limits;
    let packing = Packing::of(headers).map_err(ApiError::from)?;
    check_announced_length(headers, limits.body_bytes)?;
    let deadline = deadline_of(limits);
    let mut memory = state.body_budget.for_one(deadline);
    let pieces = Pieces::of(body, packing, BodyBounds::new(limits.body_bytes, deadline))?;
    let body = read_body(pieces.charged_to(allowance.clone()), &mut memory).await?;
    Ok(Arrived { body, grant: Grant { deadline, allowance }, memory })
}

/// The same of a call of gRPC: the message in its body, unpacked.
///
/// # Errors
/// As [`arrive`], and when it is no such call.
pub(super) async fn arrive_framed(
    state: &Shared,
    headers: &HeaderMap,
    body: Body,
    allowance: Allowance,
) -> Result<Arrived, Failure> {
    grpc::check_content_type(headers)?;
    let Arrived { body, grant, mut memory } = arrive(state, headers, body, allowance).await?;
    let received = body.len();
    let body = grpc::unframe(body, headers, state.limits.body_bytes, &mut memory).await?;
    grant.allowance.take_bytes(body.len().saturating_sub(received));
    Ok(Arrived { body, grant, memory })
}

#[cfg(test)]
mod tests;
