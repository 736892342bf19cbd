//! Whatever names and texts operations and spans have, they are stored once, as the text that they are, and found by it; what is beyond
//! a limit is refused or cut, and the pipeline goes on.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use opstream_schemas::database::Engine;
use opstream_schemas::{OperationId, UtcMillis};
use serde_json::{Value, json};

use crate::harness::backends::{Backends, each_combination};
use crate::harness::pipeline::Pipeline;

/// Names that are something else in JavaScript, HTML, SQL, a terminal or a reader's eye.
const NAMES: [&str; 8] = [
    "__proto__",
    "constructor",
    "<img src=x onerror=alert(1)>",
    "'; drop table operations; --",
    "\u{1}\u{1b}[2J\u{7f}",
    "\u{202e}gnp.txt\u{2066}",
    "=cmd|' /C calc'!A0",
    "\u{feff}\u{200b}",
];

#[tokio::test]
async fn hostile_names_and_texts_are_stored_once_and_harm_nobody() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        let ids: Vec<String> = NAMES.iter().map(|_| id()).collect();
        let operations: Vec<Value> = NAMES.iter().zip(&ids).map(|(name, id)| operation(id, name)).collect();
        let spans = spans().to_string();
        for _ in 0..2 {
            let answer = post(&pipeline, "/v1/operations", "application/json", json!(operations).to_string()).await;
            assert_eq!((answer.0, &answer.1["accepted"]), (200, &json!(NAMES.len())), "{answer:?}");
            let answer = post(&pipeline, "/v1/traces", "application/json", spans.clone()).await;
            assert_eq!(answer, (200, json!({})));
        }
        let half = id();
        assert_refused(&pipeline, &half).await;
        assert_bombs_are_refused(&pipeline).await;
        pipeline.settle().await;

        assert_eq!(pipeline.operations().await, 2 * NAMES.len() as u64 + 1);
        for (name, id) in NAMES.iter().zip(&ids) {
            assert_found_as_text(&pipeline, name, id).await;
        }
        assert_spans_are_text(&pipeline).await;
        let stored = pipeline.get(&format!("/v1/operations/{half}")).await.unwrap();
        assert_eq!(stored["metadata"], json!(r#"{"half":"\ud83d"}"#), "kept, as text that can be searched");
        assert_json_can_be_searched(&pipeline).await;
        for role in ["ingestor", "aggregator", "api"] {
            pipeline.can_work(role).await;
        }
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

fn id() -> String {
    OperationId::generate(UtcMillis::now()).to_string()
}

fn operation(id: &str, name: &str) -> Value {
    json!({
        "operation_id": id, "provider": "openai", "model": name, "agent_id": name, "session_id": name, "user_id": name,
        "error_message": name, "success": false, "tags": {name: name}, "metadata": {name: {name: [name]}},
        "input_messages": [{"role": "user", "content": name}], "input_tokens": 1,
    })
}

/// A span for each name, with an attribute that is too large in name and one in value, and U+0000, which no SQL text holds.
fn spans() -> Value {
    let now = UtcMillis::now().millis() * 1_000_000;
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let spans: Vec<Value> = (1..)
        .zip(NAMES)
        .map(|(number, name)| {
            json!({"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": format!("{number:016x}"), "name": name,
                "startTimeUnixNano": now.to_string(), "attributes": [
                    text("gen_ai.operation.name", "chat"), text("gen_ai.agent.name", name), text(name, name),
                    text("gen_ai.input.messages", name), text(&"k".repeat(1 << 20), "v"), text("long", &"v".repeat(1 << 20)),
                    text("n\0l", "n\0l"), text("twice", "first"), text("twice", "last"),
                ]})
        })
        .collect();
    let resource = json!({"attributes": [text("opstream.team", "hostile"), text("__proto__", "polluted")]});
    json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]})
}

