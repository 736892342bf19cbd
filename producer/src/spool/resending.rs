//! The segment whose operations are being sent again: which of them are with the client, and which are still to go.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::sync::Arc;

use tracing::warn;

use super::books::SpoolBooks;
use super::flight::{Flight, Load};
use super::folder::StoredSegment;
use super::segment::{Entries, Segment, SegmentDamage, read_segment};
use crate::record::Record;

/// A segment in memory. Its file stays until every operation is settled.
#[derive(Debug)]
pub(super) struct Resending {
    pub(super) segment: StoredSegment,
    entries: Entries,
    /// The first that was never sent.
    next: usize,
    /// Those that came back, oldest first.
    again: BTreeSet<usize>,
    flight: Arc<Flight>,
}

/// What reading a file brought.
#[derive(Debug)]
pub(super) enum Opened {
    Segment(Resending, SegmentDamage),
    /// A later version of opstream wrote it.
    Newer,
}

impl Resending {
    /// Reads a segment. What its name promises and its bytes do not keep is counted as damaged.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn open(segment: StoredSegment, books: &Arc<SpoolBooks>) -> io::Result<Opened> {
        let (entries, damage) = match read_segment(fs::read(&segment.path)?) {
            Segment::Read(entries, damage) => (entries, damage),
            Segment::Newer { .. } => return Ok(Opened::Newer),
        };
        let (promised, found) = (segment.operations.unwrap_or(0), operations(entries.len()));
        books.damaged(promised.saturating_sub(found));
        books.inherited(found.saturating_sub(promised));
        let flight = Flight::new(Arc::clone(books));
        Ok(Opened::Segment(Self { segment, entries, next: 0, again: BTreeSet::new(), flight }, damage))
    }

    /// Notes what came back from the client, and says whether something did.
    pub(super) fn take_returned(&mut self) -> bool {
        let returned = self.flight.take_returned();
        let came_back = !returned.is_empty();
        self.again.extend(returned);
        came_back
    }

    /// The next entry to send, as long as no more than `room` is with the client; one is always allowed.
    pub(super) fn depart(&mut self, room: Load) -> Option<(Record<'_>, Arc<Flight>, usize)> {
        let index = self.again.first().copied().or_else(|| (self.next < self.entries.len()).then_some(self.next))?;
        let record = self.entries.record(index)?;
        let load = self.flight.load();
        let fits = load.operations < room.operations && load.bytes + record.bytes() <= room.bytes;
        if load.operations > 0 && !fits {
            return None;
        }
        if !self.again.remove(&index) {
            self.next += 1;
        }
        self.flight.depart(record.bytes());
        Some((record, Arc::clone(&self.flight), index))
    }

    /// How many are not with the client and not settled.
    pub(super) fn unsent(&self) -> usize {
        self.entries.len() - self.next + self.again.len()
    }

    /// Whether every operation has its fate.
    pub(super) fn is_settled(&self) -> bool {
        // In this order: what comes back in between is seen as unsent the next time.
        let nothing_flies = self.flight.load().operations == 0;
        nothing_flies && self.unsent() == 0 && !self.flight.has_returned()
    }

    /// Gives the segment up. Returns how many operations are lost now; those with the client count when they come back.
    pub(super) fn abandon(self) -> u64 {
        let returned = self.flight.abandon();
        operations(self.unsent() + returned)
    }
}

/// Counts a segment that was found. One whose writer ended before its end is read and completed; none is left when it has
/// no operation, or cannot be read.
pub(super) fn take_stock(mut segment: StoredSegment, books: &SpoolBooks) -> Option<StoredSegment> {
    if let Some(operations) = segment.operations {
        books.inherited(operations);
        return Some(segment);
    }
    let path = segment.path.display();
    let (entries, damage) = match fs::read(&segment.path).map(read_segment) {
        Ok(Segment::Read(entries, damage)) => (entries, damage),
        Ok(Segment::Newer { .. }) => {
            warn!(segment = %path, "a later version of opstream wrote this segment; it is left alone");
            return None;
        }
        Err(error) => {
            warn!(segment = %path, %error, "a segment of the spool cannot be read; it is left alone");
            return None;
        }
    };
    if damage.places > 0 {
        warn!(segment = %path, damaged_bytes = damage.bytes, "a segment of the spool is damaged; the rest of it is sent");
    }
    let found = operations(entries.len());
    books.inherited(found + damage.places);
    books.damaged(damage.places);
    if found == 0 {
        fs::remove_file(&segment.path).ok();
        return None;
    }
    segment.complete(found);
    Some(segment)
}

pub(super) fn operations(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
