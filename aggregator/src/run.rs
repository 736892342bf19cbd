//! The process: four loops, one that adds files to windows, one that publishes, one that merges and deletes files, and one that
//! drops what is too old, beside those of alerts, until it is told to stop.
//!
//! A failure of the database or the broker ends none: each tries again with back-off, and none of the others delays windows.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use opstream_schemas::condition::Reporter;
use opstream_schemas::database::within;
use opstream_schemas::offsets::Fence;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::alerts::{AlertTasks, Told, Wakes};
use crate::compaction::{CompactionError, Compactor};
use crate::config::{AggregatorConfig, Compaction};
use crate::lease::LeaseError;
use crate::outbox::Outbox;
use crate::removed_files::RemovedFiles;
use crate::retention::Retention;
use crate::topic::WindowTopic;
use crate::windower::{Turn, Windower};
use crate::{lease, metrics};

/// Pause of a standby between two looks at the lease.
const STANDBY_TICK: Duration = Duration::from_secs(1);
/// Pause between two looks for something that is too old: a day ends once a day.
const RETENTION_TICK: Duration = Duration::from_mins(5);
/// Pause after a failure; it doubles with each one that follows.
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
/// Longest pause after failures.
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);
/// How long a turn of windows, a pass of publication or of retention may take: far more than any does. Past it the database or its
/// connection counts as lost; the driver alone would wait for an answer for ever. A turn may be dropped anywhere: a transaction
/// that was begun is not committed, or is and was to be.
pub(crate) const TURN_LIMIT: Duration = Duration::from_mins(3);
/// The same for a merge, which reads and writes whole files.
const MERGE_LIMIT: Duration = Duration::from_mins(30);
/// How long files that are already committed are still added, and windows published, after the order to stop.
const STOP_TIME: Duration = Duration::from_secs(5);
/// What is hindered while files cannot be added to windows.
const FILES: &str = "files";
/// What is hindered while files cannot be priced again.
const REPRICING: &str = "re-pricing";
/// Pause when there is nothing to merge.
const COMPACTION_TICK: Duration = Duration::from_secs(10);
/// A merge is followed by a rest of this many times its length.
const COMPACTION_REST: u32 = 2;
/// What is hindered while files cannot be merged, or not be deleted.
const MERGING: &str = "merging";
const DELETING: &str = "deleting";