/// What cannot be stored as it is sent is refused by name, and the item beside it is taken.
async fn assert_refused(pipeline: &Pipeline<'_>, good: &str) {
    let long = "k".repeat(1 << 20);
    let many = (0..300).map(|number| (number.to_string(), json!(""))).collect::<serde_json::Map<_, _>>();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let lines = [
        (r#"{"model":"a\u0000b"}"#.to_owned(), "nul_character"),
        (r#"{"model":"\ud83d"}"#.to_owned(), "invalid_value"),
        (r#"{"model":"a","model":"b"}"#.to_owned(), "invalid_value"),
        (r#"{"__proto__":{"admin":true}}"#.to_owned(), "unknown_field"),
        (json!({"tags": {long: ""}}).to_string(), "too_long"),
        (json!({"tags": many}).to_string(), "too_many"),
        (format!(r#"{{"metadata":{{"a":{deep}}}}}"#), "too_deep"),
        (json!({"session_id": "s".repeat(1025)}).to_string(), "too_long"),
        (format!(r#"{{"operation_id":"{good}","metadata":{{"half":"\ud83d"}}}}"#), "accepted"),
    ];
    let body = lines.each_ref().map(|(line, _)| line.as_str()).join("\n");
    let (status, answer) = post(pipeline, "/v1/operations", "application/x-ndjson", body).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(1)), "{answer}");
    let codes: Vec<&str> =
        answer["refused"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap()).collect();
    let expected: Vec<&str> = lines.iter().map(|(_, code)| *code).filter(|code| *code != "accepted").collect();
    assert_eq!(codes, expected);
    assert!(answer.to_string().len() < 10_000, "an answer repeats what it refuses");
}

async fn assert_bombs_are_refused(pipeline: &Pipeline<'_>) {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(&vec![b' '; 40 << 20]).unwrap();
    let bomb = packer.finish().unwrap();
    for path in ["/v1/operations", "/v1/traces"] {
        let request = reqwest::Client::new().post(format!("{}{path}", pipeline.url()));
        let request = request.header("content-type", "application/json").header("content-encoding", "gzip");
        assert_eq!(request.body(bomb.clone()).send().await.unwrap().status(), 413, "{path}");
    }
}

async fn assert_found_as_text(pipeline: &Pipeline<'_>, name: &str, id: &str) {
    let address = format!("{}/v1/operations/{id}", pipeline.url());
    let answer = reqwest::get(address).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    let stored: Value = answer.json().await.unwrap();
    for field in ["model", "agent_id", "session_id", "user_id", "error_message"] {
        assert_eq!(stored[field], name, "{field}");
    }
    assert_eq!((&stored["tags"], &stored["metadata"]), (&json!({name: name}), &json!({name: {name: [name]}})));
    let messages = stored["content"]["input_messages"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(messages).unwrap()[0]["content"], name);
    let query: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("session_id", name).finish();
    let found = pipeline.get(&format!("/v1/operations?{query}")).await.unwrap();
    let found: Vec<&Value> = found["operations"].as_array().unwrap().iter().map(|it| &it["operation_id"]).collect();
    assert_eq!(found, [&json!(id)], "{name:?}");
}

async fn assert_spans_are_text(pipeline: &Pipeline<'_>) {
    let listed = pipeline.get("/v1/operations?team=hostile&limit=100").await.unwrap();
    let listed = listed["operations"].as_array().unwrap();
    assert_eq!(listed.len(), NAMES.len());
    for entry in listed {
        let id = entry["operation_id"].as_str().unwrap();
        let stored = pipeline.get(&format!("/v1/operations/{id}")).await.unwrap();
        let name = stored["agent_name"].as_str().unwrap();
        assert!(NAMES.contains(&name), "{name:?}");
        let metadata = &stored["metadata"];
        assert_eq!((&metadata[name], &metadata["twice"]), (&json!(name), &json!("last")));
        assert_eq!(metadata["n\u{fffd}l"], "n\u{fffd}l");
        assert_eq!(metadata["resource"]["__proto__"], "polluted");
        assert_eq!((metadata["long"].as_str().unwrap().len(), &metadata["otel.dropped_attributes"]), (8192, &json!(1)));
    }
}

/// A value that cannot be cast would make such a query fail for the whole table.
async fn assert_json_can_be_searched(pipeline: &Pipeline<'_>) {
    let database = pipeline.database().await;
    let sql = match database.engine() {
        Engine::Postgres => {
            "select count(*) as n from operations where metadata::jsonb ->> 'twice' = 'last' or tags::jsonb ->> '__proto__' = '__proto__'"
        }
        Engine::Sqlite => {
            "select count(*) as n from operations where metadata ->> 'twice' = 'last' or tags ->> '__proto__' = '__proto__'"
        }
    };
    let row = database.fetch_optional(sql, &[]).await.unwrap().unwrap();
    database.close().await;
    assert_eq!(usize::try_from(row.int("n").unwrap()).unwrap(), NAMES.len() + 1);
}

async fn post(pipeline: &Pipeline<'_>, path: &str, content_type: &str, body: String) -> (u16, Value) {
    let request = reqwest::Client::new().post(format!("{}{path}", pipeline.url())).header("content-type", content_type);
    let answer = request.body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}
