//! Contracts of opstream: everything that crosses from one process to another, and nothing else.
//!
//! In reading order: the record ([`operation`]) and its ids, time and money ([`ids`], [`time`], [`money`]); content that came apart
//! from it ([`span_content`]); its bytes on the topic ([`avro`], [`topics`]); what a provider's own counts mean ([`provider_usage`]); prices ([`prices`],
//! [`providers`]); windows ([`window`], [`sketch`]) and local days ([`calendar`]); rules that watch them ([`alerts`]); the SQL tables ([`database`], [`migrations`])
//! and the lake ([`lake`]); and how a role says how it is ([`condition`]) and fails when a test wants it to ([`failpoint`]). There is no process logic here: the producer, the ingestor, the aggregator and the api share these
//! definitions and otherwise only bytes, rows and files.

pub mod alerts;
pub mod avro;
pub mod calendar;
pub mod condition;
pub mod database;
pub mod failpoint;
pub mod ids;
pub mod lake;
pub mod migrations;
pub mod money;
pub mod offsets;
pub mod operation;
pub mod prices;
pub mod provider_usage;
pub mod providers;
pub mod sketch;
pub mod span_content;
pub mod time;
pub mod topics;
pub mod validate;
pub mod window;

pub use ids::OperationId;
pub use money::NanoUsd;
pub use operation::Operation;
pub use time::{UtcMicros, UtcMillis};
