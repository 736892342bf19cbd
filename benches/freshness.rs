//! From `record()` until the answer of the api counts the operation, while the pipeline is at half of its load.
//!
//! Each prober has a workspace of its own, records one operation at a time and asks for the workspace's totals until they
//! count it; then it pauses for a random time, so that the ticks of the pipeline are met at any phase.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use opstream_producer::Producer;
use opstream_schemas::{Operation, UtcMicros};
use rand::Rng as _;
use serde_json::Value;

use crate::budgets;
use crate::figures::{Figure, Unit};
use crate::fleet::Fleet;
use crate::harness::pipeline::Pipeline;
use crate::latencies::Latencies;
use crate::producing::{produce_at_rate, start_producer};

/// Probers at the same time.
const PROBERS: u64 = 4;
/// One probe per so many operations of the run, within these bounds.
const OPERATIONS_PER_PROBE: u64 = 2_500;
const PROBES: std::ops::RangeInclusive<u64> = 40..=400;
/// Pause between two questions; each figure may be too long by so much.
const ASK_EVERY: Duration = Duration::from_millis(10);
/// Longest pause of a prober, milliseconds: longer than a batch or a tick.
const LONGEST_PAUSE_MS: u64 = 250;
/// How long the load runs before the first probe.
const WARM_UP: Duration = Duration::from_secs(3);
/// A probe that takes longer was lost.
const PATIENCE: Duration = Duration::from_mins(2);

/// Measures at this load.
pub(crate) async fn measure(pipeline: &Pipeline<'_>, topic_prefix: &str, per_second: f64, operations: u64) -> Figure {
    let probes = (operations / OPERATIONS_PER_PROBE).clamp(*PROBES.start(), *PROBES.end());
    let producer = start_producer(&pipeline.bootstrap(), topic_prefix);
    let url = pipeline.url();
    let mut fleet = Fleet::new(5);
    let probers = (0..PROBERS).map(|number| Prober::new(&producer, &url, number).probe(probes / PROBERS));
    let probing = async {
        tokio::time::sleep(WARM_UP).await;
        join_all(probers).await.concat()
    };
    let durations = tokio::select! {
        durations = probing => durations,
        never = produce_at_rate(&producer, &mut fleet, per_second) => match never {},
    };
    let counters = producer.close(PATIENCE).await;
    assert_eq!(counters.dropped + counters.failed, 0, "the load could not be kept up: {counters:?}");
    let latencies = Latencies::new(durations);
    let (p50, load) = (Unit::Seconds.text(latencies.at(500)), Unit::PerSecond.text(per_second));
    Figure::new("record() until /v1/totals counts it, p99", latencies.at(990), Unit::Seconds)
        .against(budgets::FRESHNESS_P99)
        .noting(format!("p50 {p50}, {} probes at {load}", latencies.len()))
}

struct Prober<'a> {
    producer: &'a Producer,
    client: reqwest::Client,
    workspace: String,
    totals: String,
}

impl<'a> Prober<'a> {
    fn new(producer: &'a Producer, url: &str, number: u64) -> Self {
        let workspace = format!("probe-{number}");
        let totals = format!("{url}/v1/totals?workspace={workspace}");
        Self { producer, client: reqwest::Client::new(), workspace, totals }
    }

    async fn probe(self, probes: u64) -> Vec<Duration> {
        let mut durations = Vec::new();
        for number in 1..=probes {
            let pause = rand::rng().random_range(0..=LONGEST_PAUSE_MS);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let began = Instant::now();
            self.producer.record(self.operation(number));
            while self.counted().await < number {
                assert!(began.elapsed() < PATIENCE, "an operation was not counted within {PATIENCE:?}");
                tokio::time::sleep(ASK_EVERY).await;
            }
            durations.push(began.elapsed());
        }
        durations
    }

    /// Sessions decide the partition, so that the probes go through all of them.
    fn operation(&self, number: u64) -> Operation {
        Operation {
            workspace: self.workspace.clone(),
            session_id: Some(format!("{}-{number}", self.workspace)),
            provider: Some("openai".to_owned()),
            model: Some("gpt-5-mini".to_owned()),
            input_tokens: Some(1_000),
            output_tokens: Some(100),
            latency_us: Some(500_000),
            ..Operation::starting("chat", UtcMicros::now())
        }
    }

    async fn counted(&self) -> u64 {
        let answer = self.client.get(&self.totals).timeout(PATIENCE).send().await.expect("the api answers");
        let answer: Value = answer.json().await.expect("the api answers with JSON");
        answer["operations"].as_u64().expect("totals count operations")
    }
}