/// Runs an aggregator until `shutdown` is cancelled; then it adds the files that are there, publishes, and gives the lease back.
///
/// # Errors
/// When librdkafka refuses a setting, or a loop panics.
pub async fn run(config: AggregatorConfig, shutdown: CancellationToken) -> anyhow::Result<()> {
    let schema_id = config.window_schema_id.clone();
    let topic = WindowTopic::new(config.topics.windows(), &config.bootstrap, &config.properties, schema_id)
        .context("librdkafka refused a setting of the windows' producer")?;
    let database = config.database.clone();
    let alert_topic = WindowTopic::new(
        config.topics.alerts(),
        &config.bootstrap,
        &config.properties,
        config.alerts.schema_id.clone(),
    )
    .context("librdkafka refused a setting of the alerts' producer")?;
    let wakes = Wakes::default();
    let alert_tasks = AlertTasks::new(database.clone(), alert_topic, config.alerts, wakes.clone());
    let keeper = LakeKeeper {
        compactor: (config.compaction == Compaction::On).then(|| Compactor::new(database.clone(), config.lake.clone())),
        removed: RemovedFiles::new(database.clone(), config.lake.clone()),
    };
    let retention = Retention::new(database.clone(), config.keep_days);
    let windower = Windower::new(database.clone(), config.lake, holder_name(), config.lease_start);
    let (fence_sender, fence) = watch::channel(None);
    let stop = shutdown.child_token();
    let mut windows = JoinSet::new();
    let pace = |task| Pace::new(task, config.tick, config.reporter.clone());
    windows.spawn(window_loop(windower, (fence_sender, wakes), pace("windows"), stop.clone()));
    let mut publication = JoinSet::new();
    let outbox = Outbox::new(database.clone(), topic);
    publication.spawn(outbox_loop(outbox, fence.clone(), pace("publication"), stop.clone()));
    let mut compaction = JoinSet::new();
    compaction.spawn(compaction_loop(keeper, fence.clone(), pace("compaction"), stop.clone()));
    let mut alerts = JoinSet::new();
    let (told, reporter, tick) =
        (Told { fence: fence.clone(), stop: stop.clone() }, config.reporter.clone(), config.tick);
    alerts.spawn(alert_tasks.run(told, move |task| Pace::new(task, tick, reporter.clone())));
    let mut dropping = JoinSet::new();
    dropping.spawn(retention_loop(retention, fence, pace("retention"), stop.clone()));
    let (held, outbox, keeper, dropped, alerted) = tokio::join!(
        end_of(&mut windows, &stop),
        end_of(&mut publication, &stop),
        end_of(&mut compaction, &stop),
        end_of(&mut dropping, &stop),
        end_of(&mut alerts, &stop)
    );
    keeper.context("compaction failed")?;
    let (held, mut outbox) = (held.context("the loop of windows failed")?, outbox.context("publication failed")?);
    dropped.context("retention failed")?;
    alerted.context("alerts failed")?;
    if let Some(fence) = held {
        let flushed = tokio::time::timeout(STOP_TIME, outbox.flush(fence)).await;
        if !matches!(flushed, Ok(Ok(()))) {
            tracing::warn!("stopped before all windows were published; the next aggregator goes on with them");
        }
        lease::release(&database, fence).await.context("cannot give the lease back")?;
    }
    Ok(())
}

/// Waits for a loop, and stops the other one with it.
async fn end_of<T: 'static>(tasks: &mut JoinSet<T>, stop: &CancellationToken) -> anyhow::Result<T> {
    let ended = tasks.join_next().await;
    stop.cancel();
    Ok(ended.context("the loop was never started")??)
}

/// Adds files until stopped, and then those that are left. Returns the lease if it is held.
async fn window_loop(
    mut windower: Windower,
    (fence, wakes): (watch::Sender<Option<Fence>>, Wakes),
    mut pace: Pace,
    stop: CancellationToken,
) -> Option<Fence> {
    let mut deadline = None;
    loop {
        let is_last = stop.is_cancelled();
        let began = Instant::now();
        let outcome = within(TURN_LIMIT, windower.turn_now()).await;
        fence.send_if_modified(|known| std::mem::replace(known, windower.fence()) != windower.fence());
        let more = outcome.as_ref().is_ok_and(|turn| turn.more);
        if is_last && (!more || *deadline.get_or_insert(began + STOP_TIME) <= Instant::now()) {
            return windower.fence();
        }
        pace.report_files(windower.failed_files());
        pace.report_count(REPRICING, windower.failed_repricings(), "cannot be priced again");
        let pause = match outcome {
            Ok(turn) => {
                // Alive is who adds files, whatever else this process does.
                pace.reporter.turned();
                // More also where costs were computed again.
                if turn.files > 0 || turn.more {
                    wakes.windows.notify_one();
                }
                pace.after(turn, began.elapsed())
            }
            Err(error) => pace.after_error(&error),
        };
        pause_for(pause, &stop).await;
    }
}

/// Publishes and deletes until stopped.
async fn outbox_loop(
    mut outbox: Outbox,
    mut fence: watch::Receiver<Option<Fence>>,
    mut pace: Pace,
    stop: CancellationToken,
) -> Outbox {
    while let Some(held) = held_fence(&mut fence, &stop).await {
        let began = Instant::now();
        // Ending a pass half-way is harmless: what was sent and not marked is sent again.
        let passed = tokio::select! {
            () = stop.cancelled() => break,
            passed = within(TURN_LIMIT, outbox.pass(held)) => passed,
        };
        let pause = match passed {
            Ok(more) => pace.after(Turn { fence: Some(held), files: 0, more }, began.elapsed()),
            Err(error) => pace.after_error(&error),
        };
        pause_for(pause, &stop).await;
    }
    outbox
}

