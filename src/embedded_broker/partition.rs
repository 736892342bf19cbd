//! A partition at work: one writer that lets many producers share each synchronisation of the disk, and readers that
//! wait for new records.
//!
//! The writer takes every batch that arrived while the disk was busy, writes them in one go, synchronises once, and only
//! then answers and shows them to readers. So an acknowledged batch survives a power cut, no consumer ever sees a record
//! that could vanish, and throughput does not depend on the number of requests.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::TaskTracker;

use super::batch::BatchHeader;
use super::log::{OffsetOutOfRange, PartitionLog};
use super::producers::SequenceError;

/// Batches that may wait for the disk. Each connection has one request under way, so this is reached only by that many
/// producers at once; more of them wait in their connections.
const WAITING_BATCHES: usize = 64;

/// A partition that can be written and read. Dropping it ends its writer.
#[derive(Debug)]
pub(super) struct Partition {
    shared: Arc<Shared>,
    appends: mpsc::Sender<Append>,
}

#[derive(Debug)]
struct Shared {
    log: Mutex<PartitionLog>,
    end: watch::Sender<i64>,
}

struct Append {
    header: BatchHeader,
    batch: Bytes,
    reply: oneshot::Sender<Result<i64, AppendError>>,
}

/// Why a batch is not in the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum AppendError {
    /// The producer must send another batch first, or stop.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    /// The batch may be sent again when the disk works again.
    #[error("log cannot be written: {reason}")]
    Disk { reason: String },
    /// The topic is being deleted or the broker stops.
    #[error("partition is closed")]
    Closed,
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The consumer must choose another offset.
    #[error(transparent)]
    OutOfRange(#[from] OffsetOutOfRange),
    /// The disk does not answer.
    #[error("log cannot be read")]
    Disk(#[from] io::Error),
}

impl Partition {
    /// Opens the log in `folder` and starts its writer on `tasks`.
    ///
    /// # Errors
    /// When the log cannot be opened.
    pub(super) fn open(folder: &Path, segment_bytes: u64, tasks: &TaskTracker) -> io::Result<Self> {
        let log = PartitionLog::open(folder, segment_bytes)?;
        let shared = Arc::new(Shared { end: watch::Sender::new(log.end()), log: Mutex::new(log) });
        let (appends, waiting) = mpsc::channel(WAITING_BATCHES);
        tasks.spawn(write_until_closed(Arc::clone(&shared), waiting));
        Ok(Self { shared, appends })
    }

    /// Appends one batch; returns its base offset once it is on disk.
    ///
    /// # Errors
    /// When the batch is refused or the disk refuses.
    pub(super) async fn append(&self, header: BatchHeader, batch: Bytes) -> Result<i64, AppendError> {
        let (reply, answer) = oneshot::channel();
        self.appends.send(Append { header, batch, reply }).await.map_err(|_| AppendError::Closed)?;
        answer.await.map_err(|_| AppendError::Closed)?
    }

    /// Whole batches from the one that contains `offset` on, at most `max_bytes` but at least one; empty at the end.
    /// Blocks on the disk.
    ///
    /// # Errors
    /// When the offset does not exist or the disk does not answer.
    pub(super) fn read(&self, offset: i64, max_bytes: usize) -> Result<Bytes, ReadError> {
        let plan = self.log().plan_read(offset)?;
        Ok(plan.map_or_else(|| Ok(Bytes::new()), |plan| plan.read(max_bytes))?)
    }

    /// Offset and timestamp of the first batch that is not older than `timestamp`, milliseconds since 1970. Blocks on
    /// the disk.
    ///
    /// # Errors
    /// When the disk does not answer.
    pub(super) fn find_timestamp(&self, timestamp: i64) -> io::Result<Option<(i64, i64)>> {
        let plans = self.log().plan_timestamp(timestamp);
        for plan in plans {
            if let Some(found) = plan.find_timestamp(timestamp)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// First offset that can be read.
    pub(super) fn start(&self) -> i64 {
        self.log().start()
    }

    /// Offset that the next record will get.
    pub(super) fn end(&self) -> i64 {
        *self.shared.end.borrow()
    }

    /// Follows [`Partition::end`].
    pub(super) fn watch_end(&self) -> watch::Receiver<i64> {
        self.shared.end.subscribe()
    }

    /// The log, for maintenance.
    pub(super) fn log(&self) -> MutexGuard<'_, PartitionLog> {
        self.shared.log()
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, PartitionLog> {
        self.log.lock().expect("no code panics while it holds a log")
    }

    /// Writes a group of batches and answers all of them.
    fn write(&self, group: Vec<Append>) {
        match self.try_write(&group) {
            Ok(answers) => {
                for (append, answer) in group.into_iter().zip(answers) {
                    // The producer may be gone; its batch is in the log all the same.
                    drop(append.reply.send(answer));
                }
            }
            Err(error) => {
                tracing::error!(error = %error, batches = group.len(), "cannot write the log, so producers are refused");
                for append in group {
                    drop(append.reply.send(Err(AppendError::Disk { reason: error.to_string() })));
                }
            }
        }
    }

    fn try_write(&self, group: &[Append]) -> io::Result<Vec<Result<i64, AppendError>>> {
        let mut log = self.log();
        let mut write = log.start_write()?;
        let stage = |append: &Append| log.stage(append.header, &append.batch, &mut write).map_err(AppendError::from);
        let answers = group.iter().map(stage).collect();
        drop(log);
        write.execute()?;
        let mut log = self.log();
        log.commit(&write);
        self.end.send_replace(log.end());
        Ok(answers)
    }
}

async fn write_until_closed(shared: Arc<Shared>, mut waiting: mpsc::Receiver<Append>) {
    let mut group = Vec::with_capacity(WAITING_BATCHES);
    while waiting.recv_many(&mut group, WAITING_BATCHES).await > 0 {
        let taken = std::mem::take(&mut group);
        let writer = Arc::clone(&shared);
        if tokio::task::spawn_blocking(move || writer.write(taken)).await.is_err() {
            tracing::error!("the writer of a partition panicked, so the partition takes no more records");
            return;
        }
    }
}
