//! What `POST /v1/operations` answers: how many items became records, and what happened to the others.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use opstream_schemas::OperationId;
use opstream_schemas::offsets::{Offset, Partition};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::BodyError;
use super::item::Refusal;
use crate::error::ErrorBody;
use crate::rate::RateExceeded;

/// Most refusals, new ids and ranges of accepted items that are held and listed; their counts are always whole.
const MAX_LISTED: usize = 1000;
/// Seconds after which a client should try again when the broker is away.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("2");

/// What became of the items of a request. Accepted means that the broker has acknowledged the record.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct IntakeAnswer {
    /// Why the request as a whole failed; absent when at least one item was accepted and none is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorBody>,
    /// Items that the broker has acknowledged.
    pub(crate) accepted: u64,
    /// The first 1000 refused items: send them again once they are corrected, with an Idempotency-Key of their own if the
    /// request had one.
    pub(crate) refused: Vec<Refusal>,
    /// Refused items that are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) refused_not_listed: u64,
    /// Items that got a new id because they had none and the request had no Idempotency-Key.
    pub(crate) minted: u64,
    /// The first 1000 of the new ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) minted_ids: Vec<MintedId>,
    /// What to know about the new ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) warning: Option<&'static str>,
    /// For each partition, the highest acknowledged offset plus one: `/v1/progress` tells when it is committed.
    pub(crate) offsets: Vec<PartitionOffset>,
    /// When the request failed half-way: which items are accepted, as half-open ranges of their positions. Items with an id:
    /// send the others again; all of them again is harmless. With an Idempotency-Key: send the whole request again, as it was,
    /// with the same key, since ids are derived from positions too. The first 1000 ranges.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) accepted_items: Vec<ItemRange>,
    /// Accepted items that are in none of these ranges.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) accepted_not_listed: u64,
    /// Value of the header `Retry-After`, where it is not the usual one.
    #[serde(skip)]
    pub(crate) retry_after_s: Option<u64>,
}

/// A new id.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MintedId {
    /// Position of the item, from 0.
    pub(crate) index: u64,
    /// Its id.
    #[schema(value_type = String, format = "uuid")]
    pub(crate) operation_id: OperationId,
}

/// How far a partition has come.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct PartitionOffset {
    /// Number of the partition.
    pub(crate) partition: i32,
    /// Offset after the last one.
    pub(crate) next_offset: i64,
}

/// Items `from` (inclusive) to `to` (exclusive).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ItemRange {
    /// Position of the first item.
    pub(crate) from: u64,
    /// Position after the last item.
    pub(crate) to: u64,
}

/// Why a request stopped before its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// The broker is away or its queue is full: try again.
    BrokerUnavailable {
        /// What the producer says.
        reason: String,
    },
    /// The body is longer than allowed.
    TooLarge {
        /// The limit in words.
        reason: String,
    },
    /// The body broke off.
    BrokenOff {
        /// What the connection says.
        reason: String,
    },
    /// The body is not what its `content-encoding` says.
    Damaged {
        /// What is wrong.
        reason: String,
    },
    /// The time of the request is over.
    OutOfTime {
        /// What to do.
        reason: String,
    },
    /// Other requests hold the memory for bodies.
    Busy {
        /// What to do.
        reason: String,
    },
    /// The caller has taken what it may.
    Throttled(RateExceeded),
}

impl From<BodyError> for Halt {
    fn from(error: BodyError) -> Self {
        let reason = error.to_string();
        match error {
            BodyError::TooLarge { .. } => Self::TooLarge { reason },
            BodyError::BrokenOff { .. } => Self::BrokenOff { reason },
            BodyError::Damaged(_) => Self::Damaged { reason },
            BodyError::OutOfTime => Self::OutOfTime { reason },
            BodyError::OutOfMemory(_) => Self::Busy { reason },
        }
    }
}

/// Collects what becomes of the items.
#[derive(Debug, Default)]
pub(crate) struct IntakeOutcome {
    answer: IntakeAnswer,
    offsets: BTreeMap<i32, i64>,
    accepted_items: Vec<ItemRange>,
    accepted_not_listed: u64,
}

impl IntakeOutcome {
    /// The broker acknowledged the item at this place.
    pub(crate) fn accept(&mut self, index: u64, partition: Partition, offset: Option<Offset>) {
        self.answer.accepted += 1;
        if let Some(offset) = offset {
            let next_offset = self.offsets.entry(partition.0).or_default();
            *next_offset = (*next_offset).max(offset.next().0);
        }
        let is_full = self.accepted_items.len() == MAX_LISTED;
        match self.accepted_items.last_mut() {
            Some(range) if range.to == index => range.to += 1,
            _ if is_full => self.accepted_not_listed += 1,
            _ => self.accepted_items.push(ItemRange { from: index, to: index + 1 }),
        }
    }

