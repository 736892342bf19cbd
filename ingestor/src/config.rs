//! What the ingestor needs to know, already validated. Reading flags and the environment is the command's work.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use opstream_registry::Registry;
use opstream_schemas::condition::Reporter;
use opstream_schemas::database::Database;
use opstream_schemas::prices::{Catalogue, CostPolicy};
use opstream_schemas::topics::Topics;
use tokio::sync::watch;

/// Configuration of one ingestor process.
#[derive(Clone)]
pub struct IngestorConfig {
    /// Migrated database.
    pub database: Database,
    /// Root folder of the lake.
    pub lake: PathBuf,
    /// Bootstrap servers, `host:port` separated by commas.
    pub bootstrap: String,
    /// Names of the topics.
    pub topics: Topics,
    /// Consumer group; all ingestors of one deployment share it.
    pub group: String,
    /// Lasting name of this process within the group, such as a pod's name: a restart then takes its partitions back at
    /// once instead of waiting until the group has missed it. No two processes may share one.
    pub instance: Option<String>,
    /// Further librdkafka settings, such as SASL.
    pub properties: BTreeMap<String, String>,
    /// When a batch is due.
    pub limits: BatchLimits,
    /// Where prompts, messages and tool definitions go.
    pub content: ContentPolicy,
    /// Prices, and whatever replaces them while the ingestor runs.
    pub prices: watch::Receiver<Arc<Catalogue>>,
    /// Whose cost counts where one was reported.
    pub cost_policy: CostPolicy,
    /// Where the schemas of other writers are looked up; without it only the built-in ones are known.
    pub registry: Option<Registry>,
    /// How long an unusual share of undecodable records is held before it becomes dead letters, so that people can stop
    /// a wrong producer or roll out a newer ingestor; [`DEFAULT_POISON_HOLD`] unless configured, zero never holds.
    pub poison_hold: Duration,
    /// Tells the process's health endpoint how the ingestor is.
    pub reporter: Reporter,
}

/// The built-in prices, which nothing replaces.
pub fn embedded_prices() -> watch::Receiver<Arc<Catalogue>> {
    watch::channel(Catalogue::embedded().clone()).1
}

/// The group by which the ingestors of `group` share the topic of contents: one group would hand out both topics together, and each
/// rebalance of one would hold up the other.
pub fn contents_group(group: &str) -> String {
    format!("{group}.contents")
}

/// Five minutes: long enough for somebody who is woken to look, short enough for the topic's retention.
pub const DEFAULT_POISON_HOLD: Duration = Duration::from_mins(5);

/// A batch is due when the first of these is reached.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// Age of the first record; bounds how stale the stored state is. 200 ms unless configured.
    pub age: Duration,
    /// Number of records. 20,000 unless configured: past that the cost of a commit no longer shows.
    pub records: usize,
    /// Bytes of keys and values; bounds memory when records carry content. 16 MiB unless configured.
    pub bytes: usize,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self { age: Duration::from_millis(200), records: 20_000, bytes: 16 << 20 }
    }
}

/// What is kept of prompts, messages and tool definitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentPolicy {
    /// Nothing: content is dropped before anything is written.
    Drop,
    /// Files of their own in the lake.
    Lake,
    /// Files of their own, and the table `operation_contents` for quick look-ups on a laptop.
    LakeAndSql,
}
