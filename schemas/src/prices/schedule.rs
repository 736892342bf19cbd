//! Prices by time of day: weekday and hour on the provider's clock.

use chrono::{DateTime, NaiveDate, Offset, TimeZone};
use chrono_tz::Tz;

use super::entry::Card;
use crate::UtcMicros;

const MICROS_PER_MINUTE: i64 = 60_000_000;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Prices of requests that start at certain times.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// What the provider calls it, such as peak.
    pub name: String,
    /// Whose clock and calendar are meant.
    pub zone: Tz,
    /// ISO weekdays, Monday = 1 to Sunday = 7, ascending.
    pub days: Vec<u8>,
    /// Dates that are excepted, ascending.
    pub holidays: Vec<NaiveDate>,
    /// Times of day.
    pub windows: Vec<DailyWindow>,
    /// The prices, laid over those of the interval.
    pub card: Card,
}

/// A half-open span of the day, `[start, end)`, in minutes after midnight; it wraps midnight if `end < start`, and then
/// belongs to the day on which it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DailyWindow {
    /// First minute, 0 to 1439.
    pub start_minute: u16,
    /// First minute after the window, 1 to 1440, never equal to the start.
    pub end_minute: u16,
}

impl Schedule {
    /// Whether a request that starts at `at` is charged by this schedule.
    pub fn contains(&self, at: UtcMicros) -> bool {
        let local = at.micros().saturating_add(self.offset_micros(at));
        let (day, minute) =
            (local.div_euclid(MICROS_PER_DAY), local.rem_euclid(MICROS_PER_DAY).div_euclid(MICROS_PER_MINUTE));
        self.windows.iter().any(|window| {
            let (start, end) = (i64::from(window.start_minute), i64::from(window.end_minute));
            if start < end {
                (start..end).contains(&minute) && self.is_charged(day)
            } else {
                (start <= minute && self.is_charged(day)) || (minute < end && self.is_charged(day - 1))
            }
        })
    }

    /// Whether windows that start on this day, counted from 1970, are charged.
    fn is_charged(&self, day: i64) -> bool {
        // 1 January 1970 was a Thursday.
        let weekday = (day + 3).rem_euclid(7) + 1;
        self.days.iter().any(|charged| i64::from(*charged) == weekday)
            && self.holidays.binary_search_by_key(&day, |date| day_number(*date)).is_err()
    }

    /// How far the zone's clock is ahead of UTC at this moment.
    fn offset_micros(&self, at: UtcMicros) -> i64 {
        if self.zone == Tz::UTC {
            return 0;
        }
        // Beyond the years that a calendar reaches no clock has ever been set.
        DateTime::from_timestamp_micros(at.micros()).map_or(0, |moment| {
            let offset = self.zone.offset_from_utc_datetime(&moment.naive_utc()).fix();
            i64::from(offset.local_minus_utc()) * 1_000_000
        })
    }
}

/// Days from 1970 to this date.
fn day_number(date: NaiveDate) -> i64 {
    date.signed_duration_since(NaiveDate::default()).num_days()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(zone: Tz, days: &[u8], (start, end): (u16, u16)) -> Schedule {
        Schedule {
            name: "peak".to_owned(),
            zone,
            days: days.to_vec(),
            holidays: Vec::new(),
            windows: vec![DailyWindow { start_minute: start * 60, end_minute: end * 60 }],
            card: Card::default(),
        }
    }

    #[track_caller]
    fn assert_charged(schedule: &Schedule, charged: &[&str], others: &[&str]) {
        let at = |text: &str| UtcMicros::parse_rfc3339(text).unwrap();
        for text in charged {
            assert!(schedule.contains(at(text)), "{text}");
        }
        for text in others {
            assert!(!schedule.contains(at(text)), "{text}");
        }
    }

    #[test]
    fn a_window_is_half_open_on_its_weekdays() {
        // 2026-11-23 is a Monday.
        let peak = schedule(Tz::UTC, &[1, 2, 3, 4, 5], (1, 4));
        assert_charged(
            &peak,
            &["2026-11-23T01:00:00Z", "2026-11-27T03:59:59.999999Z"],
            &["2026-11-23T00:59:59.999999Z", "2026-11-27T04:00:00Z", "2026-11-28T01:00:00Z", "1969-12-28T02:00:00Z"],
        );
        assert_charged(&peak, &["1969-12-31T02:00:00Z", "1970-01-01T02:00:00Z"], &["1970-01-03T02:00:00Z"]);
    }

    #[test]
    fn a_window_that_wraps_midnight_belongs_to_the_day_on_which_it_starts() {
        let friday_night = schedule(Tz::UTC, &[5], (22, 6));
        assert_charged(
            &friday_night,
            &["2026-11-27T22:00:00Z", "2026-11-28T00:00:00Z", "2026-11-28T05:59:59.999999Z"],
            &["2026-11-27T05:00:00Z", "2026-11-27T21:59:59.999999Z", "2026-11-28T06:00:00Z", "2026-11-28T22:00:00Z"],
        );
    }

    #[test]
    fn a_whole_day_ends_at_midnight() {
        let sunday = schedule(Tz::UTC, &[7], (0, 24));
        assert_charged(
            &sunday,
            &["2026-11-29T00:00:00Z", "2026-11-29T23:59:59.999999Z"],
            &["2026-11-28T23:59:59.999999Z", "2026-11-30T00:00:00Z"],
        );
    }

    #[test]
    fn the_clock_and_the_calendar_are_those_of_the_zone() {
        // UTC+8 all year: Monday 09:00 there is 01:00 here, and Monday 02:00 there is Sunday 18:00 here.
        let morning = schedule(Tz::Asia__Shanghai, &[1], (9, 10));
        assert_charged(&morning, &["2026-11-23T01:00:00Z"], &["2026-11-23T09:00:00Z", "2026-11-23T02:00:00Z"]);
        let night = schedule(Tz::Asia__Shanghai, &[1], (2, 3));
        assert_charged(&night, &["2026-11-22T18:30:00Z"], &["2026-11-23T18:30:00Z"]);
        // Half past two exists twice on the last Sunday of October, and not at all on that of March.
        let half_past_two = schedule(Tz::Europe__Berlin, &[7], (2, 3));
        assert_charged(
            &half_past_two,
            &["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"],
            &["2026-10-25T02:00:00Z", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"],
        );
    }

    #[test]
    fn on_a_holiday_no_window_starts() {
        let mut night = schedule(Tz::Asia__Shanghai, &[1, 2, 3, 4, 5, 6, 7], (22, 6));
        night.holidays = ["2026-09-25", "2026-10-01"].map(|date| date.parse().unwrap()).to_vec();
        assert_charged(
            &night,
            // 22:30 on the 24th, 05:00 on the 25th, and 22:30 on the 26th.
            &["2026-09-24T14:30:00Z", "2026-09-24T21:00:00Z", "2026-09-26T14:30:00Z"],
            // 22:30 on the 25th, and the morning after it.
            &["2026-09-25T14:30:00Z", "2026-09-25T21:00:00Z"],
        );
    }
}
