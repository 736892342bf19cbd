//! Steps against operations whose times are converted one by one.

use chrono::{DateTime, Datelike as _, Timelike as _};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::super::calendar::tests::at;
use super::*;

fn minute(number: i64) -> UtcMillis {
    UtcMillis::from_millis(number * 60_000)
}

fn period(from: UtcMillis, to: Option<UtcMillis>, zone: &str) -> Period {
    let query = to.map_or_else(|| format!("zone={zone}&from={from}"), |to| format!("zone={zone}&from={from}&to={to}"));
    Period::read(&mut super::super::parameters_of(&query), minute(0)).unwrap()
}

fn present(kept_from: UtcMillis) -> Present {
    Present { now: at("2026-11-23T08:00:00Z"), minutes_kept_from: kept_from }
}

#[test]
fn an_unnamed_resolution_gives_a_pleasant_chart() {
    for (minutes, resolution) in [
        (60, Resolution::Minute),
        (300, Resolution::Minute),
        (1440, Resolution::QuarterHour),
        (3 * 1440, Resolution::QuarterHour),
        (7 * 1440, Resolution::Hour),
        (90 * 1440, Resolution::Day),
        (9000 * 1440, Resolution::Day),
    ] {
        assert_eq!(pleasant_resolution(minute(0), minute(minutes), minute(0)), resolution, "{minutes} minutes");
    }
}

#[test]
fn no_window_is_wider_than_a_step() {
    let range = Range { from: Some(minute(30)), to: Some(minute(3 * 1440 + 17)) };
    let spans = narrow(range.spans(minute(0)).unwrap(), Level::Hour);
    assert!(spans.iter().all(|span| span.level <= Level::Hour));
    assert_eq!((spans[0].from, spans.last().unwrap().to), (minute(30), minute(3 * 1440 + 17)));
}

#[test]
fn an_unnamed_resolution_never_asks_for_minutes_that_are_gone() {
    let resolution = |kept_from| {
        let hour = period(minute(60), Some(minute(120)), "UTC");
        Steps::of(hour, None, present(minute(kept_from))).unwrap().resolution
    };
    assert_eq!((resolution(60), resolution(61)), (Resolution::Minute, Resolution::QuarterHour));
}

#[test]
fn steps_are_stored_windows_wherever_these_begin_with_the_zones_hours_and_days() {
    let (from, to) = (at("2026-11-02T00:00:00Z"), at("2026-11-23T00:00:00Z"));
    let stored = |zone: &str, resolution| {
        let steps = Steps::of(period(from, Some(to), zone), Some(resolution), present(minute(0))).unwrap();
        matches!(steps.step_by, StepBy::Level(_))
    };
    for (zone, resolution, expected) in [
        ("UTC", Resolution::Day, true),
        ("Europe/London", Resolution::Day, true),
        ("America/New_York", Resolution::Hour, true),
        ("America/New_York", Resolution::Day, false),
        ("Asia/Kolkata", Resolution::QuarterHour, true),
        ("Asia/Kolkata", Resolution::Hour, false),
        ("UTC", Resolution::Week, false),
        ("UTC", Resolution::Month, false),
    ] {
        assert_eq!(stored(zone, resolution), expected, "{zone} {resolution:?}");
    }
}

#[test]
fn a_step_takes_the_fewest_windows() {
    let windows = |zone: &str, resolution, days: i64| {
        let from = at("2026-11-01T00:00:00Z");
        let range = period(from, Some(from.plus_millis(days * 24 * 60 * 60_000)), zone);
        let steps = Steps::of(range, Some(resolution), present(from.plus_millis(i64::MAX))).unwrap();
        let StepBy::Spans(spans) = steps.step_by else { panic!("{zone} {resolution:?} is stored") };
        spans.iter().map(|entry| entry.span.windows()).sum::<i64>()
    };
    // A day: 23 hours, and quarter-hours on both sides of its two ends, half an hour past a full one.
    assert_eq!(windows("Asia/Kolkata", Resolution::Day, 10), 10 * (23 + 4));
    assert_eq!(windows("Asia/Kolkata", Resolution::Hour, 10), 10 * 96);
    assert_eq!(windows("Asia/Tokyo", Resolution::Day, 10), 10 * 24);
    // November and the first days of December: whole days but for that in which the month ends.
    assert_eq!(windows("Asia/Kolkata", Resolution::Month, 32), 31 + 23 + 4);
    assert_eq!(windows("UTC", Resolution::Week, 28), 28);
}

