//! Shows what leaves the process of a call that is full of secrets: built-in rules, a pattern and a hook of the caller's own.
//!
//! Run with `cargo run -p opstream-producer --example redaction -- operations.jsonl`: the file that the operations are appended to.
//! Wants no broker.

use std::io::{self, Write};
use std::time::Duration;

use opstream_producer::{Capture, ContentPolicy, Failure, Producer, Redaction, Sink};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).unwrap_or_else(|| "operations.jsonl".to_owned());
    let redaction = Redaction::builtin()
        .pattern("customer number", r"\bCN-\d{6}\b")?
        .hook(|_field, text| text.contains("diagnosis").then(|| "[withheld]".to_owned()));
    let policy = ContentPolicy { capture: Capture::Truncated(2_000), redaction: Some(redaction) };
    let producer = Producer::start_with(Sink::JsonLines { file: file.clone().into(), producer_id: None }, policy)?;

    let made_up_key = ["sk", &"a1B2".repeat(8)].join("-");
    let mut call = producer.chat("openai", "gpt-5-mini");
    call.request(&json!([
        {"role": "user", "content": [
            {"type": "text", "text": format!("I am CN-104711, my key is {made_up_key}")},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg=="}},
        ]},
        {"role": "user", "content": "my diagnosis is nobody's business"},
        {"role": "user", "content": "and so on ".repeat(1_000)},
    ]));
    call.fail(Failure::new("invalid_api_key").message(format!("incorrect key: {made_up_key}")).http_status(401));

    let counters = producer.close(Duration::from_secs(5)).await;
    writeln!(io::stdout(), "{}\n{counters:?}", std::fs::read_to_string(file)?)?;
    Ok(())
}
