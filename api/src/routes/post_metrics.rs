//! `POST /v1/metrics`: taken and left aside, and the answer says so. An exporter that is told to send everything to one address shall
//! not fail for it.

use axum::response::Response;

use super::otlp_call::OtlpCall;
use crate::otlp::Signal;

/// Takes metrics of OpenTelemetry (OTLP/HTTP) and keeps none of them; the answer says so.
#[utoipa::path(post, path = "/v1/metrics", tag = "operations",
    request_body(content((Vec<u8> = "application/x-protobuf"), (Object = "application/json")),
        description = "ExportMetricsServiceRequest"),
    responses((status = 200, description = "ExportMetricsServiceResponse with a note, and nothing rejected")))]
pub(crate) async fn post_metrics(call: OtlpCall) -> Response {
    call.over_http(Signal::Metrics).await
}

/// The same as a call of gRPC.
pub(crate) async fn export_metrics(call: OtlpCall) -> Response {
    call.over_grpc(Signal::Metrics).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::fixture::Fixture;

    #[tokio::test]
    async fn metrics_are_taken_with_a_note_and_become_nothing() {
        let api = Fixture::new().await;
        let answer = api.post("/v1/metrics", "application/json", r#"{"resourceMetrics":[{}]}"#).await;
        assert_eq!(answer.status, 200);
        let partial = &answer.json()["partialSuccess"];
        let note = partial["errorMessage"].as_str().unwrap();
        assert!(note.contains("are not kept") && note.contains("OTEL_METRICS_EXPORTER=none"), "{note}");
        assert_eq!(partial.as_object().unwrap().len(), 1, "nothing is rejected: {partial}");
        let answer = api.post("/v1/metrics", "application/x-protobuf", vec![1, 2, 3]).await;
        assert!(answer.status == 200 && answer.text.contains("are not kept"), "{answer:?}");
        assert_eq!(api.post("/v1/metrics", "text/plain", "x").await.json()["code"], json!(12));
        assert!(api.recorded().is_empty());
    }
}
