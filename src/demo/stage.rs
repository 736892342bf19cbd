//! Plays the fleet in time: past hours at once, then the present at its rate.
//!
//! Unless the demo is bounded, a past hour depends on the seed alone: a demo that is started again fills the same hours
//! with the same ids, and the pipeline drops what it has already.

use std::time::Duration;

use anyhow::Context as _;
use opstream_producer::{Producer, RecordError};
use opstream_schemas::{Operation, UtcMicros};
use tokio_util::sync::CancellationToken;

use super::crowd::Crowd;
use super::timetable::{HOUR_US, hourly, spread, steady};
use super::{BACKFILLED_PER_HOUR, DemoConfig};

/// Operations that are handed over at once while nobody waits for the clock.
const CHUNK_OPERATIONS: usize = 500;
/// Pause before operations that were not acknowledged are handed over again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Shortest pause between two looks at the clock.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);
/// How far behind the clock the demo catches up; after a longer sleep of the machine it goes on in the present.
const CATCHES_UP_US: i64 = 10_000_000;

/// One performance.
pub(super) struct Stage<'a> {
    pub(super) config: &'a DemoConfig,
    pub(super) producer: &'a Producer,
    pub(super) shutdown: &'a CancellationToken,
}

impl Stage<'_> {
    /// Plays until the end or until it is stopped.
    ///
    /// # Errors
    /// When an operation is refused for good.
    pub(super) async fn play(&self, start: UtcMicros) -> anyhow::Result<()> {
        let n_past = self.play_past(start).await?;
        let n_left = self.config.operations.map(|operations| operations.saturating_sub(n_past));
        self.play_present(start, n_left).await
    }

    /// Fills the past hours; returns how many operations were played.
    async fn play_past(&self, start: UtcMicros) -> anyhow::Result<u64> {
        let Some(hours) = self.config.backfill_hours else { return Ok(0) };
        let mut n_played = 0;
        let mut chunk = Vec::new();
        for operation in past_operations(self.config, hours, start) {
            if self.shutdown.is_cancelled() {
                break;
            }
            n_played += 1;
            chunk.push(operation);
            if chunk.len() == CHUNK_OPERATIONS {
                self.deliver(std::mem::take(&mut chunk)).await?;
            }
        }
        self.deliver(chunk).await?;
        tracing::info!(operations = n_played, hours, "the demo has filled the past");
        Ok(n_played)
    }

    /// Plays one operation after another as their time comes.
    async fn play_present(&self, start: UtcMicros, n_left: Option<u64>) -> anyhow::Result<()> {
        let mut crowd = Crowd::new(self.config.seed, start, self.config.workspaces.clone());
        let (mut anchor, mut number, mut n_played) = (UtcMicros::now(), 0, 0);
        while n_left != Some(n_played) && !self.shutdown.is_cancelled() {
            let now = UtcMicros::now();
            if now.micros() - steady(anchor, number, self.config.rate).micros() > CATCHES_UP_US {
                (anchor, number) = (now, 0);
            }
            let mut due = Vec::new();
            while steady(anchor, number, self.config.rate) <= now && n_left != Some(n_played) {
                due.push(crowd.operation_ending_at(steady(anchor, number, self.config.rate)));
                number += 1;
                n_played += 1;
                if due.len() == CHUNK_OPERATIONS {
                    break;
                }
            }
            if n_left.is_some() {
                self.deliver(due).await?;
            } else {
                // As an application would: never waiting, and counted by the producer if something is lost.
                for operation in due {
                    self.producer.record(operation);
                }
            }
            self.wait_until(steady(anchor, number, self.config.rate)).await;
        }
        Ok(())
    }

    async fn wait_until(&self, moment: UtcMicros) {
        let ahead =
            u64::try_from(moment.micros() - UtcMicros::now().micros()).map_or(Duration::ZERO, Duration::from_micros);
        if ahead.is_zero() {
            // At a rate that cannot be reached nothing else here waits, and other tasks need their turn.
            return tokio::task::yield_now().await;
        }
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            () = tokio::time::sleep(ahead.max(SHORTEST_PAUSE)) => {}
        }
    }

    /// Hands operations over until every one is acknowledged, or the demo is stopped.
    async fn deliver(&self, mut operations: Vec<Operation>) -> anyhow::Result<()> {
        while !operations.is_empty() {
            let answers = self.producer.record_all_acked(operations.clone()).await;
            let mut missing = Vec::new();
            for (operation, answer) in operations.into_iter().zip(answers) {
                match answer {
                    Ok(_) => {}
                    Err(RecordError::QueueFull { .. } | RecordError::Unavailable { .. }) => missing.push(operation),
                    Err(error) => return Err(error).context("the demo's operations are not accepted"),
                }
            }
            operations = missing;
            if operations.is_empty() || self.shutdown.is_cancelled() {
                return Ok(());
            }
            // The id stays, so an operation that did arrive is not counted twice.
            tokio::select! {
                () = self.shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(RETRY_AFTER) => {}
            }
        }
        Ok(())
    }
}

