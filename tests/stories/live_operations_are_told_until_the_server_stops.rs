//! Who watches is told operations as they come onto the topic, and changed windows; saved views are there after a restart, and an open
//! stream does not hold up the end.

use std::time::{Duration, Instant};

use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::backends::{Backends, Combination, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;

const PATIENCE: Duration = Duration::from_mins(1);
/// Far below the ten seconds that requests under way may take after the stop signal.
const PROMPT: Duration = Duration::from_secs(8);

#[tokio::test]
async fn operations_and_windows_are_told_and_the_stream_ends_with_the_server() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        let client = reqwest::Client::new();
        let view = json!({ "kind": "view", "name": "Spend", "definition": { "address": "#/cost" } });
        let made = client.post(format!("{}/v1/views", pipeline.url())).body(view.to_string()).send().await.unwrap();
        assert_eq!(made.status(), 201);
        let role = if backends.combination == Combination::EmbeddedSqlite { "up" } else { "api" };
        pipeline.restart(&[role], "").await;
        let views = eventually(PATIENCE, async || pipeline.get("/v1/views").await).await;
        assert_eq!(views["views"][0]["name"], "Spend");

        let mut stream = Stream::open(&pipeline, "?model=watched").await;
        // From here on nothing is missed.
        stream.next("rates").await;
        for model in ["passed over", "watched"] {
            let operation = json!({ "operation_type": "chat", "model": model, "started_at": now(), "input_tokens": 7 });
            let posted = client.post(format!("{}/v1/operations", pipeline.url()));
            let posted =
                posted.header("content-type", "application/json").body(operation.to_string()).send().await.unwrap();
            assert!(posted.status().is_success(), "{}", posted.text().await.unwrap());
        }
        let told = stream.next("operation").await;
        assert_eq!((&told["model"], &told["input_tokens"]), (&json!("watched"), &json!(7)));
        assert!(stream.next("windows").await["changed"].as_u64().unwrap() > 0);

        let began = Instant::now();
        let ended = async { while let Ok(Some(_)) = stream.response.chunk().await {} };
        let (ended, ()) = tokio::join!(timeout(PATIENCE, ended), pipeline.stop());
        ended.expect("the stream ends with the server");
        if role == "api" {
            assert!(began.elapsed() < PROMPT, "{:?}", began.elapsed());
        }
    })
    .await;
}

fn now() -> String {
    opstream_schemas::UtcMicros::now().to_string()
}

struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    async fn open(pipeline: &Pipeline<'_>, query: &str) -> Self {
        let response = reqwest::get(format!("{}/v1/live{query}", pipeline.url())).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// Data of the next event of this name; others are passed over.
    async fn next(&mut self, name: &str) -> Value {
        let begin = format!("event: {name}\ndata: ");
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let data = event.strip_prefix(&begin).map(|data| serde_json::from_str(data).unwrap());
                self.text = String::from(rest);
                if let Some(data) = data {
                    return data;
                }
            }
            let piece = timeout(PATIENCE, self.response.chunk()).await.unwrap_or_else(|_| panic!("no {name} came"));
            self.text.push_str(std::str::from_utf8(&piece.unwrap().expect("the stream goes on")).unwrap());
        }
    }
}
