//! One file of a partition's log: record batches one after the other, exactly as consumers receive them.
//!
//! A segment knows where its batches stand through a sparse index in memory. When it is full it is *sealed*: the index
//! and the state of the producers go to a small file beside it, so that a start reads only the last segment in full, and
//! its own file is closed, so that a log of any length keeps one file open. A seal only saves work: without it, or when it
//! does not fit the segment, the segment is read in full. Bytes that are not batches are cut off the end of the last
//! segment, where a crash leaves them; anywhere else they are damage, and an error for whoever reads there.
//! Here is no policy (when to roll, what to delete) and no waiting for the disk on behalf of producers; see `log.rs`.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::batch::{BatchHeader, HEADER_BYTES};
use super::producers::Producers;

/// Distance between two entries of the index: the most that a read skips before the batch it looks for.
const INDEX_STEP_BYTES: u64 = 64 * 1024;
/// Extension of segment files; the name is the base offset in 20 digits, so that names sort like offsets.
pub(super) const LOG_EXTENSION: &str = "log";
const SEAL_EXTENSION: &str = "seal";
/// Extension of a small file that is about to take another one's place.
pub(super) const NEW_EXTENSION: &str = "new";
/// Extension of a segment that compaction writes.
pub(super) const COMPACTING_EXTENSION: &str = "compacting";

/// A segment and its index.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) base_offset: i64,
    /// Offset that follows the last batch; the base offset when there is none.
    pub(super) next_offset: i64,
    pub(super) size_bytes: u64,
    /// Highest timestamp that producers gave, milliseconds since 1970; −1 without any.
    pub(super) max_timestamp: i64,
    pub(super) path: PathBuf,
    /// Whether compaction has dealt with this segment and all before it.
    pub(super) is_compacted: bool,
    /// Open as long as the segment grows; a sealed one is opened for each read.
    file: Option<Arc<File>>,
    index: Vec<IndexEntry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct IndexEntry {
    offset: i64,
    position: u64,
}

/// What the seal file says; believed only when the segment ends where it says.
#[derive(Serialize, Deserialize)]
struct Seal {
    size_bytes: u64,
    next_offset: i64,
    max_timestamp: i64,
    index: Vec<IndexEntry>,
    producers: Producers,
    #[serde(default)]
    is_compacted: bool,
}

/// Where a segment stands in its log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) base_offset: i64,
    /// Base offset of the segment that follows; the last one may end in an unfinished write.
    pub(super) next_base: Option<i64>,
}

/// Where to read: taken under the log's lock, executed without it.
#[derive(Debug)]
pub(super) struct ReadPlan {
    file: Arc<File>,
    path: PathBuf,
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

    /// Opens a segment by its seal, which leaves it sealed, or by [`Segment::read`].
    ///
    /// `producers` is the state before the segment and becomes the state after it.
    ///
    /// # Errors
    /// When the file cannot be read, cut or synchronised.
    pub(super) fn open(path: &Path, place: Place, producers: &mut Producers) -> io::Result<Self> {
        let file = File::open(path)?;
        let Some(seal) = read_seal(&path.with_extension(SEAL_EXTENSION)).filter(|seal| seal.fits(&file)) else {
            return Self::read(path, place, producers);
        };
        *producers = seal.producers;
        Ok(Self {
            base_offset: place.base_offset,
            next_offset: seal.next_offset,
            size_bytes: seal.size_bytes,
            max_timestamp: seal.max_timestamp,
            path: path.to_owned(),
            is_compacted: seal.is_compacted,
            file: None,
            index: seal.index,
        })
    }

