//! The second stage: runs the transaction of a prepared batch until the outcome is certain. Its files are there already, or are
//! written first if they are not any more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use opstream_schemas::database::Database;
use opstream_schemas::offsets::{Fence, Offset, Partition, StreamId};
use tokio_util::sync::CancellationToken;

use crate::backoff::Undertaking;
use crate::batch_files::{BatchFiles, WrittenFiles};
use crate::config::{ContentPolicy, IngestorConfig};
use crate::duplicates::StoredIds;
use crate::lake_file::LakeFileError;
use crate::metrics;
use crate::ownership::{Ownership, Position};
use crate::prepare::PreparedBatch;
use crate::store::{AppliedRange, BatchCommit, Checkpoint, DayTables, StoreError, find_existing, read_checkpoint};

/// Stores batches one after the other.
pub struct Committer {
    database: Database,
    lake: PathBuf,
    content_in_sql: bool,
    stream: StreamId,
    days: DayTables,
    stored: Arc<Mutex<StoredIds>>,
    storing: Undertaking,
    shutdown: CancellationToken,
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub enum Stored {
    /// What was still ours of it is durable.
    Committed(Committed),
    /// It was dropped because the retention floor has moved: check it again.
    FloorMoved(Vec<Partition>),
    /// It was dropped: somebody else owns a partition of it.
    Fenced,
    /// The process stops; what is not committed will be read again.
    Stopped,
    /// Nothing that trying again could change; the process must end.
    Failed(&'static str),
}

/// Where partitions stand after a commit.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// How far each stored partition is now; also a hint for the broker.
    pub positions: Vec<(Partition, Position)>,
    /// Partitions whose part was dropped because their checkpoint is elsewhere: read them again from there.
    pub reread: Vec<Partition>,
}

/// A batch while it is being stored.
struct Work {
    /// Shared with the thread that writes the files, and only meanwhile.
    batch: Arc<PreparedBatch>,
    fences: BTreeMap<Partition, Fence>,
    files: WrittenFiles,
    reread: Vec<Partition>,
}

/// One attempt's result.
enum Attempt {
    Done(Stored),
    /// Try what is left, at once: there is less of it now.
    Rest,
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
            storing: Undertaking::new("storing a batch", &config.reporter),
            shutdown,
        }
    }

    /// The database.
    pub const fn database(&self) -> &Database {
        &self.database
    }

    /// Forgets which ids were stored. Needed before a partition is read from its checkpoint: the database may have gone back,
    /// to a standby or a backup that lacks the last commits, and then the operations of those are not stored any more.
    pub fn forget_stored_ids(&self) {
        *self.stored.lock().unwrap_or_else(PoisonError::into_inner) = StoredIds::default();
    }

    /// Stores what is ours of the batch, waiting outages out. The rest was read before a revocation or a restart, so it is
    /// somebody else's or being read again.
    pub async fn store(&mut self, batch: PreparedBatch, ownership: &Ownership) -> Stored {
        let work = self.begin(batch, ownership).await;
        // Boxed, because the future of a transaction is large and would be copied along with every caller's.
        Box::pin(self.store_work(work)).await
    }

    async fn begin(&self, mut batch: PreparedBatch, ownership: &Ownership) -> Work {
        let mut fences = BTreeMap::new();
        let mut stale = BTreeSet::new();
        for range in batch.ranges() {
            match ownership.fence_for(range.partition, range.epoch) {
                Some(fence) => drop(fences.insert(range.partition, fence)),
                None => drop(stale.insert(range.partition)),
            }
        }
        let mut files = WrittenFiles::new(self.lake.clone(), batch.take_written());
        if !stale.is_empty() {
            metrics::record_dropped_parts(stale.len());
            files.discard().await;
            batch.drop_partitions(&stale);
        }
        Work { batch: Arc::new(batch), fences, files, reread: Vec::new() }
    }

    async fn store_work(&mut self, mut work: Work) -> Stored {
        let started = Instant::now();
        let mut backoff = self.storing.begin();
        loop {
            if work.batch.is_empty() {
                return Stored::Committed(Committed { positions: Vec::new(), reread: work.reread });
            }
            let ranges = work.applied_ranges();
            match self.attempt(&mut work, &ranges).await {
                Attempt::Done(stored) => {
                    record_outcome(&stored, &work.batch, &ranges);
                    if matches!(stored, Stored::Committed(_)) {
                        metrics::record_commit_time(started.elapsed());
                        self.remember_ids(&work).await;
                    } else {
                        work.files.discard().await;
                    }
                    return stored;
                }
                Attempt::Rest => {}
                Attempt::Again(reason) => {
                    metrics::record_retry(reason);
                    if !backoff.wait(&self.shutdown).await {
                        work.files.discard().await;
                        return Stored::Stopped;
                    }
                }
            }
        }
    }

    async fn attempt(&mut self, work: &mut Work, ranges: &[AppliedRange]) -> Attempt {
        if let Err(error) = self.days.ensure(&self.database, &work.batch.days()).await {
            return self.decide(error, work, ranges).await;
        }
        let files = match work.files.of(&work.batch).await {
            Ok(files) => files,
            Err(LakeFileError::Panicked) => return Attempt::Done(Stored::Failed("writing a batch's files panicked")),
            Err(error) => {
                let error = format!("{:#}", anyhow::Error::new(error));
                tracing::error!(error, "cannot write the lake; trying again");
                return Attempt::Again("lake");
            }
        };
        match self.transaction(&work.batch, &files, ranges).await {
            Ok(()) => Attempt::Done(work.committed(ranges)),
            Err(error) => self.decide(error, work, ranges).await,
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
    async fn decide(&mut self, error: StoreError, work: &mut Work, ranges: &[AppliedRange]) -> Attempt {
        match error {
            StoreError::Fenced { .. } => Attempt::Done(Stored::Fenced),
            StoreError::FloorMoved => Attempt::Done(Stored::FloorMoved(work.fences.keys().copied().collect())),
            StoreError::CheckpointMoved { partition, .. } => {
                // By ourselves, when the outcome of the attempt before was unknown.
                if self.is_applied(ranges).await == Some(true) {
                    return Attempt::Done(work.committed(ranges));
                }
                tracing::warn!(partition = partition.0, %error, "dropped a partition's part of a batch; it is read again");
                metrics::record_dropped_parts(1);
                work.drop_part(partition).await;
                Attempt::Rest
            }
            StoreError::StaleFile => {
                tracing::error!(
                    "the database takes the batch's files for more than an hour old: this machine's clock is behind the \
                     database's, or the lake is very slow; writing them again"
                );
                work.files.discard().await;
                Attempt::Again("stale_file")
            }
            StoreError::DuplicateIds(source) => self.filter_existing(&source, work).await,
            StoreError::Refused(error) => {
                tracing::error!(%error, "the database refuses the batch; trying again until somebody mends what it names");
                self.days.forget();
                work.files.discard().await;
                Attempt::Again("refused")
            }
            StoreError::Unavailable(error) => {
                tracing::warn!(%error, "the database did not store the batch; asking the checkpoint");
                work.files.doubt();
                match self.is_applied(ranges).await {
                    Some(true) => Attempt::Done(work.committed(ranges)),
                    _ => Attempt::Again("database"),
                }
            }
        }
    }

    async fn filter_existing(&self, collision: &sqlx::Error, work: &mut Work) -> Attempt {
        match find_existing(&self.database, &work.batch.ids()).await {
            Ok(existing) if work.change_batch(|batch| batch.remove_existing(&existing)).await > 0 => {
                metrics::record_retry("duplicate");
                Attempt::Rest
            }
            Ok(_) => {
                tracing::error!(
                    error = %collision,
                    "the database holds something of this batch already, though none of its operations; trying again"
                );
                Attempt::Again("collision")
            }
            Err(error) => {
                tracing::warn!(%error, "cannot ask which operations of the batch exist; trying again");
                Attempt::Again("database")
            }
        }
    }

    /// Whether the checkpoint says that our transaction was committed; none when it cannot be asked.
    async fn is_applied(&self, ranges: &[AppliedRange]) -> Option<bool> {
        let range = ranges.first()?;
        let Checkpoint { fence, next_offset, .. } =
            read_checkpoint(&self.database, self.stream, range.partition).await.ok()?;
        Some(fence == range.fence && next_offset == range.offsets.to)
    }

    /// On a blocking thread: tens of thousands of ids take milliseconds.
    async fn remember_ids(&self, work: &Work) {
        let (batch, stored) = (work.batch.clone(), self.stored.clone());
        let remember = move || batch.remember_in(&mut stored.lock().unwrap_or_else(PoisonError::into_inner));
        if tokio::task::spawn_blocking(remember).await.is_err() {
            self.forget_stored_ids();
        }
    }
}

impl Work {
    async fn change_batch<T>(&mut self, change: impl FnOnce(&mut PreparedBatch) -> T) -> T {
        self.files.discard().await;
        change(Arc::get_mut(&mut self.batch).expect("the writing thread has returned its share of the batch"))
    }

    async fn drop_part(&mut self, partition: Partition) {
        self.change_batch(|batch| batch.drop_partitions(&BTreeSet::from([partition]))).await;
        self.fences.remove(&partition);
        self.reread.push(partition);
    }

    fn committed(&mut self, ranges: &[AppliedRange]) -> Stored {
        let position = |range: &AppliedRange| {
            let last_record_at = self.batch.last_timestamp(range.partition);
            (range.partition, Position { next: range.offsets.to, last_record_at })
        };
        let positions = ranges.iter().map(position).collect();
        Stored::Committed(Committed { positions, reread: std::mem::take(&mut self.reread) })
    }

    /// What becomes of the offsets, in one order for everybody who locks several partitions.
    fn applied_ranges(&self) -> Vec<AppliedRange> {
        let applied = |range: &crate::record::PartitionRange| {
            let outcomes = self.batch.outcomes(range.partition);
            AppliedRange {
                partition: range.partition,
                fence: self.fences[&range.partition],
                offsets: range.offsets,
                record_hash: self.batch.last_record_hash(range.partition),
                rows: outcomes.rows,
                duplicates: outcomes.duplicates,
                dead: outcomes.dead,
                skipped: PreparedBatch::skipped(outcomes, range.offsets),
            }
        };
        let mut ranges: Vec<AppliedRange> = self.batch.ranges().iter().map(applied).collect();
        ranges.sort_by_key(|range| range.partition);
        ranges
    }
}

fn record_outcome(stored: &Stored, batch: &PreparedBatch, ranges: &[AppliedRange]) {
    match stored {
        Stored::Committed(_) => {
            let rows = ranges.iter().map(|range| range.rows).sum();
            let duplicates = ranges.iter().map(|range| range.duplicates).sum();
            metrics::record_commit(rows, duplicates);
            for letter in &batch.dead {
                metrics::record_dead_letter(letter.poison.code());
            }
            report_skipped(ranges);
            tracing::debug!(batch_operations = rows, duplicates, dead = batch.dead.len(), "stored a batch");
        }
        Stored::FloorMoved(_) | Stored::Fenced => {
            metrics::record_dropped_parts(ranges.len());
            tracing::info!(batch_operations = batch.len(), "dropped a batch; it is read again from the checkpoint");
        }
        Stored::Stopped | Stored::Failed(_) => {}
    }
}

/// The topic is not compacted, so only transaction markers take offsets and are no records. Anything else was lost.
fn report_skipped(ranges: &[AppliedRange]) {
    let gaps: Vec<&AppliedRange> = ranges.iter().filter(|range| range.skipped > 0).collect();
    if gaps.is_empty() {
        return;
    }
    metrics::record_skipped(gaps.iter().map(|range| range.skipped).sum());
    let places: Vec<String> = gaps.iter().map(|range| skipped_text(range)).collect();
    tracing::warn!(
        ranges = places.join("; "),
        "some offsets held no record; unless producers use transactions, records are missing on the topic"
    );
}

fn skipped_text(range: &AppliedRange) -> String {
    let (Offset(from), Offset(to)) = (range.offsets.from, range.offsets.to);
    format!("{} of partition {} in [{from}, {to})", range.skipped, range.partition)
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
