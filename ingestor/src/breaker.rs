//! Holds intake when far more records than usual cannot be operations: a wrong producer, or an ingestor that is too old
//! for what is written. Pure: the pipeline hands in batches and the clock.
//!
//! Outage is not poison, and neither is one bad client among many; those letters are written at once. A flood is held for
//! a while and reported, and then, because records behind it must not wait for ever and a dead letter keeps all its bytes,
//! it is written. For an hour after that no flood is held again: somebody was told. A single record in a schema of a newer
//! opstream is a flood: producers were updated before the ingestors, and every record of theirs would be one.

use std::time::{Duration, Instant};

/// Share of dead letters that is a flood, in percent.
const FLOOD_PERCENT: u64 = 5;
/// Dead letters among the records looked at that are too few to be a flood, whatever their share.
const FEW: u64 = 100;
/// Records looked at; beyond them the older ones count half.
const MEMORY: u64 = 20_000;
/// How long floods pass after one was held.
const DISARMED_FOR: Duration = Duration::from_hours(1);

/// Looks at every batch before it is stored.
#[derive(Debug)]
pub struct Breaker {
    hold: Duration,
    records: u64,
    dead: u64,
    armed_from: Option<Instant>,
}

impl Breaker {
    /// Holds a flood for `hold`; zero never holds.
    pub const fn new(hold: Duration) -> Self {
        Self { hold, records: 0, dead: 0, armed_from: None }
    }

    /// Counts a batch of so many records, of which so many are dead and so many of those newer than this opstream. Returns
    /// until when it must be held.
    pub fn judge(&mut self, records: usize, dead: usize, newer: usize, now: Instant) -> Option<Instant> {
        if self.records >= MEMORY {
            self.records /= 2;
            self.dead /= 2;
        }
        self.records += records as u64;
        self.dead += dead as u64;
        let is_flood = dead > 0 && self.dead >= FEW && self.dead * 100 > self.records * FLOOD_PERCENT;
        let is_flood = is_flood || newer > 0;
        let is_armed = !self.hold.is_zero() && self.armed_from.is_none_or(|from| now >= from);
        if !(is_flood && is_armed) {
            return None;
        }
        self.armed_from = Some(now + self.hold + DISARMED_FOR);
        Some(now + self.hold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_mins(5);

    #[test]
    fn a_flood_is_held_once_and_then_written() {
        let (mut breaker, now) = (Breaker::new(HOLD), Instant::now());
        assert_eq!(breaker.judge(10_000, 10, 0, now), None);
        assert_eq!(breaker.judge(10_000, 2_000, 0, now), Some(now + HOLD));
        assert_eq!(breaker.judge(10_000, 2_000, 0, now + HOLD), None);
        let later = now + HOLD + DISARMED_FOR;
        assert_eq!(breaker.judge(10_000, 0, 0, later), None, "a clean batch is never held");
        assert_eq!(breaker.judge(10_000, 9_000, 0, later), Some(later + HOLD));
    }

    #[test]
    fn one_record_of_a_newer_opstream_is_held() {
        let (mut breaker, now) = (Breaker::new(HOLD), Instant::now());
        assert_eq!(breaker.judge(20_000, 1, 0, now), None);
        assert_eq!(breaker.judge(20_000, 1, 1, now), Some(now + HOLD));
        assert_eq!(breaker.judge(20_000, 1, 1, now + HOLD), None);
    }

    #[test]
    fn a_few_bad_records_are_no_flood_even_alone() {
        let (mut breaker, now) = (Breaker::new(HOLD), Instant::now());
        for _ in 0..99 {
            assert_eq!(breaker.judge(1, 1, 0, now), None);
        }
        assert_eq!(breaker.judge(1, 1, 0, now), Some(now + HOLD), "small batches add up");
    }

    #[test]
    fn a_small_share_passes_however_long_it_lasts() {
        let (mut breaker, now) = (Breaker::new(HOLD), Instant::now());
        assert!((0..1000).all(|_| breaker.judge(20_000, 1000, 0, now).is_none()), "exactly 5 % is no flood");
        let mut never = Breaker::new(Duration::ZERO);
        assert_eq!(never.judge(1000, 1000, 0, now), None);
    }
}
