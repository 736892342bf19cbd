//! Local days and hours of all zones, where clocks are set and elsewhere.

use chrono::Timelike as _;

use super::*;

const DAY: i64 = 24 * 60 * 60_000;
const HOUR: i64 = 60 * 60_000;

pub(in crate::calendar) fn zone(name: &str) -> Zone {
    Zone(name.parse().unwrap())
}

pub(in crate::calendar) fn at(text: &str) -> UtcMillis {
    crate::UtcMicros::parse_rfc3339(text).unwrap().to_millis()
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Starts of local hours from a moment on, in local time.
fn hours(name: &str, from: &str, count: usize) -> Vec<String> {
    let zone = zone(name);
    let starts = std::iter::successors(Some(zone.hour_start(at(from))), |start| Some(zone.hour_end(*start)));
    starts.take(count).map(|start| zone.local_text(start)).collect()
}

/// Moments ten days apart between which clocks of a zone were set, since there are windows.
fn changes(zone: Zone) -> impl Iterator<Item = UtcMillis> {
    let first = at("2015-01-01T12:00:00Z").millis();
    (0..800)
        .map(move |number| UtcMillis::from_millis(first + number * 10 * DAY))
        .filter(move |moment| zone.offset_millis(*moment) != zone.offset_millis(moment.plus_millis(10 * DAY)))
}

#[test]
fn a_zone_has_its_name_of_the_database_however_it_is_written() {
    let name = |text: &str| Zone::from_name(text).map(Zone::name);
    assert_eq!(name("Asia/Kolkata"), Some("Asia/Kolkata"));
    assert_eq!(name("america/new_york"), Some("America/New_York"));
    for unknown in ["", "Mars/Olympus", "+05:30", "Europe"] {
        assert_eq!(name(unknown), None, "{unknown}");
    }
}

#[test]
fn every_offset_since_there_are_windows_is_made_of_quarter_hours() {
    for zone in TZ_VARIANTS.map(Zone) {
        for moment in changes(zone).chain([at("2015-01-01T00:00:00Z"), at("2026-11-23T00:00:00Z")]) {
            assert_eq!(zone.offset_millis(moment) % (15 * 60_000), 0, "{zone:?} {moment}");
        }
    }
}

#[test]
fn days_begin_with_their_first_moment_in_every_zone() {
    let mut compared = 0;
    for zone in TZ_VARIANTS.map(Zone) {
        for change in changes(zone) {
            let first = zone.date(change);
            for date in (-1..12).map(|days| days_later(first, days)) {
                let start = zone.day_start(date);
                assert!(zone.date(start) >= date, "{zone:?} {date} {start}");
                assert!(zone.date(start.plus_millis(-1)) < date, "{zone:?} {date} {start}");
                compared += 1;
            }
        }
    }
    assert!(compared > 50_000, "{compared}");
}

#[test]
fn hours_are_cut_where_clocks_are_set_and_lie_in_one_local_hour_in_every_zone() {
    for zone in TZ_VARIANTS.map(Zone) {
        for change in changes(zone) {
            let mut start = zone.hour_start(change);
            while start < change.plus_millis(10 * DAY) {
                let end = zone.hour_end(start);
                let last = end.plus_millis(-1);
                let hour = |moment| (super::moment(moment).with_timezone(&zone.0).hour(), zone.offset_millis(moment));
                assert!(start < end && hour(start) == hour(last) && hour(last) != hour(end), "{zone:?} {start} {end}");
                assert_eq!((zone.hour_start(last), zone.hour_end(last)), (start, end), "{zone:?}");
                start = end;
            }
        }
    }
}

#[test]
fn a_skipped_local_hour_is_none_and_a_repeated_one_is_two() {
    let spring = hours("America/New_York", "2026-03-08T06:00:00Z", 3);
    assert_eq!(spring, ["2026-03-08T01:00:00-05:00", "2026-03-08T03:00:00-04:00", "2026-03-08T04:00:00-04:00"]);
    let autumn = hours("America/New_York", "2026-11-01T04:30:00Z", 4);
    let expected = [
        "2026-11-01T00:00:00-04:00",
        "2026-11-01T01:00:00-04:00",
        "2026-11-01T01:00:00-05:00",
        "2026-11-01T02:00:00-05:00",
    ];
    assert_eq!(autumn, expected);
    // Half an hour is repeated, and half an hour skipped.
    let autumn = hours("Australia/Lord_Howe", "2026-04-04T14:00:00Z", 3);
    assert_eq!(autumn, ["2026-04-05T01:00:00+11:00", "2026-04-05T01:30:00+10:30", "2026-04-05T02:00:00+10:30"]);
    let spring = hours("Australia/Lord_Howe", "2026-10-03T15:00:00Z", 3);
    assert_eq!(spring, ["2026-10-04T01:00:00+10:30", "2026-10-04T02:30:00+11:00", "2026-10-04T03:00:00+11:00"]);
}

#[test]
fn days_are_as_long_as_the_zone_makes_them() {
    let hours = |name: &str, text: &str| {
        let (zone, date) = (zone(name), date(text));
        (zone.day_start(days_later(date, 1)).millis() - zone.day_start(date).millis()) * 10 / HOUR
    };
    for (name, date, tenths) in [
        ("Asia/Kolkata", "2026-11-01", 240),
        ("America/New_York", "2026-03-08", 230),
        ("America/New_York", "2026-11-01", 250),
        ("Australia/Adelaide", "2026-10-04", 230),
        ("Australia/Adelaide", "2026-04-05", 250),
        ("Australia/Lord_Howe", "2026-10-04", 235),
        ("Australia/Lord_Howe", "2026-04-05", 245),
        // Begins at one o'clock.
        ("Africa/Cairo", "2026-04-24", 230),
        // Was left out.
        ("Pacific/Apia", "2011-12-30", 0),
    ] {
        assert_eq!(hours(name, date), tenths, "{name} {date}");
    }
    assert_eq!(zone("Asia/Kathmandu").day_start(date("2026-11-01")), at("2026-10-31T18:15:00Z"));
    assert_eq!(
        zone("Africa/Cairo").local_text(zone("Africa/Cairo").day_start(date("2026-04-24"))),
        "2026-04-24T01:00:00+03:00"
    );
}
