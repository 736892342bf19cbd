//! Claims partitions beside the loop that stores batches: each claim is a task that tries until it works, an operator is
//! needed or the claim is not wanted any more. A partition whose leader is away holds nobody up but itself.

use std::sync::Arc;

use opstream_schemas::condition::Reporter;
use opstream_schemas::database::Database;
use opstream_schemas::offsets::{Fence, Offset, OffsetRange, Partition, StreamId};
use rdkafka::error::KafkaError;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use uuid::Uuid;

use crate::backoff::Undertaking;
use crate::metrics;
use crate::ownership::Ticket;
use crate::store::{Checkpoint, StoreError, claim_partition, read_checkpoint, record_retention_gap};
use crate::topic_log::TopicLog;

/// Claims that ask the database at a time: each holds a connection, and one that waits for a frozen owner needs a second.
const AT_ONCE: usize = 4;

/// Claims under way.
pub struct Claims {
    claimer: Arc<Claimer>,
    running: JoinSet<Claimed>,
}

/// What the tasks share.
struct Claimer {
    database: Database,
    stream: StreamId,
    log: TopicLog,
    /// Names this process in `stream_partitions.owner`.
    owner: Uuid,
    permits: Semaphore,
    undertaking: Undertaking,
}

/// A claim that has ended.
#[derive(Debug)]
pub struct Claimed {
    /// What was claimed.
    pub ticket: Ticket,
    /// None when it was not wanted any more.
    pub outcome: Option<Result<Checkpoint, ClaimError>>,
}

/// Why a partition cannot be read now.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Try again with back-off, or join the group again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Try again with back-off.
    #[error("the broker does not say what partition {partition} holds")]
    Broker {
        /// The partition.
        partition: Partition,
        /// What the client said.
        source: KafkaError,
    },
    /// Only an operator can decide.
    #[error(
        "partition {partition} is stored up to offset {next} but the topic's log ends at {end}: the topic was recreated or restored, and \
         nothing of the partition is read until somebody decides. Restore the log, or have the new one read from its beginning as \
         docs/topics.md says"
    )]
    BeyondEnd {
        /// The partition.
        partition: Partition,
        /// Checkpoint.
        next: Offset,
        /// End of the log.
        end: Offset,
    },
    /// Only an operator can decide.
    #[error(
        "the record at offset {offset} of partition {partition} is not the one that was stored from there: the topic was recreated or \
         restored, and nothing of the partition is read until somebody decides. Restore the log, or have the new one read from its \
         beginning as docs/topics.md says"
    )]
    OtherLog {
        /// The partition.
        partition: Partition,
        /// The last offset that is stored.
        offset: Offset,
    },
}

impl Claims {
    /// Claims in the name of this process.
    pub fn new(database: Database, stream: StreamId, log: TopicLog, reporter: &Reporter) -> Self {
        let claimer = Claimer {
            database,
            stream,
            log,
            owner: Uuid::new_v4(),
            permits: Semaphore::new(AT_ONCE),
            undertaking: Undertaking::new("claiming partitions", reporter),
        };
        Self { claimer: Arc::new(claimer), running: JoinSet::new() }
    }

    /// Begins a claim.
    pub fn begin(&mut self, ticket: Ticket) {
        let claimer = self.claimer.clone();
        self.running.spawn(async move {
            let outcome = claimer.claim_patiently(&ticket).await;
            Claimed { ticket, outcome }
        });
    }

    /// The next claim that has ended; none when no claim is under way.
    pub async fn next(&mut self) -> Option<Result<Claimed, JoinError>> {
        self.running.join_next().await
    }
}

impl Claimer {
    async fn claim_patiently(&self, ticket: &Ticket) -> Option<Result<Checkpoint, ClaimError>> {
        let mut backoff = self.undertaking.begin();
        loop {
            match self.attempt(ticket).await? {
                Err(error) if !is_final(&error) => {
                    let error = format!("{:#}", anyhow::Error::new(error));
                    tracing::warn!(partition = ticket.partition.0, error, "cannot claim the partition; trying again");
                }
                outcome => return Some(outcome),
            }
            if !backoff.wait(&ticket.stop).await {
                return None;
            }
        }
    }