/// The operations of the past hours up to `start`, in order.
fn past_operations<'a>(
    config: &'a DemoConfig,
    hours: u32,
    start: UtcMicros,
) -> Box<dyn Iterator<Item = Operation> + Send + 'a> {
    match config.operations {
        Some(n_operations) => Box::new(exactly(config, n_operations, hours, start)),
        None => Box::new(hour_by_hour(config, hours, start)),
    }
}

/// A bounded demo: all of its operations within the past hours.
fn exactly(
    config: &DemoConfig,
    n_operations: u64,
    hours: u32,
    start: UtcMicros,
) -> impl Iterator<Item = Operation> + Send {
    let from = UtcMicros::from_micros(start.micros() - i64::from(hours) * HOUR_US);
    let mut crowd = Crowd::new(config.seed, from, config.workspaces.clone());
    spread(n_operations, from, start).map(move |end| crowd.operation_ending_at(end))
}

/// An unbounded demo: each hour of the clock has operations of its own, whenever the demo is started.
fn hour_by_hour(config: &DemoConfig, hours: u32, start: UtcMicros) -> impl Iterator<Item = Operation> + Send {
    let this_hour = start.micros().div_euclid(HOUR_US);
    (this_hour - i64::from(hours)..=this_hour)
        .flat_map(move |hour| {
            let from = UtcMicros::from_micros(hour * HOUR_US);
            let to = UtcMicros::from_micros((hour + 1) * HOUR_US);
            let mut crowd = Crowd::new(config.seed, from, config.workspaces.clone());
            spread(hourly(from, BACKFILLED_PER_HOUR), from, to).map(move |end| (end, crowd.operation_ending_at(end)))
        })
        .take_while(move |(end, _)| *end < start)
        .map(|(_, operation)| operation)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use opstream_schemas::OperationId;
    use opstream_schemas::avro::{Record, WriterId};
    use opstream_schemas::topics::Topics;

    use super::*;

    const START: UtcMicros = UtcMicros::from_micros(1_790_000_000_000_000);

    fn ids(start: UtcMicros) -> BTreeSet<OperationId> {
        let config = DemoConfig::for_laptop("127.0.0.1:9", &Topics::default(), &WriterId::builtin(Record::Operation));
        past_operations(&config, 24, start).map(|operation| operation.operation_id).collect()
    }

    #[test]
    fn a_later_start_gives_the_same_past_and_only_adds_what_has_passed_since() {
        let (first, second) = (ids(START), ids(UtcMicros::from_micros(START.micros() + HOUR_US / 2)));
        assert!((80_000..96_000).contains(&first.len()), "{}", first.len());
        assert!(second.is_superset(&first));
        assert!((600..6_400).contains(&(second.len() - first.len())), "{}", second.len() - first.len());
    }

    #[test]
    fn a_bounded_demo_plays_exactly_its_number_within_its_hours() {
        let laptop = DemoConfig::for_laptop("127.0.0.1:9", &Topics::default(), &WriterId::builtin(Record::Operation));
        let config = DemoConfig { operations: Some(1234), ..laptop };
        let operations: Vec<Operation> = past_operations(&config, 3, START).collect();
        assert_eq!(operations.len(), 1234);
        let earliest = START.micros() - 3 * HOUR_US;
        assert!(
            operations
                .iter()
                .all(|operation| (earliest - HOUR_US..START.micros()).contains(&operation.started_at.micros()))
        );
    }

    #[test]
    fn the_past_ends_before_the_present() {
        let config = DemoConfig::for_laptop("127.0.0.1:9", &Topics::default(), &WriterId::builtin(Record::Operation));
        let end = |operation: &Operation| operation.started_at.micros() + operation.latency_us.unwrap();
        let operations: Vec<Operation> = past_operations(&config, 2, START).collect();
        assert!(operations.iter().all(|operation| end(operation) < START.micros()));
        assert!(operations.is_sorted_by_key(end));
    }
}