/// What keeps the lake in order.
struct LakeKeeper {
    compactor: Option<Compactor>,
    removed: RemovedFiles,
}

impl LakeKeeper {
    /// Merges once, if that is wanted, and deletes a slice of what is no longer live. Returns whether there is more of either.
    async fn turn(&mut self, fence: Fence, stop: &CancellationToken) -> Result<bool, CompactionError> {
        let now = lease::database_now(self.removed.database()).await?;
        // First, so that the disk does not fill up behind a merge that fails.
        let more = self.removed.delete_slice(fence, now).await?;
        match &mut self.compactor {
            Some(compactor) => Ok(compactor.step((fence, now), stop).await? || more),
            None => Ok(more),
        }
    }
}

/// Merges and deletes files until stopped.
async fn compaction_loop(
    mut keeper: LakeKeeper,
    mut fence: watch::Receiver<Option<Fence>>,
    mut pace: Pace,
    stop: CancellationToken,
) {
    loop {
        if fence.borrow().is_none() {
            // Whatever does not work is now for another aggregator to say.
            for undertaking in [pace.task, MERGING, DELETING] {
                pace.reporter.cleared(undertaking);
            }
        }
        let Some(held) = held_fence(&mut fence, &stop).await else { return };
        let began = Instant::now();
        // Not broken off: a merge looks at the order to stop by itself, and knows what to clean up.
        let outcome = within(MERGE_LIMIT, keeper.turn(held, &stop)).await;
        let failed = keeper.compactor.as_ref().map_or(0, Compactor::failed_files);
        pace.report_count(MERGING, failed, "cannot be merged");
        pace.report_count(DELETING, keeper.removed.refused(), "no longer live cannot be deleted");
        let pause = match outcome {
            Ok(more) => pace.after_compaction(more, began.elapsed()),
            // The loop of windows notices too, and says so.
            Err(CompactionError::Lease(LeaseError::Replaced { .. })) => STANDBY_TICK,
            Err(error) => pace.after_error(&error),
        };
        pause_for(pause, &stop).await;
    }
}

/// Drops what is too old until stopped.
async fn retention_loop(
    mut retention: Retention,
    mut fence: watch::Receiver<Option<Fence>>,
    mut pace: Pace,
    stop: CancellationToken,
) {
    while let Some(held) = held_fence(&mut fence, &stop).await {
        // Ending a pass half-way is harmless: the next one goes on with what the tables say.
        let passed = tokio::select! {
            () = stop.cancelled() => break,
            passed = within(TURN_LIMIT, retention.pass(held)) => passed,
        };
        let pause = match passed {
            Ok(more) => {
                pace.after(Turn { fence: Some(held), files: 0, more }, Duration::ZERO);
                if more { Duration::ZERO } else { RETENTION_TICK }
            }
            Err(error) => pace.after_error(&error),
        };
        // Whoever gets the lease begins at once.
        tokio::select! {
            () = pause_for(pause, &stop) => {}
            _ = fence.changed() => {}
        }
    }
}

/// Waits until the lease is held; `None` when it never will be.
pub(crate) async fn held_fence(fence: &mut watch::Receiver<Option<Fence>>, stop: &CancellationToken) -> Option<Fence> {
    let held = async { fence.wait_for(Option::is_some).await.ok().and_then(|held| *held) };
    stop.run_until_cancelled(held).await.flatten()
}

async fn pause_for(pause: Duration, stop: &CancellationToken) {
    // The order to stop ends a pause; sleeping for no time at least lets other tasks have their turn.
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(pause) => {}
    }
}

