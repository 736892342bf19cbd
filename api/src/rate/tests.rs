//! Limits of rates as callers meet them, at every door.

use std::net::IpAddr;
use std::num::NonZeroU64;

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::{Peer, RateLimits};
use crate::Secret;
use crate::fixture::{Answer, Fixture, Setup, gzip};

const TOKEN: &str = "0123456789abcdef";
const JSON: &str = "application/json";

/// An api where nothing comes back, since its clock stands still.
async fn api(rates: RateLimits) -> Fixture {
    Fixture::with(Setup { rates, ..Setup::default() }).await
}

fn at_most(units: u64) -> Option<NonZeroU64> {
    NonZeroU64::new(units)
}

/// One unit a second, `units` at once.
fn few(units: u64) -> RateLimits {
    RateLimits { burst: std::time::Duration::from_secs(units), ..RateLimits::default() }
}

fn from(peer: &str, request: axum::http::request::Builder) -> axum::http::request::Builder {
    request.extension(Peer(peer.parse::<IpAddr>().unwrap()))
}

async fn get(api: &Fixture, peer: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = from(peer, Request::get("/v1/operations"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    api.send(request.body(Body::empty()).unwrap()).await
}

async fn post(api: &Fixture, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
    let request = from("10.0.0.1", Request::post(path)).header("content-type", content_type);
    api.send(request.body(body.into()).unwrap()).await
}

fn span() -> serde_json::Value {
    let now = opstream_schemas::UtcMillis::now().millis() * 1_000_000;
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "0af7651916cd43dd8448eb211c80319c",
        "spanId": "00000000000000a1", "name": "chat", "startTimeUnixNano": now.to_string(),
        "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}]}]}]}]})
}

#[tokio::test]
async fn a_caller_has_one_allowance_at_all_ports() {
    let api = api(RateLimits { requests_per_s: at_most(1), ..few(2) }).await;
    let traces = || {
        let request = from("10.0.0.1", Request::post("/v1/traces")).header("content-type", JSON);
        request.body(Body::from("{}")).unwrap()
    };
    assert_eq!(api.send(traces()).await.status, 200);
    assert_eq!(api.send_to_otlp_port(traces()).await.status, 200);
    assert_eq!(api.send_to_otlp_port(traces()).await.status, 429);
    assert_eq!(get(&api, "10.0.0.1", &[]).await.status, 429);
    assert_eq!(get(&api, "10.0.0.2", &[]).await.status, 200);
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_told_when_to_come_back() {
    let api = api(RateLimits { requests_per_s: at_most(1), ..few(3) }).await;
    for _ in 0..3 {
        assert_eq!(get(&api, "10.0.0.1", &[]).await.status, 200);
    }
    let refused = get(&api, "10.0.0.1", &[]).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["error"]["code"]), (429, &json!("rate_limited")));
    assert_eq!(refused.headers["retry-after"], "1");
    let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("1 requests a second") && message.contains("--max-requests-per-s"), "{message}");
    assert_eq!(get(&api, "10.0.0.2", &[]).await.status, 200);
    let health = from("10.0.0.1", Request::get("/health/live")).body(Body::empty()).unwrap();
    assert_eq!(api.send(health).await.status, 200);
}

#[tokio::test]
async fn holders_of_the_token_are_one_and_guesses_count_by_address() {
    let rates = RateLimits { requests_per_s: at_most(1), ..few(2) };
    let token = Some(Secret::new(TOKEN).unwrap());
    let api = Fixture::with(Setup { rates, token, ..Setup::default() }).await;
    let bearer = format!("Bearer {TOKEN}");
    let right: &[(&str, &str)] = &[("authorization", &bearer)];
    let wrong: &[(&str, &str)] = &[("authorization", "Bearer fedcba9876543210")];
    for peer in ["10.0.0.1", "10.0.0.2"] {
        assert_eq!(get(&api, peer, wrong).await.status, 401);
        assert_eq!(get(&api, peer, wrong).await.status, 401);
        assert_eq!(get(&api, peer, wrong).await.status, 429, "a guess at {peer}");
    }
    assert_eq!(get(&api, "10.0.0.1", right).await.status, 200);
    assert_eq!(get(&api, "10.0.0.2", right).await.status, 200);
    let refused = get(&api, "10.0.0.3", right).await;
    assert!(refused.status == 429 && refused.text.contains("those who send this token"), "{refused:?}");
}