    /// Opens a segment by reading all of it.
    ///
    /// `producers` is the state before the segment and becomes the state after it.
    ///
    /// # Errors
    /// When the file cannot be read, cut or synchronised.
    pub(super) fn read(path: &Path, place: Place, producers: &mut Producers) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let length = file.metadata()?.len();
        let mut segment = Self::empty(place.base_offset, file, path.to_owned());
        let file = segment.writer()?;
        while let Some((header, _)) = read_batch(&file, segment.size_bytes, length)? {
            if header.base_offset < segment.next_offset {
                break;
            }
            producers.remember(&header);
            segment.extend(&header);
        }
        let (whole_bytes, whole_to) = (segment.size_bytes, segment.next_offset);
        match place.next_base {
            Some(next_base) if whole_bytes < length => {
                tracing::error!(segment = %path.display(), whole_bytes, whole_to, "a log segment is damaged");
                segment.size_bytes = length;
                segment.next_offset = next_base;
            }
            None if whole_bytes < length => {
                let lost_bytes = length - whole_bytes;
                tracing::warn!(segment = %path.display(), lost_bytes, whole_to, "cut an unfinished write off a log segment");
                file.set_len(whole_bytes)?;
            }
            Some(_) | None => {}
        }
        // After a crash the last batches may be in the system's memory only, and from now on consumers see them.
        file.sync_all()?;
        Ok(segment)
    }

    fn empty(base_offset: i64, file: File, path: PathBuf) -> Self {
        Self {
            base_offset,
            next_offset: base_offset,
            size_bytes: 0,
            max_timestamp: -1,
            path,
            is_compacted: false,
            file: Some(Arc::new(file)),
            index: Vec::new(),
        }
    }

    /// The file, open for writing; stays open until the segment is sealed.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn writer(&mut self) -> io::Result<Arc<File>> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(OpenOptions::new().read(true).write(true).open(&self.path)?);
        self.file = Some(Arc::clone(&file));
        Ok(file)
    }

    /// Whether the segment has a seal that fits.
    pub(super) fn is_sealed(&self) -> bool {
        self.file.is_none()
    }

    /// When the segment was last written.
    ///
    /// # Errors
    /// When the file system does not say.
    pub(super) fn written_at(&self) -> io::Result<SystemTime> {
        fs::metadata(&self.path)?.modified()
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

    /// Writes the seal and closes the file; the segment must not be appended to any more.
    ///
    /// # Errors
    /// When the folder cannot be written; the segment is then as it was.
    pub(super) fn seal(&mut self, producers: &Producers) -> io::Result<()> {
        let seal = Seal {
            size_bytes: self.size_bytes,
            next_offset: self.next_offset,
            max_timestamp: self.max_timestamp,
            index: self.index.clone(),
            producers: producers.clone(),
            is_compacted: self.is_compacted,
        };
        write_whole(&self.path.with_extension(SEAL_EXTENSION), &serde_json::to_vec(&seal)?)?;
        self.file = None;
        Ok(())
    }

    /// Removes the files of the segment at `path`.
    ///
    /// # Errors
    /// When a file exists and cannot be removed.
    pub(super) fn delete_files(path: &Path) -> io::Result<()> {
        remove_if_present(&path.with_extension(SEAL_EXTENSION))?;
        remove_if_present(path)
    }

    /// Plans a read from the batch that contains `offset`, or the first one after it.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub(super) fn plan_read(&self, offset: i64) -> io::Result<ReadPlan> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => Arc::new(File::open(&self.path)?),
        };
        let after = self.index.partition_point(|entry| entry.offset <= offset);
        let position = after.checked_sub(1).map_or(0, |at| self.index[at].position);
        Ok(ReadPlan { file, path: self.path.clone(), position, end: self.size_bytes, offset })
    }
}

impl Seal {
    /// Whether the batches from the last entry of the index on end where the seal says, and the file there too.
    fn fits(&self, file: &File) -> bool {
        let Ok(length) = file.metadata().map(|metadata| metadata.len()) else { return false };
        let Some(last) = self.index.last() else { return length == 0 && self.size_bytes == 0 };
        let (mut position, mut next_offset) = (last.position, last.offset);
        while position < length {
            let Ok(Some(header)) = read_header(file, position, length) else { return false };
            position += widen(header.size_bytes);
            next_offset = header.next_offset();
        }
        (position, position, next_offset) == (length, self.size_bytes, self.next_offset)
    }
}

impl ReadPlan {
    /// Whole batches from the planned offset on, together at most `max_bytes`, but at least one if there is one.
    ///
    /// # Errors
    /// When the file cannot be read or is damaged there.
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
    /// When the file cannot be read or is damaged.
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
            let Some(header) = read_header(&self.file, self.position, self.end)? else {
                // An empty answer would let the consumer ask again for ever.
                return Err(damaged(&self.path, self.position));
            };
            if header.next_offset() > self.offset {
                return Ok(Some(header));
            }
            self.position += widen(header.size_bytes);
        }
        Ok(None)
    }
}

/// The error for bytes in the middle of a segment that are not a batch.
pub(super) fn damaged(segment: &Path, position: u64) -> io::Error {
    let reason = format!("{} is damaged at byte {position}", segment.display());
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// The batch at `position` if it is whole before `end` and undamaged.
pub(super) fn read_batch(file: &File, position: u64, end: u64) -> io::Result<Option<(BatchHeader, Bytes)>> {
    let Some(header) = read_header(file, position, end)? else { return Ok(None) };
    let mut batch = vec![0; header.size_bytes];
    file.read_exact_at(&mut batch, position)?;
    Ok(header.matches_checksum(&batch).then(|| (header, Bytes::from(batch))))
}

/// The header at `position`, if there is one and its batch ends at `end` or before.
fn read_header(file: &File, position: u64, end: u64) -> io::Result<Option<BatchHeader>> {
    let left = end.saturating_sub(position);
    if left < widen(HEADER_BYTES) {
        return Ok(None);
    }
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, position)?;
    Ok(BatchHeader::parse(&header).filter(|header| widen(header.size_bytes) <= left))
}

/// The state of the producers after a sealed segment, by the segment's path.
pub(super) fn sealed_producers(segment: &Path) -> Option<Producers> {
    read_seal(&segment.with_extension(SEAL_EXTENSION)).map(|seal| seal.producers)
}

fn read_seal(path: &Path) -> Option<Seal> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Replaces a small file so that after any crash it is either the old or the new one, whole.
///
/// # Errors
/// When the folder cannot be written.
pub(super) fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension(NEW_EXTENSION);
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
