//! Appends operations to a file, one JSON object per line.
//!
//! A line is delivered when the system has taken it: it survives the end of the process, not a power failure. The file
//! is neither rotated nor bounded.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use opstream_schemas::offsets::{Offset, Partition};
use tracing::warn;

use super::Shared;
use crate::acknowledgement::{Acknowledged, RecordError, Waiter, tell};
use crate::config::StartError;
use crate::hand_over::Collected;

/// Lines are written in pieces of about this size.
const PIECE_BYTES: usize = 1024 * 1024;

/// The open file and what is about to be written to it.
pub(crate) struct JsonLinesOutlet {
    shared: Arc<Shared>,
    file: File,
    length: u64,
    /// The file may end within a line, so that the next piece starts a new one.
    torn: bool,
    piece: Vec<u8>,
    lines: Vec<Line>,
}

struct Line {
    bytes: usize,
    waiter: Option<Waiter>,
}

/// To append, creating a file that only its owner reads: operations may hold prompts.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

impl JsonLinesOutlet {
    /// Opens the file for appending, for this producer alone.
    ///
    /// # Errors
    /// When the file cannot be opened or another producer has it.
    pub(crate) fn open(path: &Path, shared: Arc<Shared>) -> Result<Self, StartError> {
        let failed = |source| StartError::File { path: path.to_owned(), source };
        let mut file = options().open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StartError::FileInUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let length = file.metadata().map_err(failed)?.len();
        let mut last = [b'\n'];
        if length > 0 {
            file.seek(SeekFrom::End(-1)).map_err(failed)?;
            file.read_exact(&mut last).map_err(failed)?;
        }
        Ok(Self { shared, file, length, torn: last != [b'\n'], piece: Vec::new(), lines: Vec::new() })
    }

    pub(crate) fn deliver(&mut self, collected: &mut Collected) {
        collected.drain(|record, waiter| {
            self.lines.push(Line { bytes: record.bytes(), waiter });
            if self.torn && self.piece.is_empty() {
                self.piece.push(b'\n');
            }
            self.piece.extend_from_slice(record.value);
            if self.piece.len() >= PIECE_BYTES {
                self.write_piece();
            }
        });
        if !self.lines.is_empty() {
            self.write_piece();
        }
    }

    fn write_piece(&mut self) {
        match self.file.write_all(&self.piece) {
            Ok(()) => self.settle_written(),
            Err(error) => self.settle_failed(&error),
        }
        self.piece.clear();
        self.piece.shrink_to(2 * PIECE_BYTES);
    }

    fn settle_written(&mut self) {
        self.shared.trouble.clear();
        let mut position = self.length + u64::from(self.torn);
        self.torn = false;
        for Line { bytes, waiter } in self.lines.drain(..) {
            self.shared.ledger.settle_sent(bytes);
            let offset = i64::try_from(position).ok().map(Offset);
            tell(waiter, Ok(Acknowledged { partition: Partition(0), offset }));
            position = position.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
        self.length = position;
    }

    /// Takes back what may be there of the piece: its operations are counted as lost, so no part of them may stay.
    fn settle_failed(&mut self, error: &std::io::Error) {
        self.torn = self.file.set_len(self.length).is_err() || self.torn;
        let reason = format!("the file cannot be written: {error}");
        self.shared.trouble.note(&reason);
        for Line { bytes, waiter } in self.lines.drain(..) {
            self.shared.ledger.settle_failed(bytes);
            tell(waiter, Err(RecordError::Unavailable { reason: reason.clone() }));
        }
    }

    pub(crate) fn finish(self) {
        if let Err(error) = self.file.sync_all() {
            warn!(%error, "the file of operations could not be synchronised with its disk");
        }
    }
}
