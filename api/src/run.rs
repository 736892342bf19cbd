//! Starts the api and stops it: take no more requests → answer those under way → let the producer send what it holds.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use futures_util::future::join_all;
use metrics_exporter_prometheus::PrometheusHandle;
use opstream_producer::Producer;
use opstream_schemas::database::Database;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::Secret;
use crate::config::{ApiConfig, BrokerAddress, HealthConfig, Listeners, RoleWatch};
use crate::connections::{Bounds, serve_connections};
use crate::content_topic::ContentTopic;
use crate::front_door::BodyBudget;
use crate::guard::Guard;
use crate::health::Health;
use crate::live::Hub;
use crate::rate::Meter;
use crate::router::{health_router, otlp_router, router};
use crate::scan::Scans;
use crate::state::{ApiState, HealthState, RetentionFloor, Shared};

/// How long the producer may take to send what it still holds. Nobody waits for it any more: every accepted operation
/// is acknowledged before its request is answered.
const PRODUCER_GRACE: Duration = Duration::from_secs(2);
/// How often the retention floor is read and the histograms are drained.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(5);

/// Serves at these addresses until `shutdown`.
///
/// # Errors
/// When the producer's settings are wrong.
pub async fn run(listeners: Listeners, config: ApiConfig, shutdown: CancellationToken) -> anyhow::Result<()> {
    let token = config.token.clone();
    let state = build_state(config, &shutdown)?;
    crate::metrics::describe();

    let mut tasks = JoinSet::new();
    tasks.spawn(keep_house(state.clone()));
    let doors = doors(listeners, &state, token.as_ref())?;
    let bounds = Bounds::shared_by(doors.len());
    join_all(doors.into_iter().map(|(listener, app)| serve_connections(listener, app, bounds, &shutdown))).await;
    tasks.shutdown().await;
    state.producer.close(PRODUCER_GRACE).await;
    Ok(())
}

/// What is answered at each address.
fn doors(listeners: Listeners, state: &Shared, token: Option<&Secret>) -> anyhow::Result<Vec<(TcpListener, Router)>> {
    let rules = |listener: &TcpListener, what: &'static str| {
        let address = listener.local_addr().context("cannot read the listener's own address")?;
        tracing::info!(%address, "{what}");
        anyhow::Ok(Guard::new(address, token.cloned()))
    };
    let app = router(state.clone(), rules(&listeners.api, "the api listens")?);
    let mut doors = vec![(listeners.api, app)];
    for listener in listeners.otlp {
        let app = otlp_router(state.clone(), rules(&listener, "exporters of OpenTelemetry are listened to")?);
        doors.push((listener, app));
    }
    Ok(doors)
}

/// Serves health and metrics of a process that has no other door, at a listener that is bound already, until `shutdown`.
///
/// # Errors
/// When the broker's settings are wrong.
pub async fn serve_health(
    listener: TcpListener,
    config: HealthConfig,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let address = listener.local_addr().context("cannot read the listener's own address")?;
    let health = health_of(config.database, Some(&config.broker), config.roles)?;
    let app =
        health_router(HealthState { health, metrics: Some(config.metrics.clone()) }, Guard::new(address, config.token));
    let mut tasks = JoinSet::new();
    tasks.spawn(drain_histograms(config.metrics));
    tracing::info!(%address, "the health port listens");
    serve_connections(listener, app, Bounds::shared_by(1), &shutdown).await;
    tasks.shutdown().await;
    Ok(())
}

fn health_of(database: Database, broker: Option<&BrokerAddress>, roles: Vec<RoleWatch>) -> anyhow::Result<Arc<Health>> {
    Ok(Arc::new(Health::new(database, broker, roles).context("cannot prepare the question to the broker")?))
}

async fn drain_histograms(metrics: PrometheusHandle) {
    let mut ticks = interval(HOUSEKEEPING_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}

fn build_state(config: ApiConfig, shutdown: &CancellationToken) -> anyhow::Result<Shared> {
    let broker = BrokerAddress::of_sink(&config.sink);
    let health = health_of(config.database.clone(), broker.as_ref(), config.roles)?;
    let content_topic = ContentTopic::open(&config.sink).context("cannot prepare the topic of contents")?;
    let live = Hub::new(&config.sink, config.schemas.clone(), shutdown.clone());
    let producer = Producer::start(config.sink).context("cannot start the producer of the front door")?;
    Ok(Arc::new(ApiState {
        database: config.database,
        producer,
        content_topic,
        topics: config.topics,
        content: config.content,
        limits: config.limits,
        meter: Arc::new(Meter::new(&config.rates)),
        scans: Scans::new(config.scans, config.lake.clone()).context("cannot find the program of this process")?,
        lake: config.lake,
        health: HealthState { health, metrics: config.metrics },
        body_budget: BodyBudget::for_bodies_of(config.limits.body_bytes),
        large_conversions: Arc::new(Semaphore::new(1)),
        broker,
        schemas: config.schemas,
        redriving: Mutex::default(),
        live,
        retention_floor: RetentionFloor::default(),
    }))
}

async fn keep_house(state: Shared) {
    let mut ticks = interval(HOUSEKEEPING_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = state.retention_floor.refresh(&state.database).await {
            tracing::warn!(%error, "the retention floor could not be read; the last one stays in force");
        }
        if let Some(metrics) = &state.health.metrics {
            metrics.run_upkeep();
        }
    }
}
