//! The producer against librdkafka's mock cluster, dead addresses and files: what it promises to applications.

mod content;
mod json_lines;
mod kafka;
mod outage;
mod restart;
mod spooling;

use std::net::TcpListener;
use std::time::Duration;

use opstream_schemas::{Operation, OperationId, UtcMillis};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::Producer;
use crate::{Counters, ProducerConfig, Sink};

/// Longest time that a test waits for something that normally takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);
const TOPIC: &str = "llm.operations";

type Cluster = MockCluster<'static, DefaultProducerContext>;

/// A cluster of one broker with the topic of operations.
fn cluster(partitions: i32) -> Cluster {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, partitions, 1).unwrap();
    cluster
}

/// An address at which nobody listens.
fn dead_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// A configuration whose client reconnects quickly.
fn config(bootstrap: &str) -> ProducerConfig {
    let mut config = ProducerConfig::new(bootstrap);
    config.linger = Duration::from_millis(1);
    config.producer_id = Some("test".to_owned());
    config.properties.insert("reconnect.backoff.max.ms".to_owned(), "100".to_owned());
    config
}

fn start(config: ProducerConfig) -> Producer {
    Producer::start(Sink::Kafka(config)).unwrap()
}

fn operation(session_id: &str) -> Operation {
    Operation {
        operation_id: OperationId::generate(UtcMillis::from_millis(1_790_000_000_000)),
        session_id: Some(session_id.to_owned()),
        model: Some("gpt-5-mini".to_owned()),
        input_tokens: Some(1_200),
        ..Operation::default()
    }
}

/// Reads `expected` messages of the topic from its beginning.
fn read_topic(cluster: &Cluster, partitions: i32, expected: usize) -> Vec<OwnedMessage> {
    read_until(cluster, partitions, |messages| messages.len() >= expected)
}

/// Reads messages of the topic from its beginning until there are enough of them.
fn read_until(cluster: &Cluster, partitions: i32, is_enough: impl Fn(&[OwnedMessage]) -> bool) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", cluster.bootstrap_servers())
        .set("group.id", "test")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment.add_partition_offset(TOPIC, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let mut messages = Vec::new();
    while !is_enough(&messages) {
        let message = consumer.poll(PATIENCE);
        messages.push(message.unwrap_or_else(|| panic!("only {} messages", messages.len())).unwrap().detach());
    }
    messages
}

/// Polls until `claim` holds of the counters.
async fn eventually(producer: &Producer, claim: impl Fn(Counters) -> bool) -> Counters {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let counters = producer.counters();
        if claim(counters) {
            return counters;
        }
        assert!(tokio::time::Instant::now() < deadline, "still {counters:?}");
        ticks.tick().await;
    }
}

fn total(counters: Counters) -> u64 {
    counters.sent + counters.dropped + counters.failed + counters.queued + counters.spooled
}

fn key_text(message: &OwnedMessage) -> String {
    String::from_utf8(message.key().unwrap().to_vec()).unwrap()
}