/// How long a loop waits before its next turn, and what it reports of the last one.
#[derive(Debug)]
pub(crate) struct Pace {
    task: &'static str,
    tick: Duration,
    reporter: Reporter,
    after_error: Duration,
}

impl Pace {
    pub(crate) const fn new(task: &'static str, tick: Duration, reporter: Reporter) -> Self {
        Self { task, tick, reporter, after_error: Duration::ZERO }
    }

    /// Whatever does not work is now for another aggregator to say.
    pub(crate) fn stands_by(&self) {
        self.reporter.cleared(self.task);
    }

    /// The turn did what it was to do.
    pub(crate) fn worked(&mut self) {
        self.after_error = Duration::ZERO;
        self.reporter.cleared(self.task);
    }

    fn after(&mut self, turn: Turn, took: Duration) -> Duration {
        self.worked();
        match turn {
            Turn { fence: None, .. } => STANDBY_TICK,
            Turn { more: true, .. } => Duration::ZERO,
            // A turn that took long, as behind a file that cannot be read, must not take the whole processor.
            _ => self.tick.saturating_sub(took).max(took / 2),
        }
    }

    /// After looking at the lake's files: a merge is followed by a rest, so that the processor and the disk belong to others.
    fn after_compaction(&mut self, more: bool, took: Duration) -> Duration {
        self.worked();
        if more { took * COMPACTION_REST } else { COMPACTION_TICK }
    }

    /// Reports the files that cannot be added to windows.
    fn report_files(&self, failed: usize) {
        self.report_count(FILES, failed, "cannot be added to windows");
    }

    /// Reports files with which something cannot be done, for as long as there are any.
    fn report_count(&self, undertaking: &'static str, files: usize, problem: &str) {
        match files {
            0 => self.reporter.cleared(undertaking),
            1 => self.reporter.hindered(undertaking, format!("1 file {problem}; the log names it")),
            n => self.reporter.hindered(undertaking, format!("{n} files {problem}; the log names them")),
        }
    }

    pub(crate) fn after_error(&mut self, error: &dyn std::error::Error) -> Duration {
        let task = self.task;
        self.after_error = (self.after_error * 2).clamp(FIRST_BACKOFF, LONGEST_BACKOFF);
        self.reporter.hindered(task, "fails and is tried again; the log says why");
        metrics::record_error(task);
        let causes: Vec<String> =
            std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string).collect();
        tracing::warn!(task, causes = causes.join(": "), "{error}; next attempt in {:?}", self.after_error);
        self.after_error
    }
}

/// Names this process to people who look at the lease.
fn holder_name() -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    format!("{}:{}", host.trim(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_turn_that_never_ends_is_given_up_and_said() {
        let overdue =
            within(Duration::from_millis(1), std::future::pending::<Result<(), LeaseError>>()).await.unwrap_err();
        let reporter = Reporter::default();
        let watch = reporter.watch();
        let mut pace = Pace { task: "windows", tick: Duration::ZERO, reporter, after_error: Duration::ZERO };
        assert_eq!(pace.after_error(&overdue), FIRST_BACKOFF);
        assert!(watch.borrow().hindrances.contains_key("windows"));
    }

    #[test]
    fn files_that_cannot_be_added_are_reported_with_their_count_until_they_are() {
        let reporter = Reporter::default();
        let watch = reporter.watch();
        let mut pace = Pace { task: "windows", tick: Duration::ZERO, reporter, after_error: Duration::ZERO };
        let said = || watch.borrow().hindrances.get(FILES).cloned();
        pace.report_files(3);
        pace.after(Turn::default(), Duration::ZERO);
        assert_eq!(said().unwrap(), "3 files cannot be added to windows; the log names them");
        pace.report_files(1);
        assert_eq!(said().unwrap(), "1 file cannot be added to windows; the log names it");
        pace.report_files(0);
        assert_eq!(said(), None);
    }
}
