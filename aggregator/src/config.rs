//! What the aggregator needs to know, already validated. Reading flags and the environment is the command's work.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use opstream_schemas::avro::WriterId;
use opstream_schemas::condition::Reporter;
use opstream_schemas::database::Database;
use opstream_schemas::topics::Topics;

use crate::alerts::webhooks::Webhooks;
use crate::retention::KeepDays;

/// Configuration of one aggregator process.
#[derive(Clone)]
pub struct AggregatorConfig {
    /// Migrated database.
    pub database: Database,
    /// Root folder of the lake.
    pub lake: PathBuf,
    /// Bootstrap servers, `host:port` separated by commas.
    pub bootstrap: String,
    /// Names of the topics.
    pub topics: Topics,
    /// Further librdkafka settings, such as SASL.
    pub properties: BTreeMap<String, String>,
    /// Id of the schema in the frame of each window. While a registry has not said it, nothing is published: windows are in SQL,
    /// and none is lost.
    pub window_schema_id: WriterId,
    /// What alerts need.
    pub alerts: AlertConfig,
    /// Pause between two looks for new files: [`DEFAULT_TICK`] unless configured.
    pub tick: Duration,
    /// Whether a lease that another aggregator may still hold is waited for.
    pub lease_start: LeaseStart,
    /// Whether small files are merged.
    pub compaction: Compaction,
    /// How many days operations are kept; `None` keeps them all.
    pub keep_days: Option<KeepDays>,
    /// Tells the process's health endpoint how the aggregator is.
    pub reporter: Reporter,
}

/// What alerts need beside the rest.
#[derive(Clone)]
pub struct AlertConfig {
    /// Id of the schema in the frame of each alert; while it is not known, none is published.
    pub schema_id: WriterId,
    /// Who is told.
    pub webhooks: Webhooks,
}

/// 200 ms: with the ingestor's batch of the same age, an operation is in its windows well within a second.
pub const DEFAULT_TICK: Duration = Duration::from_millis(200);

/// What to do about a lease that has not expired. Either is safe, since whoever takes the lease fences out everyone before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseStart {
    /// Wait until it expires: the rule among several aggregators, so that they do not push each other out.
    AfterExpiry,
    /// Take it at the first attempt: for a process that is alone with its database, and whose predecessor was killed.
    AtOnce,
}

/// Whether small files of the lake are merged into larger ones. Files that are no longer live are deleted either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compaction {
    /// They are.
    On,
    /// They stay as they are.
    Off,
}
