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
use crate::acknowledgement::{Acknowledged, RecordError, Ticket, Waiter, tell};
use crate::hand_over::Record;

/// Context of a client; clones share everything, so that a replaced client reports to the same place.
#[derive(Clone)]
pub(super) struct Deliveries {
    state: Arc<State>,
}

struct State {
    shared: Arc<Shared>,
    topic: String,
    returned: Mutex<Vec<Returned>>,
    /// Something came back, or the client said that it cannot go on.
    needs_mending: AtomicBool,
    /// The producer ends: what comes back now is lost.
    giving_up: AtomicBool,
}

/// An operation that a broken client gave back. It still counts as queued.
pub(super) struct Returned {
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
    pub(super) waiter: Option<Waiter>,
}

impl Deliveries {
    pub(super) fn new(shared: Arc<Shared>, topic: String) -> Self {
        let state = State {
            shared,
            topic,
            returned: Mutex::default(),
            needs_mending: AtomicBool::new(false),
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

    /// From now on what comes back is lost, and so is what came back before.
    pub(super) fn give_up(&self) {
        self.state.giving_up.store(true, Ordering::Release);
        for Returned { key, value, waiter } in self.take_returned() {
            self.fail(RDKafkaErrorCode::PurgeQueue, Record { key: &key, value: &value }.bytes(), waiter);
        }
    }

    pub(super) fn note_trouble(&self, text: &str) {
        self.state.shared.trouble.note(text);
    }

    /// Keeps the operation for another client when this one broke, else counts it as failed.
    pub(super) fn undelivered(&self, code: RDKafkaErrorCode, record: Record<'_>, ticket: Arc<Ticket>) {
        let resent = ticket.resent;
        let waiter = ticket.into_waiter();
        if resent || !is_session_lost(code) || self.state.giving_up.load(Ordering::Acquire) {
            self.fail(code, record.bytes(), waiter);
            return;
        }
        let returned = Returned { key: record.key.to_vec(), value: record.value.to_vec(), waiter };
        self.state.returned.lock().unwrap_or_else(PoisonError::into_inner).push(returned);
        self.ask_for_mending();
    }

    fn fail(&self, code: RDKafkaErrorCode, bytes: usize, waiter: Option<Waiter>) {
        let shared = &self.state.shared;
        shared.ledger.settle_failed(bytes);
        if waiter.is_some() {
            let trouble = shared.trouble.text();
            tell(waiter, Err(RecordError::from_delivery(code, bytes, &self.state.topic, trouble.as_deref())));
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
    matches!(
        code,
        Code::Fatal
            | Code::OutOfOrderSequenceNumber
            | Code::UnknownProducerId
            | Code::InvalidProducerEpoch
            | Code::ProducerFenced
            // A client with a fatal error purges its queue, and so does one that is dropped.
            | Code::PurgeQueue
            | Code::PurgeInflight
    )
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Arc<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Arc<Ticket>) {
        match result {
            Ok(message) => {
                let shared = &self.state.shared;
                shared.trouble.clear();
                shared.ledger.settle_sent(message.key_len() + message.payload_len());
                let offset = Some(message.offset()).filter(|offset| *offset >= 0).map(Offset);
                tell(ticket.into_waiter(), Ok(Acknowledged { partition: Partition(message.partition()), offset }));
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
