//! Everything at once: the running pipeline takes operations, stores and windows them, and answers.
//!
//! On the laptop's backends it is the one process of `opstream up`, whose memory has a budget; on servers one process per
//! role. The operations are made and recorded by this process, which takes its share of the same cores.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use opstream_schemas::UtcMicros;
use opstream_schemas::database::Database;

use crate::budgets;
use crate::figures::{Figure, Unit};
use crate::fleet::Fleet;
use crate::freshness;
use crate::harness::backends::{Backends, Combination};
use crate::harness::pipeline::Pipeline;
use crate::processes::RunningProcess;
use crate::producing::{produce, start_producer};
use crate::waiting::{WINDOWED, moment_reached};

/// One in so many operations comes through the front door afterwards.
const POSTED_SHARE: u64 = 10;
/// As exporters send them.
const OPERATIONS_PER_POST: u64 = 500;
/// Clients that post at the same time.
const POSTERS: usize = 2;

/// Name of a role and of the figure for its memory.
type Role = (&'static str, &'static str);
const UP: [Role; 1] = [("up", "peak memory, opstream up")];
const ROLES: [Role; 3] = [
    ("ingestor", "peak memory under full load, ingestor"),
    ("aggregator", "peak memory under full load, aggregator"),
    ("api", "peak memory under full load, api"),
];

/// Measures full load, the front door, and freshness at half load.
pub(crate) async fn measure(backends: &Backends, operations: u64) -> Vec<Figure> {
    let mut pipeline = Pipeline::start(backends).await;
    let database = pipeline.database().await;
    let roles: &[Role] = if backends.combination == Combination::EmbeddedSqlite { &UP } else { &ROLES };
    let running: Vec<RunningProcess> = roles.iter().map(|(command, _)| RunningProcess::find(command)).collect();
    let cpu = || running.iter().map(RunningProcess::cpu_seconds).sum::<f64>();

    let cpu_before = cpu();
    let producer = start_producer(&pipeline.bootstrap(), &backends.topic_prefix);
    let mut fleet = Fleet::new(4);
    let began = Instant::now();
    produce(producer, &mut fleet, operations, |_| UtcMicros::now()).await;
    let done = moment_reached(&database, WINDOWED, operations).await;
    let rate = operations as f64 / (done - began).as_secs_f64();
    let per_million = (cpu() - cpu_before) / (operations as f64 / 1e6);
    let mut figures = vec![
        Figure::new("produced, stored and windowed, all at once", rate, Unit::PerSecond),
        Figure::new("CPU per million operations, whole pipeline", per_million, Unit::CpuSeconds),
    ];
    let door = FrontDoor { url: pipeline.url(), database: &database, windowed_before: operations };
    figures.push(door.measure(&mut fleet, operations / POSTED_SHARE).await);
    figures.push(freshness::measure(&pipeline, &backends.topic_prefix, rate / 2.0, operations).await);
    for ((command, what), running) in roles.iter().zip(&running) {
        let figure = Figure::new(what, running.peak_memory(), Unit::Bytes);
        figures.push(if *command == "up" { figure.against(budgets::UP_MEMORY) } else { figure });
    }
    database.close().await;
    pipeline.stop().await;
    figures
}

/// `POST /v1/operations`, from the first request until all can be queried.
struct FrontDoor<'a> {
    url: String,
    database: &'a Database,
    windowed_before: u64,
}

impl FrontDoor<'_> {
    async fn measure(&self, fleet: &mut Fleet, operations: u64) -> Figure {
        let posts = operations.div_ceil(OPERATIONS_PER_POST);
        let bodies: Vec<String> = (0..posts).map(|_| body(fleet)).collect();
        let share = bodies.len().div_ceil(POSTERS);
        let began = Instant::now();
        try_join_all(bodies.chunks(share).map(|bodies| self.post_all(bodies))).await.expect("the front door answers");
        let posted = posts * OPERATIONS_PER_POST;
        let done = moment_reached(self.database, WINDOWED, self.windowed_before + posted).await;
        let rate = posted as f64 / (done - began).as_secs_f64();
        Figure::new("posted over HTTP until it can be queried", rate, Unit::PerSecond)
            .noting(format!("{OPERATIONS_PER_POST} per request"))
    }

    async fn post_all(&self, bodies: &[String]) -> reqwest::Result<()> {
        let client = reqwest::Client::new();
        for body in bodies {
            let post = client.post(format!("{}/v1/operations", self.url)).timeout(Duration::from_mins(1));
            let post = post.header("content-type", "application/x-ndjson").body(body.clone());
            let answer = post.send().await?.error_for_status()?.json::<serde_json::Value>().await?;
            assert_eq!(answer["accepted"].as_u64(), Some(OPERATIONS_PER_POST), "{answer}");
        }
        Ok(())
    }
}

fn body(fleet: &mut Fleet) -> String {
    let line = |_| {
        let operation = fleet.operation(UtcMicros::now());
        serde_json::to_string(&operation).expect("an operation is JSON") + "\n"
    };
    (0..OPERATIONS_PER_POST).map(line).collect()
}
