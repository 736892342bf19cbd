//! `POST /v1/metrics` and `POST /v1/logs`: taken and left aside, and the answer says so. An exporter that is told to send everything to one
//! address shall not fail for it.

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::post_traces::arrive;
use crate::otlp::{Encoding, Partial, grpc};
use crate::rate::Allowance;
use crate::state::Shared;

/// Sums come from operations, exactly.
const METRICS_NOTE: &str = "metrics are not kept: opstream derives its figures from spans and operations; OTEL_METRICS_EXPORTER=none saves sending them";
/// A record names its span, but not when the span began, of which an operation's id is made.
const LOGS_NOTE: &str = "log records are not kept, nor the prompts and answers in them: have the instrumentation put these on its spans, as \
    OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental with OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=span_only does; \
    OTEL_LOGS_EXPORTER=none saves sending them";

/// Takes metrics of OpenTelemetry (OTLP/HTTP) and keeps none of them; the answer says so.
#[utoipa::path(post, path = "/v1/metrics", tag = "operations",
    request_body(content((Vec<u8> = "application/x-protobuf"), (Object = "application/json")),
        description = "ExportMetricsServiceRequest"),
    responses((status = 200, description = "ExportMetricsServiceResponse with a note, and nothing rejected")))]
pub(crate) async fn post_metrics(
    State(state): State<Shared>,
    Extension(allowance): Extension<Allowance>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    leave_aside(&state, &headers, (body, allowance), METRICS_NOTE).await
}

/// Takes log records of OpenTelemetry (OTLP/HTTP) and keeps none of them; the answer says how their content gets here.
#[utoipa::path(post, path = "/v1/logs", tag = "operations",
    request_body(content((Vec<u8> = "application/x-protobuf"), (Object = "application/json")),
        description = "ExportLogsServiceRequest"),
    responses((status = 200, description = "ExportLogsServiceResponse with a note, and nothing rejected")))]
pub(crate) async fn post_logs(
    State(state): State<Shared>,
    Extension(allowance): Extension<Allowance>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    leave_aside(&state, &headers, (body, allowance), LOGS_NOTE).await
}

/// Metrics as a call of gRPC.
pub(crate) async fn export_metrics(
    State(state): State<Shared>,
    Extension(allowance): Extension<Allowance>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    leave_call_aside(&state, &headers, (body, allowance), METRICS_NOTE).await
}

/// Log records as a call of gRPC.
pub(crate) async fn export_logs(
    State(state): State<Shared>,
    Extension(allowance): Extension<Allowance>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    leave_call_aside(&state, &headers, (body, allowance), LOGS_NOTE).await
}

async fn leave_aside(
    state: &Shared,
    headers: &HeaderMap,
    (body, allowance): (Body, Allowance),
    note: &str,
) -> Response {
    let encoding = match Encoding::of(headers) {
        Ok(encoding) => encoding,
        Err(failure) => return Encoding::Json.failure(&failure),
    };
    match arrive(state, headers, body, allowance).await {
        Ok(_) => encoding.success(Some(warning(note))),
        Err(failure) => encoding.failure(&failure),
    }
}

async fn leave_call_aside(
    state: &Shared,
    headers: &HeaderMap,
    (body, allowance): (Body, Allowance),
    note: &str,
) -> Response {
    let taken = async {
        grpc::check_content_type(headers)?;
        arrive(state, headers, body, allowance).await.map(|_| Some(warning(note)))
    };
    grpc::respond(taken.await)
}

/// Rejecting nothing with a text is a warning.
fn warning(note: &str) -> Partial {
    Partial { rejected: 0, message: note.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::fixture::Fixture;

    #[tokio::test]
    async fn metrics_and_logs_are_taken_with_a_note_and_become_nothing() {
        let api = Fixture::new().await;
        for (path, body, way_out) in [
            ("/v1/metrics", r#"{"resourceMetrics":[{}]}"#, "OTEL_METRICS_EXPORTER=none"),
            ("/v1/logs", r#"{"resourceLogs":[{}]}"#, "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=span_only"),
        ] {
            let answer = api.post(path, "application/json", body).await;
            assert_eq!(answer.status, 200, "{path}");
            let partial = &answer.json()["partialSuccess"];
            let note = partial["errorMessage"].as_str().unwrap();
            assert!(note.contains("are not kept") && note.contains(way_out), "{note}");
            assert_eq!(partial.as_object().unwrap().len(), 1, "nothing is rejected: {partial}");
            let answer = api.post(path, "application/x-protobuf", vec![1, 2, 3]).await;
            assert!(answer.status == 200 && answer.text.contains("are not kept"), "{answer:?}");
            assert_eq!(api.post(path, "text/plain", "x").await.json()["code"], json!(12));
        }
        assert!(api.recorded().is_empty());
    }
}
