//! What the handlers share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::extract::FromRef;
use metrics_exporter_prometheus::PrometheusHandle;
use opstream_producer::Producer;
use opstream_registry::Registry;
use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Transaction};
use opstream_schemas::topics::Topics;
use opstream_schemas::validate::DEFAULT_RETENTION_FLOOR;
use opstream_schemas::window::complete_to;
use tokio::sync::{Mutex, Semaphore};

use crate::config::BrokerAddress;
use crate::content_topic::ContentTopic;
use crate::front_door::BodyBudget;
use crate::health::Health;
use crate::live::Hub;
use crate::rate::Meter;
use crate::scan::Scans;
use crate::{ContentCapture, RequestLimits};

/// Handed to every handler.
pub(crate) type Shared = Arc<ApiState>;

/// Connections, limits and settings of the running api.
pub(crate) struct ApiState {
    /// Read by the queries.
    pub(crate) database: Database,
    /// The way into the topic.
    pub(crate) producer: Producer,
    /// The way of content that comes as log records.
    pub(crate) content_topic: ContentTopic,
    /// Names of the topics.
    pub(crate) topics: Topics,
    /// Whether content passes the front door.
    pub(crate) content: ContentCapture,
    /// Sizes and times of requests.
    pub(crate) limits: RequestLimits,
    /// Counts what callers take.
    pub(crate) meter: Arc<Meter>,
    /// Root of the lake.
    pub(crate) lake: Option<PathBuf>,
    /// Starts what reads the lake's files.
    pub(crate) scans: Scans,
    /// What health and metrics are answered from.
    pub(crate) health: HealthState,
    /// Memory for all bodies.
    pub(crate) body_budget: BodyBudget,
    /// Large requests of spans that are converted at a time.
    pub(crate) large_conversions: Arc<Semaphore>,
    /// The broker that operations go to; none if they go to a file.
    pub(crate) broker: Option<BrokerAddress>,
    /// Knows the schemas of other writers.
    pub(crate) schemas: Option<Registry>,
    /// Held by whoever sends dead letters again: one at a time, which bounds their memory.
    pub(crate) redriving: Mutex<()>,
    /// Those who watch operations as they come.
    pub(crate) live: Hub,
    /// Earliest accepted time of an id.
    pub(crate) retention_floor: RetentionFloor,
}

impl ApiState {
    /// The moment before which every operation that the broker acknowledged is in the windows.
    ///
    /// # Errors
    /// What the database answers.
    pub(crate) async fn complete_to(&self) -> Result<Option<UtcMillis>, sqlx::Error> {
        complete_to(&self.database, &self.topics.operations()).await
    }

    /// Begins to read one state of the database for all parts of an answer, for as long as a question may take.
    ///
    /// # Errors
    /// When no connection can be had.
    pub(crate) async fn begin_reading(&self) -> Result<Transaction, sqlx::Error> {
        self.database.begin_snapshot_within(self.limits.reading).await
    }
}

/// What the routes of health and metrics need, in a process with or without the rest of the api.
#[derive(Clone)]
pub(crate) struct HealthState {
    /// Asks everything that the process needs.
    pub(crate) health: Arc<Health>,
    /// Renders `/metrics`.
    pub(crate) metrics: Option<PrometheusHandle>,
}

impl FromRef<Shared> for HealthState {
    fn from_ref(state: &Shared) -> Self {
        state.health.clone()
    }
}

/// The floor that the database names, as last read; the front door works while the database is away.
pub(crate) struct RetentionFloor(AtomicI64);

impl Default for RetentionFloor {
    fn default() -> Self {
        Self(AtomicI64::new(DEFAULT_RETENTION_FLOOR.millis()))
    }
}

impl RetentionFloor {
    /// The floor as last read.
    pub(crate) fn get(&self) -> UtcMillis {
        UtcMillis::from_millis(self.0.load(Ordering::Relaxed))
    }

    /// Reads the floor again.
    ///
    /// # Errors
    /// What the database answers; the floor stays as it was.
    pub(crate) async fn refresh(&self, database: &Database) -> Result<(), sqlx::Error> {
        let row = database.fetch_optional("select value from settings where name = 'retention_floor_ms'", &[]).await?;
        if let Some(row) = row {
            self.0.store(row.int("value")?, Ordering::Relaxed);
        }
        Ok(())
    }
}
