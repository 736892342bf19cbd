//! Producer library of opstream: measure calls of language models and hand them over, without ever waiting for it.
//!
//! ```
//! use opstream_producer::{ContentPolicy, Context, Producer, Sink};
//! # use serde_json::{Value, json};
//! # async fn ask_model(_: &Value) -> Result<Value, std::io::Error> {
//! #     Ok(json!({"id": "msg_1", "usage": {"input_tokens": 12, "output_tokens": 6}}))
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let file = folder.path().join("operations.jsonl");
//! // Into a file here; `Sink::Kafka(ProducerConfig::new("kafka-1:9092"))` is the topic.
//! let producer = Producer::start_with(Sink::JsonLines { file, producer_id: None }, ContentPolicy::redacted())?;
//! let answer = Context::new().session_id("session-7").scope(async {
//!     let request = json!([{"role": "user", "content": "How warm is it?"}]);
//!     let mut call = producer.chat("anthropic", "claude-opus-5-5");
//!     call.request(&request);
//!     let answer = ask_model(&request).await?; // an early return is recorded as a failure
//!     call.provider_usage(&answer).ok(); // counts that cannot be read stay unknown
//!     call.success();
//!     Ok::<_, std::io::Error>(answer)
//! }).await?;
//! assert_eq!(producer.close(std::time::Duration::from_secs(5)).await.sent, 1);
//! # drop(answer);
//! # Ok(())
//! # }
//! ```
//!
//! - [`OperationGuard`] measures one call and records it however it ends: success, failure, retry, panic, cancelled task.
//! - [`Context`] carries session, user, agent, trace and tags through tasks; [`Attempts`] links what is retried.
//! - [`ContentPolicy`] says what of prompts and answers leaves the process: [`Redaction`] and [`Capture`].
//! - [`Producer::record`] takes an [`Operation`] that somebody else has measured; [`Producer::record_acked`] waits for the broker.
//!
//! # Units
//! Times are Unix microseconds, UTC. Durations are microseconds of a monotonic clock, counts are tokens, costs are nano-dollars;
//! what is not known is none, which is not 0.
//!
//! # The way of an operation
//! One file for each station:
//!
//! ```text
//!   guard ─────────────────────► record() ─► content ─► encoding ─► ledger ─► hand_over ─┬► delivery::kafka ──────► topic
//!   stopwatch, failure, context,  identity   redaction,  thread's    room for  bytes for  │        ▲▼
//!   attempts                      id, seq    capture     buffer      it?       one thread │      spool ─► disk
//!                                                                                         └► delivery::json_lines ─► file
//! ```
//!
//! [`Producer::record`] encodes on the calling thread and copies the bytes to a buffer that one background thread
//! empties every few milliseconds. `examples/hot_path.rs` measures it beside the designs that were rejected: calling
//! librdkafka from the application's threads puts its locks and the wake-up of its broker thread into their path; a
//! channel wakes its reader by a system call, which is the 99th percentile; moving the operation itself is cheap for the
//! caller, but leaves one thread to encode for all, and the queue without a bound in bytes. Whatever is refused or lost
//! is counted ([`Counters`]) and logged at a limited rate, never with content.
//!
//! Without a [`Spool`] operations wait in memory alone: an outage of the broker beyond `message.timeout.ms`, five minutes by
//! default, loses those that were handed over before, counted as failed. With one they wait on disk, for as long as it takes and
//! beyond the end of the process; docs/producer.md says exactly what is safe when.

mod acknowledgement;
mod attempts;
mod capture;
pub mod config;
mod content;
mod context;
mod delivery;
mod encoding;
mod failure;
mod guard;
mod hand_over;
mod identity;
mod ledger;
pub mod metrics;
mod producer;
mod record;
mod redaction;
mod report;
mod spool;
mod stopwatch;
mod trace;

pub use acknowledgement::{Acknowledged, RecordError};
pub use attempts::Attempts;
pub use capture::Capture;
pub use config::{ProducerConfig, Sink, Spool, StartError};
pub use content::ContentPolicy;
pub use context::Context;
pub use failure::Failure;
pub use guard::{ABANDONED, OperationGuard, PANICKED};
pub use ledger::Counters;
pub use producer::Producer;
pub use redaction::{PatternError, Redaction};
pub use spool::books::SpoolCounters;

pub use opstream_schemas::Operation;
pub use opstream_schemas::provider_usage::UsageError;
