//! Hands operations to the producer in chunks and waits for the broker's acknowledgement of each.

use opstream_producer::{Acknowledged, Producer, RecordError};
use opstream_schemas::{Operation, OperationId};
use tokio::time::{Instant, timeout_at};

use super::admission::Admission;
use super::answer::{Halt, IntakeOutcome};
use super::identity::{IdSource, Source};
use super::item::Flaw;
use crate::rate::{Allowance, RateExceeded};

/// Operations of a chunk: enough to hide the way to the broker and back, few enough to hold.
const CHUNK_OPERATIONS: usize = 2000;
/// Bytes of JSON after which a chunk is sent, however few operations it has.
const CHUNK_BYTES: usize = 4 << 20;
/// Bytes of JSON after which other tasks of the thread have their turn: about a millisecond of reading.
const TURN_BYTES: usize = 256 << 10;
/// Items after which they have it too: a line of two bytes is refused in about a microsecond, one with a wrong field in ten.
const TURN_ITEMS: usize = 200;

/// The items of one request on their way to the topic.
pub(crate) struct Submission<'a> {
    producer: &'a Producer,
    admission: Admission,
    chunk: Vec<(Place, IdSource, Operation)>,
    chunk_bytes: usize,
    items: u64,
    /// Bytes and items read since other tasks had their turn.
    turn: (usize, usize),
    deadline: Instant,
    allowance: Allowance,
    outcome: IntakeOutcome,
}

/// What one request was granted.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    /// When it must have been answered.
    pub(crate) deadline: Instant,
    /// At whose expense it is.
    pub(crate) allowance: Allowance,
}

/// Where an item stood in the request.
#[derive(Clone, Copy, Debug)]
struct Place {
    index: u64,
    line: Option<u64>,
}

impl<'a> Submission<'a> {
    /// A request whose items follow `admission`'s rules, within what was granted to it.
    pub(crate) fn new(producer: &'a Producer, admission: Admission, grant: Grant) -> Self {
        Self {
            producer,
            admission,
            chunk: Vec::new(),
            chunk_bytes: 0,
            items: 0,
            turn: (0, 0),
            deadline: grant.deadline,
            allowance: grant.allowance,
            outcome: IntakeOutcome::default(),
        }
    }

    /// Bytes of JSON whose operations wait to be sent.
    pub(crate) fn held_bytes(&self) -> usize {
        self.chunk_bytes
    }

    /// Whether there may be further items.
    ///
    /// # Errors
    /// When the caller has taken what it may.
    pub(crate) fn check_rate(&self) -> Result<(), RateExceeded> {
        self.allowance.check_intake().inspect_err(|exceeded| crate::metrics::count_throttled(exceeded.limit.as_str()))
    }

    /// Takes the next item, read or refused, and its JSON.
    ///
    /// # Errors
    /// When the broker does not acknowledge, or the time of the request is over: the rest of the request is not looked at.
    pub(crate) async fn take(
        &mut self,
        item: Result<Operation, Flaw>,
        text: &[u8],
        line: Option<u64>,
    ) -> Result<(), Halt> {
        let place = Place { index: self.items, line };
        self.items += 1;
        self.allowance.take_operation();
        match item.and_then(|operation| self.admission.admit(operation, Source { index: place.index, text })) {
            Ok((operation, source)) => {
                self.chunk.push((place, source, operation));
                self.chunk_bytes += text.len();
            }
            Err(flaw) => self.refuse(flaw, place),
        }
        self.turn.0 += text.len();
        self.turn.1 += 1;
        if self.turn.0 >= TURN_BYTES || self.turn.1 >= TURN_ITEMS {
            self.turn = (0, 0);
            tokio::task::yield_now().await;
            // Items that are all refused are never sent, where the time is looked at else.
            if Instant::now() >= self.deadline {
                return Err(out_of_time());
            }
        }
        if self.chunk.len() >= CHUNK_OPERATIONS || self.chunk_bytes >= CHUNK_BYTES {
            self.send_chunk().await?;
        }
        Ok(())
    }

