//! The log of one partition: segments in the order of their offsets, the last of which grows.
//!
//! Synchronous. Writing has three steps, so that nobody holds the log's lock while the disk works: batches are *staged*
//! (offsets given, sequences checked), *executed* (written and synchronised), then *committed* (visible). Only one write
//! may be under way; `partition.rs` sees to that. What was committed survives a power cut.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::batch::{BASE_OFFSET, BatchHeader, LEADER_EPOCH};
use super::producers::{Admission, Producers, SequenceError};
use super::segment::{LOG_EXTENSION, ReadPlan, Segment, remove_seal, sync_folder};

/// How long and how much a partition keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retention {
    /// A segment goes this long after the last write to it, read or not.
    pub(super) age: Duration,
    /// Beyond this size the oldest segments go, but only when every consumer group has read them.
    pub(super) size_bytes: u64,
}

/// The log of one partition.
#[derive(Debug)]
pub(super) struct PartitionLog {
    folder: PathBuf,
    /// A segment that has grown beyond this is sealed.
    segment_bytes: u64,
    /// Never empty; all but the last are sealed.
    segments: Vec<Segment>,
    producers: Producers,
    /// From the start of a write to its commit; still set at the next start when the write failed in between.
    is_writing: bool,
}

/// Batches on their way to the disk.
#[derive(Debug)]
pub(super) struct StagedWrite {
    file: Arc<File>,
    position: u64,
    bytes: Vec<u8>,
    headers: Vec<BatchHeader>,
    next_offset: i64,
}

/// The offset does not exist (any more, or yet).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("offset {offset} is outside {start}..={end}")]
pub(super) struct OffsetOutOfRange {
    pub(super) offset: i64,
    pub(super) start: i64,
    pub(super) end: i64,
}

