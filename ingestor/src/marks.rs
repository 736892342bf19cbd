//! Asks the broker every second where the logs of our partitions begin and end: for "complete to T" and for the lag, and because a log
//! that is shorter than before, or away, is another one when it comes back. The client itself would read on at its old position.
//!
//! A task of its own, so that storing never waits for the broker.

use std::collections::BTreeMap;
use std::time::Duration;

use opstream_schemas::database::Database;
use opstream_schemas::offsets::{Offset, OffsetRange, Partition, StreamId};
use opstream_schemas::time::UtcMillis;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::metrics;
use crate::ownership::{Position, Positions};
use crate::store::{Mark, Marks, remember_marks};
use crate::topic_log::TopicLog;

/// How often the ends of the logs are remembered; bounds how exact "complete to T" is.
const INTERVAL: Duration = Duration::from_secs(1);

/// What the task works with.
pub struct MarkTask {
    /// Where marks are kept.
    pub database: Database,
    /// The stream's row number.
    pub stream: StreamId,
    /// The broker's side.
    pub log: TopicLog,
    /// Our partitions.
    pub positions: watch::Receiver<Positions>,
}

impl MarkTask {
    /// Runs until the token is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut lags = Lags::default();
        let mut logs = Logs::default();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.mark(&mut lags, &mut logs) => {}
            }
        }
    }

    async fn mark(&self, lags: &mut Lags, logs: &mut Logs) {
        let observed_at = UtcMillis::now();
        let ours: Vec<Partition> = self.positions.borrow().keys().copied().collect();
        let ends = self.ends(&ours, logs).await;
        // Positions as they are after the broker has answered: a lag that is too small is corrected a second later, one that is
        // too large would alarm.
        lags.record(&self.positions.borrow().clone(), &ends, observed_at);
        if ends.is_empty() {
            return;
        }
        // Asked after `observed_at`: a partition that took records before then is counted.
        let partitions = match self.log.partitions().await {
            Ok(partitions) => partitions,
            Err(error) => {
                return tracing::debug!(%error, "the number of partitions is unknown; no marks are remembered");
            }
        };
        let marks = ends.into_iter().map(|(partition, high_watermark)| Mark { partition, observed_at, high_watermark });
        let marks = Marks { partitions, marks: marks.collect() };
        if let Err(error) = remember_marks(&self.database, self.stream, &marks).await {
            tracing::debug!(%error, "the ends of the logs were not remembered");
        }
    }

    /// Ends of the logs of those partitions about which the broker answers.
    async fn ends(&self, partitions: &[Partition], logs: &mut Logs) -> BTreeMap<Partition, Offset> {
        let mut asking = JoinSet::new();
        for partition in partitions.iter().copied() {
            let log = self.log.clone();
            asking.spawn(async move { (partition, log.bounds(partition).await) });
        }
        let mut ends = BTreeMap::new();
        logs.0.retain(|partition, _| partitions.contains(partition));
        for (partition, bounds) in asking.join_all().await {
            if logs.is_another(partition, &bounds) {
                tracing::warn!(
                    partition = partition.0,
                    "the log is away or shorter than before; its checkpoint is compared again"
                );
                self.log.report_change(partition);
            }
            match bounds {
                Ok(bounds) => drop(ends.insert(partition, bounds.to)),
                Err(error) => tracing::debug!(partition = partition.0, %error, "the end of the log is unknown"),
            }
        }
        ends
    }
}

/// The logs as they were when the broker last answered.
#[derive(Debug, Default)]
struct Logs(BTreeMap<Partition, OffsetRange>);

impl Logs {
    /// Whether this is not the log that it was, or none at all.
    fn is_another(&mut self, partition: Partition, bounds: &Result<OffsetRange, KafkaError>) -> bool {
        match bounds {
            Ok(now) => {
                let before = self.0.insert(partition, *now);
                before.is_some_and(|before| now.from < before.from || now.to < before.to)
            }
            // Once for each time that it was there.
            Err(error) if is_unknown(error) => self.0.remove(&partition).is_some(),
            Err(_) => false,
        }
    }
}

fn is_unknown(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    matches!(
        code,
        Some(
            RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition
                | RDKafkaErrorCode::UnknownTopicId
        )
    )
}

/// Remembers until when each partition is known to be applied, so that a lag in seconds can be told.
#[derive(Debug, Default)]
struct Lags {
    reached: BTreeMap<Partition, Reached>,
}

