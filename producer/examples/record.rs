//! Records one operation and waits until the broker has it.
//!
//! Run with `cargo run -p opstream-producer --example record -- 127.0.0.1:9092 llm`: address and prefix of the topics.

use std::io::Write;
use std::time::{Duration, Instant};

use opstream_producer::{Producer, ProducerConfig, Sink};
use opstream_schemas::topics::Topics;
use opstream_schemas::{Operation, UtcMicros};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = ProducerConfig::new(&std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9092".to_owned()));
    config.topics = Topics::new(&std::env::args().nth(2).unwrap_or_else(|| "llm".to_owned()))?;
    let producer = Producer::start(Sink::Kafka(config))?;

    let started = Instant::now();
    let mut operation = Operation::starting("chat", UtcMicros::now());
    operation.service = Some("example".to_owned());
    operation.session_id = Some("session-1".to_owned());
    operation.provider = Some("openai".to_owned());
    operation.model = Some("gpt-5-mini".to_owned());
    // … here the application calls the model …
    operation.latency_us = i64::try_from(started.elapsed().as_micros()).ok();
    operation.input_tokens = Some(1_200);
    operation.output_tokens = Some(85);

    let place = producer.record_acked(operation).await?;
    writeln!(std::io::stdout(), "stored in {place:?}; {:?}", producer.close(Duration::from_secs(5)).await)?;
    Ok(())
}
