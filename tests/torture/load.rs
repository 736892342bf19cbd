//! Hands operations over without pause, through the producer library and through the front door, and writes down every
//! acknowledgement. What has none is sent again under the same id until it has, as a careful client does; now and then something
//! that was acknowledged is sent again all the same. So duplicates are part of the load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use opstream_producer::{Producer, ProducerConfig, Sink};
use opstream_schemas::topics::Topics;
use opstream_schemas::{Operation, UtcMillis};
use tokio::task::JoinSet;

use super::ledger::{Ledger, Place};
use super::operations::{is_poison, number_of, operation};
use crate::harness::pipeline::Pipeline;

/// Tasks that send through a producer of their own.
const LANES: usize = 3;
/// Operations of a lane that are on their way together.
const PORTION: u64 = 1_000;
/// Operations of one request to the front door.
const POSTED: u64 = 200;
/// One in so many portions is sent again.
const PORTIONS_PER_REPEAT: u64 = 20;
const PAUSE: Duration = Duration::from_millis(20);

/// How much is handed over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// Most operations.
    pub(crate) operations: u64,
    /// Acknowledged records that may wait to be windowed; above it the load holds on, so that a slow machine recovers in the end.
    pub(crate) behind: u64,
}

/// The load of one run.
pub(crate) struct Load {
    pub(crate) ledger: Arc<Ledger>,
    shared: Arc<Shared>,
    senders: JoinSet<()>,
}

/// What the senders and those who watch share.
pub(crate) struct Shared {
    stopping: AtomicBool,
    /// Records that the windows have, as somebody has seen.
    windowed: AtomicU64,
    extent: Extent,
}

impl Load {
    /// Starts to send to this pipeline.
    pub(crate) fn start(pipeline: &Pipeline<'_>, ledger: Arc<Ledger>, extent: Extent) -> Self {
        let shared = Arc::new(Shared { stopping: AtomicBool::new(false), windowed: AtomicU64::new(0), extent });
        let mut senders = JoinSet::new();
        for _ in 0..LANES {
            let producer = start_producer(pipeline);
            senders.spawn(record(producer, ledger.clone(), shared.clone()));
        }
        senders.spawn(post(format!("{}/v1/operations", pipeline.url()), ledger.clone(), shared.clone()));
        Self { ledger, shared, senders }
    }

    /// For whoever sees how far the windows are.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Waits until every operation of the run has its acknowledgement.
    pub(crate) async fn finish(mut self) -> Arc<Ledger> {
        while let Some(ended) = self.senders.join_next().await {
            ended.expect("a sender does not panic");
        }
        self.ledger
    }

    /// Hands nothing over any more and waits until everything that was has its acknowledgement: the pipeline must run.
    pub(crate) async fn stop(self) -> Arc<Ledger> {
        self.shared.stopping.store(true, Ordering::Release);
        self.finish().await
    }
}

impl Shared {
    /// So many records are in windows.
    pub(crate) fn note_windowed(&self, records: u64) {
        self.windowed.store(records, Ordering::Release);
    }

    /// The next numbers; none when the load is over.
    async fn next(&self, ledger: &Ledger, count: u64) -> Option<std::ops::Range<u64>> {
        loop {
            if self.stopping.load(Ordering::Acquire) {
                return None;
            }
            let behind = ledger.acknowledged().records.saturating_sub(self.windowed.load(Ordering::Acquire));
            if behind < self.extent.behind {
                return ledger.hand_over(count, self.extent.operations);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn start_producer(pipeline: &Pipeline<'_>) -> Producer {
    let topics = Topics::new(pipeline.topic_prefix()).expect("the harness makes valid prefixes");
    let mut config = ProducerConfig { topics, ..ProducerConfig::new(&pipeline.bootstrap()) };
    // A broker that is back is noticed soon: recovery is measured.
    for (name, value) in [("reconnect.backoff.ms", "50"), ("reconnect.backoff.max.ms", "500")] {
        config.properties.insert(name.to_owned(), value.to_owned());
    }
    Producer::start(Sink::Kafka(config)).expect("the settings are valid")
}

async fn record(producer: Producer, ledger: Arc<Ledger>, shared: Arc<Shared>) {
    while let Some(numbers) = shared.next(&ledger, PORTION).await {
        let is_repeated = (numbers.start / PORTION).is_multiple_of(PORTIONS_PER_REPEAT);
        let now = UtcMillis::now();
        let portion: Vec<Operation> = numbers.map(|number| operation(number, now)).collect();
        let again = is_repeated.then(|| portion.clone());
        record_until_acknowledged(&producer, &ledger, portion).await;
        if let Some(again) = again {
            record_until_acknowledged(&producer, &ledger, again).await;
        }
    }
    producer.close(Duration::from_secs(5)).await;
}

async fn record_until_acknowledged(producer: &Producer, ledger: &Ledger, mut portion: Vec<Operation>) {
    loop {
        let answers = producer.record_all_acked(portion.clone()).await;
        let mut acknowledged: Vec<(u64, Option<Place>)> = Vec::with_capacity(portion.len());
        let mut refused = Vec::new();
        for (operation, answer) in portion.into_iter().zip(answers) {
            match answer {
                Ok(answer) => {
                    let place = answer.offset.map(|offset| (answer.partition.0, offset.0 + 1));
                    acknowledged.push((number(&operation), place));
                }
                Err(_) => refused.push(operation),
            }
        }
        ledger.acknowledge(&acknowledged);
        if refused.is_empty() {
            return;
        }
        portion = refused;
        tokio::time::sleep(PAUSE).await;
    }
}

/// The front door refuses what can never be stored, which is another story's subject: poison goes past it.
async fn post(url: String, ledger: Arc<Ledger>, shared: Arc<Shared>) {
    let client = reqwest::Client::new();
    while let Some(numbers) = shared.next(&ledger, POSTED).await {
        let now = UtcMillis::now();
        let portion: Vec<Operation> =
            numbers.filter(|number| !is_poison(*number)).map(|number| operation(number, now)).collect();
        let lines: String = portion
            .iter()
            .map(|operation| serde_json::to_string(operation).expect("an operation is JSON") + "\n")
            .collect();
        while !is_accepted(&client, &url, &lines, portion.len()).await {
            tokio::time::sleep(PAUSE).await;
        }
        let acknowledged: Vec<(u64, Option<Place>)> =
            portion.iter().map(|operation| (number(operation), None)).collect();
        ledger.acknowledge(&acknowledged);
    }
}

async fn is_accepted(client: &reqwest::Client, url: &str, lines: &str, count: usize) -> bool {
    let request = client.post(url).header("content-type", "application/x-ndjson").timeout(Duration::from_mins(1));
    let Ok(answer) = request.body(lines.to_owned()).send().await else { return false };
    if !answer.status().is_success() {
        return false;
    }
    let Ok(answer) = answer.json::<serde_json::Value>().await else { return false };
    answer["accepted"].as_u64() == u64::try_from(count).ok()
}

fn number(operation: &Operation) -> u64 {
    number_of(operation.operation_id.bytes()).expect("the load makes its own ids")
}
