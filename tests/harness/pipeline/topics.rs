//! The topics of a pipeline as any consumer has them: where their logs end, and what is in them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::metadata::MetadataPartition;
use rdkafka::types::RDKafkaErrorCode::UnknownTopicOrPartition;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::Pipeline;
use crate::harness::eventually::eventually;

/// How long the broker may take to say where logs end. A partition of a topic that was just created may have no leader yet.
const ENDS_WITHIN: Duration = Duration::from_mins(1);
/// How long the broker may take to hand out a topic.
const READ_WITHIN: Duration = Duration::from_mins(3);
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

impl Pipeline<'_> {
    /// Partitions of a topic and the ends of their logs, as the broker says now.
    pub(crate) async fn log_ends(&self, name: &str) -> Vec<(i32, i64)> {
        eventually(ENDS_WITHIN, async || {
            let (bootstrap, topic) = (self.bootstrap(), self.topic(name));
            let asking = tokio::task::spawn_blocking(move || log_ends(&bootstrap, &topic));
            asking.await.expect("asking the broker does not panic")
        })
        .await
    }

    /// Reads a topic from its beginning to where it ends now; partition by partition, the order is that of the log.
    pub(crate) async fn read_topic<T: Send + 'static>(
        &self,
        name: &str,
        read: impl Fn(&BorrowedMessage<'_>) -> T + Send + 'static,
    ) -> Vec<T> {
        let (bootstrap, topic) = (self.bootstrap(), self.topic(name));
        let reading = tokio::task::spawn_blocking(move || read_topic(&bootstrap, &topic, &read));
        reading.await.expect("the topic can be read")
    }
}

fn log_ends(bootstrap: &str, topic: &str) -> Result<Vec<(i32, i64)>, KafkaError> {
    let consumer = consumer(bootstrap);
    let end = |partition| Ok((partition, consumer.fetch_watermarks(topic, partition, ANSWER_LIMIT)?.1));
    partitions(&consumer, topic)?.into_iter().map(end).collect()
}

fn read_topic<T>(bootstrap: &str, topic: &str, read: &dyn Fn(&BorrowedMessage<'_>) -> T) -> Vec<T> {
    let consumer = consumer(bootstrap);
    let partitions = partitions(&consumer, topic).expect("the broker answers");
    let mut places = TopicPartitionList::new();
    for partition in &partitions {
        places.add_partition_offset(topic, *partition, Offset::Beginning).expect("the beginning is a place");
    }
    consumer.assign(&places).expect("partitions can be read without a group");
    let deadline = Instant::now() + READ_WITHIN;
    let (mut records, mut ended) = (Vec::new(), BTreeSet::new());
    while ended.len() < partitions.len() {
        assert!(Instant::now() < deadline, "topic {topic} was not read within {READ_WITHIN:?}");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => records.push(read(&message)),
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(ended.insert(partition)),
            Some(Err(error)) => panic!("topic {topic} cannot be read: {error}"),
            None => {}
        }
    }
    records
}

fn partitions(consumer: &BaseConsumer, topic: &str) -> Result<Vec<i32>, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER_LIMIT)?;
    let partitions: Vec<i32> = metadata.topics()[0].partitions().iter().map(MetadataPartition::id).collect();
    // Nothing would be waited for, and nothing compared.
    if partitions.is_empty() { Err(KafkaError::MetadataFetch(UnknownTopicOrPartition)) } else { Ok(partitions) }
}

fn consumer(bootstrap: &str) -> BaseConsumer {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "a-reader-of-a-story")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .expect("the settings are valid")
}
