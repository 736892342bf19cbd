//! The ingestor: reads the topic and writes every operation to SQL and Parquet exactly once.
//!
//! In reading order: [`pipeline`] states the law and shows the loop. A record's way is [`source`] → [`record`] →
//! [`schema_lookup`] → [`decode`] → [`checks`], [`duplicates`], [`opstream_pricing`] → [`columns`] (together: [`prepare`], run by [`prepare_stage`]) →
//! [`lake_file`] → [`store`] (together: [`committer`]) → a hint to the broker. [`ownership`] knows which partitions are ours,
//! [`claiming`] claims them and [`marks`] watches how far they are, both through [`topic_log`]. [`dead_letter`] is what becomes
//! of a record that cannot be an operation, [`breaker`] and [`hold`] keep a flood of those waiting, and [`outbox`] copies them to their topic.
//! [`contents`] stores prompts that came apart from their operation. [`batch_files`] keeps a batch's files from attempt to attempt, and [`sweeper`] deletes what was left of them.

pub mod backoff;
pub mod batch_files;
pub mod breaker;
pub mod claiming;
pub mod committer;
pub mod config;
pub mod contents;
pub mod duplicates;
pub mod hold;
pub mod lake_file;
pub mod marks;
pub mod metrics;
pub mod outbox;
pub mod ownership;
pub mod pipeline;
pub mod prepare;
pub mod prepare_stage;
pub mod schema_lookup;
pub mod source;
pub mod store;
pub mod sweeper;
pub mod topic_log;

#[cfg(test)]
mod test_topic;

pub use config::{BatchLimits, ContentPolicy, IngestorConfig};
pub(crate) use opstream_records::{checks, columns, dead_letter, decode, record};
pub use pipeline::run;
