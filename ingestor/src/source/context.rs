//! The rebalance callback: says what happened and leaves assigning to the thread, once the partitions are claimed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use opstream_schemas::offsets::Partition;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};
use tokio::sync::mpsc::UnboundedSender;

use super::SourceEvent;

/// librdkafka's view of the source.
pub struct SourceContext {
    events: UnboundedSender<SourceEvent>,
    rebalances: AtomicU64,
    /// Revocations that the thread has not acted on yet. A plain mutex: only the polling thread ever locks it.
    revoked: Mutex<Vec<Vec<Partition>>>,
}

impl SourceContext {
    pub(super) fn new(events: UnboundedSender<SourceEvent>) -> Self {
        Self { events, rebalances: AtomicU64::new(0), revoked: Mutex::default() }
    }

    /// Number of the latest rebalance.
    pub(super) fn current_rebalance(&self) -> u64 {
        self.rebalances.load(Ordering::Acquire)
    }

    /// Partitions revoked since the last call.
    pub(super) fn take_revoked(&self) -> Vec<Vec<Partition>> {
        std::mem::take(&mut *self.revoked.lock().expect("no holder of this lock can panic"))
    }

    pub(super) fn send(&self, event: SourceEvent) {
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
    /// Assignment is deferred: the client waits until the thread calls `incremental_assign` with the offsets that the
    /// database named, so that not one record is fetched from a place that the broker remembers.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, reason: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions: Vec<Partition> = list.elements().iter().map(|element| Partition(element.partition())).collect();
        let rebalance = self.rebalances.fetch_add(1, Ordering::AcqRel) + 1;
        if reason == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.send(SourceEvent::Assigned { rebalance, partitions });
            return;
        }
        let unassigned = match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(list),
            _ => consumer.unassign(),
        };
        if let Err(error) = unassigned {
            tracing::debug!(%error, "partitions were revoked before they had been assigned");
        }
        self.revoked.lock().expect("no holder of this lock can panic").push(partitions.clone());
        self.send(SourceEvent::Revoked { partitions });
    }

    fn commit_callback(&self, result: Result<(), KafkaError>, _offsets: &TopicPartitionList) {
        if let Err(error) = result
            && !matches!(error, KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset))
        {
            tracing::debug!(%error, "the broker did not take the offset hint; the database's checkpoint is what counts");
        }
    }
}
