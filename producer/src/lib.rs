//! Producer library of opstream: hand over an LLM operation, never wait for it.
//!
//! ```no_run
//! use opstream_producer::{Producer, ProducerConfig, Sink};
//! use opstream_schemas::{Operation, UtcMicros};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let producer = Producer::start(Sink::Kafka(ProducerConfig::new("127.0.0.1:9092")))?;
//!
//! let mut operation = Operation::starting("chat", UtcMicros::now());
//! operation.session_id = Some("session-1".to_owned());
//! operation.model = Some("gpt-5-mini".to_owned());
//! operation.input_tokens = Some(1_200);
//! operation.output_tokens = Some(85);
//!
//! producer.record(operation.clone()); // microseconds, whatever the broker does
//! let place = producer.record_acked(operation).await?; // waits for the broker; same id, so it counts once
//! assert!(place.offset.is_some());
//!
//! let counters = producer.close(std::time::Duration::from_secs(5)).await;
//! assert_eq!(counters.sent, 2);
//! # Ok(())
//! # }
//! ```
//!
//! The way of an operation, one file per station:
//!
//! ```text
//! record() ─► identity ─► encoding ─► ledger ─► hand_over ─┬► delivery::kafka ──────► topic
//!             id, seq     thread's    room for  bytes for  │        ▲▼
//!                         buffer      it?       one thread │      spool ─► disk
//!                                                          └► delivery::json_lines ─► file
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
