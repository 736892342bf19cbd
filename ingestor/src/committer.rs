//! The second stage: writes the files of a prepared batch and runs its transaction until the outcome is certain.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use opstream_schemas::condition::Reporter;
use opstream_schemas::database::Database;
use opstream_schemas::offsets::{Fence, Offset, Partition, StreamId};
use tokio_util::sync::CancellationToken;

use crate::batch_files::{BatchFiles, WrittenFiles};
use crate::config::{ContentPolicy, IngestorConfig};
use crate::duplicates::StoredIds;
use crate::metrics;
use crate::ownership::Ownership;
use crate::patience::Patience;
use crate::prepare::PreparedBatch;
use crate::store::{AppliedRange, BatchCommit, DayTables, StoreError, find_existing, read_checkpoint};

/// Stores batches one after the other.
pub struct Committer {
    database: Database,
    lake: PathBuf,
    content_in_sql: bool,
    stream: StreamId,
    days: DayTables,
    stored: Arc<Mutex<StoredIds>>,
    reporter: Reporter,
    shutdown: CancellationToken,
}

/// What became of a batch.
#[derive(Debug)]
pub enum Stored {
    /// It is durable; the offsets are a hint for the broker.
    Committed(Vec<(Partition, Offset)>),
    /// It was dropped: read these partitions again from their checkpoints.
    Dropped(Vec<Partition>),
    /// It was dropped because the retention floor has moved.
    FloorMoved(Vec<Partition>),
    /// It was dropped: somebody else owns a partition of it.
    Fenced,
    /// The process stops; what is not committed will be read again.
    Stopped,
}

/// One attempt's result.
enum Attempt {
    Done(Stored),
    Again(&'static str),
}

impl Committer {
    /// Stores into this configuration's database and lake.
    pub fn new(
        config: &IngestorConfig,
        stream: StreamId,
        stored: Arc<Mutex<StoredIds>>,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            database: config.database.clone(),
            lake: config.lake.clone(),
            content_in_sql: config.content == ContentPolicy::LakeAndSql,
            stream,
            days: DayTables::default(),
            stored,
            reporter: config.reporter.clone(),
            shutdown,
        }
    }

    /// The database.
    pub const fn database(&self) -> &Database {
        &self.database
    }

    /// Stores the batch, waiting outages out.
    pub async fn store(&mut self, batch: PreparedBatch, ownership: &Ownership) -> Stored {
        let fences: Vec<Option<Fence>> =
            batch.ranges().iter().map(|range| ownership.fence_for(range.partition, range.epoch)).collect();
        if fences.contains(&None) {
            // Part of the batch was read before a revocation or a restart: that part is being read again, or is somebody
            // else's. The rest has to be read again too.
            metrics::record_dropped_batch();
            let current = batch.ranges().iter().zip(&fences).filter(|(_, fence)| fence.is_some());
            return Stored::Dropped(current.map(|(range, _)| range.partition).collect());
        }
        let fences: Vec<Fence> = fences.into_iter().flatten().collect();
        let started = Instant::now();
        let mut batch = Arc::new(batch);
        let mut patience = Patience::new("storing a batch", &self.reporter);
        let mut files = WrittenFiles::new(self.lake.clone());
        loop {
            let ranges = applied_ranges(&batch, &fences);
            match self.attempt(&mut batch, &ranges, &mut files).await {
                Attempt::Done(stored) => {
                    if matches!(stored, Stored::Committed(_)) {
                        batch.remember_in(&mut self.stored.lock().expect("no holder of this lock can panic"));
                    } else {
                        files.discard().await;
                    }
                    note(&stored, &batch, (&ranges, started));
                    return stored;
                }
                Attempt::Again(reason) => {
                    metrics::record_retry(reason);
                    // Duplicates need no pause: each round takes at least one of them out of the batch.
                    if reason != DUPLICATE && !patience.wait(&self.shutdown).await {
                        files.discard().await;
                        return Stored::Stopped;
                    }
                }
            }
        }
    }

    async fn attempt(
        &mut self,
        batch: &mut Arc<PreparedBatch>,
        ranges: &[AppliedRange],
        files: &mut WrittenFiles,
    ) -> Attempt {
        if let Err(error) = self.days.ensure(&self.database, &batch.days()).await {
            return self.judge(error, batch, ranges, files).await;
        }
        let written = match files.of(batch).await {
            Ok(written) => written,
            Err(error) => {
                tracing::error!(
                    error = format!("{:#}", anyhow::Error::new(error)),
                    "cannot write the lake; trying again"
                );
                return Attempt::Again("lake");
            }
        };
        match self.transaction(batch, &written, ranges).await {
            Ok(()) => Attempt::Done(Stored::Committed(
                ranges.iter().map(|range| (range.partition, range.offsets.to)).collect(),
            )),
            Err(error) => self.judge(error, batch, ranges, files).await,
        }
    }

