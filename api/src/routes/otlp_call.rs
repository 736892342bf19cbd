//! What spans, log records and metrics have in common: an exporter's request, over HTTP or as a call of gRPC, until its answer.

use axum::body::Body;
use axum::extract::{Extension, FromRequest, FromRequestParts as _, Request};
use axum::http::HeaderMap;
use axum::response::Response;

use super::post_operations::deadline_of;
use crate::error::ApiError;
use crate::front_door::{BodyBounds, BodyMemory, Grant, Packing, Pieces, check_announced_length, read_body};
use crate::otlp::{Encoding, Failure, Partial, Signal, grpc, record_logs, record_spans};
use crate::rate::Allowance;
use crate::state::Shared;

/// Sums come from operations, exactly.
const METRICS_NOTE: &str = "metrics are not kept: opstream derives its figures from spans and operations; OTEL_METRICS_EXPORTER=none saves sending them";

/// A request of an exporter.
pub(crate) struct OtlpCall {
    state: Shared,
    allowance: Allowance,
    headers: HeaderMap,
    body: Body,
}

impl FromRequest<Shared> for OtlpCall {
    type Rejection = Response;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, Response> {
        let (mut head, body) = request.into_parts();
        // Every route is behind the layer that gives it.
        let allowance = Extension::<Allowance>::from_request_parts(&mut head, state).await;
        let Extension(allowance) = allowance.map_err(axum::response::IntoResponse::into_response)?;
        Ok(Self { state: state.clone(), allowance, headers: head.headers, body })
    }
}

impl OtlpCall {
    /// Takes what the body holds and answers in its encoding.
    pub(super) async fn over_http(self, signal: Signal) -> Response {
        let Self { state, allowance, headers, body } = self;
        let encoding = match Encoding::of(&headers) {
            Ok(encoding) => encoding,
            Err(failure) => return Encoding::Json.failure(&failure),
        };
        let taken = async {
            let Arrived { body, grant, memory: _memory } = arrive(&state, &headers, body, allowance).await?;
            record(signal, &state, &headers, (body, encoding), grant).await
        };
        match taken.await {
            Ok(partial) => encoding.success(partial),
            Err(failure) => encoding.failure(&failure),
        }
    }

    /// The same as a call of gRPC.
    pub(super) async fn over_grpc(self, signal: Signal) -> Response {
        let Self { state, allowance, headers, body } = self;
        let taken = async {
            let Arrived { body, grant, memory: _memory } = arrive_framed(&state, &headers, body, allowance).await?;
            record(signal, &state, &headers, (body, Encoding::Protobuf), grant).await
        };
        grpc::respond(taken.await)
    }
}

async fn record(
    signal: Signal,
    state: &Shared,
    headers: &HeaderMap,
    body: (Vec<u8>, Encoding),
    grant: Grant,
) -> Result<Option<Partial>, Failure> {
    match signal {
        Signal::Spans => record_spans(state, headers, body, grant).await,
        Signal::LogRecords => record_logs(state, headers, body, grant).await,
        Signal::Metrics => Ok(Some(Partial::warning(METRICS_NOTE))),
    }
}

/// A body that has arrived, and what it takes.
struct Arrived {
    body: Vec<u8>,
    grant: Grant,
    /// Held until the answer.
    memory: BodyMemory,
}

/// Takes a whole body within the limits of requests.
///
/// # Errors
/// When it is too large, breaks off, or there is no room for it.
async fn arrive(state: &Shared, headers: &HeaderMap, body: Body, allowance: Allowance) -> Result<Arrived, Failure> {
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
async fn arrive_framed(
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
