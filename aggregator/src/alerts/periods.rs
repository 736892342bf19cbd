//! Which periods of a rule are looked at. Pure.

use opstream_schemas::UtcMillis;
use opstream_schemas::alerts::{BudgetPeriod, RateWindow};
use opstream_schemas::calendar::{Resolution, Zone};
use opstream_schemas::window::Level;

/// A half-open period, made of whole minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    /// First moment.
    pub start: UtcMillis,
    /// First moment after it.
    pub end: UtcMillis,
}

/// Whether periods that are over are looked at too, for operations that come late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookBack {
    /// They are.
    Yes,
    /// They are not.
    No,
}

/// The periods of a budget, the present one first. Those that had ended when the rule was made are none of its.
pub(crate) fn budget_periods(
    period: BudgetPeriod,
    now: UtcMillis,
    made_at: UtcMillis,
    look_back: LookBack,
) -> Vec<Period> {
    let (resolution, zone) = match period {
        BudgetPeriod::Calendar { resolution, zone } => (resolution, zone),
        BudgetPeriod::Rolling { hours } => return vec![rolling(hours, now)],
    };
    let mut periods = vec![Period { start: resolution.start(zone, now), end: resolution.end(zone, now) }];
    if look_back == LookBack::No {
        return periods;
    }
    for _ in 0..past_periods(resolution) {
        let end = periods[periods.len() - 1].start;
        if end <= made_at {
            break;
        }
        periods.push(Period { start: resolution.start(zone, end.plus_millis(-1)), end });
    }
    periods
}

/// How many periods that are over are looked at: a day of hours, a week of days, and one week or month.
const fn past_periods(resolution: Resolution) -> usize {
    match resolution {
        Resolution::Week | Resolution::Month => 1,
        Resolution::Day => 7,
        Resolution::Minute | Resolution::QuarterHour | Resolution::Hour => 24,
    }
}

/// From the quarter-hour in which it began: minutes that old may not be kept.
fn rolling(hours: u32, now: UtcMillis) -> Period {
    let quarter = Level::QuarterHour.window_start(now);
    let start = Level::QuarterHour.window_start(now.plus_millis(-i64::from(hours) * Level::Hour.width_millis()));
    Period { start, end: Level::QuarterHour.window_end(quarter) }
}

/// The minutes of a rate, of which the present one is the last.
pub(crate) fn rate_period(window: RateWindow, now: UtcMillis) -> Period {
    let end = Level::Minute.window_end(Level::Minute.window_start(now));
    Period { start: end.plus_millis(-i64::from(window.minutes) * Level::Minute.width_millis()), end }
}

/// The present local hour, and the one before it.
pub(crate) fn last_hours(zone: Zone, now: UtcMillis) -> [Period; 2] {
    let hour = |at: UtcMillis| Period { start: zone.hour_start(at), end: zone.hour_end(at) };
    let present = hour(now);
    [present, hour(present.start.plus_millis(-1))]
}

