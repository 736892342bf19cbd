//! Rules through the api.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::Secret;
use crate::fixture::{Answer, Fixture, Setup};

async fn put(api: &Fixture, name: &str, body: &Value) -> Answer {
    let request = Request::put(format!("/v1/alert-rules/{name}")).body(Body::from(body.to_string())).unwrap();
    api.send(request).await
}

async fn delete(api: &Fixture, name: &str) -> Answer {
    api.send(Request::delete(format!("/v1/alert-rules/{name}")).body(Body::empty()).unwrap()).await
}

fn budget() -> Value {
    json!({ "kind": "budget", "workspace": "w", "filter": { "provider": "gemini" }, "amount_usd": 12.5, "period": "day" })
}

#[tokio::test]
async fn a_rule_is_made_changed_and_deleted() {
    let api = Fixture::new().await;
    let made = put(&api, "day", &budget()).await.json();
    assert_eq!((made["outcome"].as_str(), made["rule"]["version"].as_i64()), (Some("created"), Some(1)));
    let expected = json!({
        "name": "day", "kind": "budget", "enabled": true, "workspace": "w", "filter": { "provider": "gcp.gemini" },
        "amount_usd": "12.50", "period": "day", "zone": "UTC", "thresholds": [100], "version": 1, "problem": null,
        "created_at": made["rule"]["created_at"], "updated_at": made["rule"]["created_at"],
    });
    assert_eq!(made["rule"], expected);
    // As it was answered, it can be put again.
    let mut again = made["rule"].as_object().unwrap().clone();
    again.retain(|name, _| !["version", "problem", "created_at", "updated_at"].contains(&name.as_str()));
    assert_eq!(put(&api, "day", &Value::Object(again)).await.json()["outcome"], "unchanged");
    let changed = put(&api, "day", &json!({ "kind": "budget", "amount_usd": "13", "rolling": "24h" })).await.json();
    assert_eq!((changed["outcome"].as_str(), changed["rule"]["version"].as_i64()), (Some("changed"), Some(2)));

    put(&api, "other", &budget()).await;
    let names = async |query: &str| {
        let answer = api.get(&format!("/v1/alert-rules{query}")).await.json();
        answer["rules"].as_array().unwrap().iter().map(|rule| rule["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["day", "other"]);
    assert_eq!((names("?workspace=w").await, names("?workspace=").await), (vec![json!("other")], vec![json!("day")]));
    assert_eq!(delete(&api, "day").await.json(), json!({ "deleted": "day" }));
    assert_eq!(delete(&api, "day").await.status, 404);
    assert_eq!(names("").await, ["other"]);
}

#[tokio::test]
async fn what_is_wrong_with_a_rule_is_said_with_its_field() {
    let api = Fixture::new().await;
    let with = |name: &str, value: Value| {
        let mut rule = budget();
        rule[name] = value;
        rule
    };
    for (name, body, words) in [
        ("day", with("period", json!("year")), "field period is \\\"year\\\"; it is hour, day, week or month"),
        ("day", with("thresholds", json!([0])), "field thresholds are not 1 to 20"),
        ("day", with("thresholds", json!(["x"])), "field thresholds[0]: invalid type"),
        ("day", with("amount_usd", json!(true)), "expected a number or its text"),
        ("day", with("filter", json!({ "session_id": "s" })), "by which no windows are kept; they are by workspace"),
        ("day", with("name", json!("other")), "another than that of the path"),
        ("day", with("zonne", json!("UTC")), "unknown field `zonne`"),
        ("a%20b", budget(), "field name has other characters"),
        ("day", json!([]), "invalid"),
    ] {
        let answer = put(&api, name, &body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.text.contains("invalid_rule") && answer.text.contains(words), "{body}: {}", answer.text);
    }
    let long = json!({ "kind": "x".repeat(70_000) });
    assert_eq!(put(&api, "day", &long).await.status, 413);
    assert!(api.get("/v1/alert-rules").await.json()["rules"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn rules_ask_for_the_token_and_for_the_same_origin() {
    let token = Secret::new("0123456789abcdef").unwrap();
    let api = Fixture::with(Setup { token: Some(token), ..Setup::default() }).await;
    assert_eq!(put(&api, "day", &budget()).await.status, 401);
    assert_eq!(delete(&api, "day").await.status, 401);
    let foreign = Request::put("/v1/alert-rules/day")
        .header("authorization", "Bearer 0123456789abcdef")
        .header("host", "127.0.0.1:8080")
        .header("origin", "https://evil.example");
    let answer = api.send(foreign.body(Body::from(budget().to_string())).unwrap()).await;
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn the_description_names_the_fields_of_a_rule() {
    let api = Fixture::new().await;
    let description = api.get("/v1/openapi.json").await.json();
    let described = description["components"]["schemas"]["AlertRule"]["properties"].as_object().unwrap().clone();
    // An unknown field is answered with those that are known.
    let refused = put(&api, "day", &json!({ "unknown": 1 })).await.text;
    let known: BTreeSet<&str> = refused.split('`').skip(3).step_by(2).collect();
    assert_eq!(known, described.keys().map(String::as_str).collect());
}
