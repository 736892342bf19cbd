//! What a running api needs to know. Plain values: flags and environment are read by the `opstream` command.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use opstream_producer::Sink;
use opstream_registry::Registry;
use opstream_schemas::condition::Condition;
use opstream_schemas::database::Database;
use opstream_schemas::topics::Topics;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::{RateLimits, ScanLimits, Secret};

/// Settings of one api process.
#[derive(Clone)]
pub struct ApiConfig {
    /// The database whose tables are read; its tables must exist.
    pub database: Database,
    /// Where posted operations go: the broker, which `/health/ready` then asks too, or a file for local work.
    pub sink: Sink,
    /// Knows the schemas of other teams' records, for whoever looks at records of the topic; none where ids are built in.
    pub schemas: Option<Registry>,
    /// Names of the topics: subjects of the registry, checkpoint of the progress.
    pub topics: Topics,
    /// Token that requests must carry; without one, everybody who reaches the address may read and write.
    pub token: Option<Secret>,
    /// Whether prompts, messages and tool definitions are passed on.
    pub content: ContentCapture,
    /// Sizes and times of requests.
    pub limits: RequestLimits,
    /// How much one caller may send.
    pub rates: RateLimits,
    /// Root of the lake, for content that is not in SQL; without it such content is not shown.
    pub lake: Option<PathBuf>,
    /// How much questions to the lake's files may take.
    pub scans: ScanLimits,
    /// Renders `/metrics`; without one the route answers 404.
    pub metrics: Option<PrometheusHandle>,
    /// Other roles that run in this process: health answers for them too.
    pub roles: Vec<RoleWatch>,
}

/// Addresses that an api answers at, bound already.
#[derive(Debug)]
pub struct Listeners {
    /// Every route.
    pub api: TcpListener,
    /// What exporters of OpenTelemetry need, and health: the addresses that they try by themselves.
    pub otlp: Vec<TcpListener>,
}

/// Settings of the health port of a process that has no other door.
#[derive(Clone)]
pub struct HealthConfig {
    /// The database that the role works with.
    pub database: Database,
    /// The broker that it works with.
    pub broker: BrokerAddress,
    /// The roles of the process.
    pub roles: Vec<RoleWatch>,
    /// Token that `/metrics` asks for; health is answered to everybody.
    pub token: Option<Secret>,
    /// Renders `/metrics`.
    pub metrics: PrometheusHandle,
}

/// How to reach a broker, and the topics that are looked for there.
#[derive(Clone)]
pub struct BrokerAddress {
    /// Bootstrap servers, `host:port` separated by commas.
    pub bootstrap: String,
    /// Further librdkafka settings, such as SASL.
    pub properties: BTreeMap<String, String>,
    /// Names of the topics.
    pub topics: Topics,
}

/// A role of this process, watched from beside it.
#[derive(Clone, Debug)]
pub struct RoleWatch {
    /// Its name, such as `ingestor`.
    pub name: &'static str,
    /// How it is.
    pub condition: watch::Receiver<Condition>,
}

impl BrokerAddress {
    /// The broker that operations go to; none if they go to a file.
    pub(crate) fn of_sink(sink: &Sink) -> Option<Self> {
        match sink {
            Sink::Kafka(config) => Some(Self {
                bootstrap: config.bootstrap.clone(),
                properties: config.properties.clone(),
                topics: config.topics.clone(),
            }),
            Sink::JsonLines { .. } => None,
        }
    }
}

/// Whether the content of operations passes the front door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentCapture {
    /// Content is passed on as it came.
    On,
    /// `system_prompt`, `input_messages`, `output_messages` and `tool_definitions` are dropped at the door.
    Off,
}

/// Limits of requests. Each bounds memory or time that a single client can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Most bytes of a request's body. 32 MiB by default: a day of a small team in one import request.
    pub body_bytes: usize,
    /// Most bytes of one operation's JSON. 8 MiB by default, below the 10 MB that a record of the topic may have.
    pub item_bytes: usize,
    /// How long a request may take from its head to the answer. A minute by default: above the half that the producer
    /// waits for an acknowledgement, so that the answer can still say which operations were accepted before.
    pub timeout: Duration,
    /// How long the database may work on one answer. 10 s by default: whoever asks for more than it can add up in that time
    /// must not keep a connection from the others.
    pub reading: Duration,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            body_bytes: 32 << 20,
            item_bytes: 8 << 20,
            timeout: Duration::from_mins(1),
            reading: Duration::from_secs(10),
        }
    }
}
