//! The broker's word on one operation: where it is, or why it is not there.

use std::sync::Arc;

use opstream_schemas::offsets::{Offset, Partition};
use rdkafka::error::RDKafkaErrorCode;
use tokio::sync::oneshot;

use crate::spool::Flight;

/// Place of an operation that all replicas hold (JSON lines: that was written to the file).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Partition of the topic; 0 for JSON lines.
    pub partition: Partition,
    /// Offset within the partition; for JSON lines the position of the line in the file, bytes. Absent when the broker
    /// recognised a repeated request and does not say where the first one went.
    pub offset: Option<Offset>,
}

/// Why an operation has no acknowledgement. Each variant asks for a different reaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not taken. Try again later, or slow down.
    #[error(
        "the producer's queue is full: {operations} operations ({bytes} bytes) wait for the broker; try again later"
    )]
    QueueFull {
        /// Operations that wait.
        operations: usize,
        /// Bytes that wait.
        bytes: usize,
    },
    /// Never fits. Make it smaller, for instance by leaving out content.
    #[error("operation of {bytes} bytes is too large{}; leave out content or raise the limit", limit_text(*.limit))]
    TooLarge {
        /// Encoded size of the operation with its key.
        bytes: usize,
        /// The producer's limit; absent when the broker refused it, which keeps its limit to itself.
        limit: Option<usize>,
    },
    /// Nobody answered in time. The operation may still be stored: send it again *with the same `operation_id`*.
    #[error(
        "operation was not acknowledged: {reason}; it may still arrive, so repeat it only with the same operation_id"
    )]
    Unavailable {
        /// What is known about the cause.
        reason: String,
    },
    /// The broker will not take it, now or later: someone has to change permissions or topics.
    #[error("broker refuses the operation: {reason}")]
    Refused {
        /// The broker's words.
        reason: String,
    },
    /// The producer was closed before.
    #[error("the producer is closed")]
    Closed,
}

fn limit_text(limit: Option<usize>) -> String {
    limit.map_or_else(|| " for the broker".to_owned(), |limit| format!(", the limit is {limit}"))
}

impl RecordError {
    /// The reaction that a delivery failure asks for. `trouble` is the last that was heard about the connection.
    pub(crate) fn from_delivery(code: RDKafkaErrorCode, bytes: usize, topic: &str, trouble: Option<&str>) -> Self {
        use RDKafkaErrorCode as Code;
        match code {
            Code::MessageSizeTooLarge | Code::MessageBatchTooLarge => Self::TooLarge { bytes, limit: None },
            Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::InvalidTopic
            | Code::PolicyViolation
            | Code::InvalidRecord => Self::Refused { reason: format!("{code}, topic {topic}") },
            _ => Self::Unavailable {
                reason: match trouble {
                    Some(trouble) => format!("{code}; last error: {trouble}"),
                    None => code.to_string(),
                },
            },
        }
    }
}

/// What a waiting caller is told.
pub(crate) type Answer = Result<Acknowledged, RecordError>;
/// Where to tell it.
pub(crate) type Waiter = oneshot::Sender<Answer>;

/// Travels with a message through librdkafka. Operations nobody waits for share one, so they allocate nothing.
#[derive(Debug)]
pub(crate) struct Ticket {
    origin: Origin,
    /// Whether the message already went through a client that broke: it is given a second chance, not a third.
    pub(crate) resent: bool,
}

/// Where a message came from, and so whom its fate concerns.
#[derive(Debug)]
pub(crate) enum Origin {
    /// `record`: the ledger alone.
    Recorded,
    /// `record_acked`: a caller who waits.
    Watched(Waiter),
    /// The spool: this entry of the segment.
    Spooled(Arc<Flight>, usize),
}

impl Ticket {
    pub(crate) fn new(origin: Origin, resent: bool) -> Arc<Self> {
        Arc::new(Self { origin, resent })
    }

    /// The origin. A ticket that is not shared has one holder; a shared one is of recorded operations.
    pub(crate) fn into_origin(self: Arc<Self>) -> Origin {
        Arc::into_inner(self).map_or(Origin::Recorded, |ticket| ticket.origin)
    }
}

/// Tells the waiter, who may have given up.
pub(crate) fn tell(waiter: Option<Waiter>, answer: Answer) {
    if let Some(waiter) = waiter {
        waiter.send(answer).ok();
    }
}
