//! One turn of the active aggregator: look for files, add them, and build a new generation beside if asked.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use opstream_schemas::UtcMillis;
use opstream_schemas::database::Database;
use opstream_schemas::offsets::Fence;

use crate::add_files::{AddFilesError, Added, Adder, Target, add_files};
use crate::commit::CommitError;
use crate::config::LeaseStart;
use crate::failures::FileFailures;
use crate::file_sums::FileError;
use crate::lease::{self, LeaseError};
use crate::offsets::{Ahead, look_ahead};
use crate::pending::{PendingFile, compare_manifest, files_to_rebuild, load_files};
use crate::rebuild_copy::{Copied, CopiedTo, WindowCopy, copy_slice};
use crate::repricing::{RepriceError, Repricer};
use crate::settings::WindowSettings;
use crate::tenure::Tenure;
use crate::{expire, metrics, rebuild};

/// The active part of an aggregator.
pub(crate) struct Windower {
    database: Database,
    lake: PathBuf,
    /// Names this process to people who look at the lease.
    holder: String,
    lease_start: LeaseStart,
    tenure: Option<Tenure>,
    failures: FileFailures,
    repricer: Repricer,
    /// Turns that take a single file each, after several together did not fit into 64 bits.
    single_files: usize,
}

/// What a turn did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The lease; `None` while another aggregator holds it.
    pub(crate) fence: Option<Fence>,
    /// Files that were added, to either generation.
    pub(crate) files: usize,
    /// Whether the next turn has work to do already.
    pub(crate) more: bool,
}

/// A turn that failed. The next one begins from the tables.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TurnError {
    /// Another aggregator took over: stand by.
    #[error("fence {} of the aggregator's lease was replaced by another holder", .fence.0)]
    Replaced { fence: Fence },
    /// Try again with back-off.
    #[error("the database did not answer")]
    Database(#[from] sqlx::Error),
    /// Try again with back-off.
    #[error("files were not added")]
    Add(#[source] AddFilesError),
    /// Try again with back-off.
    #[error("costs were not computed again")]
    Reprice(#[source] RepriceError),
}

impl From<RepriceError> for TurnError {
    fn from(error: RepriceError) -> Self {
        match error {
            RepriceError::Lease(error) => error.into(),
            RepriceError::Database(error) => Self::Database(error),
            error => Self::Reprice(error),
        }
    }
}

impl From<LeaseError> for TurnError {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Replaced { fence } => Self::Replaced { fence },
            LeaseError::Database(error) => Self::Database(error),
        }
    }
}

impl Windower {
    /// Holds no lease yet.
    pub(crate) fn new(database: Database, lake: PathBuf, holder: String, lease_start: LeaseStart) -> Self {
        let repricer = Repricer::new(database.clone(), lake.clone());
        let failures = FileFailures::default();
        Self { database, lake, holder, lease_start, tenure: None, failures, repricer, single_files: 0 }
    }

    /// The lease that is held.
    pub(crate) fn fence(&self) -> Option<Fence> {
        self.tenure.as_ref().map(|tenure| tenure.fence)
    }

    /// How many files cannot be added to windows now.
    pub(crate) fn failed_files(&self) -> usize {
        self.failures.count()
    }

    /// How many files cannot be priced again now.
    pub(crate) fn failed_repricings(&self) -> usize {
        self.repricer.failed_files()
    }

    /// Ends the pauses of files that failed.
    #[cfg(test)]
    pub(crate) fn try_failed_files_now(&mut self) {
        self.failures.end_pauses();
    }

    /// One turn at the time of the database, so that it does not matter which machine's clock is wrong.
    pub(crate) async fn turn_now(&mut self) -> Result<Turn, TurnError> {
        let now = lease::database_now(&self.database).await?;
        self.turn(now).await
    }

    /// One turn at the time `now`.
    pub(crate) async fn turn(&mut self, now: UtcMillis) -> Result<Turn, TurnError> {
        let Some(mut tenure) = self.take_tenure().await? else { return Ok(Turn::default()) };
        let outcome = Box::pin(self.work(&mut tenure, now)).await;
        match &outcome {
            Ok(_) => self.tenure = Some(tenure),
            Err(TurnError::Replaced { .. }) => {
                // Whoever holds the lease meanwhile may window what failed here, and knows what it cannot.
                self.failures = FileFailures::default();
                self.single_files = 0;
                metrics::record_lease(0);
            }
            Err(_) => self.tenure = Some(Tenure::new(tenure.fence)),
        }
        outcome
    }

