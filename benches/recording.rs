//! What `record()` costs the calling thread, with a broker that answers, with none, and with none and a spool.
//!
//! Each call is timed on its own, so every figure contains one reading of the clock. With a broker, the calls follow each
//! other as fast as it takes the operations: the sending thread and the broker compete for the same cores. With a spool
//! they follow as fast as the disk takes them.

use std::thread;
use std::time::{Duration, Instant};

use opstream_producer::{Counters, Producer, ProducerConfig, Sink, Spool};
use opstream_schemas::{Operation, UtcMicros};
use rdkafka::mocking::MockCluster;

use crate::budgets;
use crate::figures::{Figure, Unit};
use crate::fleet::Fleet;
use crate::latencies::Latencies;

const TOPIC: &str = "llm.operations";
/// Operations made at a time, so that making them is not measured.
const BATCH: usize = 1_000;
/// Where the pacing holds the queue, so that the measured calls are taken and not dropped.
const QUEUED_AT_MOST: u64 = 50_000;
/// More calls than this change no quantile.
const MOST_CALLS: usize = 1_000_000;

/// Measures all three.
pub(crate) async fn measure(operations: u64) -> Vec<Figure> {
    let calls = usize::try_from(operations).map_or(MOST_CALLS, |operations| operations.min(MOST_CALLS));
    let nowhere = Producer::start(Sink::Kafka(ProducerConfig::new("127.0.0.1:1"))).expect("the settings are valid");
    let down = time_calls(&nowhere, calls, || ());
    nowhere.close(Duration::ZERO).await;

    let (spooling, spooled) = while_spooling(calls).await;
    let cluster = MockCluster::new(1).expect("librdkafka has a mock cluster");
    cluster.create_topic(TOPIC, 4, 1).expect("an empty cluster takes a topic");
    let config = ProducerConfig::new(&cluster.bootstrap_servers());
    let producer = Producer::start(Sink::Kafka(config)).expect("the settings are valid");
    let pace = || hold_queue(&producer);
    let up = time_calls(&producer, calls, pace);
    let counters = producer.close(Duration::from_mins(1)).await;
    assert_eq!(counters.dropped, 0, "calls that were refused were measured: {counters:?}");
    let tail = |latencies: &Latencies| format!("p99.9 {}", Unit::Seconds.text(latencies.at(999)));
    vec![
        Figure::new("record(), p50, broker up", up.at(500), Unit::Seconds).against(budgets::RECORD_P50),
        Figure::new("record(), p99, broker up", up.at(990), Unit::Seconds)
            .against(budgets::RECORD_P99)
            .noting(tail(&up)),
        Figure::new("record(), p50, broker down", down.at(500), Unit::Seconds).against(budgets::RECORD_P50),
        Figure::new("record(), p99, broker down", down.at(990), Unit::Seconds)
            .against(budgets::RECORD_P99)
            .noting(tail(&down)),
        Figure::new("record(), p50, spooling", spooling.at(500), Unit::Seconds).against(budgets::RECORD_P50),
        Figure::new("record(), p99, spooling", spooling.at(990), Unit::Seconds)
            .against(budgets::RECORD_P99)
            .noting(format!("{}, {} operations on disk", tail(&spooling), spooled.spooled)),
    ]
}

/// Calls while the broker is away and everything goes to disk.
async fn while_spooling(calls: usize) -> (Latencies, Counters) {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let spool = Spool::new(folder.path());
    let config = ProducerConfig { spool: Some(spool), ..ProducerConfig::new("127.0.0.1:1") };
    let producer = Producer::start(Sink::Kafka(config)).expect("the settings are valid");
    let mut fleet = Fleet::new(2);
    while producer.counters().spooled == 0 {
        hold_queue(&producer);
        producer.record(fleet.operation(UtcMicros::now()));
    }
    let latencies = time_calls(&producer, calls, || hold_queue(&producer));
    let counters = producer.close(Duration::from_mins(1)).await;
    assert_eq!(counters.dropped, 0, "calls that were refused were measured: {counters:?}");
    (latencies, counters)
}

fn hold_queue(producer: &Producer) {
    while producer.counters().queued > QUEUED_AT_MOST {
        thread::yield_now();
    }
}

fn time_calls(producer: &Producer, calls: usize, mut pace: impl FnMut()) -> Latencies {
    let mut fleet = Fleet::new(1);
    let mut durations = Vec::with_capacity(calls);
    while durations.len() < calls {
        let now = UtcMicros::now();
        let batch: Vec<Operation> = (0..BATCH.min(calls - durations.len())).map(|_| fleet.operation(now)).collect();
        for operation in batch {
            pace();
            let began = Instant::now();
            producer.record(operation);
            durations.push(began.elapsed());
        }
    }
    Latencies::new(durations)
}