impl PartitionLog {
    /// Opens the log in `folder`, which is created when missing.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub(super) fn open(folder: &Path, segment_bytes: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let bases = segment_bases(folder)?;
        let mut producers = Producers::default();
        let mut segments = Vec::with_capacity(bases.len().max(1));
        for (nth, base_offset) in bases.iter().enumerate() {
            let path = folder.join(format!("{base_offset:020}.{LOG_EXTENSION}"));
            if segments.last().is_some_and(|previous: &Segment| previous.next_offset > *base_offset) {
                // Compaction has merged it into the previous one and was interrupted before it removed it.
                remove_seal(&path)?;
                fs::remove_file(&path)?;
                continue;
            }
            let segment = Segment::open(&path, *base_offset, &mut producers)?;
            if nth + 1 < bases.len() {
                segment.seal(&producers)?;
            }
            segments.push(segment);
        }
        if segments.is_empty() {
            segments.push(Segment::create(folder, 0)?);
        }
        Ok(Self { folder: folder.to_owned(), segment_bytes, segments, producers, is_writing: false })
    }

    /// First offset that can be read, if there is anything to read.
    pub(super) fn start(&self) -> i64 {
        self.segments[0].base_offset
    }

    /// Offset that the next record will get: the high watermark.
    pub(super) fn end(&self) -> i64 {
        self.active().next_offset
    }

    /// Prepares a write. Before that, forgets the last one if it failed, and seals the last segment if it is full.
    ///
    /// # Errors
    /// When the disk cannot be read or the next segment cannot be created.
    pub(super) fn start_write(&mut self) -> io::Result<StagedWrite> {
        if self.is_writing {
            self.forget_failed_write()?;
        }
        if self.active().size_bytes >= self.segment_bytes {
            self.roll()?;
        }
        self.is_writing = true;
        let active = self.active();
        Ok(StagedWrite {
            file: Arc::clone(&active.file),
            position: active.size_bytes,
            bytes: Vec::new(),
            headers: Vec::new(),
            next_offset: active.next_offset,
        })
    }

    /// Gives a batch its offset within `write`, or finds that it has one already. Returns the base offset.
    ///
    /// # Errors
    /// When the producer's sequence does not allow the batch.
    pub(super) fn stage(
        &mut self,
        mut header: BatchHeader,
        batch: &[u8],
        write: &mut StagedWrite,
    ) -> Result<i64, SequenceError> {
        if let Admission::Repeat { base_offset } = self.producers.admit(&header)? {
            return Ok(base_offset);
        }
        header.base_offset = write.next_offset;
        write.push(header, batch);
        self.producers.remember(&header);
        Ok(header.base_offset)
    }

    /// Makes an executed write visible.
    pub(super) fn commit(&mut self, write: &StagedWrite) {
        let active = self.segments.last_mut().expect("a log has at least one segment");
        for header in &write.headers {
            active.extend(header);
        }
        self.is_writing = false;
    }

    /// Plans a read from `offset` on; `None` when nothing is there yet.
    ///
    /// # Errors
    /// When the offset is before the start or after the end of the log.
    pub(super) fn plan_read(&self, offset: i64) -> Result<Option<ReadPlan>, OffsetOutOfRange> {
        let (start, end) = (self.start(), self.end());
        if offset < start || offset > end {
            return Err(OffsetOutOfRange { offset, start, end });
        }
        let at = self.segments.partition_point(|segment| segment.next_offset <= offset);
        Ok(self.segments.get(at).map(|segment| segment.plan_read(offset)))
    }

    /// Where to look for records from `timestamp` on (milliseconds since 1970), oldest first.
    pub(super) fn plan_timestamp(&self, timestamp: i64) -> Vec<ReadPlan> {
        let may_hold = |segment: &&Segment| segment.max_timestamp >= timestamp;
        self.segments.iter().filter(may_hold).map(|segment| segment.plan_read(segment.base_offset)).collect()
    }

    /// Removes what `retention` no longer covers; `read_to` is the offset that every consumer group has passed.
    /// Returns the number of bytes that were freed.
    ///
    /// # Errors
    /// When files cannot be removed, or the next segment cannot be created.
    pub(super) fn expire(&mut self, now: SystemTime, retention: Retention, read_to: Option<i64>) -> io::Result<u64> {
        if !self.is_writing && self.active().size_bytes > 0 && is_older(self.active(), now, retention.age)? {
            self.roll()?;
        }
        let mut freed_bytes = 0;
        while self.segments.len() > 1 {
            let oldest = &self.segments[0];
            let is_read = read_to.is_some_and(|read_to| oldest.next_offset <= read_to);
            let is_too_much = self.size_bytes() > retention.size_bytes;
            if !(is_older(oldest, now, retention.age)? || (is_too_much && is_read)) {
                break;
            }
            let expired = self.segments.remove(0);
            freed_bytes += expired.size_bytes;
            expired.delete()?;
        }
        Ok(freed_bytes)
    }

    /// The sealed segments, oldest first.
    pub(super) fn sealed(&self) -> &[Segment] {
        &self.segments[..self.segments.len() - 1]
    }

    /// Puts a rewritten segment in the place of all sealed ones from its base offset to `covered_to`, exclusively.
    pub(super) fn replace(&mut self, rewritten: Segment, covered_to: i64) {
        let from = self.segments.partition_point(|segment| segment.base_offset < rewritten.base_offset);
        let to = self.segments.partition_point(|segment| segment.base_offset < covered_to);
        self.segments.splice(from..to, [rewritten]);
    }

    /// Size of all segments.
    pub(super) fn size_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.size_bytes).sum()
    }

    fn active(&self) -> &Segment {
        self.segments.last().expect("a log has at least one segment")
    }

    /// Goes back to what was committed, the producers' sequences included: a producer that sends a failed batch again must
    /// not be told that it is in the log.
    fn forget_failed_write(&mut self) -> io::Result<()> {
        let active = self.active();
        OpenOptions::new().write(true).open(&active.path)?.set_len(active.size_bytes)?;
        *self = Self::open(&self.folder, self.segment_bytes)?;
        Ok(())
    }

    fn roll(&mut self) -> io::Result<()> {
        self.active().seal(&self.producers)?;
        self.segments.push(Segment::create(&self.folder, self.end())?);
        Ok(())
    }
}

impl StagedWrite {
    fn push(&mut self, header: BatchHeader, batch: &[u8]) {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(batch);
        let placed = &mut self.bytes[at..];
        placed[BASE_OFFSET].copy_from_slice(&header.base_offset.to_be_bytes());
        placed[LEADER_EPOCH].copy_from_slice(&0i32.to_be_bytes());
        self.next_offset = header.next_offset();
        self.headers.push(header);
    }

    /// Writes and synchronises; returns when the batches would survive a power cut.
    ///
    /// # Errors
    /// When the disk refuses; nothing of the write counts then.
    pub(super) fn execute(&self) -> io::Result<()> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        self.file.write_all_at(&self.bytes, self.position)?;
        self.file.sync_data()
    }
}

/// Base offsets of the segments in a folder, ascending; leftovers of interrupted replacements are removed.
fn segment_bases(folder: &Path) -> io::Result<Vec<i64>> {
    let mut bases = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(LOG_EXTENSION) => bases.extend(stem.and_then(|stem| stem.parse::<i64>().ok())),
            Some("new") => fs::remove_file(&path)?,
            _ => {}
        }
    }
    bases.sort_unstable();
    sync_folder(folder)?;
    Ok(bases)
}

/// Whether the last write to a segment is longer ago than `age`. The file's own time counts, not the records': an
/// import of old operations must not expire before it is read.
fn is_older(segment: &Segment, now: SystemTime, age: Duration) -> io::Result<bool> {
    let written_at = segment.file.metadata()?.modified()?;
    Ok(now.duration_since(written_at).is_ok_and(|since| since > age))
}

#[cfg(test)]
mod tests;
