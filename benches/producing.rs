//! Hands operations to a pipeline through the producer library, as fast as it takes them or at a rate.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use opstream_producer::{Producer, ProducerConfig, Sink};
use opstream_schemas::UtcMicros;
use opstream_schemas::topics::Topics;

use crate::fleet::Fleet;

/// Where the pacing holds the producer's queue, half of its default bound: full enough never to starve the sending
/// thread, and nothing is dropped.
const QUEUED_AT_MOST: u64 = 50_000;
/// Operations between two looks at the queue.
const CHUNK: u64 = 1_000;
/// Pause while the queue is full, and between two portions of a rate.
const PAUSE: Duration = Duration::from_millis(5);
/// How long the last acknowledgements may take.
const CLOSE_WITHIN: Duration = Duration::from_mins(2);

/// A producer for the pipeline with this broker and topic prefix.
pub(crate) fn start_producer(bootstrap: &str, topic_prefix: &str) -> Producer {
    let topics = Topics::new(topic_prefix).expect("the harness makes valid prefixes");
    let config = ProducerConfig { topics, ..ProducerConfig::new(bootstrap) };
    Producer::start(Sink::Kafka(config)).expect("the defaults are valid")
}

/// Records so many operations and waits until the broker has acknowledged all. Returns how long it took, seconds.
///
/// `starts` says when each of them began.
///
/// # Panics
/// When one was lost.
pub(crate) async fn produce(
    producer: Producer,
    fleet: &mut Fleet,
    operations: u64,
    starts: impl Fn(u64) -> UtcMicros,
) -> f64 {
    let began = Instant::now();
    for number in 0..operations {
        if number % CHUNK == 0 {
            while producer.counters().queued > QUEUED_AT_MOST {
                tokio::time::sleep(PAUSE).await;
            }
        }
        producer.record(fleet.operation(starts(number)));
    }
    let counters = producer.close(CLOSE_WITHIN).await;
    assert_eq!(counters.sent, operations, "the broker has not acknowledged every operation: {counters:?}");
    began.elapsed().as_secs_f64()
}

/// Records operations at a steady rate, in portions of some milliseconds, until the future is dropped.
pub(crate) async fn produce_at_rate(producer: &Producer, fleet: &mut Fleet, per_second: f64) -> Infallible {
    let began = Instant::now();
    let mut recorded = 0_u64;
    loop {
        while recorded as f64 <= began.elapsed().as_secs_f64() * per_second {
            producer.record(fleet.operation(UtcMicros::now()));
            recorded += 1;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
