//! Which partitions are ours: claims them in the database and says where reading starts.

use std::collections::BTreeMap;
use std::time::Duration;

use opstream_schemas::database::Database;
use opstream_schemas::offsets::{Fence, Offset, OffsetRange, Partition, StreamId};
use opstream_schemas::time::UtcMillis;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use uuid::Uuid;

use crate::source::{SharedConsumer, StartAt};
use crate::store::{
    Claim, Mark, StoreError, StreamKey, claim_partition, find_stream, read_checkpoint, record_retention_gap,
};

/// How long the broker may take to answer a look-up.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Our claims.
pub struct Ownership {
    database: Database,
    consumer: SharedConsumer,
    topic: String,
    /// Names this process in `stream_partitions.owner`.
    owner: Uuid,
    stream: Option<StreamId>,
    owned: BTreeMap<Partition, Owned>,
    epochs: u64,
}

#[derive(Clone, Copy, Debug)]
struct Owned {
    fence: Fence,
    epoch: u64,
}

/// Why a partition cannot be read now.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Try again with back-off.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Try again with back-off.
    #[error("the broker does not say where partition {partition} begins and ends")]
    Broker {
        /// The partition.
        partition: Partition,
        /// What the client said.
        source: KafkaError,
    },
    /// Try again with back-off.
    #[error("the broker does not say which cluster it belongs to; is it reachable?")]
    UnknownCluster,
    /// Only an operator can decide.
    #[error(
        "partition {partition} is stored up to offset {next} but the topic's log ends at {end}: the topic was recreated or restored; \
         reading it again could count operations twice. Give the new topic another name, or restore the log"
    )]
    BeyondEnd {
        /// The partition.
        partition: Partition,
        /// Checkpoint.
        next: Offset,
        /// End of the log.
        end: Offset,
    },
}

impl Ownership {
    /// Owns nothing yet.
    pub fn new(database: Database, consumer: SharedConsumer, topic: String) -> Self {
        Self { database, consumer, topic, owner: Uuid::new_v4(), stream: None, owned: BTreeMap::new(), epochs: 0 }
    }

    /// Claims a newly assigned partition: raises its fence and says where to start.
    ///
    /// # Errors
    /// [`ClaimError::BeyondEnd`] needs an operator; the others pass.
    pub async fn claim(&mut self, partition: Partition) -> Result<StartAt, ClaimError> {
        let log = self.watermarks(partition).await?;
        let stream = self.stream().await?;
        let claim = claim_partition(&self.database, (stream, partition), self.owner, log.from).await?;
        self.admit(partition, claim, log).await
    }

    /// Where to read an owned partition again after a batch of it was dropped. None when it is not ours any more.
    ///
    /// # Errors
    /// As [`Ownership::claim`].
    pub async fn restart(&mut self, partition: Partition) -> Result<Option<StartAt>, ClaimError> {
        let Some(owned) = self.owned.get(&partition).copied() else { return Ok(None) };
        let log = self.watermarks(partition).await?;
        let stream = self.stream().await?;
        let (fence, next) = read_checkpoint(&self.database, stream, partition).await?;
        if fence != owned.fence {
            return Err(StoreError::Fenced { partition, found: fence.0, ours: owned.fence.0 }.into());
        }
        self.admit(partition, Claim { fence, next_offset: next }, log).await.map(Some)
    }

    async fn admit(&mut self, partition: Partition, claim: Claim, log: OffsetRange) -> Result<StartAt, ClaimError> {
        let Claim { fence, next_offset: next } = claim;
        if next > log.to {
            self.owned.remove(&partition);
            return Err(ClaimError::BeyondEnd { partition, next, end: log.to });
        }
        let mut offset = next;
        if next < log.from {
            let gap = OffsetRange { from: next, to: log.from };
            let stream = self.stream().await?;
            record_retention_gap(&self.database, (stream, partition), fence, gap).await?;
            tracing::error!(
                partition = partition.0,
                from = next.0,
                to = log.from.0,
                "the topic's retention removed records before they were stored; they are lost and recorded as a gap"
            );
            crate::metrics::record_retention_gap(gap.len());
            offset = log.from;
        }
        self.epochs += 1;
        self.owned.insert(partition, Owned { fence, epoch: self.epochs });
        Ok(StartAt { partition, offset, epoch: self.epochs })
    }

    /// Gives these partitions up.
    pub fn release(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            self.owned.remove(partition);
        }
    }

    /// Gives everything up and returns what was ours.
    pub fn release_all(&mut self) -> Vec<Partition> {
        std::mem::take(&mut self.owned).into_keys().collect()
    }

    /// The fence of a range, if its partition is ours and the range was read in the current epoch.
    pub fn fence_for(&self, partition: Partition, epoch: u64) -> Option<Fence> {
        self.owned.get(&partition).filter(|owned| owned.epoch == epoch).map(|owned| owned.fence)
    }

    /// The stream's row number.
    ///
    /// # Errors
    /// What the database answers, and that the broker does not answer.
    pub async fn stream(&mut self) -> Result<StreamId, ClaimError> {
        if let Some(stream) = self.stream {
            return Ok(stream);
        }
        let consumer = self.consumer.clone();
        let asked = blocking(move || Ok(consumer.client().fetch_cluster_id(LOOKUP_TIMEOUT))).await;
        // A checkpoint under another identity would begin anew and count every dead letter twice.
        let cluster_id = asked.ok().flatten().ok_or(ClaimError::UnknownCluster)?;
        let key = StreamKey { cluster_id, topic: self.topic.clone(), topic_id: String::new() };
        let stream = find_stream(&self.database, &key, UtcMillis::now()).await?;
        self.stream = Some(stream);
        Ok(stream)
    }

    /// Asks the broker where the logs of all owned partitions end now.
    pub async fn marks(&self) -> Vec<Mark> {
        let mut marks = Vec::new();
        for partition in self.owned.keys().copied() {
            let observed_at = UtcMillis::now();
            // A broker that is away would be waited for once for each partition.
            let Ok(log) = self.watermarks(partition).await else { break };
            marks.push(Mark { partition, observed_at, high_watermark: log.to });
        }
        marks
    }

    async fn watermarks(&self, partition: Partition) -> Result<OffsetRange, ClaimError> {
        let (consumer, topic) = (self.consumer.clone(), self.topic.clone());
        let asked = blocking(move || consumer.fetch_watermarks(&topic, partition.0, LOOKUP_TIMEOUT)).await;
        let (low, high) = asked.map_err(|source| ClaimError::Broker { partition, source })?;
        Ok(OffsetRange { from: Offset(low), to: Offset(high) })
    }
}

/// Runs a blocking call of the client away from the async threads.
async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, KafkaError> {
    tokio::task::spawn_blocking(call).await.unwrap_or(Err(KafkaError::Canceled))
}
