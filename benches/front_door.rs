//! The front door: how many operations it accepts in each of the ways that applications have, with the pipeline running behind it.
//!
//! Accepted means that the broker has it. The bodies are made before the clock starts; the clients run in this process, on the
//! same cores as everything else.

mod spans;

use std::io::Write as _;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::future::try_join_all;
use opstream_schemas::UtcMicros;
use opstream_schemas::database::Database;
use prost::Message as _;
use serde_json::Value;

use self::spans::Request;
use crate::budgets;
use crate::figures::{Figure, Unit};
use crate::fleet::Fleet;
use crate::harness::backends::{Backends, Combination};
use crate::harness::pipeline::Pipeline;
use crate::latencies::Latencies;
use crate::processes::RunningProcess;
use crate::waiting::{WINDOWED, moment_reached};

/// The default batch of OpenTelemetry's exporters.
const OPERATIONS_PER_POST: u64 = 512;
/// Clients that post at the same time, each the next body when it has its answer.
const POSTERS: usize = 4;

/// One way in, and the names of its figures.
struct Way {
    path: &'static str,
    content_type: &'static str,
    is_packed: bool,
    body: fn(&mut Fleet) -> Vec<u8>,
    accepted: &'static str,
    answered: &'static str,
    cpu: &'static str,
    queried: &'static str,
}

const WAYS: [Way; 4] = [
    Way {
        path: "/v1/traces",
        content_type: "application/x-protobuf",
        is_packed: false,
        body: |fleet| spans(fleet).encode_to_vec(),
        accepted: "accepted over OTLP/HTTP, protobuf",
        answered: "answer over OTLP/HTTP, protobuf, p99",
        cpu: "CPU per million operations, OTLP/HTTP, protobuf",
        queried: "OTLP/HTTP, protobuf, until all can be queried",
    },
    Way {
        path: "/v1/traces",
        content_type: "application/x-protobuf",
        is_packed: true,
        body: |fleet| spans(fleet).encode_to_vec(),
        accepted: "accepted over OTLP/HTTP, protobuf, gzip",
        answered: "answer over OTLP/HTTP, protobuf, gzip, p99",
        cpu: "CPU per million operations, OTLP/HTTP, protobuf, gzip",
        queried: "OTLP/HTTP, protobuf, gzip, until all can be queried",
    },
    Way {
        path: "/v1/traces",
        content_type: "application/json",
        is_packed: false,
        body: |fleet| spans(fleet).to_json().to_string().into_bytes(),
        accepted: "accepted over OTLP/HTTP, JSON",
        answered: "answer over OTLP/HTTP, JSON, p99",
        cpu: "CPU per million operations, OTLP/HTTP, JSON",
        queried: "OTLP/HTTP, JSON, until all can be queried",
    },
    Way {
        path: "/v1/operations",
        content_type: "application/x-ndjson",
        is_packed: false,
        body: lines,
        accepted: "accepted as JSON lines",
        answered: "answer to JSON lines, p99",
        cpu: "CPU per million operations, JSON lines",
        queried: "JSON lines until all can be queried",
    },
];

/// Measures each way, one after the other.
pub(crate) async fn measure(backends: &Backends, operations: u64) -> Vec<Figure> {
    let mut pipeline = Pipeline::start(backends).await;
    let database = pipeline.database().await;
    let roles: &[&str] = match backends.combination {
        Combination::EmbeddedSqlite => &["up"],
        Combination::KafkaPostgres => &["ingestor", "aggregator", "api"],
    };
    let running = roles.iter().map(|role| RunningProcess::find(role)).collect();
    let mut door = FrontDoor { url: pipeline.url(), database, running, fleet: Fleet::new(5), accepted: 0 };
    let mut figures = Vec::new();
    for way in &WAYS {
        figures.extend(door.measure(way, operations / WAYS.len() as u64).await);
    }
    door.database.close().await;
    pipeline.stop().await;
    figures
}

struct FrontDoor {
    url: String,
    database: Database,
    running: Vec<RunningProcess>,
    fleet: Fleet,
    /// Of all ways so far.
    accepted: u64,
}

