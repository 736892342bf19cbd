//! Beside the way to the broker: what goes to disk, and when it comes back.

use std::sync::Arc;
use std::time::Instant;

use tracing::warn;

use super::Shared;
use super::deliveries::Returned;
use super::link::Link;
use super::reach::Reach;
use crate::acknowledgement::{Origin, Ticket};
use crate::config::{Spool, StartError};
use crate::hand_over::Collected;
use crate::record::Record;
use crate::spool::{Backlog, Entries, Load};

/// Entries are written in pieces of about this size.
const PIECE_BYTES: usize = 256 * 1024;
/// Spooled operations with the client while the broker answers. With a round every few milliseconds that is more than any
/// broker takes from one producer, and new operations never wait behind more than this.
const IN_REACH: Load = Load { operations: 2_000, bytes: 4 * 1024 * 1024 };
/// The same while it is away: enough to notice that it is back.
const AWAY: Load = Load { operations: 100, bytes: 256 * 1024 };

/// The disk and what is about to be written to it.
pub(super) struct Spooling {
    backlog: Backlog,
    piece: Entries,
    /// What the client holds shall come to disk, as soon as the client may be replaced and the disk takes it.
    pub(super) is_evacuation_due: bool,
    shared: Arc<Shared>,
}

impl Spooling {
    /// Takes the spool's folder.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub(super) fn open(spool: &Spool, topic: String, shared: &Arc<Shared>, now: Instant) -> Result<Self, StartError> {
        let backlog = Backlog::open(spool.clone(), topic, Arc::clone(shared), now)
            .map_err(|source| StartError::Spool { path: spool.folder.clone(), source })?;
        Ok(Self { backlog, piece: Entries::default(), is_evacuation_due: false, shared: Arc::clone(shared) })
    }

    /// Takes from the client what it holds, by replacing it. Returns whether it did.
    ///
    /// librdkafka keeps messages until they time out, and gives them back only when it ends.
    pub(super) fn evacuate(&mut self, link: &mut Link, reach: &Reach, now: Instant) -> bool {
        let holds_something = self.shared.ledger.queued_operations() > 0 && link.is_waiting();
        self.is_evacuation_due = self.is_evacuation_due && reach.is_away() && holds_something;
        if !self.is_evacuation_due || !link.may_be_replaced(now) || !self.backlog.is_well() {
            return false;
        }
        self.is_evacuation_due = false;
        link.deliveries.set_evacuating(true);
        let replaced = link.replace(now);
        link.deliveries.set_evacuating(false);
        if let Err(error) = replaced {
            warn!(%error, "kafka client could not be replaced; operations that it holds stay in memory");
            return false;
        }
        true
    }

    /// Hands on what was collected: to disk while the broker is away or slower than the application, except where somebody
    /// waits; else, and where the disk refuses, to the client.
    pub(super) fn take(&mut self, collected: &mut Collected, link: &Link, reach: &Reach, now: Instant) {
        let Self { backlog, piece, shared, .. } = self;
        let mut remains = false;
        let mut keep_in_memory = |record: Record<'_>| {
            remains = true;
            link.send(record, None, false);
        };
        collected.drain(|record, waiter| {
            let is_due = reach.is_away() || shared.ledger.is_half_full();
            if waiter.is_some() {
                link.send(record, waiter, false);
            } else if !(is_due && backlog.is_ready(now) && piece.push(record.key, record.value)) {
                keep_in_memory(record);
            } else if piece.bytes().len() >= PIECE_BYTES {
                write_piece(backlog, piece, shared, &mut keep_in_memory, now);
            }
        });
        write_piece(backlog, piece, shared, &mut keep_in_memory, now);
        self.is_evacuation_due |= remains && reach.is_away();
    }

    /// Writes those of the returned that nobody waits for and that shall be kept. Gives back the others, and those that
    /// the disk refused.
    pub(super) fn keep(
        &mut self,
        returned: Vec<Returned>,
        now: Instant,
        shall_keep: impl Fn(&Returned) -> bool,
    ) -> Vec<Returned> {
        let mut rest = Vec::new();
        let mut in_piece: Vec<Returned> = Vec::new();
        for returned in returned {
            let record = returned.record.as_record();
            let is_kept =
                returned.waiter.is_none() && shall_keep(&returned) && self.piece.push(record.key, record.value);
            if !is_kept {
                rest.push(returned);
                continue;
            }
            in_piece.push(returned);
            if self.piece.bytes().len() >= PIECE_BYTES {
                self.keep_piece(&mut in_piece, &mut rest, now);
            }
        }
        self.keep_piece(&mut in_piece, &mut rest, now);
        rest
    }

    fn keep_piece(&mut self, in_piece: &mut Vec<Returned>, rest: &mut Vec<Returned>, now: Instant) {
        let mut is_kept = true;
        write_piece(&mut self.backlog, &mut self.piece, &self.shared, &mut |_| is_kept = false, now);
        if is_kept {
            in_piece.clear();
        } else {
            rest.append(in_piece);
        }
    }

    /// Sends what is on disk, as much as the client shall have of it. Returns whether more is to be done soon.
    pub(super) fn resend(&mut self, link: &Link, reach: &Reach, now: Instant) -> bool {
        self.backlog.maintain(now);
        let room = if reach.is_away() { AWAY } else { IN_REACH };
        self.backlog.resend(room, now, |record, flight, entry| {
            link.send_with(record, Ticket::new(Origin::Spooled(flight, entry), false));
        });
        !reach.is_away() && self.backlog.is_busy(now)
    }

    /// Brings what was written to the disk for good.
    pub(super) fn finish(mut self, now: Instant) {
        self.backlog.finish(now);
    }
}

/// Writes the piece and settles its operations, or hands each to `refused`. Empties the piece.
fn write_piece(
    backlog: &mut Backlog,
    piece: &mut Entries,
    shared: &Shared,
    refused: &mut impl FnMut(Record<'_>),
    now: Instant,
) {
    if piece.is_empty() {
        return;
    }
    let is_stored = backlog.store(piece, now);
    for (key, value) in piece.iter() {
        let record = Record { key, value };
        if is_stored {
            shared.ledger.settle_spooled(record.bytes());
        } else {
            refused(record);
        }
    }
    piece.clear(2 * PIECE_BYTES);
}
