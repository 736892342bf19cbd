//! The way in for spans as exporters see it. A file stands in for the broker.

use axum::http::Request;
use opstream_producer::{ProducerConfig, Sink};
use serde_json::{Value as Json, json};

use crate::fixture::{Answer, Fixture, Setup, gzip};
use crate::{RequestLimits, otlp};

const CAPTURE: &[u8] = include_bytes!("../../otlp/captures/otel-openai-v2.bin");
const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

async fn post(api: &Fixture, content_type: &str, body: impl Into<axum::body::Body>) -> Answer {
    api.post("/v1/traces", content_type, body).await
}

async fn post_packed(api: &Fixture, encoding: &str, body: Vec<u8>) -> Answer {
    let request = Request::post("/v1/traces").header("content-type", PROTOBUF).header("content-encoding", encoding);
    api.send(request.body(body.into()).unwrap()).await
}

/// A span whose time is now, in JSON.
fn span(id: u64, attributes: &Json) -> Json {
    let now = opstream_schemas::UtcMillis::now().millis() * 1_000_000;
    let attributes: Vec<Json> = attributes
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| json!({"key": key, "value": {"stringValue": value}}))
        .collect();
    json!({"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": format!("{id:016x}"), "name": "chat",
        "startTimeUnixNano": now.to_string(), "endTimeUnixNano": (now + 5_000_000).to_string(), "attributes": attributes})
}

fn request(spans: &[Json]) -> String {
    json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string()
}

#[tokio::test]
async fn a_request_sent_again_in_any_packing_is_the_same_operations() {
    let api = Fixture::new().await;
    let packed = gzip(CAPTURE);
    for answer in [post(&api, PROTOBUF, CAPTURE).await, post_packed(&api, "gzip", packed).await] {
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
        assert_eq!(answer.headers["content-type"], PROTOBUF);
    }
    let ids: Vec<Json> = api.recorded().iter().map(|operation| operation["operation_id"].clone()).collect();
    assert_eq!(ids.len(), 18);
    assert_eq!(ids[..9], ids[9..]);
}

#[tokio::test]
async fn an_empty_request_is_a_success_in_its_own_encoding() {
    let api = Fixture::new().await;
    assert_eq!(post(&api, PROTOBUF, "").await.text, "");
    let answer = post(&api, "application/json; charset=utf-8", "{}").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "{}"));
    assert_eq!(answer.headers["content-type"], JSON);
}

#[tokio::test]
async fn refused_spans_are_a_partial_success_with_reasons() {
    let api = Fixture::new().await;
    let good = span(1, &json!({"gen_ai.operation.name": "chat"}));
    let mut old = span(2, &json!({"gen_ai.operation.name": "chat"}));
    old["startTimeUnixNano"] = json!("1");
    let nameless = span(0, &json!({"gen_ai.operation.name": "chat"}));
    let answer = post(&api, JSON, request(&[good, old.clone(), nameless])).await;
    assert_eq!(answer.status, 200);
    let partial = &answer.json()["partialSuccess"];
    assert_eq!(partial["rejectedSpans"], "2");
    let message = partial["errorMessage"].as_str().unwrap();
    let reasons: Vec<&str> = message.split("; ").collect();
    assert!(
        reasons[0].starts_with("span \"chat\" (0000000000000002): the time of startTimeUnixNano is 1970"),
        "{message}"
    );
    assert!(reasons[1].starts_with("span \"chat\" (0000000000000000): its span id is not 16"), "{message}");
    let all_refused = post(&api, JSON, request(&[old])).await;
    assert_eq!(
        (all_refused.status.as_u16(), &all_refused.json()["partialSuccess"]["rejectedSpans"]),
        (200, &json!("1"))
    );
}

#[tokio::test]
async fn every_reason_begins_with_the_span_that_it_is_about() {
    let api = Fixture::new().await;
    let long = "x".repeat(2000);
    let spans = [
        span(1, &json!({"gen_ai.operation.name": "chat", "session.id": long})),
        span(2, &json!({"gen_ai.operation.name": "chat", "gen_ai.tool.name": long})),
    ];
    let partial = post(&api, JSON, request(&spans)).await.json()["partialSuccess"].take();
    assert_eq!(
        partial["errorMessage"],
        "span \"chat\" (0000000000000001): session_id has 2000 bytes; at most 1024 are allowed; \
         span \"chat\" (0000000000000002): action_id has 2000 bytes; at most 1024 are allowed"
    );
    // Also when it is the producer who finds it too large.
    let api =
        Fixture::with(Setup { sink: Some(Sink::Kafka(ProducerConfig::new("127.0.0.1:1"))), ..Setup::default() }).await;
    let large = span(3, &json!({"gen_ai.operation.name": "chat", "input.value": "y".repeat(12 << 20)}));
    let partial = post(&api, JSON, request(&[large])).await.json()["partialSuccess"].take();
    let message = partial["errorMessage"].as_str().unwrap();
    assert!(message.starts_with("span \"chat\" (0000000000000003): ") && message.contains(" bytes"), "{message}");
}