#[tokio::test]
async fn a_header_names_the_caller_only_behind_a_trusted_proxy() {
    for (trusted, expected) in [(vec![], 429), (vec!["10.0.0.0/8".parse().unwrap()], 200)] {
        let api = api(RateLimits { requests_per_s: at_most(1), trusted_proxies: trusted, ..few(1) }).await;
        assert_eq!(get(&api, "10.0.0.1", &[("x-forwarded-for", "203.0.113.1")]).await.status, 200);
        assert_eq!(get(&api, "10.0.0.1", &[("x-forwarded-for", "203.0.113.2")]).await.status, expected);
    }
}

#[tokio::test]
async fn bytes_count_once_they_are_unpacked_at_every_door() {
    let body = format!("[{}{{}}]", " ".repeat(5000));
    let packed = gzip(body.as_bytes());
    assert!(packed.len() < 200);
    for (encoding, body, expected) in
        [("identity", b"[]".to_vec(), 200), ("identity", body.into_bytes(), 429), ("gzip", packed, 429)]
    {
        let api = api(RateLimits { bytes_per_s: at_most(1), ..few(1000) }).await;
        let post = async || {
            let request = from("10.0.0.1", Request::post("/v1/operations")).header("content-type", JSON);
            api.send(request.header("content-encoding", encoding).body(body.clone().into()).unwrap()).await
        };
        assert_eq!(post().await.status, 200, "the first may be larger than what is left");
        let second = post().await;
        assert_eq!(second.status, expected, "{encoding}");
        assert_eq!(get(&api, "10.0.0.1", &[]).await.status, 200, "questions have no bytes");
        if expected == 429 {
            assert_eq!(second.headers["retry-after"], "4005", "{encoding}");
        }
    }
}

#[tokio::test]
async fn exporters_are_told_as_the_protocol_says() {
    let api = api(RateLimits { operations_per_s: at_most(1), ..few(1) }).await;
    let body = span().to_string();
    assert_eq!(post(&api, "/v1/traces", JSON, body.clone()).await.status, 200);
    let refused = post(&api, "/v1/traces", JSON, body).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (429, &json!(8)));
    assert_eq!(refused.json()["details"][0]["retryDelay"], "1s");
    assert_eq!(refused.headers["retry-after"], "1");
    let refused = post(&api, "/v1/traces", "application/x-protobuf", "").await;
    assert!(refused.status == 429 && refused.text.contains("google.rpc.RetryInfo"), "{refused:?}");
    let call = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let refused = post(&api, call, "application/grpc", vec![0; 5]).await;
    assert_eq!((refused.status.as_u16(), &refused.headers["grpc-status"]), (200, &"8".parse().unwrap()));
    assert!(refused.headers.contains_key("grpc-status-details-bin"), "{refused:?}");
    assert_eq!(post(&api, "/v1/operations", JSON, "{}").await.status, 429, "one allowance for all doors");
    assert_eq!(api.recorded().len(), 1);
}

#[tokio::test]
async fn a_stream_of_lines_is_broken_off_and_says_what_was_accepted() {
    let api = api(RateLimits { operations_per_s: at_most(1), ..few(10) }).await;
    let pieces = (0..4).map(|_| Ok::<_, std::io::Error>("{}\n".repeat(8)));
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    let answer = post(&api, "/v1/operations", "application/x-ndjson", body).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (429, &json!("rate_limited")));
    assert_eq!(answer.json()["accepted_items"], json!([{ "from": 0, "to": 16 }]));
    assert_eq!(answer.headers["retry-after"], "7");
    assert_eq!(api.recorded().len(), 16);
}

#[tokio::test]
async fn a_stream_that_ends_at_its_limit_is_a_success() {
    let api = api(RateLimits { operations_per_s: at_most(1), ..few(10) }).await;
    let answer = post(&api, "/v1/operations", "application/x-ndjson", "{}\n".repeat(50)).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["accepted"]), (200, &json!(50)));
    assert_eq!(post(&api, "/v1/operations", "application/x-ndjson", "{}\n").await.status, 429);
}
