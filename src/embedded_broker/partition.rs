//! A partition at work: one writer that lets many producers share each synchronisation of the disk, and readers that
//! wait for new records.
//!
//! The writer takes every batch that arrived while the disk was busy, writes them in one go, synchronises once, and only
//! then answers and shows them to readers. So an acknowledged batch survives a power cut, no consumer ever sees a record
//! that could vanish, and throughput does not depend on the number of requests.
//!
//! The log's lock is held while the disk works now and then (a full segment, retention), so only blocking threads take it;
//! where the log starts and ends is known without it.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::batch::BatchHeader;
use super::log::{PartitionLog, ReadError, Retention};
use super::producers::SequenceError;
use super::segment::Segment;

/// Batches that may wait for the disk. Each connection has one request under way, so this is reached only by that many
/// producers at once; more of them wait in their connections.
const WAITING_BATCHES: usize = 64;

/// Where the writers of all partitions run.
#[derive(Clone, Debug, Default)]
pub(super) struct Writers {
    pub(super) tasks: TaskTracker,
    /// Cancelled when a partition cannot go on, and with it the broker.
    pub(super) broken: CancellationToken,
}

/// A partition that can be written and read. Dropping it ends its writer.
#[derive(Debug)]
pub(super) struct Partition {
    shared: Arc<Shared>,
    appends: mpsc::Sender<Append>,
}

#[derive(Debug)]
struct Shared {
    log: Mutex<PartitionLog>,
    start: AtomicI64,
    end: watch::Sender<i64>,
    broken: CancellationToken,
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

impl Partition {
    /// Opens the log in `folder` and starts its writer.
    ///
    /// # Errors
    /// When the log cannot be opened.
    pub(super) fn open(folder: &Path, segment_bytes: u64, writers: &Writers) -> io::Result<Self> {
        let log = PartitionLog::open(folder, segment_bytes)?;
        let shared = Arc::new(Shared {
            start: AtomicI64::new(log.start()),
            end: watch::Sender::new(log.end()),
            log: Mutex::new(log),
            broken: writers.broken.clone(),
        });
        let (appends, waiting) = mpsc::channel(WAITING_BATCHES);
        writers.tasks.spawn(write_until_closed(Arc::clone(&shared), waiting));
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
        let plan = self.log().plan_timestamp(timestamp)?;
        plan.map_or(Ok(None), |plan| plan.find_timestamp(timestamp))
    }

    /// Removes what `retention` no longer covers; `read_to` is the offset that every consumer group has passed. Returns
    /// the number of bytes that were freed. Blocks on the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn expire(&self, now: SystemTime, retention: Retention, read_to: Option<i64>) -> io::Result<u64> {
        let expired = {
            let mut log = self.log();
            let expired = log.expire(now, retention, read_to)?;
            self.shared.start.store(log.start(), Ordering::Release);
            expired
        };
        for segment in &expired {
            Segment::delete_files(&segment.path)?;
        }
        Ok(expired.iter().map(|segment| segment.size_bytes).sum())
    }

    /// First offset that can be read.
    pub(super) fn start(&self) -> i64 {
        self.shared.start.load(Ordering::Acquire)
    }

    /// Offset that the next record will get.
    pub(super) fn end(&self) -> i64 {
        *self.shared.end.borrow()
    }

    /// Follows [`Partition::end`].
    pub(super) fn watch_end(&self) -> watch::Receiver<i64> {
        self.shared.end.subscribe()
    }

    /// The log, for maintenance. Blocks on the disk.
    pub(super) fn log(&self) -> MutexGuard<'_, PartitionLog> {
        self.shared.log()
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, PartitionLog> {
        self.log.lock().unwrap_or_else(|_| {
            self.broken.cancel();
            panic!("a log may be half changed, because code panicked while it held it");
        })
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
        let mut write = self.log().start_write()?;
        let stage = |append: &Append| write.stage(append.header, &append.batch).map_err(AppendError::from);
        let answers = group.iter().map(stage).collect();
        let executed = write.execute();
        let mut log = self.log();
        if let Err(error) = executed {
            log.abandon();
            return Err(error);
        }
        log.commit(write);
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
            tracing::error!("the writer of a partition panicked, so the broker must be started again");
            shared.broken.cancel();
            return;
        }
    }
}