    async fn take_tenure(&mut self) -> Result<Option<Tenure>, TurnError> {
        if let Some(tenure) = self.tenure.take() {
            return Ok(Some(tenure));
        }
        let Some(fence) = lease::acquire(&self.database, &self.holder, self.lease_start).await? else {
            return Ok(None);
        };
        // Only the first time: a process that was pushed out waits like any other.
        self.lease_start = LeaseStart::AfterExpiry;
        metrics::record_lease(fence.0);
        tracing::info!(fence = fence.0, holder = self.holder, "this aggregator is active");
        Ok(Some(Tenure::new(fence)))
    }

    async fn work(&mut self, tenure: &mut Tenure, now: UtcMillis) -> Result<Turn, TurnError> {
        let settings = WindowSettings::read(&self.database).await?;
        let is_used = |generation| generation == settings.generation || Some(generation) == settings.rebuild;
        tenure.retain_generations(is_used);
        self.failures.retain_generations(is_used);
        tenure.check_clock(settings, now);
        let settings = expire::advance_minute_floor(&self.database, tenure.fence, settings, now).await?;
        let current = self.add_pending(tenure, settings, now).await;
        // Also after an error: a rebuild is the way out of windows that were tampered with.
        let rebuilt = self.build_beside(tenure, settings, now).await;
        let (current, rebuilt) = (current?, rebuilt?);
        let is_repricing = Box::pin(self.repricer.turn(tenure, settings)).await?;
        tenure.keep_lease(&self.database).await?;
        let more = current.more || rebuilt.more || is_repricing;
        Ok(Turn { fence: Some(tenure.fence), files: current.files + rebuilt.files, more })
    }

    async fn add_pending(
        &mut self,
        tenure: &mut Tenure,
        settings: WindowSettings,
        now: UtcMillis,
    ) -> Result<Turn, TurnError> {
        let WindowSettings { generation, minute_floor, .. } = settings;
        let made_from = UtcMillis::from_millis(i64::MIN);
        let ahead = look_ahead(&self.database, generation, &tenure.looked_to).await?;
        let due: Vec<i64> = self.failures.due(generation).collect();
        let pending = self.pending(tenure, generation, ahead.iter().flat_map(Ahead::files).chain(due.clone())).await?;
        let oldest = pending.iter().map(|file| now.millis() - file.committed_at.millis()).max().unwrap_or(0);
        metrics::record_pending(pending.len(), Duration::from_millis(u64::try_from(oldest).unwrap_or(0)));
        let files = self.failures.without_waiting(generation, pending.clone());
        let mut turn = Turn::default();
        let mut done = HashSet::new();
        if !files.is_empty()
            || tenure.is_under_way(generation)
            || ahead.iter().any(|ahead| ahead.reached(|_| false).is_some())
        {
            let target = Target { generation, predecessor: generation, minute_floor, made_from, now };
            (turn, done) = self.add(tenure, target, &ahead, files).await?;
        }
        for ahead in &ahead {
            let is_settled = |file| done.contains(&file) || self.failures.contains(generation, file);
            let settled_to = ahead.walk(is_settled);
            turn.more |= ahead.is_full() && ahead.moved(settled_to);
            tenure.looked_to.insert(ahead.place, settled_to);
        }
        // Given up, or windowed although that was not known.
        let gone = due.into_iter().filter(|number| pending.iter().all(|file| file.number != *number));
        for number in done.into_iter().chain(gone) {
            if self.failures.forget(generation, number) {
                // What lies behind it counts now: each partition is walked again from where its windows reach.
                tenure.looked_to.clear();
                turn.more = true;
            }
        }
        Ok(turn)
    }

