//! Waits until what an import sent is committed and counted in windows, and finds out what did not become a row.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use opstream_schemas::OperationId;
use tokio::time::{Instant, sleep};

use super::delivery::Delivered;
use super::display::Display;
use super::door::{Committed, Door, DoorError, Progress};

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long nothing may move before it counts as standing still.
const STANDS_STILL_AFTER: Duration = Duration::from_mins(1);

/// How long operations without a row are looked for again. Offsets alone do not tell: of a topic that was just made anew
/// the progress still shows the old one's, until the ingestor has begun with it.
const SECOND_LOOK_FOR: Duration = Duration::from_secs(3);
/// Ids of one look-up, which takes at most 1,000.
const LOOKED_UP_AT_ONCE: usize = 500;

/// Why the wait ended without success.
#[derive(Debug, thiserror::Error)]
pub(super) enum WaitError {
    /// The pipeline does not move.
    #[error(
        "the pipeline has not moved for {} s: {behind}; its health: {health}. Nothing is lost: every operation is in \
         the topic, and a second import is harmless",
        STANDS_STILL_AFTER.as_secs()
    )]
    StandsStill {
        /// What is missing.
        behind: String,
        /// Answer of its readiness probe.
        health: String,
    },
    /// The front door could not be asked.
    #[error(transparent)]
    Door(#[from] DoorError),
}

/// Returns, once everything that the import sent is settled and in windows, the operations among it that are no rows.
///
/// # Errors
/// `StandsStill` after a minute without any movement.
pub(super) async fn wait(door: &Door, delivered: &Delivered, display: &Display) -> Result<Vec<OperationId>, WaitError> {
    wait_for_windows(door, delivered, display).await?;
    let mut missing = not_stored(door, &delivered.sent_ids).await?;
    let settled_at = Instant::now();
    while !missing.is_empty() && settled_at.elapsed() < SECOND_LOOK_FOR {
        display.tell_waiting("looking again for operations that are not stored");
        sleep(LOOK_EVERY).await;
        wait_for_windows(door, delivered, display).await?;
        missing = not_stored(door, &missing).await?;
    }
    Ok(missing)
}

/// Those of the ids that are no rows.
async fn not_stored(door: &Door, ids: &[OperationId]) -> Result<Vec<OperationId>, DoorError> {
    let mut missing = Vec::new();
    for batch in ids.chunks(LOOKED_UP_AT_ONCE) {
        let existing: HashSet<OperationId> = door.existing(batch).await?.into_iter().collect();
        missing.extend(batch.iter().filter(|id| !existing.contains(id)));
    }
    Ok(missing)
}

/// Returns once every operation of the import is settled and in windows.
async fn wait_for_windows(door: &Door, delivered: &Delivered, display: &Display) -> Result<(), WaitError> {
    let mut progress = door.progress().await?;
    let targets = targets(delivered, &progress);
    let mut best = reached(&targets, &progress);
    let mut moved_at = Instant::now();
    while let Some(behind) = behind(&targets, &progress) {
        display.tell_waiting(&behind);
        if moved_at.elapsed() >= STANDS_STILL_AFTER {
            return Err(WaitError::StandsStill { behind, health: door.health().await });
        }
        sleep(LOOK_EVERY).await;
        progress = door.progress().await?;
        let now = reached(&targets, &progress);
        if now > best {
            (best, moved_at) = (now, Instant::now());
        }
    }
    Ok(())
}

/// The offset that each partition has to reach. Operations that were in place before the run may not be in windows
/// yet; their offsets are unknown, so everything committed by now has to be.
fn targets(delivered: &Delivered, progress: &Progress) -> BTreeMap<i32, i64> {
    let mut targets = delivered.next_offsets.clone();
    if delivered.n_existing > 0 {
        for committed in &progress.committed {
            let target = targets.entry(committed.partition).or_insert(committed.next_offset);
            *target = (*target).max(committed.next_offset);
        }
    }
    targets
}

/// What is still missing, in words; none when everything is there.
fn behind(targets: &BTreeMap<i32, i64>, progress: &Progress) -> Option<String> {
    let mut uncommitted = 0;
    let mut unwindowed = 0;
    for (partition, target) in targets {
        let committed = of_partition(progress, *partition);
        uncommitted += (target - committed.next_offset).max(0);
        unwindowed += (target - committed.windowed_to).max(0);
    }
    match (uncommitted, unwindowed) {
        (0, 0) => None,
        (0, _) => {
            Some(format!("{unwindowed} records are committed and not in windows yet, which is the aggregator's work"))
        }
        _ => Some(format!("{uncommitted} records are not committed yet, which is the ingestor's work")),
    }
}

/// A number that grows whenever the pipeline comes closer to the targets.
fn reached(targets: &BTreeMap<i32, i64>, progress: &Progress) -> i64 {
    let of_target = |(partition, target): (&i32, &i64)| {
        let committed = of_partition(progress, *partition);
        committed.next_offset.min(*target) + committed.windowed_to.min(*target)
    };
    targets.iter().map(of_target).sum()
}

fn of_partition(progress: &Progress, partition: i32) -> Committed {
    let unread = Committed { partition, next_offset: 0, windowed_to: 0 };
    progress.committed.iter().copied().find(|committed| committed.partition == partition).unwrap_or(unread)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(committed: &[(i32, i64, i64)]) -> Progress {
        let entry = |(partition, next_offset, windowed_to)| Committed { partition, next_offset, windowed_to };
        Progress { committed: committed.iter().copied().map(entry).collect() }
    }

    #[test]
    fn the_wait_ends_when_every_partition_is_windowed_and_not_before() {
        let delivered = Delivered { next_offsets: BTreeMap::from([(0, 10), (1, 5)]), ..Delivered::default() };
        let targets = targets(&delivered, &progress(&[]));
        assert_eq!(
            behind(&targets, &progress(&[(0, 10, 10)])).unwrap(),
            "5 records are not committed yet, which is the ingestor's work"
        );
        let committed = behind(&targets, &progress(&[(0, 12, 8), (1, 5, 5)])).unwrap();
        assert_eq!(committed, "2 records are committed and not in windows yet, which is the aggregator's work");
        assert_eq!(behind(&targets, &progress(&[(0, 12, 10), (1, 5, 5), (2, 9, 0)])), None);
    }

    #[test]
    fn a_run_that_found_operations_in_place_waits_for_their_windows_too() {
        let seen = progress(&[(0, 40, 30)]);
        let nothing_sent = Delivered { n_existing: 1, ..Delivered::default() };
        assert!(behind(&targets(&nothing_sent, &seen), &seen).is_some());
        assert_eq!(behind(&targets(&Delivered::default(), &seen), &seen), None);
    }

    #[test]
    fn traffic_of_others_is_no_movement_towards_the_targets() {
        let targets = BTreeMap::from([(0, 10)]);
        assert_eq!(reached(&targets, &progress(&[(0, 50, 3)])), reached(&targets, &progress(&[(0, 90, 3), (1, 7, 7)])));
        assert!(reached(&targets, &progress(&[(0, 50, 4)])) > reached(&targets, &progress(&[(0, 50, 3)])));
    }
}
