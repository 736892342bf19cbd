//! Prompts and answers that come as log records are shown with the operation of their span: whichever comes first, however often, and
//! whoever is killed meanwhile. They are no operations, and count as none.

use std::time::Duration;

use opstream_schemas::UtcMicros;
use serde_json::{Value as Json, json};

use crate::harness::backends::{Backends, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;

/// Long enough for a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(1);
const CALLS: usize = 40;
/// Of a call: the system prompt, the question and the answer.
const EVENTS: usize = 3;

#[tokio::test]
async fn each_prompt_is_stored_once_and_shown_where_it_belongs() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        let began = UtcMicros::now().micros() * 1000;
        let [early, late] = [0..CALLS / 2, CALLS / 2..CALLS].map(|calls| logs(began, calls));
        post(&pipeline, "logs", &early).await;
        pipeline.kill().await;
        pipeline.start_processes().await;
        post(&pipeline, "traces", &spans(began)).await;
        for _ in 0..3 {
            for records in [&late, &early] {
                post(&pipeline, "logs", records).await;
            }
        }
        pipeline.kill().await;
        pipeline.start_processes().await;
        pipeline.settle().await;
        let ids = ids_by_question(&pipeline).await;
        for (call, id) in ids.iter().enumerate() {
            assert_shown(&pipeline, call, id).await;
        }
        // A marker behind everything that was sent.
        post(&pipeline, "logs", &logs(began, CALLS..CALLS + 1)).await;
        let expected = i64::try_from((CALLS + 1) * EVENTS).unwrap();
        eventually(PATIENCE, async || match stored(&pipeline).await {
            stored if stored == expected => Ok(()),
            stored => Err(stored),
        })
        .await;
        assert_eq!(pipeline.operations().await, CALLS as u64);
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

fn trace_id(call: usize) -> String {
    format!("{:032x}", call + 1)
}

fn text(text: &str) -> Json {
    json!({"stringValue": text})
}

fn attribute(key: &str, value: &Json) -> Json {
    json!({"key": key, "value": value})
}

fn spans(began: i64) -> Json {
    let span = |call: usize| {
        let start = began + i64::try_from(call).unwrap() * 1_000_000;
        json!({
            "traceId": trace_id(call), "spanId": "b7ad6b7169203331", "name": "chat",
            "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 500_000).to_string(),
            "attributes": [
                attribute("gen_ai.operation.name", &text("chat")),
                attribute("gen_ai.provider.name", &text("openai")),
                attribute("gen_ai.request.model", &text(&format!("model-{call}"))),
            ],
        })
    };
    json!({"resourceSpans": [{"scopeSpans": [{"spans": (0..CALLS).map(span).collect::<Vec<_>>()}]}]})
}

/// The events of these calls, all of one moment.
fn logs(began: i64, calls: std::ops::Range<usize>) -> Json {
    let event = |call: usize, name: &str, content: &str| {
        json!({
            "timeUnixNano": began.to_string(), "eventName": name, "traceId": trace_id(call), "spanId": "b7ad6b7169203331",
            "body": {"kvlistValue": {"values": [attribute("content", &text(content))]}},
        })
    };
    let events = |call: usize| {
        [
            event(call, "gen_ai.system.message", "be brief"),
            event(call, "gen_ai.user.message", &format!("question {call}")),
            event(call, "gen_ai.choice", &format!("answer {call}")),
        ]
    };
    json!({"resourceLogs": [{"scopeLogs": [{"logRecords": calls.flat_map(events).collect::<Vec<_>>()}]}]})
}

async fn post(pipeline: &Pipeline<'_>, signal: &str, body: &Json) {
    let url = format!("{}/v1/{signal}", pipeline.url());
    eventually(PATIENCE, async || {
        let answer = reqwest::Client::new().post(&url).json(body).send().await.map_err(|error| error.to_string())?;
        let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
        if status == 200 && text == "{}" { Ok(()) } else { Err(format!("{signal}: {status} {text}")) }
    })
    .await;
}

/// Ids of the operations, by the number of their call.
async fn ids_by_question(pipeline: &Pipeline<'_>) -> Vec<String> {
    let listed = pipeline.get("/v1/operations?limit=100").await.unwrap();
    let operations = listed["operations"].as_array().unwrap();
    let of_call = |call: usize| {
        let model = format!("model-{call}");
        let found = operations.iter().find(|operation| operation["model"] == model.as_str());
        found.unwrap_or_else(|| panic!("{model} is not among {listed:#}"))["operation_id"].as_str().unwrap().to_owned()
    };
    (0..CALLS).map(of_call).collect()
}

async fn assert_shown(pipeline: &Pipeline<'_>, call: usize, id: &str) {
    let said = |role: &str, content: String| json!({"role": role, "parts": [{"type": "text", "content": content}]});
    let expected = json!({
        "system_prompt": "be brief",
        "input_messages": [said("system", "be brief".to_owned()), said("user", format!("question {call}"))],
        "output_messages": [said("assistant", format!("answer {call}"))],
        "tool_definitions": null,
    });
    eventually(PATIENCE, async || {
        let mut content = pipeline.get(&format!("/v1/operations/{id}")).await?["content"].take();
        for name in ["input_messages", "output_messages"] {
            let text = content[name].as_str().unwrap_or("null").to_owned();
            content[name] = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        }
        if content == expected { Ok(()) } else { Err(format!("{content:#}")) }
    })
    .await;
}

async fn stored(pipeline: &Pipeline<'_>) -> i64 {
    let database = pipeline.database().await;
    let row = database.fetch_optional("select count(*) as n from span_contents", &[]).await.unwrap().unwrap();
    database.close().await;
    row.int("n").unwrap()
}
