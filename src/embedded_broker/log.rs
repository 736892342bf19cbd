//! The log of one partition: segments in the order of their offsets, the last of which grows.
//!
//! Synchronous. Writing has three steps, so that nobody holds the log's lock while the disk works: batches are *staged*
//! (offsets given, sequences checked, on a copy of the producers' state), *executed* (written and synchronised), then
//! *committed* (visible) or *abandoned*. Only one write may be under way; `partition.rs` sees to that. What was committed
//! survives a power cut.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::batch::{BASE_OFFSET, BatchHeader, LEADER_EPOCH};
use super::producers::{Admission, Producers, SequenceError};
use super::segment::{COMPACTING_EXTENSION, LOG_EXTENSION, NEW_EXTENSION, Place, ReadPlan, Segment, sync_folder};

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
    /// From the start of a write to its commit or its failure.
    is_writing: bool,
    /// Whether bytes of a failed write may stand behind the last batch.
    has_torn_end: bool,
}

/// Batches on their way to the disk.
#[derive(Debug)]
pub(super) struct StagedWrite {
    file: Arc<File>,
    position: u64,
    bytes: Vec<u8>,
    headers: Vec<BatchHeader>,
    next_offset: i64,
    /// As they will be after this write.
    producers: Producers,
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The offset does not exist (any more, or yet): the consumer must choose another one.
    #[error("offset {offset} is outside {start}..={end}")]
    OutOfRange { offset: i64, start: i64, end: i64 },
    /// The disk does not answer, or what it answers is damaged.
    #[error("log cannot be read: {0}")]
    Disk(#[from] io::Error),
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
                Segment::delete_files(&path)?;
                continue;
            }
            let place = Place { base_offset: *base_offset, next_base: bases.get(nth + 1).copied() };
            let mut segment = Segment::open(&path, place, &mut producers)?;
            if place.next_base.is_some() && !segment.is_sealed() {
                segment.seal(&producers).unwrap_or_else(|error| {
                    // On a full disk too the broker must start: retention may be what makes room.
                    tracing::warn!(%error, segment = %path.display(), "cannot seal a log segment; it is read again at the next start");
                });
            }
            segments.push(segment);
        }
        if segments.is_empty() {
            segments.push(Segment::create(folder, 0)?);
        }
        let folder = folder.to_owned();
        Ok(Self { folder, segment_bytes, segments, producers, is_writing: false, has_torn_end: false })
    }

    /// First offset that can be read, if there is anything to read.
    pub(super) fn start(&self) -> i64 {
        self.segments[0].base_offset
    }

    /// Offset that the next record will get: the high watermark.
    pub(super) fn end(&self) -> i64 {
        self.active().next_offset
    }

    /// Prepares a write. Before that, removes what a failed one left and seals the last segment if it is full.
    ///
    /// # Errors
    /// When the disk refuses, or the next segment cannot be created.
    pub(super) fn start_write(&mut self) -> io::Result<StagedWrite> {
        self.cut_torn_end()?;
        if self.active().size_bytes >= self.segment_bytes {
            self.roll()?;
        }
        let file = self.active_mut().writer()?;
        self.is_writing = true;
        let active = self.active();
        Ok(StagedWrite {
            file,
            position: active.size_bytes,
            bytes: Vec::new(),
            headers: Vec::new(),
            next_offset: active.next_offset,
            producers: self.producers.clone(),
        })
    }

    /// Makes an executed write visible.
    pub(super) fn commit(&mut self, write: StagedWrite) {
        for header in &write.headers {
            self.active_mut().extend(header);
        }
        self.producers = write.producers;
        self.is_writing = false;
    }

    /// Forgets a write that could not be executed: the log is as it was before, the producers' sequences included, so that
    /// a producer which sends a failed batch again is not told that it is in the log.
    pub(super) fn abandon(&mut self) {
        self.is_writing = false;
        self.has_torn_end = true;
    }

    /// Plans a read from `offset` on; `None` when nothing is there yet.
    ///
    /// # Errors
    /// When the offset is before the start or after the end of the log, or the file cannot be opened.
    pub(super) fn plan_read(&self, offset: i64) -> Result<Option<ReadPlan>, ReadError> {
        let (start, end) = (self.start(), self.end());
        if offset < start || offset > end {
            return Err(ReadError::OutOfRange { offset, start, end });
        }
        let at = self.segments.partition_point(|segment| segment.next_offset <= offset);
        Ok(self.segments.get(at).map(|segment| segment.plan_read(offset)).transpose()?)
    }

    /// Where to look for the first batch that is not older than `timestamp` (milliseconds since 1970).
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(super) fn plan_timestamp(&self, timestamp: i64) -> io::Result<Option<ReadPlan>> {
        let holds = |segment: &&Segment| segment.max_timestamp >= timestamp;
        self.segments.iter().find(holds).map(|segment| segment.plan_read(segment.base_offset)).transpose()
    }

    /// Takes out what `retention` no longer covers; `read_to` is the offset that every consumer group has passed. The
    /// caller deletes the files of what is returned.
    ///
    /// # Errors
    /// When the disk does not answer, or the next segment cannot be created; the log is then as it was.
    pub(super) fn expire(
        &mut self,
        now: SystemTime,
        retention: Retention,
        read_to: Option<i64>,
    ) -> io::Result<Vec<Segment>> {
        if !self.is_writing && self.active().size_bytes > 0 && is_older(self.active(), now, retention.age)? {
            self.roll()?;
        }
        let mut size_bytes = self.size_bytes();
        let mut n_expired = 0;
        for segment in self.sealed() {
            let is_read = read_to.is_some_and(|read_to| segment.next_offset <= read_to);
            let is_too_much = size_bytes > retention.size_bytes;
            if !(is_older(segment, now, retention.age)? || (is_too_much && is_read)) {
                break;
            }
            size_bytes -= segment.size_bytes;
            n_expired += 1;
        }
        Ok(self.segments.drain(..n_expired).collect())
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

    fn active_mut(&mut self) -> &mut Segment {
        self.segments.last_mut().expect("a log has at least one segment")
    }

    /// Without this, whole batches of a failed write behind a shorter one that came after it would count at the next start.
    fn cut_torn_end(&mut self) -> io::Result<()> {
        if self.has_torn_end {
            let active = self.active_mut();
            active.writer()?.set_len(active.size_bytes)?;
            self.has_torn_end = false;
        }
        Ok(())
    }

    fn roll(&mut self) -> io::Result<()> {
        self.cut_torn_end()?;
        let producers = self.producers.clone();
        self.active_mut().seal(&producers)?;
        self.segments.push(Segment::create(&self.folder, self.end())?);
        Ok(())
    }
}

impl StagedWrite {
    /// Gives a batch its offset, or finds that it has one already. Returns the base offset.
    ///
    /// # Errors
    /// When the producer's sequence does not allow the batch.
    pub(super) fn stage(&mut self, mut header: BatchHeader, batch: &[u8]) -> Result<i64, SequenceError> {
        if let Admission::Repeat { base_offset } = self.producers.admit(&header)? {
            return Ok(base_offset);
        }
        header.base_offset = self.next_offset;
        self.push(header, batch);
        self.producers.remember(&header);
        Ok(header.base_offset)
    }

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
            Some(NEW_EXTENSION | COMPACTING_EXTENSION) => fs::remove_file(&path)?,
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
    Ok(now.duration_since(segment.written_at()?).is_ok_and(|since| since > age))
}

#[cfg(test)]
mod tests;
