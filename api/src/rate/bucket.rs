//! A bucket of tokens as one number: the moment at which all that was taken is paid for (the generic cell rate algorithm). Pure.

use std::num::NonZeroU64;
use std::time::Duration;

const NANOS_PER_S: u128 = 1_000_000_000;

/// Nanoseconds since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(pub(super) u64);

/// So many units a second, and for once as many as come together in `burst`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    per_s: NonZeroU64,
    burst: u64,
}

/// What was taken; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    paid_at: Moment,
}

impl Rate {
    pub(super) fn new(per_s: NonZeroU64, burst: Duration) -> Self {
        Self { per_s, burst: u64::try_from(burst.as_nanos()).unwrap_or(u64::MAX) }
    }

    /// Units a second.
    pub(super) const fn per_s(&self) -> u64 {
        self.per_s.get()
    }

    /// The time in which so many units come together, rounded up, so that nothing is free.
    fn time_of(&self, units: u64) -> u64 {
        let nanos = (u128::from(units) * NANOS_PER_S).div_ceil(u128::from(self.per_s.get()));
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }
}

impl Bucket {
    /// How long to wait until there is a unit; none when there is one now.
    pub(super) fn wait(self, rate: &Rate, now: Moment) -> Option<Duration> {
        let with_one_more = self.paid_at.0.saturating_sub(now.0).saturating_add(rate.time_of(1));
        (with_one_more > rate.burst).then(|| Duration::from_nanos(with_one_more - rate.burst))
    }

    /// Takes so many units, also more than there are: they are paid for later.
    pub(super) fn take(&mut self, rate: &Rate, units: u64, now: Moment) {
        self.paid_at = Moment(self.paid_at.max(now).0.saturating_add(rate.time_of(units)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn rate(per_s: u64, burst_s: u64) -> Rate {
        Rate::new(NonZeroU64::new(per_s).unwrap(), Duration::from_secs(burst_s))
    }

    /// Units taken one by one until there is a wait.
    fn taken_at_once(bucket: &mut Bucket, rate: &Rate, now: Moment) -> u64 {
        let mut taken = 0;
        while bucket.wait(rate, now).is_none() {
            bucket.take(rate, 1, now);
            taken += 1;
        }
        taken
    }

    #[test]
    fn the_burst_passes_at_once_and_then_the_rate() {
        let (rate, mut bucket) = (rate(10, 3), Bucket::default());
        assert_eq!(taken_at_once(&mut bucket, &rate, Moment(5)), 30);
        assert_eq!(bucket.wait(&rate, Moment(5)), Some(Duration::from_millis(100)));
        assert_eq!(bucket.wait(&rate, Moment(5 + SECOND / 10)), None);
        assert_eq!(taken_at_once(&mut bucket, &rate, Moment(5 + 2 * SECOND)), 20);
        assert_eq!(taken_at_once(&mut bucket, &rate, Moment(60 * SECOND)), 30, "no more comes together than the burst");
    }

    #[test]
    fn more_than_there_is_is_paid_for_later() {
        let (rate, mut bucket) = (rate(100, 10), Bucket::default());
        bucket.take(&rate, 5000, Moment(0));
        assert_eq!(bucket.wait(&rate, Moment(0)), Some(Duration::from_millis(40_010)));
        assert_eq!(bucket.wait(&rate, Moment(41 * SECOND)), None);
    }

    proptest! {
        #[test]
        fn over_time_no_more_passes_than_the_rate(
            per_s in 1_u64..2_000_000_000,
            takes in proptest::collection::vec((0_u64..3_000_000, 0_u64..SECOND), 1..50),
        ) {
            let (rate, mut bucket) = (rate(per_s, 1), Bucket::default());
            let (mut now, mut passed, mut last) = (0_u64, 0_u128, 0);
            for (units, pause) in takes {
                now += pause;
                if bucket.wait(&rate, Moment(now)).is_none() {
                    bucket.take(&rate, units, Moment(now));
                    passed += u128::from(units);
                    last = units;
                }
            }
            // The burst, what came together since, and the last that was let begin.
            let most = u128::from(per_s) * u128::from(SECOND + now) / u128::from(SECOND) + u128::from(last) + 1;
            prop_assert!(passed <= most, "{} > {}", passed, most);
        }
    }

    #[test]
    fn no_number_is_too_large() {
        let (rate, mut bucket) = (rate(1, 1), Bucket::default());
        bucket.take(&rate, u64::MAX, Moment(u64::MAX));
        bucket.take(&rate, u64::MAX, Moment(0));
        assert!(bucket.wait(&rate, Moment(0)).is_some());
    }
}
