//! One file of a partition's log: record batches one after the other, exactly as consumers receive them.
//!
//! A segment knows where its batches stand through a sparse index in memory. When it is full it is *sealed*: the index
//! and the state of the producers go to a small file beside it, so that a start reads only the last segment in full.
//! Here is no policy (when to roll, what to delete) and no waiting for the disk on behalf of producers; see `log.rs`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::batch::{BatchHeader, HEADER_BYTES};
use super::producers::Producers;

/// Distance between two entries of the index: the most that a read skips before the batch it looks for.
const INDEX_STEP_BYTES: u64 = 64 * 1024;
/// Extension of segment files; the name is the base offset in 20 digits, so that names sort like offsets.
pub(super) const LOG_EXTENSION: &str = "log";
const SEAL_EXTENSION: &str = "seal";

/// A segment and its index.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) base_offset: i64,
    /// Offset that follows the last batch; the base offset when there is none.
    pub(super) next_offset: i64,
    pub(super) size_bytes: u64,
    /// Highest timestamp that producers gave, milliseconds since 1970; −1 without any.
    pub(super) max_timestamp: i64,
    pub(super) file: Arc<File>,
    pub(super) path: PathBuf,
    index: Vec<IndexEntry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct IndexEntry {
    offset: i64,
    position: u64,
}

/// What the seal file says; believed only while the segment still has the size it names.
#[derive(Serialize, Deserialize)]
struct Seal {
    size_bytes: u64,
    next_offset: i64,
    max_timestamp: i64,
    index: Vec<IndexEntry>,
    producers: Producers,
}

/// Where to read: taken under the log's lock, executed without it.
#[derive(Debug)]
pub(super) struct ReadPlan {
    file: Arc<File>,
    position: u64,
    end: u64,
    offset: i64,
}

impl Segment {
    /// Creates an empty segment; a leftover file of the same name is emptied.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(super) fn create(folder: &Path, base_offset: i64) -> io::Result<Self> {
        let path = folder.join(format!("{base_offset:020}.{LOG_EXTENSION}"));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        remove_if_present(&path.with_extension(SEAL_EXTENSION))?;
        sync_folder(folder)?;
        Ok(Self::empty(base_offset, file, path))
    }

    /// Opens a segment by its seal, or by reading all of it; bytes after the last whole batch are cut off.
    ///
    /// `producers` is the state before the segment and becomes the state after it.
    ///
    /// # Errors
    /// When the file cannot be read or cut.
    pub(super) fn open(path: &Path, base_offset: i64, producers: &mut Producers) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut segment = Self::empty(base_offset, file, path.to_owned());
        let length = segment.file.metadata()?.len();
        if let Some(seal) = read_seal(&path.with_extension(SEAL_EXTENSION)).filter(|seal| seal.size_bytes == length) {
            segment.size_bytes = length;
            segment.next_offset = seal.next_offset;
            segment.max_timestamp = seal.max_timestamp;
            segment.index = seal.index;
            *producers = seal.producers;
        } else {
            segment.recover(length, producers)?;
        }
        Ok(segment)
    }

    fn empty(base_offset: i64, file: File, path: PathBuf) -> Self {
        Self {
            base_offset,
            next_offset: base_offset,
            size_bytes: 0,
            max_timestamp: -1,
            file: Arc::new(file),
            path,
            index: Vec::new(),
        }
    }

    fn recover(&mut self, length: u64, producers: &mut Producers) -> io::Result<()> {
        while let Some((header, _)) = read_batch(&self.file, self.size_bytes, length)? {
            if header.base_offset < self.next_offset {
                break;
            }
            producers.remember(&header);
            self.extend(&header);
        }
        if self.size_bytes < length {
            tracing::warn!(
                segment = %self.path.display(),
                lost_bytes = length - self.size_bytes,
                next_offset = self.next_offset,
                "cut an unfinished write off the end of a log segment",
            );
            self.file.set_len(self.size_bytes)?;
            self.file.sync_all()?;
        }
        Ok(())
    }

    /// Takes note of a batch that now stands at the end of the file.
    pub(super) fn extend(&mut self, header: &BatchHeader) {
        let is_far = self.index.last().is_none_or(|last| self.size_bytes - last.position >= INDEX_STEP_BYTES);
        if is_far {
            self.index.push(IndexEntry { offset: header.base_offset, position: self.size_bytes });
        }
        self.size_bytes += widen(header.size_bytes);
        self.next_offset = header.next_offset();
        self.max_timestamp = self.max_timestamp.max(header.max_timestamp);
    }

    /// Writes the seal; the segment must not be appended to any more.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(super) fn seal(&self, producers: &Producers) -> io::Result<()> {
        let seal = Seal {
            size_bytes: self.size_bytes,
            next_offset: self.next_offset,
            max_timestamp: self.max_timestamp,
            index: self.index.clone(),
            producers: producers.clone(),
        };
        write_whole(&self.path.with_extension(SEAL_EXTENSION), &serde_json::to_vec(&seal)?)
    }

    /// Removes the files.
    ///
    /// # Errors
    /// When a file exists and cannot be removed.
    pub(super) fn delete(&self) -> io::Result<()> {
        remove_if_present(&self.path)?;
        remove_if_present(&self.path.with_extension(SEAL_EXTENSION))
    }

    /// Plans a read from the batch that contains `offset`, or the first one after it.
    pub(super) fn plan_read(&self, offset: i64) -> ReadPlan {
        let after = self.index.partition_point(|entry| entry.offset <= offset);
        let position = after.checked_sub(1).map_or(0, |at| self.index[at].position);
        ReadPlan { file: Arc::clone(&self.file), position, end: self.size_bytes, offset }
    }
}