impl FrontDoor {
    async fn measure(&mut self, way: &Way, operations: u64) -> [Figure; 4] {
        let posts = operations.div_ceil(OPERATIONS_PER_POST);
        let bodies: Vec<Vec<u8>> = (0..posts).map(|_| (way.body)(&mut self.fleet)).collect();
        let bodies = if way.is_packed { bodies.iter().map(|body| pack(body)).collect() } else { bodies };
        let posted = posts * OPERATIONS_PER_POST;
        self.accepted += posted;

        let cpu_before = self.cpu_seconds();
        let began = Instant::now();
        let share = bodies.len().div_ceil(POSTERS);
        let answers = try_join_all(bodies.chunks(share).map(|bodies| self.post_all(way, bodies)));
        let latencies = answers.await.expect("the front door answers").concat();
        let accepted_after = began.elapsed();
        let queried_after = moment_reached(&self.database, WINDOWED, self.accepted).await - began;
        let per_million = (self.cpu_seconds() - cpu_before) / (posted as f64 / 1e6);

        let latencies = Latencies::new(latencies);
        let (p50, p99) = (latencies.at(500), latencies.at(990));
        let accepted = Figure::new(way.accepted, posted as f64 / accepted_after.as_secs_f64(), Unit::PerSecond);
        let answered = Figure::new(way.answered, p99, Unit::Seconds);
        [
            accepted.against(budgets::ACCEPTED).noting(format!("{OPERATIONS_PER_POST} per request, {POSTERS} clients")),
            answered.noting(format!("p50 {}", Unit::Seconds.text(p50))),
            Figure::new(way.cpu, per_million, Unit::CpuSeconds).noting("all roles".to_owned()),
            Figure::new(way.queried, posted as f64 / queried_after.as_secs_f64(), Unit::PerSecond),
        ]
    }

    /// Posts one body after the other; how long each answer took.
    async fn post_all(&self, way: &Way, bodies: &[Vec<u8>]) -> reqwest::Result<Vec<Duration>> {
        let client = reqwest::Client::new();
        let mut latencies = Vec::with_capacity(bodies.len());
        for body in bodies {
            let post = client.post(format!("{}{}", self.url, way.path)).timeout(Duration::from_mins(1));
            let mut post = post.header("content-type", way.content_type).body(body.clone());
            if way.is_packed {
                post = post.header("content-encoding", "gzip");
            }
            let began = Instant::now();
            let answer = post.send().await?.error_for_status()?.bytes().await?;
            latencies.push(began.elapsed());
            assert_all_accepted(way, &answer);
        }
        Ok(latencies)
    }

    fn cpu_seconds(&self) -> f64 {
        self.running.iter().map(RunningProcess::cpu_seconds).sum()
    }
}

/// An OTLP answer is empty when nothing was refused.
fn assert_all_accepted(way: &Way, answer: &[u8]) {
    let text = String::from_utf8_lossy(answer);
    let is_whole = match way.content_type {
        "application/x-protobuf" => answer.is_empty(),
        "application/json" => text == "{}",
        _ => {
            let answer: Value = serde_json::from_slice(answer).expect("the answer is JSON");
            answer["accepted"].as_u64() == Some(OPERATIONS_PER_POST)
        }
    };
    assert!(is_whole, "{}: {text}", way.accepted);
}

fn spans(fleet: &mut Fleet) -> Request {
    Request::of((0..OPERATIONS_PER_POST).map(|_| fleet.operation(UtcMicros::now())))
}

fn lines(fleet: &mut Fleet) -> Vec<u8> {
    let line = |_| {
        let operation = fleet.operation(UtcMicros::now());
        serde_json::to_string(&operation).expect("an operation is JSON") + "\n"
    };
    (0..OPERATIONS_PER_POST).map(line).collect::<String>().into_bytes()
}

fn pack(body: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(body).expect("writing into memory does not fail");
    packed.finish().expect("writing into memory does not fail")
}