#[test]
fn steps_that_begin_within_quarter_hours_take_minutes_where_they_are_kept() {
    // Kiritimati was 10 hours and 40 minutes behind UTC until 1979, Monrovia 44 minutes and 30 seconds until 1972.
    let (from, to) = (at("1975-01-01T00:00:00Z"), at("1975-01-03T00:00:00Z"));
    let range = period(from, Some(to), "Pacific/Kiritimati");
    let steps = Steps::of(range, Some(Resolution::Day), present(from)).unwrap();
    assert_eq!(steps.spans.len(), 1, "the range as a whole takes its days");
    let StepBy::Spans(spans) = steps.step_by else { panic!("is stored") };
    assert_eq!(spans.iter().map(|entry| entry.span.windows()).sum::<i64>(), 2 * (23 + 2 + 10 + 5 + 1));
    let gone = Steps::of(range, Some(Resolution::Day), present(to)).unwrap_err().to_string();
    let expected = "in Pacific/Kiritimati a step of a day begins where no window does: 1975-01-01T10:40:00.000Z is not a quarter-hour";
    assert!(gone.starts_with(expected), "{gone}");
    let range = period(at("1971-01-01T00:00:00Z"), Some(at("1971-01-03T00:00:00Z")), "Africa/Monrovia");
    let odd = Steps::of(range, Some(Resolution::Hour), present(minute(0))).unwrap_err().to_string();
    assert!(odd.contains("1971-01-01T00:44:30.000Z is not a whole UTC minute; take a later from"), "{odd}");
}

#[test]
fn a_date_that_came_twice_ends_where_the_next_one_first_begins() {
    // Clocks went back from 0:01 to 23:01 of the day before.
    let (from, to) = (at("2010-11-07T02:40:00Z"), at("2010-11-09T00:00:00Z"));
    let steps =
        Steps::of(period(from, Some(to), "America/St_Johns"), Some(Resolution::Day), present(minute(0))).unwrap();
    let StepBy::Spans(spans) = steps.step_by else { panic!("is stored") };
    assert_eq!((spans[0].span.from, spans.last().unwrap().span.to), (from, to));
    assert_eq!(spans[0].step, at("2010-11-07T02:30:00Z"));
}

/// What a step is called in local time: its date, or the first one of its week or month, and the hour with its distance from UTC.
fn naive_name(resolution: Resolution, zone: Tz, moment: UtcMillis) -> String {
    let local = DateTime::from_timestamp_millis(moment.millis()).unwrap().with_timezone(&zone);
    match resolution {
        Resolution::Month => local.format("%Y-%m").to_string(),
        Resolution::Week => format!("{:?}", local.iso_week()),
        Resolution::Day => local.date_naive().to_string(),
        Resolution::Hour => local.format("%Y-%m-%d %H %z").to_string(),
        Resolution::QuarterHour => format!("{} {}", local.format("%Y-%m-%d %H %z"), local.minute() / 15),
        Resolution::Minute => local.format("%Y-%m-%d %H:%M %z").to_string(),
    }
}

proptest! {
    #[test]
    fn an_operation_is_in_the_step_of_its_local_time_once_and_outside_the_range_never(
        zone in proptest::sample::select(&chrono_tz::TZ_VARIANTS[..]),
        resolution in proptest::sample::select(&Resolution::ALL[2..]),
        from in 23_667_840_i64..31_000_000,
        length in 0_i64..60_000,
        operations in proptest::collection::vec(-2000_i64..62_000, 1..30),
    ) {
        let (from, to) = (minute(from), minute(from + length));
        let steps = Steps::of(period(from, Some(to), zone.name()), Some(resolution), present(minute(0))).unwrap();
        for operation in operations {
            let moment = from.plus_millis(operation * 60_000 + 59_999);
            let is_inside = from <= moment && moment < to;
            let found: Vec<UtcMillis> = match &steps.step_by {
                StepBy::Level(level) => {
                    prop_assert!(steps.spans.iter().all(|span| span.level <= *level));
                    let span = steps.spans.iter().filter(|span| span.from <= moment && moment < span.to);
                    span.map(|_| level.window_start(moment)).collect()
                }
                StepBy::Spans(spans) => {
                    let spans = spans.iter().filter(|entry| entry.span.from <= moment && moment < entry.span.to);
                    spans.map(|entry| entry.step).collect()
                }
            };
            prop_assert_eq!(found.len(), usize::from(is_inside));
            for start in found {
                prop_assert_eq!(naive_name(resolution, zone, start), naive_name(resolution, zone, moment));
                prop_assert!(start <= moment && moment < steps.resolution.end(steps.period.zone(), start));
            }
        }
    }
}
