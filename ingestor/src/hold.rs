//! Keeps a batch with a flood of poison until its time has come. Meanwhile no other batch is taken: the source pauses and
//! Kafka keeps what comes. When a batch is to be held is for the [`Breaker`] to say.

use std::collections::BTreeSet;
use std::time::Instant;

use opstream_schemas::condition::Reporter;
use opstream_schemas::offsets::Partition;
use tokio_util::sync::CancellationToken;

use crate::breaker::{Breaker, Tally};
use crate::metrics;
use crate::prepare::PreparedBatch;

/// What the condition says of a held flood of poison.
const POISON: &str = "taking records";

/// The batch that is held, if there is one.
pub struct Hold {
    breaker: Breaker,
    reporter: Reporter,
    held: Option<Held>,
}

struct Held {
    batch: PreparedBatch,
    until: Instant,
}

impl Hold {
    /// Holds nothing yet.
    pub const fn new(breaker: Breaker, reporter: Reporter) -> Self {
        Self { breaker, reporter, held: None }
    }

    /// Whether a batch is held.
    pub const fn is_holding(&self) -> bool {
        self.held.is_some()
    }

    /// The batch, to be stored now, unless it must be held.
    pub fn admit(&mut self, batch: PreparedBatch, now: Instant) -> Option<PreparedBatch> {
        let tally = Tally { records: batch.len(), dead: batch.dead.len(), newer: batch.newer() };
        match self.breaker.hold_until(tally, now) {
            None => Some(batch),
            Some(until) => {
                self.hold(batch, until, now);
                None
            }
        }
    }

    fn hold(&mut self, batch: PreparedBatch, until: Instant, now: Instant) {
        let seconds = until.saturating_duration_since(now).as_secs();
        tracing::error!(
            batch_records = batch.len(),
            dead = batch.dead.len(),
            reasons = ?batch.dead_by_reason(),
            "unusually many records cannot be operations; reading waits {seconds} s for somebody to stop a wrong producer or \
             to update the ingestor, then they become dead letters"
        );
        let reason = format!(
            "{} of {} records cannot be operations; reading waits up to {seconds} s before they become dead letters",
            batch.dead.len(),
            batch.len()
        );
        self.reporter.hindered(POISON, reason);
        metrics::record_held(true);
        self.held = Some(Held { batch, until });
    }

    /// Waits until the held batch need not wait any longer, for ever when none is held. When we stop, it is not returned but left
    /// to the next start, which looks at it anew.
    pub async fn end(&mut self, stop: &CancellationToken) -> Option<PreparedBatch> {
        let Some(until) = self.held.as_ref().map(|held| held.until) else { return std::future::pending().await };
        let is_over = tokio::select! {
            () = stop.cancelled() => false,
            () = tokio::time::sleep_until(until.into()) => true,
        };
        self.release().filter(|_| is_over)
    }

    /// Drops what the held batch holds of these partitions. Returns the rest when no poison is left in it.
    pub fn drop_partitions(&mut self, partitions: &[Partition]) -> Option<PreparedBatch> {
        let held = self.held.as_mut()?;
        held.batch.drop_partitions(&partitions.iter().copied().collect::<BTreeSet<Partition>>());
        if held.batch.dead.is_empty() { self.release() } else { None }
    }

    fn release(&mut self) -> Option<PreparedBatch> {
        let held = self.held.take()?;
        metrics::record_held(false);
        self.reporter.cleared(POISON);
        Some(held.batch)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::dead_letter::Poison;
    use crate::record::{IncomingRecord, RawBatch};
    use opstream_schemas::offsets::Offset;

    const LONG: Duration = Duration::from_mins(5);

    fn flood(partitions: &[i32]) -> PreparedBatch {
        let mut raw = RawBatch::default();
        for (partition, offset) in partitions.iter().flat_map(|partition| (0..200).map(|offset| (*partition, offset))) {
            let record = IncomingRecord {
                partition: Partition(partition),
                offset: Offset(offset),
                timestamp: None,
                key: None,
                value: None,
                headers: Vec::new(),
            };
            raw.push(record, 1, Offset(offset));
        }
        PreparedBatch::of_poison(raw, &Poison::NoValue)
    }

    #[test]
    fn a_rebalance_leaves_what_is_still_ours_held_and_the_breaker_armed() {
        let (now, reporter) = (Instant::now(), Reporter::default());
        let mut hold = Hold::new(Breaker::new(LONG), reporter.clone());
        assert!(hold.admit(flood(&[0, 1]), now).is_none());
        assert!(hold.drop_partitions(&[Partition(1)]).is_none() && hold.is_holding());
        let rest = hold.drop_partitions(&[Partition(0)]).unwrap();
        assert!(rest.is_empty() && !hold.is_holding());
        assert!(reporter.watch().borrow().hindrances.is_empty());
        assert!(hold.admit(flood(&[0]), now + LONG / 2).is_none(), "read again, it waits for the rest of the hold");
        assert_eq!(hold.held.map(|held| held.until), Some(now + LONG));
    }

    #[tokio::test]
    async fn a_held_batch_is_left_to_the_next_start_when_we_stop() {
        let stop = CancellationToken::new();
        let mut hold = Hold::new(Breaker::new(LONG), Reporter::default());
        assert!(hold.admit(flood(&[0]), Instant::now()).is_none());
        stop.cancel();
        assert!(hold.end(&stop).await.is_none() && !hold.is_holding());
    }

    #[tokio::test]
    async fn a_held_batch_is_given_back_when_its_time_has_come() {
        let mut hold = Hold::new(Breaker::new(Duration::from_millis(1)), Reporter::default());
        assert!(hold.admit(flood(&[0]), Instant::now()).is_none());
        assert_eq!(hold.end(&CancellationToken::new()).await.unwrap().dead.len(), 200);
    }
}
