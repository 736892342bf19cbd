//! Records one call of a model: who asked, how long it took, what it used. Wants no broker.
//!
//! Run with `cargo run -p opstream-producer --example chat -- operations.jsonl`: the file that the operations are appended to.

use std::io::{self, Write};
use std::time::Duration;

use opstream_producer::{Context, Producer, Sink};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).unwrap_or_else(|| "operations.jsonl".to_owned());
    let producer = Producer::start(Sink::JsonLines { file: file.into(), producer_id: None })?;
    // What holds for the whole application is said once.
    let producer = producer.with_context(&Context::new().service("assistant").environment("development"));

    let request = Context::new().session_id("session-7").user_id("user-42");
    let answer = request.scope(answer_question(&producer, "How warm is it?")).await?;
    writeln!(io::stdout(), "{answer}\n{:?}", producer.close(Duration::from_secs(5)).await)?;
    Ok(())
}

async fn answer_question(producer: &Producer, question: &str) -> Result<String, io::Error> {
    let messages = json!([{"role": "user", "content": question}]);
    let mut call = producer.chat("anthropic", "claude-opus-5-5");
    call.request(&messages);

    let result = ask_model(&messages).await;
    call.answered();
    if let Ok(answer) = &result {
        call.response(&answer["content"]);
        // Counts that cannot be read stay unknown; the operation is recorded all the same.
        call.provider_usage(answer).ok();
    }
    call.finish(&result);
    Ok(result?["content"][0]["text"].to_string())
}

/// Stands for the provider's client.
async fn ask_model(_messages: &Value) -> Result<Value, io::Error> {
    tokio::time::sleep(Duration::from_millis(20)).await;
    Ok(json!({
        "id": "msg_1", "model": "claude-opus-5-5-20260901",
        "content": [{"type": "text", "text": "Seven degrees."}],
        "usage": {"input_tokens": 12, "cache_read_input_tokens": 2048, "output_tokens": 6},
    }))
}
