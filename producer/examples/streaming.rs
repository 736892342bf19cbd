//! Records a streamed answer with its time to the first token, and one whose reader went away. Wants no broker.
//!
//! Run with `cargo run -p opstream-producer --example streaming -- operations.jsonl`: the file that the operations are appended to.

use std::io::{self, Write};
use std::time::Duration;

use opstream_producer::{OperationGuard, Producer, Sink};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;

const EVENTS: [&str; 4] = [
    r#"{"choices": [{"delta": {"content": "Seven"}}]}"#,
    r#"{"choices": [{"delta": {"content": " degrees."}}]}"#,
    r#"{"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3}}"#,
    "[DONE]",
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).unwrap_or_else(|| "operations.jsonl".to_owned());
    let producer = Producer::start(Sink::JsonLines { file: file.into(), producer_id: None })?;

    read_stream(producer.chat("openai", "gpt-5-mini"), ask_model()).await?;
    // Nobody waits any longer: the future is dropped with the guard in it, and that is a failed operation.
    let impatient = read_stream(producer.chat("openai", "gpt-5-mini"), ask_model());
    timeout(Duration::from_millis(30), impatient).await.ok();

    writeln!(io::stdout(), "{:?}", producer.close(Duration::from_secs(5)).await)?;
    Ok(())
}

async fn read_stream(mut call: OperationGuard, mut events: Receiver<&str>) -> Result<(), Box<dyn std::error::Error>> {
    while let Some(event) = events.recv().await {
        if event.contains("content") {
            call.first_token(); // of several calls the first counts
        }
        call.stream_event(event)?;
    }
    call.success();
    Ok(())
}

/// Stands for the provider's client.
fn ask_model() -> Receiver<&'static str> {
    let (sender, receiver) = channel(1);
    std::thread::spawn(move || {
        for event in EVENTS {
            std::thread::sleep(Duration::from_millis(20));
            if sender.blocking_send(event).is_err() {
                return; // the reader is gone
            }
        }
    });
    receiver
}
