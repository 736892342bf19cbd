//! When a call that failed is made again. Pure.

use std::time::Duration;

use opstream_schemas::UtcMillis;
use opstream_schemas::time::DAY_MILLIS;

const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// How long it is tried.
const GIVE_UP_AFTER_MS: i64 = DAY_MILLIS;

/// The moment of the next attempt after so many; none when that is more than a day after the delivery was due first. `jitter` is from
/// 0 to 1; `asked` is what the receiver asked for.
pub(super) fn next_attempt(
    (now, due_first): (UtcMillis, UtcMillis),
    attempts: u32,
    asked: Option<Duration>,
    jitter: f64,
) -> Option<UtcMillis> {
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempts.saturating_sub(1).min(20)).min(LONGEST_PAUSE);
    // Between half of it and all of it, so that many deliveries do not come at once.
    let pause = doubled.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0).max(asked.unwrap_or_default());
    let next = now.plus_millis(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX));
    (next.millis() - due_first.millis() <= GIVE_UP_AFTER_MS).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UtcMillis = UtcMillis::from_millis(1_790_000_000_000);

    fn pause(attempts: u32, asked: Option<Duration>, jitter: f64) -> i64 {
        next_attempt((START, START), attempts, asked, jitter).unwrap().millis() - START.millis()
    }

    #[test]
    fn pauses_double_up_to_an_hour_and_what_was_asked_for_counts() {
        let pauses = [1, 2, 3, 4, 20, 4_000_000_000].map(|attempts| pause(attempts, None, 1.0));
        assert_eq!(pauses, [5_000, 10_000, 20_000, 40_000, 3_600_000, 3_600_000]);
        assert_eq!(pause(1, None, 0.0), 2_500);
        assert_eq!(pause(1, Some(Duration::from_mins(2)), 1.0), 120_000);
    }

    #[test]
    fn after_a_day_it_is_given_up() {
        let mut now = START;
        let mut attempts = 0;
        while let Some(next) = next_attempt((now, START), attempts + 1, None, 1.0) {
            assert!(next > now);
            now = next;
            attempts += 1;
        }
        assert!((30..60).contains(&attempts), "{attempts} attempts");
        assert!(now.millis() - START.millis() > DAY_MILLIS - 3_600_000);
        assert_eq!(next_attempt((START, START), 1, Some(Duration::from_hours(25)), 0.0), None);
    }
}
