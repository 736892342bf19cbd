//! Holds intake when far more records than usual cannot be operations: a wrong producer, or an ingestor that is too old
//! for what is written. Pure: the pipeline hands in batches and the clock.
//!
//! Outage is not poison, and neither is one bad client among many; those letters are written at once. A flood is held for
//! a while and reported, and then, because records behind it must not wait for ever and a dead letter keeps all its bytes,
//! it is written. For an hour after that no flood is held again: somebody was told. A single record in a schema of a newer
//! opstream is a flood: producers were updated before the ingestors, and every record of theirs would be one. The hold belongs to the flood and not
//! to a batch: records that are read again meanwhile, after a rebalance, wait for the rest of it. Such records are counted
//! again, which only makes a flood look a little longer than it is.

use std::time::{Duration, Instant};

/// Share of dead letters that is a flood, in percent.
const FLOOD_PERCENT: u64 = 5;
/// Dead letters among the records looked at that are too few to be a flood, whatever their share.
const FEW: u64 = 100;
/// Records looked at; beyond them the older ones count half.
const MEMORY: u64 = 20_000;
/// How long floods pass after one was held.
const DISARMED_FOR: Duration = Duration::from_hours(1);

/// What a batch consists of.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    /// Its records.
    pub records: usize,
    /// Those that cannot be operations.
    pub dead: usize,
    /// The dead ones in a schema of a newer opstream.
    pub newer: usize,
}

/// Looks at every batch before it is stored.
#[derive(Debug)]
pub struct Breaker {
    hold: Duration,
    records: u64,
    dead: u64,
    /// End of the hold of the latest flood.
    held_until: Option<Instant>,
}

impl Breaker {
    /// Holds a flood for `hold`; zero never holds.
    pub const fn new(hold: Duration) -> Self {
        Self { hold, records: 0, dead: 0, held_until: None }
    }

    /// Counts a batch and returns until when it must be held.
    pub fn hold_until(&mut self, batch: Tally, now: Instant) -> Option<Instant> {
        if self.records >= MEMORY {
            self.records /= 2;
            self.dead /= 2;
        }
        self.records += batch.records as u64;
        self.dead += batch.dead as u64;
        let is_flood = batch.dead > 0 && self.dead >= FEW && self.dead * 100 > self.records * FLOOD_PERCENT;
        let is_flood = is_flood || batch.newer > 0;
        if !is_flood || self.hold.is_zero() {
            return None;
        }
        match self.held_until {
            Some(until) if now < until => Some(until),
            Some(until) if now < until + DISARMED_FOR => None,
            _ => {
                self.held_until = Some(now + self.hold);
                self.held_until
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_mins(5);

    fn tally(records: usize, dead: usize) -> Tally {
        Tally { records, dead, newer: 0 }
    }

    #[test]
    fn one_record_of_a_newer_opstream_is_held() {
        let (mut breaker, now) = (Breaker::new(HOLD), Instant::now());
        assert_eq!(breaker.hold_until(tally(20_000, 1), now), None);
        let newer = Tally { newer: 1, ..tally(20_000, 1) };
        assert_eq!(breaker.hold_until(newer, now), Some(now + HOLD));
        assert_eq!(breaker.hold_until(newer, now + HOLD), None);
    }

    #[test]
    fn a_flood_is_held_once_and_then_written() {
        let (mut breaker, now) = (Breaker::new(HOLD), Instant::now());
        assert_eq!(breaker.hold_until(tally(10_000, 10), now), None);
        assert_eq!(breaker.hold_until(tally(10_000, 2_000), now), Some(now + HOLD));
        assert_eq!(breaker.hold_until(tally(10_000, 2_000), now + HOLD), None);
        let later = now + HOLD + DISARMED_FOR;
        assert_eq!(breaker.hold_until(tally(10_000, 0), later), None, "a clean batch is never held");
        assert_eq!(breaker.hold_until(tally(10_000, 9_000), later), Some(later + HOLD));
    }

    #[test]
    fn a_flood_that_is_read_again_waits_for_the_rest_of_its_hold() {
        let (mut breaker, now) = (Breaker::new(HOLD), Instant::now());
        assert_eq!(breaker.hold_until(tally(1000, 1000), now), Some(now + HOLD));
        let rebalanced = now + Duration::from_secs(20);
        assert_eq!(
            breaker.hold_until(tally(1000, 1000), rebalanced),
            Some(now + HOLD),
            "neither disarmed nor held anew"
        );
        assert_eq!(breaker.hold_until(tally(1000, 0), rebalanced), None, "a clean batch is no part of the flood");
        assert_eq!(breaker.hold_until(tally(1000, 1000), now + HOLD), None);
    }

    #[test]
    fn a_few_bad_records_are_no_flood_even_alone() {
        let (mut breaker, now) = (Breaker::new(HOLD), Instant::now());
        for _ in 0..99 {
            assert_eq!(breaker.hold_until(tally(1, 1), now), None);
        }
        assert_eq!(breaker.hold_until(tally(1, 1), now), Some(now + HOLD), "small batches add up");
    }

    #[test]
    fn a_small_share_passes_however_long_it_lasts() {
        let (mut breaker, now) = (Breaker::new(HOLD), Instant::now());
        assert!((0..1000).all(|_| breaker.hold_until(tally(20_000, 1000), now).is_none()), "exactly 5 % is no flood");
        let mut never = Breaker::new(Duration::ZERO);
        assert_eq!(never.hold_until(tally(1000, 1000), now), None);
    }
}
