//! Asks the broker about the topic: which incarnation it is, how many partitions it has, where their logs begin and end, and what lies
//! at an offset.
//!
//! The client's calls block, so they run on blocking threads, a few at a time.

use std::sync::Arc;

use opstream_schemas::database::Database;
use opstream_schemas::offsets::{Offset, OffsetRange, Partition, StreamId};
use opstream_schemas::time::UtcMillis;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Message, TopicPartitionList};
use tokio::sync::Semaphore;

use crate::record::record_hash;
use crate::source::{QUESTION_TIMEOUT, SharedConsumer, SourceEvent};
use crate::store::{StoreError, StreamKey, find_stream};

/// Questions at a time. Answers come within milliseconds, or, behind a fetch that waits for records, after 100 ms; one after
/// the other that would be seconds with many partitions.
const AT_ONCE: usize = 16;

/// The topic as the broker knows it. Clones share the limit of simultaneous questions.
#[derive(Clone)]
pub struct TopicLog {
    consumer: SharedConsumer,
    topic: String,
    /// Of the consumers that read single records.
    reader: ClientConfig,
    questions: Arc<Semaphore>,
}

/// Why the topic cannot be registered yet.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Try again with back-off.
    #[error("the broker does not say which cluster it belongs to; is it reachable?")]
    UnknownCluster,
    /// Try again with back-off.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TopicLog {
    /// Asks through this consumer, and reads with others of the configuration `reader`.
    pub fn new(consumer: SharedConsumer, topic: String, reader: ClientConfig) -> Self {
        Self { consumer, topic, reader, questions: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Finds or adds the row of the topic's incarnation.
    ///
    /// # Errors
    /// What the database answers, and that the broker does not answer.
    pub async fn register(&self, database: &Database) -> Result<StreamId, RegisterError> {
        let asked = self.ask(|consumer, _| Ok(consumer.client().fetch_cluster_id(QUESTION_TIMEOUT))).await;
        // A checkpoint under another identity would begin anew and count every dead letter twice.
        let cluster_id = asked.ok().flatten().ok_or(RegisterError::UnknownCluster)?;
        let key = StreamKey { cluster_id, topic: self.topic.clone(), topic_id: String::new() };
        Ok(find_stream(database, &key, UtcMillis::now()).await?)
    }

    /// First and end offset of a partition's log.
    ///
    /// # Errors
    /// What the client says.
    pub async fn bounds(&self, partition: Partition) -> Result<OffsetRange, KafkaError> {
        let (from, to) =
            self.ask(move |consumer, topic| consumer.fetch_watermarks(topic, partition.0, QUESTION_TIMEOUT)).await?;
        Ok(OffsetRange { from: Offset(from), to: Offset(to) })
    }

    /// Has the pipeline compare the partition's checkpoint with its log, and read it again from there.
    pub fn report_change(&self, partition: Partition) {
        self.consumer.context().send(SourceEvent::LogChanged { partition });
    }

    /// Hash of the record at an offset; none when there is no record, as in a compacted log.
    ///
    /// # Errors
    /// What the client says.
    pub async fn record_hash(&self, partition: Partition, offset: Offset) -> Result<Option<i64>, KafkaError> {
        let reader = self.reader.clone();
        self.ask(move |_, topic| read_hash(&reader, topic, (partition, offset))).await
    }

    /// Number of partitions of the topic, as a broker says it now.
    ///
    /// # Errors
    /// What the client says; that there is no such topic.
    pub async fn partitions(&self) -> Result<i64, KafkaError> {
        let count = |consumer: &SharedConsumer, topic: &str| {
            let metadata = consumer.fetch_metadata(Some(topic), QUESTION_TIMEOUT)?;
            let found = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
            found
                .map(|topic| topic.partitions().len())
                .filter(|partitions| *partitions > 0)
                .ok_or(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition))
        };
        Ok(i64::try_from(self.ask(count).await?).unwrap_or(i64::MAX))
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&SharedConsumer, &str) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, KafkaError> {
        let permit = self.questions.clone().acquire_owned().await.map_err(|_| KafkaError::Canceled)?;
        let (consumer, topic) = (self.consumer.clone(), self.topic.clone());
        let asked = tokio::task::spawn_blocking(move || {
            // Kept until the broker has answered, even when nobody waits for that any more.
            let _permit = permit;
            question(&consumer, &topic)
        });
        asked.await.unwrap_or(Err(KafkaError::Canceled))
    }
}

/// Reads one record with a consumer of its own, since the group's has its own position and buffer. Blocks.
fn read_hash(reader: &ClientConfig, topic: &str, place: (Partition, Offset)) -> Result<Option<i64>, KafkaError> {
    let (Partition(partition), Offset(offset)) = place;
    let consumer: BaseConsumer = reader.create()?;
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, partition, rdkafka::Offset::Offset(offset))?;
    consumer.assign(&assignment)?;
    match consumer.poll(QUESTION_TIMEOUT) {
        Some(Ok(found)) if found.offset() == offset => {
            let timestamp = found.timestamp().to_millis().map(UtcMillis::from_millis);
            Ok(Some(record_hash(timestamp, found.key(), found.payload())))
        }
        Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => Ok(None),
        Some(Err(error)) => Err(error),
        None => Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut)),
    }
}
