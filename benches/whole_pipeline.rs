//! Everything at once: the running pipeline takes operations, stores and windows them, and answers.
//!
//! On the laptop's backends it is the one process of `opstream up`, whose memory has a budget; on servers one process per
//! role. The operations are made and recorded by this process, which takes its share of the same cores.

use std::time::Instant;

use opstream_schemas::UtcMicros;

use crate::budgets;
use crate::figures::{Figure, Unit};
use crate::fleet::Fleet;
use crate::freshness;
use crate::harness::backends::{Backends, Combination};
use crate::harness::pipeline::Pipeline;
use crate::processes::RunningProcess;
use crate::producing::{produce, start_producer};
use crate::waiting::{WINDOWED, moment_reached};

/// Name of a role and of the figure for its memory.
type Role = (&'static str, &'static str);
const UP: [Role; 1] = [("up", "peak memory, opstream up")];
const ROLES: [Role; 3] = [
    ("ingestor", "peak memory under full load, ingestor"),
    ("aggregator", "peak memory under full load, aggregator"),
    ("api", "peak memory under full load, api"),
];

/// Measures full load, and freshness at half load.
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
    figures.push(freshness::measure(&pipeline, &backends.topic_prefix, rate / 2.0, operations).await);
    for ((command, what), running) in roles.iter().zip(&running) {
        let figure = Figure::new(what, running.peak_memory(), Unit::Bytes);
        figures.push(if *command == "up" { figure.against(budgets::UP_MEMORY) } else { figure });
    }
    database.close().await;
    pipeline.stop().await;
    figures
}
