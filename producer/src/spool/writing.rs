//! The segment that is being written: appended to, synchronised with the disk now and then, completed by a new name.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use opstream_schemas::UtcMillis;

use super::folder::{StoredSegment, create_segment, sync_folder};
use super::segment::{Entries, HEADER_BYTES, header};

/// Longest time that written operations wait for their synchronisation: what a loss of power may cost, and so many
/// synchronisations per second at most, which even a slow disk takes.
const SYNC_WITHIN: Duration = Duration::from_secs(1);

/// An open segment with at least its header.
#[derive(Debug)]
pub(super) struct Writing {
    file: File,
    folder: PathBuf,
    name: String,
    path: PathBuf,
    bytes: u64,
    operations: u64,
    /// When the first operation was written that is not synchronised.
    unsynced_since: Option<Instant>,
    /// The file's name may not be on the disk yet.
    is_new: bool,
}

impl Writing {
    /// Begins a segment.
    ///
    /// # Errors
    /// When the system refuses; nothing is left behind.
    pub(super) fn create(folder: &Path, at: UtcMillis) -> io::Result<Self> {
        let (name, path, mut file) = create_segment(folder, at)?;
        if let Err(error) = file.write_all(&header()) {
            fs::remove_file(&path).ok();
            return Err(error);
        }
        let bytes = u64::try_from(HEADER_BYTES).unwrap_or(u64::MAX);
        let folder = folder.to_owned();
        Ok(Self { file, folder, name, path, bytes, operations: 0, unsynced_since: None, is_new: true })
    }

    /// Appends the entries: afterwards they survive the end of the process.
    ///
    /// # Errors
    /// When not all of them could be written. What was is taken back; where that fails too, a reader sees an unfinished
    /// entry, so nothing may be appended afterwards.
    pub(super) fn append(&mut self, entries: &Entries, now: Instant) -> io::Result<()> {
        if let Err(error) = self.file.write_all(entries.bytes()) {
            self.file.set_len(self.bytes).ok();
            return Err(error);
        }
        self.bytes += u64::try_from(entries.bytes().len()).unwrap_or(u64::MAX);
        self.operations += u64::try_from(entries.len()).unwrap_or(u64::MAX);
        self.unsynced_since.get_or_insert(now);
        Ok(())
    }

    /// Bytes of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether it has no entry.
    pub(super) fn is_empty(&self) -> bool {
        self.operations == 0
    }

    /// Whether operations have waited long enough for their synchronisation.
    pub(super) fn needs_sync(&self, now: Instant) -> bool {
        self.unsynced_since.is_some_and(|since| now.saturating_duration_since(since) >= SYNC_WITHIN)
    }

    /// Whether the segment may be completed to be sent, without more synchronisations than [`SYNC_WITHIN`] allows.
    pub(super) fn is_ripe(&self, now: Instant) -> bool {
        !self.is_empty() && (self.unsynced_since.is_none() || self.needs_sync(now))
    }

    /// Makes everything written survive a loss of power.
    ///
    /// # Errors
    /// When the disk could not take something. Which part is not known, and a second attempt would claim success: the
    /// segment must be completed and not written to again.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.unsynced_since = None;
        self.file.sync_data()?;
        if self.is_new {
            sync_folder(&self.folder)?;
            self.is_new = false;
        }
        Ok(())
    }

    /// Ends the segment.
    pub(super) fn complete(self) -> StoredSegment {
        let Self { name, path, bytes, operations, .. } = self;
        let mut segment = StoredSegment { name, path, operations: None, bytes };
        segment.complete(operations);
        segment
    }
}