    /// Those of the files named `seen` that the generation lacks, and others now and then, in the order of their numbers.
    async fn pending(
        &self,
        tenure: &mut Tenure,
        generation: i64,
        seen: impl Iterator<Item = i64>,
    ) -> Result<Vec<PendingFile>, TurnError> {
        let mut pending = load_files(&self.database, generation, seen.collect()).await?;
        if tenure.compares_manifest() {
            pending.extend(compare_manifest(&self.database, generation).await?);
        }
        pending.sort_unstable_by_key(|file| file.number);
        pending.dedup_by_key(|file| file.number);
        Ok(pending)
    }

    async fn build_beside(
        &mut self,
        tenure: &mut Tenure,
        settings: WindowSettings,
        now: UtcMillis,
    ) -> Result<Turn, TurnError> {
        let Some(generation) = settings.rebuild else { return Ok(Turn::default()) };
        if let Some(turn) = self.copy_beside(tenure, settings, generation).await? {
            return Ok(turn);
        }
        let generations = (settings.generation, generation);
        let files = files_to_rebuild(&self.database, generations, tenure.rebuild_after).await?;
        let Some(last) = files.last().map(|file| file.number) else {
            let began_at_the_start = tenure.rebuild_after < 0;
            // Files with lower numbers may have been windowed meanwhile: what is missing is looked for once more.
            tenure.rebuild_after = -1;
            if began_at_the_start {
                rebuild::take_over(&self.database, tenure.fence, settings).await?;
            }
            return Ok(Turn { more: true, ..Turn::default() });
        };
        let files = self.failures.without_waiting(generation, files);
        if files.is_empty() {
            tenure.rebuild_after = last;
            return Ok(Turn::default());
        }
        let minute_floor = settings.rebuild_floor.min(settings.minute_floor);
        let (predecessor, made_from) = (settings.generation, settings.copy_before);
        let target = Target { generation, predecessor, minute_floor, made_from, now };
        let (turn, done) = self.add(tenure, target, &[], files).await?;
        for number in done {
            self.failures.forget(generation, number);
        }
        if !turn.more {
            tenure.rebuild_after = last;
        }
        Ok(Turn { more: true, ..turn })
    }

    /// Copies windows whose files are gone into the generation that is being built; `None` once all are there.
    async fn copy_beside(
        &self,
        tenure: &mut Tenure,
        settings: WindowSettings,
        generation: i64,
    ) -> Result<Option<Turn>, TurnError> {
        let copy = WindowCopy { from: settings.generation, to: generation, before: settings.copy_before };
        let done = if tenure.copied.0 == generation { tenure.copied.1 } else { 0 };
        let began = Instant::now();
        match copy_slice(&self.database, tenure.fence, copy, done).await? {
            Copied::Everything => {
                tenure.copied = (generation, CopiedTo::MAX);
                Ok(None)
            }
            Copied::Waits => Ok(Some(Turn::default())),
            Copied::Part(done) => {
                tenure.wrote(began);
                tenure.copied = (generation, done);
                Ok(Some(Turn { more: true, ..Turn::default() }))
            }
        }
    }

    /// Adds files; returns the numbers of those that were committed.
    async fn add(
        &mut self,
        tenure: &mut Tenure,
        target: Target,
        ahead: &[Ahead],
        files: Vec<PendingFile>,
    ) -> Result<(Turn, HashSet<i64>), TurnError> {
        let most_files = if self.single_files > 0 { 1 } else { usize::MAX };
        self.single_files = self.single_files.saturating_sub(1);
        let (database, lake) = (&self.database, self.lake.as_path());
        let adder = Adder { database, lake, target, ahead, most_files, failures: &mut self.failures };
        // Boxed: it is large, and a turn may do it twice.
        match Box::pin(add_files(adder, tenure, files)).await {
            Ok(Added { files, more }) => Ok((Turn { fence: None, files: files.len(), more }, files)),
            Err(AddFilesError::Overflow { files, source }) => {
                match files.as_slice() {
                    [file] => self.failures.note(target.generation, file, &FileError::Overflow(source)),
                    files => self.single_files = files.len(),
                }
                Ok((Turn { more: true, ..Turn::default() }, HashSet::new()))
            }
            Err(AddFilesError::Commit(CommitError::Lease(error))) => Err(error.into()),
            Err(error) => Err(TurnError::Add(error)),
        }
    }
}
