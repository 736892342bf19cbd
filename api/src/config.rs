//! What a running api needs to know. Plain values: flags and environment are read by the `opstream` command.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use opstream_producer::Sink;
use opstream_schemas::database::Database;
use opstream_schemas::topics::Topics;

use crate::Secret;

/// Settings of one api process.
#[derive(Clone)]
pub struct ApiConfig {
    /// Where to listen. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The database whose tables are read; its tables must exist.
    pub database: Database,
    /// Where posted operations go: the broker, which `/health/ready` then asks too, or a file for local work.
    pub sink: Sink,
    /// Names of the topics: subjects of the registry, checkpoint of the progress.
    pub topics: Topics,
    /// Token that requests must carry; without one, everybody who reaches the address may read and write.
    pub token: Option<Secret>,
    /// Whether prompts, messages and tool definitions are passed on.
    pub content: ContentCapture,
    /// Sizes and times of requests.
    pub limits: RequestLimits,
    /// Root of the lake, for content that is not in SQL; without it such content is not shown.
    pub lake: Option<PathBuf>,
    /// Renders `/metrics`; without one the route answers 404.
    pub metrics: Option<PrometheusHandle>,
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
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { body_bytes: 32 << 20, item_bytes: 8 << 20, timeout: Duration::from_mins(1) }
    }
}
