//! What librdkafka reports back: deliveries, failures, errors of the connection. Runs on the polling thread.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use opstream_schemas::offsets::{Offset, Partition};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;
use tracing::debug;

use super::Shared;
use crate::acknowledgement::{Acknowledged, Origin, RecordError, Ticket, Waiter, tell};
use crate::record::Record;

/// Context of a client; clones share everything, so that a replaced client reports to the same place.
#[derive(Clone)]
pub(super) struct Deliveries {
    state: Arc<State>,
}

struct State {
    shared: Arc<Shared>,
    topic: String,
    returned: Mutex<Vec<Returned>>,
    /// There is a disk for what cannot be delivered.
    has_spool: bool,
    /// Something came back, or the client said that it cannot go on.
    needs_mending: AtomicBool,
    /// The client is replaced to take from it what it holds, which says nothing about the messages.
    evacuating: AtomicBool,
    /// The producer ends: what comes back now is not sent again.
    giving_up: AtomicBool,
}

/// An operation that a client gave back. It still counts as queued.
pub(super) struct Returned {
    pub(super) record: OwnedRecord,
    pub(super) waiter: Option<Waiter>,
    /// Another client may have more luck with it.
    pub(super) may_be_resent: bool,
    /// Whether its next send is the last.
    pub(super) resent: bool,
    code: RDKafkaErrorCode,
}

impl Returned {
    /// Whether the client only waited in vain.
    pub(super) fn has_timed_out(&self) -> bool {
        self.code == RDKafkaErrorCode::MessageTimedOut
    }
}

/// A record with its bytes.
pub(super) struct OwnedRecord {
    key: Vec<u8>,
    value: Vec<u8>,
}

impl OwnedRecord {
    pub(super) fn as_record(&self) -> Record<'_> {
        Record { key: &self.key, value: &self.value }
    }
}

impl Deliveries {
    pub(super) fn new(shared: Arc<Shared>, topic: String, has_spool: bool) -> Self {
        let state = State {
            shared,
            topic,
            returned: Mutex::default(),
            has_spool,
            needs_mending: AtomicBool::new(false),
            evacuating: AtomicBool::new(false),
            giving_up: AtomicBool::new(false),
        };
        Self { state: Arc::new(state) }
    }

    pub(super) fn needs_mending(&self) -> bool {
        self.state.needs_mending.load(Ordering::Acquire)
    }

    /// What came back so far; afterwards nothing needs mending.
    pub(super) fn take_returned(&self) -> Vec<Returned> {
        self.state.needs_mending.store(false, Ordering::Release);
        mem::take(&mut *self.state.returned.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// While it is true, what is purged comes back without having lost a chance.
    pub(super) fn set_evacuating(&self, evacuating: bool) {
        self.state.evacuating.store(evacuating, Ordering::Release);
    }

    /// From now on what comes back is not sent again.
    pub(super) fn give_up(&self) {
        self.state.giving_up.store(true, Ordering::Release);
    }

    pub(super) fn note_trouble(&self, text: &str) {
        self.state.shared.trouble.note(text);
    }

    /// Finds out what becomes of an operation that the broker does not have: kept for another client when this one broke,
    /// kept for the disk, or lost.
    pub(super) fn undelivered(&self, code: RDKafkaErrorCode, record: Record<'_>, ticket: Arc<Ticket>) {
        let resent = ticket.resent;
        let waiter = match ticket.into_origin() {
            Origin::Recorded => None,
            Origin::Watched(waiter) => Some(waiter),
            Origin::Spooled(flight, _) if is_final(code) => return flight.refuse(record.bytes()),
            Origin::Spooled(flight, entry) => return flight.give_back(entry, record.bytes()),
        };
        let is_evacuated = is_purged(code) && self.state.evacuating.load(Ordering::Acquire);
        let has_chance = is_evacuated || (!resent && is_session_lost(code));
        let may_be_resent = has_chance && !self.state.giving_up.load(Ordering::Acquire);
        let may_be_spooled = self.state.has_spool && waiter.is_none() && !is_final(code);
        let record = OwnedRecord { key: record.key.to_vec(), value: record.value.to_vec() };
        let returned = Returned { record, waiter, may_be_resent, resent: resent || !is_evacuated, code };
        if !may_be_resent && !may_be_spooled {
            self.fail(returned);
            return;
        }
        self.state.returned.lock().unwrap_or_else(PoisonError::into_inner).push(returned);
        self.ask_for_mending();
    }

    /// Counts the operation as lost, and tells the one who waits.
    pub(super) fn fail(&self, returned: Returned) {
        let shared = &self.state.shared;
        let bytes = returned.record.as_record().bytes();
        shared.ledger.settle_failed(bytes);
        if returned.waiter.is_some() {
            let trouble = shared.trouble.text();
            let error = RecordError::from_delivery(returned.code, bytes, &self.state.topic, trouble.as_deref());
            tell(returned.waiter, Err(error));
        }
    }

    fn ask_for_mending(&self) {
        let asked = self.state.needs_mending.swap(true, Ordering::AcqRel);
        if !asked {
            self.state.shared.hand_over.hurry();
        }
    }
}

/// Whether a message failed only because this client cannot go on. It may have been stored nevertheless: the second
/// send has the same operation id, by which duplicates are recognised.
fn is_session_lost(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    let is_broken = matches!(
        code,
        Code::Fatal
            | Code::OutOfOrderSequenceNumber
            | Code::UnknownProducerId
            | Code::InvalidProducerEpoch
            | Code::ProducerFenced
    );
    // A client with a fatal error purges its queue, and so does one that is dropped.
    is_broken || is_purged(code)
}

fn is_purged(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight)
}

/// Whether no time and no repair makes the broker take this very message. A missing topic or permission is repaired.
fn is_final(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(code, Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidRecord | Code::PolicyViolation)
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Arc<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Arc<Ticket>) {
        match result {
            Ok(message) => {
                let shared = &self.state.shared;
                shared.trouble.clear();
                let bytes = message.key_len() + message.payload_len();
                let waiter = match ticket.into_origin() {
                    Origin::Recorded => None,
                    Origin::Watched(waiter) => Some(waiter),
                    Origin::Spooled(flight, _) => return flight.acknowledge(bytes),
                };
                shared.ledger.settle_sent(bytes);
                let offset = Some(message.offset()).filter(|offset| *offset >= 0).map(Offset);
                tell(waiter, Ok(Acknowledged { partition: Partition(message.partition()), offset }));
            }
            Err((error, message)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                let record =
                    Record { key: message.key().unwrap_or_default(), value: message.payload().unwrap_or_default() };
                self.undelivered(code, record, ticket);
            }
        }
    }
}

impl ClientContext for Deliveries {
    /// librdkafka's lines carry no content, but an outage repeats them: the producer's own warnings are rate-limited.
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        debug!(target: "librdkafka", facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => self.state.shared.trouble.note_if_silent(reason),
            Some(RDKafkaErrorCode::Fatal) => {
                self.note_trouble(reason);
                self.ask_for_mending();
            }
            _ => self.note_trouble(reason),
        }
    }
}