    /// The item at this place had no id of its own.
    pub(crate) fn note_minted(&mut self, index: u64, operation_id: OperationId) {
        self.answer.minted += 1;
        if self.answer.minted_ids.len() < MAX_LISTED {
            self.answer.minted_ids.push(MintedId { index, operation_id });
        }
    }

    /// The item is not accepted.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        if self.answer.refused.len() < MAX_LISTED {
            self.answer.refused.push(refusal);
        } else {
            self.answer.refused_not_listed += 1;
        }
    }

    /// The answer to a request of which every item was looked at, or that stopped early.
    pub(crate) fn finish(self, halt: Option<Halt>) -> (StatusCode, IntakeAnswer) {
        let mut answer = self.answer;
        answer.offsets = self
            .offsets
            .into_iter()
            .map(|(partition, next_offset)| PartitionOffset { partition, next_offset })
            .collect();
        answer.refused.sort_by_key(|refusal| refusal.index);
        answer.warning = (answer.minted > 0).then_some(
            "operations without operation_id got a new one: sending this request again would count them twice; \
             send operation_id, or an Idempotency-Key header with started_at",
        );
        let (status, error) = match halt {
            None if answer.accepted == 0 && !answer.refused.is_empty() => {
                let message = "no operation was accepted; `refused` says why".to_owned();
                (StatusCode::BAD_REQUEST, Some(ErrorBody { code: "all_refused".to_owned(), message }))
            }
            None => (StatusCode::OK, None),
            Some(halt) => {
                answer.accepted_items = self.accepted_items;
                answer.accepted_not_listed = self.accepted_not_listed;
                let (status, code, reason) = match halt {
                    Halt::BrokerUnavailable { reason } => {
                        (StatusCode::SERVICE_UNAVAILABLE, "broker_unavailable", reason)
                    }
                    Halt::TooLarge { reason } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large", reason),
                    Halt::BrokenOff { reason } => (StatusCode::BAD_REQUEST, "body_broken_off", reason),
                    Halt::Damaged { reason } => (StatusCode::BAD_REQUEST, "damaged_packing", reason),
                    Halt::OutOfTime { reason } => (StatusCode::SERVICE_UNAVAILABLE, "timed_out", reason),
                    Halt::Throttled(exceeded) => {
                        answer.retry_after_s = Some(exceeded.retry_after_s());
                        (StatusCode::TOO_MANY_REQUESTS, "rate_limited", exceeded.to_string())
                    }
                    Halt::Busy { reason } => (StatusCode::SERVICE_UNAVAILABLE, "busy", reason),
                };
                (status, Some(ErrorBody { code: code.to_owned(), message: reason }))
            }
        };
        answer.error = error;
        (status, answer)
    }
}

/// An answer with its status.
pub(crate) fn respond(status: StatusCode, answer: IntakeAnswer) -> Response {
    let retry_after_s = answer.retry_after_s;
    let mut response = (status, Json(answer)).into_response();
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    } else if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    }
    response
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(index: u64) -> Refusal {
        Refusal { index, line: None, field: None, code: "c", reason: "r".to_owned() }
    }

    #[test]
    fn a_request_that_stops_half_way_tells_what_was_accepted() {
        let mut outcome = IntakeOutcome::default();
        for (index, partition, offset) in [(0, 1, 7), (1, 0, 3), (3, 1, 5)] {
            outcome.accept(index, Partition(partition), Some(Offset(offset)));
        }
        outcome.accept(4, Partition(2), None);
        outcome.refuse(refusal(2));
        let (status, answer) = outcome.finish(Some(Halt::BrokerUnavailable { reason: "away".to_owned() }));
        assert_eq!((status, answer.accepted), (StatusCode::SERVICE_UNAVAILABLE, 4));
        assert_eq!(answer.accepted_items, [ItemRange { from: 0, to: 2 }, ItemRange { from: 3, to: 5 }]);
        let offset = |partition, next_offset| PartitionOffset { partition, next_offset };
        assert_eq!(answer.offsets, [offset(0, 4), offset(1, 8)]);
    }

    #[test]
    fn long_lists_are_cut_and_counts_are_whole() {
        let mut outcome = IntakeOutcome::default();
        for index in 0..2500 {
            outcome.refuse(refusal(index));
        }
        let (status, answer) = outcome.finish(None);
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!((answer.refused.len(), answer.refused_not_listed), (1000, 1500));
        let mut outcome = IntakeOutcome::default();
        for index in 0..2500 {
            outcome.accept(2 * index, Partition(0), None);
            outcome.refuse(refusal(2 * index + 1));
        }
        let (_, answer) = outcome.finish(Some(Halt::BrokenOff { reason: "cut".to_owned() }));
        assert_eq!((answer.accepted_items.len(), answer.accepted_not_listed, answer.accepted), (1000, 1500, 2500));
    }
}
