//! The description against what is served.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::fixture::Fixture;
use crate::router::described_paths;

fn description() -> Value {
    serde_json::from_str(&TEXT).unwrap()
}

/// Path, method and what is said of them.
fn operations(description: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = description["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().iter().map(|(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .collect()
}

/// Names of the query parameters, or of the required ones alone.
fn query_parameters(operation: &Value, required_only: bool) -> BTreeSet<&str> {
    let all = operation["parameters"].as_array().into_iter().flatten();
    all.filter(|parameter| parameter["in"] == "query" && (!required_only || parameter["required"] == true))
        .map(|parameter| parameter["name"].as_str().unwrap())
        .collect()
}

#[test]
fn the_routes_of_the_router_and_of_the_description_are_the_same() {
    let description = description();
    let described: BTreeSet<&str> = operations(&description).into_iter().map(|(path, ..)| path).collect();
    assert_eq!(described, described_paths().into_iter().collect());
}

#[test]
fn the_dashboard_is_typed_by_this_description() {
    let kept: Value = serde_json::from_str(include_str!("../../../dashboard/openapi.json")).unwrap();
    // Without the texts of either, which a failing test would print whole.
    assert!(kept == description(), "api/dashboard/openapi.json is not the answer of /v1/openapi.json: put that there");
}

#[tokio::test]
async fn every_described_method_is_answered() {
    let api = Fixture::new().await;
    let description = description();
    for (path, method, _) in operations(&description) {
        let path = path
            .replace("{operation_id}", "no-id")
            .replace("{name}", "none")
            .replace("{view_id}", "none")
            .replace("{session_id}", "s")
            .replace("{trace_id}", "t");
        let answer = match method {
            "get" => api.get(&path).await,
            "post" => api.post(&path, "text/plain", "").await,
            "put" | "delete" => {
                let request = axum::http::Request::builder().method(method.to_uppercase().as_str()).uri(&path);
                api.send(request.body(axum::body::Body::empty()).unwrap()).await
            }
            other => panic!("{other} {path} is described"),
        };
        assert!(!matches!(answer.status.as_u16(), 405 | 500), "{method} {path}: {}", answer.text);
        assert!(!answer.text.contains("nothing is at"), "{method} {path}: {}", answer.text);
    }
}

#[tokio::test]
async fn handlers_take_the_described_parameters_and_no_others() {
    let api = Fixture::new().await;
    let description = description();
    let mut compared = 0;
    for (path, method, operation) in operations(&description).into_iter().filter(|(_, method, _)| *method == "get") {
        let answer = api.get(&format!("{path}?no_such_parameter=1")).await;
        let Some((_, known)) = answer.text.split_once("known are ") else {
            assert!(query_parameters(operation, false).is_empty(), "{method} {path}: {}", answer.text);
            continue;
        };
        let known: BTreeSet<&str> = known.split('"').next().unwrap().split(", ").collect();
        assert_eq!(known, query_parameters(operation, false), "{path}");
        compared += 1;

        let required = query_parameters(operation, true);
        let answer = api.get(path).await;
        // A series needs one of two parameters, which the description can only say in words.
        let is_refused = !required.is_empty() || path == "/v1/series";
        assert_eq!(answer.status == 400, is_refused, "{path}: {}", answer.text);
        for name in required {
            assert!(answer.text.contains(&format!("parameter {name} is missing")), "{path}: {}", answer.text);
        }
    }
    assert_eq!(
        compared, 18,
        "answers, lists, live, a dead letter, what belongs together and the export take parameters"
    );
}

#[test]
fn every_route_asks_for_the_token_but_health_and_names_its_errors() {
    let description = description();
    assert_eq!(description["security"], serde_json::json!([{ "token": [] }]));
    for (path, method, operation) in operations(&description) {
        let is_open = path.starts_with("/health");
        assert_eq!(operation.get("security").is_some(), is_open, "{method} {path}");
        assert_eq!(operation["responses"].get("401").is_none(), is_open, "{method} {path}");
        let succeeds = |status| operation["responses"].get(status).is_some();
        assert!(["200", "201", "204"].into_iter().any(succeeds), "{method} {path}");
        for status in ["400", "403", "500", "503"] {
            assert!(operation["responses"].get(status).is_some(), "{method} {path} {status}");
        }
    }
}

#[test]
fn the_description_names_every_field() {
    let description = description();
    assert_eq!(description["openapi"], "3.1.0");
    insta::assert_json_snapshot!("openapi_operation", description["components"]["schemas"]["Operation"]);
    let stored = description["components"]["schemas"]["StoredOperation"]["properties"].as_object().unwrap();
    assert_eq!(stored.len(), opstream_schemas::lake::OPERATION_COLUMNS.len());
}

#[test]
fn every_reference_points_at_a_schema_that_is_there() {
    let description = description();
    for reference in TEXT.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(description["components"]["schemas"].get(reference).is_some(), "{reference}");
    }
}