/// The same local hour in each of the weeks before; a week in which clocks skipped it is none.
pub(crate) fn same_hours(zone: Zone, hour: Period, weeks: u8) -> Vec<Period> {
    let earlier = (1..=i64::from(weeks)).filter_map(|week| zone.days_earlier(hour.start, 7 * week));
    earlier.map(|at| Period { start: zone.hour_start(at), end: zone.hour_end(at) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UtcMillis {
        opstream_schemas::UtcMicros::parse_rfc3339(text).unwrap().to_millis()
    }

    fn calendar(resolution: Resolution, zone: &str) -> BudgetPeriod {
        BudgetPeriod::Calendar { resolution, zone: Zone::from_name(zone).unwrap() }
    }

    #[test]
    fn periods_are_as_long_as_the_zone_makes_them_where_clocks_are_set() {
        for (zone, resolution, now, expected) in [
            (
                "America/New_York",
                Resolution::Day,
                "2026-11-01T12:00:00Z",
                ("2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"),
            ),
            (
                "America/New_York",
                Resolution::Day,
                "2026-03-08T12:00:00Z",
                ("2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"),
            ),
            (
                "America/New_York",
                Resolution::Month,
                "2026-11-15T12:00:00Z",
                ("2026-11-01T04:00:00Z", "2026-12-01T05:00:00Z"),
            ),
            (
                "America/New_York",
                Resolution::Week,
                "2026-11-01T12:00:00Z",
                ("2026-10-26T04:00:00Z", "2026-11-02T05:00:00Z"),
            ),
            ("Asia/Kolkata", Resolution::Day, "2026-11-01T20:00:00Z", ("2026-11-01T18:30:00Z", "2026-11-02T18:30:00Z")),
            (
                "Asia/Kolkata",
                Resolution::Hour,
                "2026-11-01T20:00:00Z",
                ("2026-11-01T19:30:00Z", "2026-11-01T20:30:00Z"),
            ),
            // Half an hour is repeated, and half an hour skipped.
            (
                "Australia/Lord_Howe",
                Resolution::Day,
                "2026-04-05T00:00:00Z",
                ("2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z"),
            ),
            (
                "Australia/Lord_Howe",
                Resolution::Day,
                "2026-10-04T00:00:00Z",
                ("2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z"),
            ),
            (
                "Australia/Lord_Howe",
                Resolution::Hour,
                "2026-04-04T15:10:00Z",
                ("2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z"),
            ),
        ] {
            let present = budget_periods(calendar(resolution, zone), at(now), at(now), LookBack::No);
            assert_eq!(present, [Period { start: at(expected.0), end: at(expected.1) }], "{zone} {now}");
        }
    }

    #[test]
    fn what_is_over_follows_without_a_gap_and_not_beyond_the_rules_own_time() {
        let now = at("2026-11-03T12:00:00Z");
        for (resolution, past) in
            [(Resolution::Hour, 24), (Resolution::Day, 7), (Resolution::Week, 1), (Resolution::Month, 1)]
        {
            let period = calendar(resolution, "America/New_York");
            let all = budget_periods(period, now, at("2026-01-01T00:00:00Z"), LookBack::Yes);
            assert_eq!(all.len(), past + 1, "{resolution:?}");
            assert!(all.windows(2).all(|pair| pair[1].end == pair[0].start && pair[1].start < pair[1].end));
            assert_eq!(budget_periods(period, now, now, LookBack::Yes).len(), 1, "{resolution:?}");
        }
        let since_sunday =
            budget_periods(calendar(Resolution::Day, "UTC"), now, at("2026-11-01T08:00:00Z"), LookBack::Yes);
        assert_eq!(since_sunday.len(), 3);
    }

    #[test]
    fn a_rolling_period_begins_in_the_quarter_hour_and_a_rate_ends_with_the_minute() {
        let now = at("2026-11-03T12:07:31Z");
        let rolling = budget_periods(BudgetPeriod::Rolling { hours: 24 }, now, now, LookBack::Yes);
        assert_eq!(rolling, [Period { start: at("2026-11-02T12:00:00Z"), end: at("2026-11-03T12:15:00Z") }]);
        let rate = rate_period(RateWindow { minutes: 15, min_operations: 1 }, now);
        assert_eq!(rate, Period { start: at("2026-11-03T11:53:00Z"), end: at("2026-11-03T12:08:00Z") });
    }

    #[test]
    fn the_same_hour_is_that_of_the_clocks_and_a_skipped_one_is_left_out() {
        let zone = Zone::from_name("America/New_York").unwrap();
        let [present, before] = last_hours(zone, at("2026-03-15T06:30:00Z"));
        assert_eq!(before.end, present.start);
        // 2:30 in the night; a week before it was skipped, and earlier weeks have another distance from UTC.
        assert_eq!(present.start, at("2026-03-15T06:00:00Z"));
        let weeks = same_hours(zone, present, 3);
        let starts: Vec<UtcMillis> = weeks.iter().map(|hour| hour.start).collect();
        assert_eq!(starts, [at("2026-03-01T07:00:00Z"), at("2026-02-22T07:00:00Z")]);
    }
}
