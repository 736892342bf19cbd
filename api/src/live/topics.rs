//! Where the topics are read from: every partition from its end, and partitions that come later from their beginning. Asks the broker,
//! which blocks.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::config::BrokerAddress;

/// How long the broker may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// Memory of what was fetched and not looked at yet.
const QUEUE_KBYTES: &str = "8192";

/// The partitions that are read.
pub(super) struct Topics {
    consumer: BaseConsumer,
    /// Names of the topics and how many partitions of each are read.
    partitions: BTreeMap<String, i32>,
}

impl Topics {
    /// Begins to read at the ends of these topics; one that is not there yet is looked for later.
    ///
    /// # Errors
    /// When a setting is refused or the broker does not answer.
    pub(super) fn open(broker: &BrokerAddress, names: [String; 2]) -> Result<Self, KafkaError> {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", &broker.bootstrap)
            .set("client.id", "opstream-live")
            // Named because the client asks for a name; nothing joins it and nothing is committed.
            .set("group.id", "opstream-live")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("queued.max.messages.kbytes", QUEUE_KBYTES)
            .set("fetch.queue.backoff.ms", "100")
            .set("fetch.error.backoff.ms", "200")
            .set("reconnect.backoff.max.ms", "2000")
            .set("allow.auto.create.topics", "false")
            // librdkafka repeats every refused connection on its log; readers are told once.
            .set("log_level", "2");
        for (name, value) in &broker.properties {
            client.set(name, value);
        }
        let consumer: BaseConsumer = client.create()?;
        let mut topics = Self { consumer, partitions: names.map(|name| (name, 0)).into() };
        topics.look(Offset::End)?;
        Ok(topics)
    }

    /// Reads partitions that have come since the last look, from their beginning.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub(super) fn look_again(&mut self) -> Result<(), KafkaError> {
        self.look(Offset::Beginning)
    }

    /// The consumer.
    pub(super) fn consumer(&self) -> &BaseConsumer {
        &self.consumer
    }

    fn look(&mut self, from: Offset) -> Result<(), KafkaError> {
        let (mut new, mut found) = (TopicPartitionList::new(), BTreeMap::new());
        for (name, known) in &self.partitions {
            let count = self.count(name)?.max(*known);
            for partition in *known..count {
                // The end as it is now: a reader that is told that it begins misses nothing from here on.
                let offset = match from {
                    Offset::End => Offset::Offset(self.consumer.fetch_watermarks(name, partition, ANSWER_LIMIT)?.1),
                    other => other,
                };
                new.add_partition_offset(name, partition, offset)?;
            }
            found.insert(name.clone(), count);
        }
        if new.count() > 0 {
            self.consumer.incremental_assign(&new)?;
        }
        self.partitions = found;
        Ok(())
    }

    /// How many partitions a topic has; 0 while there is no such topic.
    fn count(&self, name: &str) -> Result<i32, KafkaError> {
        let metadata = self.consumer.fetch_metadata(Some(name), ANSWER_LIMIT)?;
        let found = metadata.topics().iter().find(|found| found.name() == name && found.error().is_none());
        Ok(found.map_or(0, |topic| i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX)))
    }
}
