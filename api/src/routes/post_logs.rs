//! `POST /v1/logs` and the same over gRPC: log records of OpenTelemetry, of which prompts and answers are kept. Answers once the broker
//! has acknowledged them.

use axum::response::Response;

use super::otlp_call::OtlpCall;
use crate::otlp::Signal;

/// Keeps the prompts and answers among log records of OpenTelemetry (OTLP/HTTP), events of spans such as `gen_ai.user.message`, and
/// shows them with the operation of their span. Records that are sent again count once; all others are passed over.
#[utoipa::path(post, path = "/v1/logs", tag = "operations",
    params(("opstream-workspace" = Option<String>, Header,
        description = "Workspace of the operations; without it the resource's service.namespace")),
    request_body(content((Vec<u8> = "application/x-protobuf"), (Object = "application/json")),
        description = "ExportLogsServiceRequest, also gzipped"),
    responses(
        (status = 200, description = "ExportLogsServiceResponse; partial success says what was refused or passed over, which must not be sent again"),
        (status = 400, description = "google.rpc.Status: the body is damaged"),
        (status = 413, description = "google.rpc.Status: the body is too large, perhaps once it is unpacked"),
        (status = 429, description = "google.rpc.Status: the caller sends faster than it may; try again after Retry-After"),
        (status = 503, description = "google.rpc.Status: the broker does not acknowledge; try again"),
    ))]
pub(crate) async fn post_logs(call: OtlpCall) -> Response {
    call.over_http(Signal::LogRecords).await
}

/// The same as a call of gRPC.
pub(crate) async fn export_logs(call: OtlpCall) -> Response {
    call.over_grpc(Signal::LogRecords).await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use crate::ContentCapture;
    use crate::fixture::{Fixture, Setup};

    /// One user message, one line of another kind, and one message that names no span.
    fn request() -> Json {
        let now = opstream_schemas::UtcMicros::now().micros();
        let record = |name: &str, span: &str| {
            json!({
                "timeUnixNano": format!("{now}000"), "eventName": name, "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": span,
                "body": {"kvlistValue": {"values": [{"key": "content", "value": {"stringValue": "hi"}}]}},
            })
        };
        let records = [
            record("gen_ai.user.message", "b7ad6b7169203331"),
            record("app.started", "b7ad6b7169203331"),
            record("gen_ai.user.message", "b7"),
        ];
        json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})
    }

    #[tokio::test]
    async fn prompts_are_sent_and_what_is_not_kept_is_said() {
        let api = Fixture::new().await;
        let body = request().to_string();
        let answer = api.post("/v1/logs", "application/json", body.clone()).await;
        assert_eq!(answer.status, 200);
        let partial = &answer.json()["partialSuccess"];
        assert_eq!(partial["rejectedLogRecords"], "1");
        let note = partial["errorMessage"].as_str().unwrap();
        assert!(note.contains("span id") && note.contains("1 log records hold no prompt"), "{note}");
        let kept = api.state.content_topic.kept();
        assert_eq!(kept.len(), 1);
        assert!(kept[0].input_messages.as_deref().unwrap().contains("hi"), "{kept:?}");
        assert_eq!((kept[0].workspace.as_str(), kept[0].span_id.as_str()), ("default", "b7ad6b7169203331"));
        api.post("/v1/logs", "application/json", body).await;
        let again = api.state.content_topic.kept();
        assert_eq!(again[1].content_id(), kept[0].content_id());
        assert!(api.recorded().is_empty(), "log records are no operations");
    }

    #[tokio::test]
    async fn where_content_is_off_nothing_is_sent_and_the_answer_says_so() {
        let api = Fixture::with(Setup { content: ContentCapture::Off, ..Setup::default() }).await;
        let answer = api.post("/v1/logs", "application/json", request().to_string()).await;
        let note = answer.json()["partialSuccess"]["errorMessage"].as_str().unwrap().to_owned();
        assert!(answer.status == 200 && note.contains("not kept here"), "{note}");
        assert!(api.state.content_topic.kept().is_empty());
    }

    #[tokio::test]
    async fn what_is_no_request_is_refused() {
        let api = Fixture::new().await;
        assert_eq!(api.post("/v1/logs", "application/json", "{").await.status, 400);
        assert_eq!(api.post("/v1/logs", "application/x-protobuf", vec![0x0a, 0xff]).await.status, 400);
        assert_eq!(api.post("/v1/logs", "text/plain", "x").await.json()["code"], json!(12));
        assert_eq!(api.post("/v1/logs", "application/json", "{}").await.json(), json!({}));
    }
}