    async fn transaction(
        &self,
        batch: &PreparedBatch,
        files: &BatchFiles,
        ranges: &[AppliedRange],
    ) -> Result<(), StoreError> {
        let commit = BatchCommit {
            stream: self.stream,
            ranges,
            operations: batch.operations.as_ref().zip(files.operations.as_ref()),
            contents: batch.contents.as_ref().zip(files.contents.as_ref()),
            content_in_sql: self.content_in_sql,
            dead: &batch.dead,
        };
        commit.store(&self.database).await
    }

    /// What a failure asks for. An unknown outcome is settled by the checkpoint, which moves with the commit or not at all.
    async fn judge(
        &mut self,
        error: StoreError,
        batch: &mut Arc<PreparedBatch>,
        ranges: &[AppliedRange],
        files: &mut WrittenFiles,
    ) -> Attempt {
        let partitions = || ranges.iter().map(|range| range.partition).collect();
        match error {
            StoreError::Fenced { .. } => Attempt::Done(Stored::Fenced),
            StoreError::CheckpointMoved { .. } => Attempt::Done(Stored::Dropped(partitions())),
            StoreError::FloorMoved => Attempt::Done(Stored::FloorMoved(partitions())),
            StoreError::StaleFile => {
                tracing::error!(
                    "the database takes the batch's files for more than an hour old: this machine's clock is behind the \
                     database's, or the lake is very slow; writing them again"
                );
                files.discard().await;
                Attempt::Again("stale_file")
            }
            StoreError::DuplicateIds(error) => {
                files.discard().await;
                self.take_out_existing(&error, batch).await
            }
            StoreError::Refused(error) => {
                tracing::error!(%error, "the database refuses the batch; trying again until somebody mends what it names");
                self.days.forget();
                files.discard().await;
                Attempt::Again("refused")
            }
            StoreError::Unavailable(error) => {
                tracing::warn!(%error, "the database did not store the batch; asking the checkpoint");
                files.doubt();
                match self.is_applied(ranges).await {
                    Some(true) => Attempt::Done(Stored::Committed(
                        ranges.iter().map(|range| (range.partition, range.offsets.to)).collect(),
                    )),
                    _ => Attempt::Again("database"),
                }
            }
        }
    }

    /// Filters the batch after the primary key of `operations` refused it.
    async fn take_out_existing(&self, refusal: &sqlx::Error, batch: &mut Arc<PreparedBatch>) -> Attempt {
        match find_existing(&self.database, &batch.ids()).await {
            Ok(existing) if existing.is_empty() => {
                tracing::warn!(%refusal, "an id of the batch was taken and is not any more; trying again");
                Attempt::Again("database")
            }
            Ok(existing) => {
                let inner = Arc::get_mut(batch).expect("the writing thread has returned its share of the batch");
                inner.remove_existing(&existing);
                Attempt::Again(DUPLICATE)
            }
            Err(error) => {
                tracing::warn!(%error, "cannot look up which operations are stored already; trying again");
                Attempt::Again("database")
            }
        }
    }

    /// Whether the checkpoint says that our transaction was committed; none when it cannot be asked.
    async fn is_applied(&self, ranges: &[AppliedRange]) -> Option<bool> {
        let range = ranges.first()?;
        let (fence, next) = read_checkpoint(&self.database, self.stream, range.partition).await.ok()?;
        Some(fence == range.fence && next == range.offsets.to)
    }
}

const DUPLICATE: &str = "duplicate";

fn applied_ranges(batch: &PreparedBatch, fences: &[Fence]) -> Vec<AppliedRange> {
    let mut ranges: Vec<AppliedRange> = batch
        .ranges()
        .iter()
        .zip(fences)
        .map(|(range, fence)| {
            let outcomes = batch.outcomes(range.partition);
            AppliedRange {
                partition: range.partition,
                fence: *fence,
                offsets: range.offsets,
                rows: outcomes.rows,
                duplicates: outcomes.duplicates,
                dead: outcomes.dead,
                skipped: PreparedBatch::skipped(outcomes, range.offsets),
            }
        })
        .collect();
    // One order for everybody who locks several partitions.
    ranges.sort_by_key(|range| range.partition);
    ranges
}

fn note(stored: &Stored, batch: &PreparedBatch, what: (&[AppliedRange], Instant)) {
    let (ranges, started) = what;
    match stored {
        Stored::Committed(_) => {
            let rows = ranges.iter().map(|range| range.rows).sum();
            let duplicates = ranges.iter().map(|range| range.duplicates).sum();
            metrics::record_commit(rows, duplicates, started.elapsed().as_secs_f64());
            for letter in &batch.dead {
                metrics::record_dead_letter(letter.poison.code());
            }
            tracing::debug!(batch_operations = rows, duplicates, dead = batch.dead.len(), "stored a batch");
        }
        Stored::Dropped(_) | Stored::FloorMoved(_) | Stored::Fenced => {
            metrics::record_dropped_batch();
            tracing::info!(batch_operations = batch.len(), "dropped a batch; it is read again from the checkpoint");
        }
        Stored::Stopped => {}
    }
}