#[derive(Clone, Copy, Debug)]
struct Reached {
    /// When we began to look: until something is applied, the lag is at least the time since then.
    first_seen: UtcMillis,
    /// Everything that was written before is applied: when we were at the end of the log, or the timestamp of the last applied
    /// record, whichever is later.
    applied_to: Option<UtcMillis>,
}

/// End of a log.
#[derive(Clone, Copy, Debug)]
struct LogEnd {
    offset: Offset,
    observed_at: UtcMillis,
}

impl Lags {
    fn record(&mut self, positions: &Positions, ends: &BTreeMap<Partition, Offset>, observed_at: UtcMillis) {
        self.reached.retain(|partition, _| {
            let is_ours = positions.contains_key(partition);
            if !is_ours {
                metrics::record_lag(*partition, 0, Duration::ZERO);
            }
            is_ours
        });
        for (partition, position) in positions {
            let Some(offset) = ends.get(partition).copied() else { continue };
            let (operations, time) = self.lag(*partition, *position, LogEnd { offset, observed_at });
            metrics::record_lag(*partition, operations, time);
        }
    }

    /// Records between the position and the end of the log, and how long the oldest of them waits.
    fn lag(&mut self, partition: Partition, position: Position, end: LogEnd) -> (i64, Duration) {
        let operations = end.offset.0.saturating_sub(position.next.0).max(0);
        let unknown = Reached { first_seen: end.observed_at, applied_to: None };
        let reached = self.reached.entry(partition).or_insert(unknown);
        let now_reached = if operations == 0 { Some(end.observed_at) } else { position.last_record_at };
        reached.applied_to = reached.applied_to.max(now_reached);
        let since = reached.applied_to.unwrap_or(reached.first_seen);
        let behind = end.observed_at.millis().saturating_sub(since.millis());
        (operations, Duration::from_millis(u64::try_from(behind).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Partition = Partition(0);

    fn at(seconds: i64) -> UtcMillis {
        UtcMillis::from_millis(seconds * 1000)
    }

    fn position(next: i64, last_record: Option<i64>) -> Position {
        Position { next: Offset(next), last_record_at: last_record.map(at) }
    }

    #[test]
    fn lag_is_told_in_operations_and_in_seconds() {
        let mut lags = Lags::default();
        let lag = |lags: &mut Lags, position, end, now| {
            let (operations, time) = lags.lag(P, position, LogEnd { offset: Offset(end), observed_at: at(now) });
            (operations, time.as_secs())
        };
        assert_eq!(lag(&mut lags, position(10, None), 10, 1000), (0, 0));
        assert_eq!(lag(&mut lags, position(10, None), 15, 1003), (5, 3), "since we were at the end");
        assert_eq!(lag(&mut lags, position(12, Some(1002)), 15, 1004), (3, 2), "since the last applied record");
        assert_eq!(lag(&mut lags, position(15, Some(1003)), 15, 1010), (0, 0), "an old record is no lag");
        assert_eq!(lag(&mut lags, position(15, Some(1003)), 16, 1011), (1, 1));
        assert_eq!(lag(&mut lags, position(16, Some(2000)), 17, 1012), (1, 0), "a record from the future");
    }

    #[test]
    fn a_log_that_is_shorter_or_away_is_another_one() {
        let mut logs = Logs::default();
        let log = |from, to| Ok(OffsetRange { from: Offset(from), to: Offset(to) });
        let away = || Err(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition));
        let unreachable = || Err(KafkaError::MetadataFetch(RDKafkaErrorCode::BrokerTransportFailure));
        let answers = [
            (log(0, 5), false),
            (log(2, 9), false),
            (unreachable(), false),
            (log(2, 8), true),
            (log(0, 8), true),
            (away(), true),
            (away(), false),
            (log(0, 50), false),
        ];
        for (place, (bounds, expected)) in answers.into_iter().enumerate() {
            assert_eq!(logs.is_another(P, &bounds), expected, "{place}");
        }
    }

    #[test]
    fn a_backlog_at_the_start_shows_its_age_with_the_first_batch() {
        let mut lags = Lags::default();
        let mut seconds =
            |position, now| lags.lag(P, position, LogEnd { offset: Offset(100), observed_at: at(now) }).1.as_secs();
        assert_eq!([seconds(position(0, None), 5000), seconds(position(0, None), 5007)], [0, 7]);
        assert_eq!(seconds(position(10, Some(1000)), 5008), 4008);
    }
}
