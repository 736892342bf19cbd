//! Everything on disk that waits for the broker: takes operations in, gives the oldest out, keeps within its bytes.
//!
//! Runs on the delivering thread alone. A disk that refuses is noted and left alone for a while; the caller keeps its
//! operations then.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opstream_schemas::UtcMillis;
use tracing::{info, warn};

use super::books::SpoolBooks;
use super::disk::Disk;
use super::flight::{Flight, Load};
use super::folder::{Folder, StoredSegment};
use super::resending::{Opened, Resending, operations, take_stock};
use super::segment::{Entries, HEADER_BYTES};
use super::writing::Writing;
use crate::config::Spool;
use crate::delivery::Shared;
use crate::record::Record;

/// A segment is this part of the spool: what is dropped at a time when the spool is full.
const SEGMENTS: u64 = 32;
const SMALLEST_SEGMENT: u64 = 128 * 1024;
/// A segment is read into memory whole, and after a crash sent again whole.
const LARGEST_SEGMENT: u64 = 8 * 1024 * 1024;
/// How often a producer with nothing on disk looks for segments of processes that are gone.
const ADOPT_EVERY: Duration = Duration::from_mins(1);
/// How long operations that came back rest before they are sent again; doubles while none is acknowledged.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The segments of one producer.
#[derive(Debug)]
pub(crate) struct Backlog {
    settings: Spool,
    topic: String,
    /// Absent while the disk refuses it.
    folder: Option<Folder>,
    /// Oldest first; all older than `writing`, all newer than `resending`.
    stored: VecDeque<StoredSegment>,
    writing: Option<Writing>,
    resending: Option<Resending>,
    /// The time in the name of the newest segment of this producer.
    named_at: UtcMillis,
    /// Bytes of all segments in the folder.
    bytes: u64,
    shared: Arc<Shared>,
    disk: Disk,
    adopt_from: Instant,
    resend_from: Instant,
    pause: Duration,
    /// Acknowledgements at the time of the last pause.
    acknowledged: u64,
}