    async fn attempt(&self, ticket: &Ticket) -> Option<Result<Checkpoint, ClaimError>> {
        let partition = ticket.partition;
        let mut log = match self.bounds(partition).await {
            Ok(log) => log,
            Err(error) => return Some(Err(error)),
        };
        let permit = self.permits.acquire().await.ok()?;
        // Somebody else may own it by now, whom a claim would fence out.
        if ticket.stop.is_cancelled() {
            return None;
        }
        let claimant = Claimant { owner: self.owner, fence: ticket.fence };
        let mut claimed = claim(&self.database, (self.stream, partition), claimant, log).await;
        drop(permit);
        if let Err(ClaimError::BeyondEnd { .. }) = claimed {
            // Until the claim another owner could store what was written after we had asked. Now nobody can.
            claimed = match self.bounds(partition).await {
                Ok(grown) => {
                    log = grown;
                    claim(&self.database, (self.stream, partition), claimant, log).await
                }
                Err(error) => Err(error),
            };
        }
        Some(match claimed {
            Ok(checkpoint) => self.compare(partition, checkpoint, log).await,
            Err(error) => Err(error),
        })
    }

    async fn bounds(&self, partition: Partition) -> Result<OffsetRange, ClaimError> {
        self.log.bounds(partition).await.map_err(|source| ClaimError::Broker { partition, source })
    }

    /// Looks whether the log still holds the record before the checkpoint that was stored from there. One that was removed since
    /// says nothing.
    async fn compare(
        &self,
        partition: Partition,
        checkpoint: Checkpoint,
        log: OffsetRange,
    ) -> Result<Checkpoint, ClaimError> {
        let offset = Offset(checkpoint.next_offset.0 - 1);
        let Some(stored) = checkpoint.record_hash.filter(|_| offset >= log.from) else { return Ok(checkpoint) };
        let found = self.log.record_hash(partition, offset).await;
        match found.map_err(|source| ClaimError::Broker { partition, source })? {
            Some(found) if found != stored => Err(ClaimError::OtherLog { partition, offset }),
            _ => Ok(checkpoint),
        }
    }
}

/// Who claims a partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claimant {
    /// Names the process in `stream_partitions.owner`.
    pub(crate) owner: Uuid,
    /// Its fence when the partition is its own already and only has to be read again.
    pub(crate) fence: Option<Fence>,
}

/// Claims a partition whose log goes from one offset to another, and passes what retention has removed of it.
pub(crate) async fn claim(
    database: &Database,
    place: (StreamId, Partition),
    claimant: Claimant,
    log: OffsetRange,
) -> Result<Checkpoint, ClaimError> {
    let (stream, partition) = place;
    let claim = match claimant.fence {
        None => claim_partition(database, place, claimant.owner, log.from).await?,
        Some(ours) => {
            let checkpoint = read_checkpoint(database, stream, partition).await?;
            if checkpoint.fence != ours {
                return Err(StoreError::Fenced { partition, found: checkpoint.fence.0, ours: ours.0 }.into());
            }
            checkpoint
        }
    };
    let next = claim.next_offset;
    if next > log.to {
        return Err(ClaimError::BeyondEnd { partition, next, end: log.to });
    }
    if next < log.from {
        pass_gap(database, place, claim.fence, OffsetRange { from: next, to: log.from }).await?;
        return Ok(Checkpoint { next_offset: log.from, record_hash: None, ..claim });
    }
    Ok(claim)
}

async fn pass_gap(
    database: &Database,
    place: (StreamId, Partition),
    fence: Fence,
    gap: OffsetRange,
) -> Result<(), StoreError> {
    record_retention_gap(database, place, fence, gap).await?;
    tracing::error!(
        partition = place.1.0,
        from = gap.from.0,
        to = gap.to.0,
        "the topic's retention removed records before they were stored; they are lost and recorded as a gap"
    );
    metrics::record_retention_gap(gap.len());
    Ok(())
}

/// Whether trying again is of no use.
const fn is_final(error: &ClaimError) -> bool {
    matches!(
        error,
        ClaimError::BeyondEnd { .. } | ClaimError::OtherLog { .. } | ClaimError::Store(StoreError::Fenced { .. })
    )
}