#[tokio::test]
async fn the_header_names_the_workspace() {
    let api = Fixture::new().await;
    let body = request(&[span(1, &json!({"gen_ai.operation.name": "chat"}))]);
    let request = Request::post("/v1/traces").header("content-type", JSON).header("opstream-workspace", "lab");
    assert_eq!(api.send(request.body(body.into()).unwrap()).await.status, 200);
    assert_eq!(api.recorded()[0]["workspace"], "lab");
}

#[tokio::test]
async fn damaged_bodies_are_a_status_of_google_rpc() {
    let api = Fixture::new().await;
    let answer = post(&api, JSON, "{\"resourceSpans\":7}").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (400, &json!(3)));
    assert_eq!(answer.json()["details"][0]["@type"], "type.googleapis.com/google.rpc.BadRequest");
    let answer = post(&api, PROTOBUF, "\u{1}\u{2}\u{3}").await;
    assert_eq!(answer.status, 400);
    assert!(answer.text.contains("the body is damaged") && answer.text.contains("google.rpc.BadRequest"));
    let answer = post(&api, "text/plain", "x").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (415, &json!(12)));
    assert_eq!(post_packed(&api, "gzip", b"not packed".to_vec()).await.status, 400);
    assert_eq!(post_packed(&api, "br", CAPTURE.to_vec()).await.status, 415);
}

#[tokio::test]
async fn a_body_is_too_large_packed_or_unpacked() {
    let limits = RequestLimits { body_bytes: 100_000, ..RequestLimits::default() };
    let api = Fixture::with(Setup { limits, ..Setup::default() }).await;
    let large = vec![0; 10_000_000];
    assert_eq!(post(&api, PROTOBUF, large.clone()).await.status, 413);
    let bomb = gzip(&large);
    assert!(bomb.len() < limits.body_bytes);
    assert_eq!(post_packed(&api, "gzip", bomb).await.status, 413);
    assert!(api.recorded().is_empty());
}

#[tokio::test]
async fn while_the_broker_is_away_the_answer_is_try_again() {
    let within = std::time::Duration::from_millis(300);
    let broker = ProducerConfig { acknowledge_within: within, ..ProducerConfig::new("127.0.0.1:1") };
    let api = Fixture::with(Setup { sink: Some(Sink::Kafka(broker)), ..Setup::default() }).await;
    let answer = post(&api, JSON, request(&[span(1, &json!({"gen_ai.operation.name": "chat"}))])).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (503, &json!(14)));
    assert_eq!(answer.headers["retry-after"], "2");
}

#[tokio::test]
async fn the_same_request_over_grpc_is_the_same_operations() {
    let api = Fixture::new().await;
    post(&api, PROTOBUF, CAPTURE).await;
    for (flag, message) in [(0, CAPTURE.to_vec()), (1, gzip(CAPTURE))] {
        let frame = [&[flag], &u32::try_from(message.len()).unwrap().to_be_bytes()[..], &message].concat();
        let call = Request::post("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
            .header("content-type", "application/grpc")
            .header("grpc-encoding", "gzip");
        let answer = api.send(call.body(frame.into()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "\0\0\0\0\0"), "{:?}", answer.headers);
    }
    let ids: Vec<Json> = api.recorded().iter().map(|operation| operation["operation_id"].clone()).collect();
    assert_eq!((ids.len(), &ids[..9], &ids[..9]), (27, &ids[9..18], &ids[18..]));
}

#[test]
fn what_surrounds_operations_is_taken_and_becomes_nothing() {
    let terms = otlp::Terms { workspace: None, content: crate::ContentCapture::Off };
    let mut operations = 0;
    let surroundings = otlp::convert(CAPTURE, otlp::Encoding::Protobuf, &terms, |slice| {
        operations += slice.len();
        true
    });
    assert_eq!((operations, surroundings.unwrap()), (9, 1));
}
