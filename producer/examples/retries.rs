//! Records a call that succeeds at the third attempt: three operations of one `call_id`. Wants no broker.
//!
//! Run with `cargo run -p opstream-producer --example retries -- operations.jsonl`: the file that the operations are appended to.

use std::io::{self, Write};
use std::time::Duration;

use opstream_producer::{Failure, Producer, Sink};

const MOST_ATTEMPTS: u32 = 5;

/// What the provider says when it is asked too often.
#[derive(Debug)]
struct TooManyRequests;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).unwrap_or_else(|| "operations.jsonl".to_owned());
    let producer = Producer::start(Sink::JsonLines { file: file.into(), producer_id: None })?;

    let refused = || Failure::new("rate_limit_exceeded").message("too many requests").http_status(429);
    let mut call = producer.chat("openai", "gpt-5-mini");
    for attempt in 1.. {
        match ask_model(attempt).await {
            Ok((input_tokens, output_tokens)) => {
                call.input_tokens(input_tokens).output_tokens(output_tokens);
                call.success();
                break;
            }
            Err(TooManyRequests) if attempt < MOST_ATTEMPTS => {
                // Records this attempt and begins the next one.
                call = call.retry(refused());
                // The pause is time in a queue, not of the model.
                tokio::time::sleep(Duration::from_millis(10)).await;
                call.sent();
            }
            Err(TooManyRequests) => {
                call.fail(refused());
                break;
            }
        }
    }
    writeln!(io::stdout(), "{:?}", producer.close(Duration::from_secs(5)).await)?;
    Ok(())
}

/// Stands for the provider's client.
async fn ask_model(attempt: u32) -> Result<(u64, u64), TooManyRequests> {
    tokio::time::sleep(Duration::from_millis(5)).await;
    if attempt < 3 { Err(TooManyRequests) } else { Ok((1_200, 85)) }
}
