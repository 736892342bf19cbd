//! What surrounds every route.

use axum::body::Body;
use axum::http::{HeaderValue, Request};

use super::{EXPORT_LOGS, EXPORT_METRICS, EXPORT_TRACES, LOGS, METRICS, OPERATIONS, TRACES};
use crate::Secret;
use crate::fixture::{Fixture, Setup};

#[tokio::test]
async fn every_answer_tells_browsers_to_do_nothing_with_it() {
    let api = Fixture::new().await;
    for path in ["/", "/v1/totals", "/nowhere", "/registry/subjects", "/assets/none.js"] {
        let answer = api.get(path).await;
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer", "{path}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{path}");
        assert_eq!(answer.headers["cross-origin-resource-policy"], "same-origin", "{path}");
        let caching = if path == "/" { "no-cache" } else { "no-store" };
        assert_eq!(answer.headers["cache-control"], caching, "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_says_where_to_look() {
    let api = Fixture::new().await;
    let answer = api.get("/v1/total").await;
    assert_eq!(answer.status, 404);
    insta::assert_json_snapshot!(answer.json(), @r#"
    {
      "error": {
        "code": "not_found",
        "message": "nothing is at /v1/total; /v1/openapi.json lists the routes"
      }
    }
    "#);
    let answer = api.send(Request::delete("/v1/operations").body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status.as_u16(), &*answer.json()["error"]["code"].to_string()), (405, "\"method_not_allowed\""));
}

#[tokio::test]
async fn with_a_token_nothing_is_answered_without_it() {
    let token = Secret::new("0123456789abcdef").unwrap();
    let api = Fixture::with(Setup { token: Some(token), ..Setup::default() }).await;
    let refused = api.get("/v1/operations").await;
    assert_eq!(
        (refused.status.as_u16(), refused.headers["www-authenticate"].to_str().unwrap()),
        (401, "Bearer realm=\"opstream\"")
    );
    let refused = api.post("/v1/operations", "application/json", "{}").await;
    assert_eq!(refused.status, 401);
    assert!(api.recorded().is_empty());
    let request = Request::get("/v1/operations").header("authorization", "Bearer 0123456789abcdef").body(Body::empty());
    assert_eq!(api.send(request.unwrap()).await.status, 200);
    assert_eq!(api.get("/health/ready").await.status, 200);
}

#[tokio::test]
async fn a_call_of_an_unknown_service_is_unimplemented_at_every_port() {
    let api = Fixture::new().await;
    let call = |content_type: &str| {
        Request::post("/any.Service/Call").header("content-type", content_type).body(Body::empty()).unwrap()
    };
    for answer in
        [api.send(call("application/grpc")).await, api.send_to_otlp_port(call("application/grpc+proto")).await]
    {
        assert_eq!((answer.status.as_u16(), &answer.headers["grpc-status"]), (200, &HeaderValue::from(12)));
        assert!(answer.headers["grpc-message"].to_str().unwrap().contains("/any.Service/Call is not served here"));
    }
    assert_eq!(api.send(call("application/json")).await.status, 404);
}

#[tokio::test]
async fn a_port_for_exporters_takes_what_they_send_and_answers_nothing_else() {
    let token = Secret::new("0123456789abcdef").unwrap();
    let api = Fixture::with(Setup { token: Some(token), ..Setup::default() }).await;
    let send = async |method: &str, path: &str, authorization: &str, content_type: &str| {
        let request = Request::builder().method(method).uri(path).header("content-type", content_type);
        let request = request.header("authorization", authorization).body(Body::empty()).unwrap();
        api.send_to_otlp_port(request).await
    };
    let bearer = "Bearer 0123456789abcdef";
    for path in [TRACES, METRICS, LOGS] {
        assert_eq!(send("POST", path, bearer, "application/x-protobuf").await.status, 200, "{path}");
        assert_eq!(send("POST", path, "none", "application/x-protobuf").await.status, 401, "{path}");
    }
    for path in [EXPORT_TRACES, EXPORT_METRICS, EXPORT_LOGS] {
        let answer = send("POST", path, bearer, "application/grpc").await;
        assert_eq!(answer.headers["content-type"], "application/grpc", "{path}");
        let refused = send("POST", path, "none", "application/grpc").await;
        assert_eq!((refused.status.as_u16(), &refused.headers["grpc-status"]), (200, &HeaderValue::from(16)), "{path}");
    }
    assert_eq!(send("GET", "/health/ready", "none", "").await.status, 200);
    for (method, path) in [("GET", "/"), ("GET", "/v1/totals"), ("POST", OPERATIONS), ("GET", "/metrics")] {
        let answer = send(method, path, bearer, "application/json").await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text.contains(TRACES) && answer.text.contains("another port"), "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_rebound_name_is_refused_before_the_handler() {
    let api = Fixture::new().await;
    let request = Request::get("/v1/operations").header("host", "evil.example").body(Body::empty()).unwrap();
    let answer = api.send(request).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text.contains("--token-file"), "{}", answer.text);
}

#[tokio::test]
async fn ready_names_what_it_asked() {
    let api = Fixture::new().await;
    assert_eq!(api.get("/health/live").await.json(), serde_json::json!({ "live": true }));
    let answer = api.get("/health/ready").await;
    assert_eq!(answer.json(), serde_json::json!({ "ready": true, "checks": [{ "name": "database", "ok": true }] }));
    api.database.close().await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let answer = api.get("/health/ready").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["ready"]), (503, &serde_json::json!(false)));
}

#[tokio::test]
async fn the_page_is_never_kept_and_unknown_files_are_not_there() {
    let api = Fixture::new().await;
    let answer = api.get("/").await;
    assert_eq!((answer.status.as_u16(), answer.headers["cache-control"].to_str().unwrap()), (200, "no-cache"));
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(answer.text.contains("opstream"));
    assert_eq!(api.get("/assets/../../Cargo.toml").await.status, 404);
}
