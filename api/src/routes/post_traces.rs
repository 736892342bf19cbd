//! `POST /v1/traces` and the same over gRPC: spans of OpenTelemetry. Answers once the broker has acknowledged every operation among them.

use axum::response::Response;

use super::otlp_call::OtlpCall;
use crate::otlp::Signal;

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
pub(crate) async fn post_traces(call: OtlpCall) -> Response {
    call.over_http(Signal::Spans).await
}

/// The same as a call of gRPC.
pub(crate) async fn export_traces(call: OtlpCall) -> Response {
    call.over_grpc(Signal::Spans).await
}

#[cfg(test)]
mod tests;