impl ReadPlan {
    /// Whole batches from the planned offset on, together at most `max_bytes`, but at least one if there is one.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn read(mut self, max_bytes: usize) -> io::Result<Bytes> {
        let Some(first) = self.skip_to_offset()? else { return Ok(Bytes::new()) };
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        let mut batches = vec![0; max_bytes.max(first.size_bytes).min(left)];
        self.file.read_exact_at(&mut batches, self.position)?;
        let mut whole = 0;
        while let Some(header) = BatchHeader::parse(&batches[whole..]) {
            if whole + header.size_bytes > batches.len() {
                break;
            }
            whole += header.size_bytes;
        }
        batches.truncate(whole);
        Ok(Bytes::from(batches))
    }

    /// The first batch whose highest timestamp is at least `timestamp` (milliseconds since 1970): its base offset and
    /// that timestamp.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn find_timestamp(mut self, timestamp: i64) -> io::Result<Option<(i64, i64)>> {
        while let Some(header) = self.skip_to_offset()? {
            if header.max_timestamp >= timestamp {
                return Ok(Some((header.base_offset.max(self.offset), header.max_timestamp)));
            }
            self.position += widen(header.size_bytes);
        }
        Ok(None)
    }

    /// Moves to the batch that contains the planned offset or follows it; `None` at the end of the segment.
    fn skip_to_offset(&mut self) -> io::Result<Option<BatchHeader>> {
        while self.position < self.end {
            let Some(header) = read_header(&self.file, self.position)? else { return Ok(None) };
            if header.next_offset() > self.offset {
                return Ok(Some(header));
            }
            self.position += widen(header.size_bytes);
        }
        Ok(None)
    }
}

/// The batch at `position` if it is whole before `end` and undamaged.
pub(super) fn read_batch(file: &File, position: u64, end: u64) -> io::Result<Option<(BatchHeader, Bytes)>> {
    if end.saturating_sub(position) < widen(HEADER_BYTES) {
        return Ok(None);
    }
    let Some(header) = read_header(file, position)? else { return Ok(None) };
    if widen(header.size_bytes) > end - position {
        return Ok(None);
    }
    let mut batch = vec![0; header.size_bytes];
    file.read_exact_at(&mut batch, position)?;
    Ok(header.matches_checksum(&batch).then(|| (header, Bytes::from(batch))))
}

fn read_header(file: &File, position: u64) -> io::Result<Option<BatchHeader>> {
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, position)?;
    Ok(BatchHeader::parse(&header))
}

/// The state of the producers after a sealed segment, by the segment's path.
pub(super) fn sealed_producers(segment: &Path) -> Option<Producers> {
    read_seal(&segment.with_extension(SEAL_EXTENSION)).map(|seal| seal.producers)
}

/// Removes the seal of a segment that is about to be replaced.
///
/// # Errors
/// When it exists and cannot be removed.
pub(super) fn remove_seal(segment: &Path) -> io::Result<()> {
    remove_if_present(&segment.with_extension(SEAL_EXTENSION))
}

fn read_seal(path: &Path) -> Option<Seal> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Replaces a small file so that after any crash it is either the old or the new one, whole.
///
/// # Errors
/// When the folder cannot be written.
pub(super) fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    fs::write(&temporary, content)?;
    File::open(&temporary)?.sync_all()?;
    fs::rename(&temporary, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes created, renamed and deleted names in a folder survive a power cut.
///
/// # Errors
/// When the folder cannot be opened or synchronised.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn remove_if_present(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn widen(size: usize) -> u64 {
    u64::try_from(size).expect("a size in memory fits in 64 bits")
}