impl Backlog {
    /// Takes a folder. A disk that is merely full does not hinder: it is tried again later.
    ///
    /// # Errors
    /// When the folder cannot be made or written for a reason that time does not heal.
    pub(crate) fn open(settings: Spool, topic: String, shared: Arc<Shared>, now: Instant) -> io::Result<Self> {
        let mut backlog = Self {
            settings,
            topic,
            folder: None,
            stored: VecDeque::new(),
            writing: None,
            resending: None,
            named_at: UtcMillis::from_millis(0),
            bytes: 0,
            shared,
            disk: Disk::new(now),
            adopt_from: now,
            resend_from: now,
            pause: FIRST_PAUSE,
            acknowledged: 0,
        };
        match backlog.take_folder() {
            Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                backlog.fail("opened", &error, now);
                Ok(backlog)
            }
            taken => taken.map(|()| backlog),
        }
    }

    /// Whether the disk would be asked now. While it is not, operations stay where they are.
    pub(crate) fn is_ready(&self, now: Instant) -> bool {
        self.folder.is_some() && self.disk.is_due(now)
    }

    /// Whether the disk took everything that it was given lately.
    pub(crate) fn is_well(&self) -> bool {
        self.folder.is_some() && !self.shared.disk_trouble.is_present()
    }

    /// Whether nothing is left to be sent again.
    pub(crate) fn is_empty(&self) -> bool {
        self.stored.is_empty() && self.resending.is_none() && self.writing.as_ref().is_none_or(Writing::is_empty)
    }

    /// Writes all entries, or none. Deletes the oldest segments when there is no room, and counts what was in them.
    pub(crate) fn store(&mut self, entries: &Entries, now: Instant) -> bool {
        if !self.is_ready(now) {
            return false;
        }
        match self.try_store(entries, now) {
            Ok(is_stored) => is_stored,
            Err(error) => {
                self.complete_writing();
                self.fail("written", &error, now);
                false
            }
        }
    }

    fn try_store(&mut self, entries: &Entries, now: Instant) -> io::Result<bool> {
        let Some(folder) = self.folder.as_ref().map(|folder| folder.path().to_owned()) else { return Ok(false) };
        let needed = operations(entries.bytes().len());
        if self.writing.as_ref().is_some_and(|writing| writing.bytes() + needed > self.segment_bytes()) {
            self.sync(now);
            self.complete_writing();
        }
        if !self.make_room(needed + operations(HEADER_BYTES))? {
            return Ok(false);
        }
        let mut writing = if let Some(writing) = self.writing.take() {
            writing
        } else {
            // Names tell the order to the next start, also where two segments begin within a millisecond or the clock goes back.
            self.named_at = UtcMillis::now().max(self.named_at.plus_millis(1));
            let created = Writing::create(&folder, self.named_at)?;
            self.add_bytes(created.bytes());
            created
        };
        let appended = writing.append(entries, now);
        self.writing = Some(writing);
        appended?;
        self.add_bytes(needed);
        self.books().spooled(operations(entries.len()));
        self.disk.succeed(&self.shared);
        Ok(true)
    }

    /// What is due from time to time: a folder that was refused, synchronisation, segments of processes that are gone.
    pub(crate) fn maintain(&mut self, now: Instant) {
        if self.folder.is_none() && self.disk.is_due(now) {
            match self.take_folder() {
                Ok(()) => self.disk.succeed(&self.shared),
                Err(error) => self.fail("opened", &error, now),
            }
        }
        if self.writing.as_ref().is_some_and(|writing| writing.needs_sync(now)) {
            self.sync(now);
        }
        if now >= self.adopt_from && self.is_empty() && self.is_ready(now) {
            self.adopt_from = now + ADOPT_EVERY;
            self.adopt(now);
        }
    }

    /// Sends what waits, oldest first, as long as no more than `room` is with the client.
    pub(crate) fn resend(&mut self, room: Load, now: Instant, mut send: impl FnMut(Record<'_>, Arc<Flight>, usize)) {
        self.settle(now);
        if now < self.resend_from {
            return;
        }
        while self.resending.is_some() || self.open_next(now) {
            let Some(resending) = &mut self.resending else { return };
            while let Some((record, flight, entry)) = resending.depart(room) {
                send(record, flight, entry);
            }
            if !resending.is_settled() {
                return;
            }
            self.settle(now);
        }
    }

    /// Whether there is something to send as soon as the client has room.
    pub(crate) fn is_busy(&self, now: Instant) -> bool {
        now >= self.resend_from && !self.is_empty()
    }

    /// Completes what was begun: everything that was stored survives a loss of power.
    pub(crate) fn finish(&mut self, now: Instant) {
        self.settle(now);
        self.sync(now);
        self.complete_writing();
    }

    /// Deletes the segment whose operations all have their fate, and lets those that came back rest.
    fn settle(&mut self, now: Instant) {
        let acknowledged = self.books().acknowledged();
        let Some(resending) = &mut self.resending else { return };
        if resending.take_returned() {
            if acknowledged > self.acknowledged {
                self.pause = FIRST_PAUSE;
            }
            self.acknowledged = acknowledged;
            self.resend_from = now + self.pause;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        if resending.is_settled()
            && let Some(Resending { segment, .. }) = self.resending.take()
            && let Err(error) = self.delete(&segment)
        {
            self.fail("tidied", &error, now);
        }
    }

    /// Reads the oldest segment; what cannot be read stays on disk for another start.
    fn open_next(&mut self, now: Instant) -> bool {
        if self.stored.is_empty() && self.writing.as_ref().is_some_and(|writing| writing.is_ripe(now)) {
            self.sync(now);
            self.complete_writing();
        }
        let Some(segment) = self.stored.pop_front() else { return false };
        let path = segment.path.clone();
        let (promised, bytes) = (segment.operations.unwrap_or(0), segment.bytes);
        match Resending::open(segment, self.books()) {
            Ok(Opened::Segment(resending, damage)) => {
                if damage.bytes > 0 {
                    let segment = path.display();
                    warn!(%segment, damaged_bytes = damage.bytes, "a segment of the spool is damaged; the rest of it is sent");
                }
                self.resending = Some(resending);
            }
            Ok(Opened::Newer) => {
                warn!(segment = %path.display(), "a later version of opstream wrote this segment; it is left alone");
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                warn!(segment = %path.display(), operations = promised, "a segment of the spool was deleted by somebody else");
                self.books().damaged(promised);
                self.remove_bytes(bytes);
            }
            Err(error) => {
                warn!(segment = %path.display(), %error, "a segment of the spool cannot be read; it is left alone");
            }
        }
        self.resending.is_some()
    }

    /// Deletes the oldest segments until there is room; false when all of the spool is too small.
    fn make_room(&mut self, needed: u64) -> io::Result<bool> {
        while self.bytes + needed > self.settings.bytes {
            if needed > self.settings.bytes {
                return Ok(false);
            }
            if self.resending.is_none() && self.stored.is_empty() {
                self.complete_writing();
            }
            if let Some(resending) = self.resending.take() {
                let segment = resending.segment.clone();
                let lost = resending.abandon();
                self.books().discarded(lost);
                self.delete(&segment)?;
            } else if let Some(segment) = self.stored.pop_front() {
                self.books().discarded(segment.operations.unwrap_or(0));
                self.delete(&segment)?;
            } else {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn take_folder(&mut self) -> io::Result<()> {
        let folder = Folder::take(&self.settings.folder, &self.topic)?;
        let found = folder.segments()?;
        self.folder = Some(folder);
        self.take_over(found);
        Ok(())
    }

    fn adopt(&mut self, now: Instant) {
        let room = self.settings.bytes.saturating_sub(self.bytes);
        let Some(folder) = &self.folder else { return };
        match folder.adopt(room) {
            Ok(adopted) if adopted.is_empty() => {}
            Ok(adopted) => {
                info!(segments = adopted.len(), "segments of processes that are gone are sent by this one");
                self.take_over(adopted);
            }
            Err(error) => self.fail("searched", &error, now),
        }
    }

    /// Counts segments that were found. One that its writer could not complete is read, to learn what it holds.
    fn take_over(&mut self, found: Vec<StoredSegment>) {
        for segment in found {
            if let Some(segment) = take_stock(segment, self.books()) {
                self.add_bytes(segment.bytes);
                self.stored.push_back(segment);
            }
        }
    }

    fn sync(&mut self, now: Instant) {
        if let Some(writing) = &mut self.writing
            && let Err(error) = writing.sync()
        {
            self.complete_writing();
            self.fail("synchronised", &error, now);
        }
    }

    fn complete_writing(&mut self) {
        let Some(writing) = self.writing.take() else { return };
        let is_empty = writing.is_empty();
        let segment = writing.complete();
        if is_empty {
            // Begun and never written, because the disk is full: a file that stays is deleted at the next start.
            self.delete(&segment).ok();
        } else {
            self.stored.push_back(segment);
        }
    }

    fn delete(&mut self, segment: &StoredSegment) -> io::Result<()> {
        self.remove_bytes(segment.bytes);
        match fs::remove_file(&segment.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            deleted => deleted,
        }
    }

    fn fail(&mut self, what: &str, error: &io::Error, now: Instant) {
        self.disk.fail(
            &format!("the spool in {} cannot be {what}: {error}", self.place().display()),
            &self.shared,
            now,
        );
    }

    fn place(&self) -> PathBuf {
        self.folder.as_ref().map_or_else(|| self.settings.folder.clone(), |folder| folder.path().to_owned())
    }

    fn segment_bytes(&self) -> u64 {
        (self.settings.bytes / SEGMENTS).clamp(SMALLEST_SEGMENT, LARGEST_SEGMENT)
    }

    fn books(&self) -> &Arc<SpoolBooks> {
        &self.shared.ledger.spool
    }

    fn add_bytes(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.books().set_bytes(self.bytes);
    }

    fn remove_bytes(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.books().set_bytes(self.bytes);
    }
}

#[cfg(test)]
mod tests;
