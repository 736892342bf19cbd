//! The rebalance callback: says what happened and leaves reading to the thread, once the partitions are claimed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use opstream_schemas::offsets::Partition;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};
use tokio::sync::mpsc::UnboundedSender;

use super::SourceEvent;

/// librdkafka's view of the source.
pub struct SourceContext {
    events: UnboundedSender<SourceEvent>,
    /// A plain mutex: only the polling thread ever locks it.
    group: Mutex<Group>,
}

/// What the group has told us.
#[derive(Debug, Default)]
struct Group {
    rebalances: u64,
    /// Partitions that are ours, each with the rebalance that assigned it.
    granted: BTreeMap<Partition, u64>,
    /// Revocations that the thread has not acted on yet.
    revoked: Vec<Partition>,
}

impl SourceContext {
    pub(super) fn new(events: UnboundedSender<SourceEvent>) -> Self {
        Self { events, group: Mutex::default() }
    }

    /// Whether the partition is ours, by this rebalance.
    pub(super) fn is_granted(&self, partition: Partition, rebalance: u64) -> bool {
        self.group().granted.get(&partition) == Some(&rebalance)
    }

    /// Partitions revoked since the last call.
    pub(super) fn take_revoked(&self) -> Vec<Partition> {
        std::mem::take(&mut self.group().revoked)
    }

    fn group(&self) -> MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn send(&self, event: SourceEvent) {
        if self.events.send(event).is_err() {
            tracing::debug!("the pipeline has ended; the event is not needed any more");
        }
    }
}

impl ClientContext for SourceContext {
    fn error(&self, error: KafkaError, reason: &str) {
        // Outages are normal here: librdkafka reconnects by itself and readiness says that the broker is away.
        tracing::warn!(%error, reason, "the broker connection has a problem");
    }
}

impl ConsumerContext for SourceContext {
    /// Nothing is read of what is assigned here: the thread adds each partition with the offset that the database named, so
    /// that not one record is fetched from a place that the broker remembers. The empty assignment ends the rebalance at once;
    /// until then the client would read nothing of the other partitions either.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, reason: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions: Vec<Partition> = list.elements().iter().map(|element| Partition(element.partition())).collect();
        let mut group = self.group();
        group.rebalances += 1;
        let rebalance = group.rebalances;
        let settled = if reason == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            group.granted.extend(partitions.iter().map(|partition| (*partition, rebalance)));
            self.send(SourceEvent::Assigned { rebalance, partitions });
            consumer.incremental_assign(&TopicPartitionList::new())
        } else {
            group.granted.retain(|partition, _| !partitions.contains(partition));
            group.revoked.extend(&partitions);
            let read = partitions_being_read(consumer, &partitions);
            self.send(SourceEvent::Revoked { partitions });
            // One partition that is not read would make the client refuse the whole list, and the rebalance never end.
            read.and_then(|read| consumer.incremental_unassign(&read))
        };
        if let Err(error) = settled {
            tracing::error!(%error, "the client did not take the group's new assignment");
        }
    }

    fn commit_callback(&self, result: Result<(), KafkaError>, _offsets: &TopicPartitionList) {
        if let Err(error) = result
            && !matches!(error, KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset))
        {
            tracing::debug!(%error, "the broker did not take the offset hint; the database's checkpoint is what counts");
        }
    }
}

/// Those of the partitions that the client reads.
pub(super) fn partitions_being_read(
    consumer: &BaseConsumer<SourceContext>,
    partitions: &[Partition],
) -> Result<TopicPartitionList, KafkaError> {
    let mut read = TopicPartitionList::new();
    for element in consumer.assignment()?.elements() {
        if partitions.contains(&Partition(element.partition())) {
            read.add_partition(element.topic(), element.partition());
        }
    }
    Ok(read)
}