    /// Sends what is left and gives back what became of all items.
    pub(crate) async fn finish(mut self, halt: Option<Halt>) -> (IntakeOutcome, Option<Halt>) {
        // What was read before the body broke off is as good as any: accept it, and say so.
        let last = if matches!(halt, Some(Halt::BrokerUnavailable { .. })) { Ok(()) } else { self.send_chunk().await };
        (self.outcome, halt.or(last.err()))
    }

    /// Sends what waits, and holds nothing any more.
    ///
    /// # Errors
    /// When the broker does not acknowledge, or the time of the request is over: then nothing was sent.
    pub(crate) async fn send_chunk(&mut self) -> Result<(), Halt> {
        self.chunk_bytes = 0;
        let chunk = std::mem::take(&mut self.chunk);
        if chunk.is_empty() {
            return Ok(());
        }
        if Instant::now() >= self.deadline {
            return Err(out_of_time());
        }
        let mut places = Vec::with_capacity(chunk.len());
        let mut operations = Vec::with_capacity(chunk.len());
        for (place, source, operation) in chunk {
            places.push((place, source, operation.operation_id));
            operations.push(operation);
        }
        let sending = timeout_at(self.deadline, self.producer.record_all_acked(operations));
        let Ok(acknowledgements) = sending.await else {
            for (place, source, id) in places {
                self.note_id(place, source, id);
            }
            return Err(out_of_time());
        };
        if let Some(error) = acknowledgements.iter().find_map(|answer| answer.as_ref().err()) {
            tracing::warn!(%error, "operations of a request were not acknowledged");
        }
        let mut halt = Ok(());
        for (place, acknowledgement) in places.into_iter().zip(acknowledgements) {
            halt = halt.and(self.note(place, acknowledgement));
        }
        halt
    }

    fn note(
        &mut self,
        (place, source, id): (Place, IdSource, OperationId),
        acknowledgement: Result<Acknowledged, RecordError>,
    ) -> Result<(), Halt> {
        let outcome = match acknowledgement {
            Ok(acknowledged) => {
                self.outcome.accept(place.index, acknowledged.partition, acknowledged.offset);
                Ok(())
            }
            Err(error @ RecordError::TooLarge { .. }) => {
                self.refuse(Flaw::of_item("too_large", error.to_string()), place);
                return Ok(());
            }
            Err(error) => Err(halt_of(&error)),
        };
        self.note_id(place, source, id);
        outcome
    }

    /// Without an acknowledgement an operation may arrive all the same: whoever sends it again needs its id.
    fn note_id(&mut self, place: Place, source: IdSource, id: OperationId) {
        if source == IdSource::Minted {
            self.outcome.note_minted(place.index, id);
        }
    }

    fn refuse(&mut self, flaw: Flaw, place: Place) {
        crate::metrics::count_refused(flaw.code);
        self.outcome.refuse(flaw.at(place.index, place.line));
    }
}

fn out_of_time() -> Halt {
    let reason = "the request takes longer than it may; `accepted_items` are accepted, others may still arrive, so send them \
                  again only with the same operation_id, and fewer at once";
    Halt::OutOfTime { reason: reason.to_owned() }
}

/// What the client is told; addresses and the broker's own words stay in the log.
fn halt_of(error: &RecordError) -> Halt {
    let reason = match error {
        RecordError::QueueFull { .. } => "the queue to the broker is full; try again later".to_owned(),
        RecordError::Closed => "the server is stopping; try again".to_owned(),
        RecordError::Refused { .. } => "the broker refuses operations; the server's log says why".to_owned(),
        RecordError::Unavailable { .. } | RecordError::TooLarge { .. } => {
            "the broker did not acknowledge in time; operations may still arrive, so send them again only with the same \
             operation_id"
                .to_owned()
        }
    };
    Halt::BrokerUnavailable { reason }
}
