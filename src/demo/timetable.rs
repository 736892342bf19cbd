//! When operations end: spread over past hours with busy days and quiet nights, or one after another from now on.

use std::f64::consts::TAU;
use std::time::Duration;

use opstream_schemas::UtcMicros;

/// Microseconds of an hour.
pub(super) const HOUR_US: i64 = 3_600_000_000;
const MINUTE_US: i64 = 60_000_000;
const DAY_MINUTES: i64 = 1440;
/// Minute of the UTC day at which the fleet is busiest.
const BUSIEST_MINUTE: i64 = 14 * 60;

/// The ends of `n_operations` within the minutes from `from` to `to`, in order; busy hours have more of them.
pub(super) fn spread(n_operations: u64, from: UtcMicros, to: UtcMicros) -> impl Iterator<Item = UtcMicros> {
    let n_minutes = ((to.micros() - from.micros()) / MINUTE_US).max(1);
    let first_minute = from.micros() / MINUTE_US;
    let total: f64 = (0..n_minutes).map(|minute| intensity(first_minute + minute)).sum();
    let mut minute = 0;
    let mut passed = 0.0;
    (0..n_operations).map(move |index| {
        let target = total * (index as f64 + 0.5) / n_operations as f64;
        while minute + 1 < n_minutes && passed + intensity(first_minute + minute) <= target {
            passed += intensity(first_minute + minute);
            minute += 1;
        }
        let share = ((target - passed) / intensity(first_minute + minute)).clamp(0.0, 0.999);
        let within = Duration::from_secs_f64(share * 60.0).as_micros();
        UtcMicros::from_micros(from.micros() + minute * MINUTE_US + i64::try_from(within).unwrap_or(0))
    })
}

/// Operations of the hour that begins at `hour`, when hours have `mean` of them on average.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, finite and never negative")]
pub(super) fn hourly(hour: UtcMicros, mean: f64) -> u64 {
    (intensity(hour.micros() / MINUTE_US + 30) * mean).round() as u64
}

/// How busy the fleet is in a minute since 1970: 0.3 at its quietest, 1.7 at its busiest.
fn intensity(minute: i64) -> f64 {
    let phase = (minute - BUSIEST_MINUTE).rem_euclid(DAY_MINUTES);
    1.0 + 0.7 * (TAU * phase as f64 / DAY_MINUTES as f64).cos()
}

/// The end of the operation with this number at a steady rate, operations per second.
pub(super) fn steady(start: UtcMicros, number: u64, rate: f64) -> UtcMicros {
    let after = Duration::try_from_secs_f64(number as f64 / rate)
        .map_or(i64::MAX, |after| i64::try_from(after.as_micros()).unwrap_or(i64::MAX));
    UtcMicros::from_micros(start.micros().saturating_add(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UtcMicros = UtcMicros::from_micros(1_790_078_400_000_000);

    #[test]
    fn a_day_is_filled_in_order_and_busier_by_day_than_by_night() {
        let from = UtcMicros::from_micros(NOON.micros() - DAY_MINUTES * MINUTE_US);
        let ends: Vec<UtcMicros> = spread(4000, from, NOON).collect();
        assert_eq!(ends.len(), 4000);
        assert!(ends.is_sorted());
        assert!(ends[0] >= from && ends[3999] < NOON);
        let hour = |end: &UtcMicros| end.micros() / MINUTE_US % DAY_MINUTES / 60;
        let in_hour = |wanted| ends.iter().filter(|end| hour(end) == wanted).count();
        assert!(in_hour(14) > 3 * in_hour(2), "{} {}", in_hour(14), in_hour(2));
        assert!((0..24).all(|wanted| in_hour(wanted) > 20));
    }

    #[test]
    fn a_steady_rate_is_kept_without_drift() {
        assert_eq!(steady(NOON, 5_000_000, 5.0).micros() - NOON.micros(), 1_000_000_000_000);
        assert_eq!(steady(NOON, 1, 8.0).micros() - NOON.micros(), 125_000);
    }

    #[test]
    fn less_than_a_minute_still_takes_every_operation() {
        assert_eq!(spread(10, NOON, UtcMicros::from_micros(NOON.micros() + 5)).count(), 10);
    }
}
