//! An api for tests: SQLite in a temporary folder, a file in place of the broker, requests without a socket.

pub(crate) mod rows;
pub(crate) mod windows;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use opstream_producer::{Producer, Sink};
use opstream_schemas::database::{Database, DatabaseUrl, Value};
use opstream_schemas::topics::Topics;
use serde_json::Value as Json;
use sqlx::AssertSqlSafe;
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::config::BrokerAddress;
use crate::content_topic::ContentTopic;
use crate::front_door::BodyBudget;
use crate::guard::Guard;
use crate::health::Health;
use crate::live::Hub;
use crate::rate::Meter;
use crate::router::{otlp_router, router};
use crate::scan::Scans;
use crate::state::{ApiState, HealthState, RetentionFloor, Shared};
use crate::{ContentCapture, RateLimits, RequestLimits, ScanLimits, Secret};

/// Bytes as `content-encoding: gzip` has them.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packer, bytes).unwrap();
    packer.finish().unwrap()
}

/// A running api and what stands behind it.
pub(crate) struct Fixture {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) database: Database,
    pub(crate) state: Shared,
    /// Stops what is open.
    pub(crate) shutdown: CancellationToken,
    app: Router,
    otlp: Router,
}

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

/// What a test changes.
pub(crate) struct Setup {
    pub(crate) content: ContentCapture,
    pub(crate) limits: RequestLimits,
    pub(crate) rates: RateLimits,
    pub(crate) token: Option<Secret>,
    pub(crate) has_lake: bool,
    /// In place of the file.
    pub(crate) sink: Option<Sink>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            content: ContentCapture::On,
            limits: RequestLimits::default(),
            rates: RateLimits::default(),
            token: None,
            has_lake: false,
            sink: None,
        }
    }
}

async fn answer_of(app: &Router, request: Request<Body>) -> Answer {
    let answered = tokio::time::timeout(Duration::from_mins(1), app.clone().oneshot(request)).await;
    let response = answered.expect("an answer within a minute").unwrap();
    let (head, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 64 << 20).await.unwrap();
    // Protobuf is no text, and is looked into as if it were.
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Answer { status: head.status, headers: head.headers, text }
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::connect(&DatabaseUrl::Sqlite(folder.path().join("opstream.db"))).await.unwrap();
        opstream_schemas::migrations::migrate(&database).await.unwrap();
        let file = folder.path().join("operations.jsonl");
        let sink = setup.sink.unwrap_or(Sink::JsonLines { file, producer_id: Some("door".to_owned()) });
        let health = Health::new(database.clone(), BrokerAddress::of_sink(&sink).as_ref(), Vec::new()).unwrap();
        let content_topic = ContentTopic::open(&sink).unwrap();
        let shutdown = CancellationToken::new();
        let live = Hub::new(&sink, None, shutdown.clone());
        let state = ApiState {
            database: database.clone(),
            producer: Producer::start(sink.clone()).unwrap(),
            content_topic,
            health: HealthState { health: Arc::new(health), metrics: None },
            topics: Topics::default(),
            content: setup.content,
            limits: setup.limits,
            meter: Arc::new(Meter::standing_still(&setup.rates)),
            scans: Scans::new(ScanLimits::default(), setup.has_lake.then(|| folder.path().join("lake"))).unwrap(),
            lake: setup.has_lake.then(|| folder.path().join("lake")),
            body_budget: BodyBudget::for_bodies_of(setup.limits.body_bytes),
            large_conversions: Arc::new(Semaphore::new(1)),
            broker: BrokerAddress::of_sink(&sink),
            schemas: None,
            redriving: Mutex::default(),
            live,
            retention_floor: RetentionFloor::default(),
        };
        let (state, rules) = (Arc::new(state), Guard::new("127.0.0.1:8080".parse().unwrap(), setup.token));
        let (app, otlp) = (router(state.clone(), rules.clone()), otlp_router(state.clone(), rules));
        Self { folder, database, state, shutdown, app, otlp }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path).header("content-type", content_type).body(body.into()).unwrap();
        self.send(request).await
    }

    /// The answer itself, whose body may not end.
    pub(crate) async fn open(&self, path: &str) -> axum::response::Response {
        self.answer(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn answer(&self, request: Request<Body>) -> axum::response::Response {
        self.app.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        answer_of(&self.app, request).await
    }

    /// The same at a port for exporters.
    pub(crate) async fn send_to_otlp_port(&self, request: Request<Body>) -> Answer {
        answer_of(&self.otlp, request).await
    }

    /// Runs a statement.
    pub(crate) async fn execute(&self, sql: &str, values: &[Value]) {
        let mut tx = self.database.begin().await.unwrap();
        tx.execute(AssertSqlSafe(sql.to_owned()), values).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// What the front door wrote, in order.
    pub(crate) fn recorded(&self) -> Vec<Json> {
        let text = std::fs::read_to_string(self.folder.path().join("operations.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
