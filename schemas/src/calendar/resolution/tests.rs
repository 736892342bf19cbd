//! Weeks and months, and that all steps follow each other.

use proptest::prelude::*;

use super::super::zone::tests::{at, zone};
use super::*;

#[test]
fn weeks_begin_on_monday_and_months_on_the_first_of_the_zone() {
    let local = |resolution: Resolution, name: &str, moment: &str| {
        let zone = zone(name);
        let start = resolution.start(zone, at(moment));
        (zone.local_text(start), zone.local_text(resolution.end(zone, start)))
    };
    let text = |start: &str, end: &str| (start.to_owned(), end.to_owned());
    // Sunday evening in London is Monday in Kolkata.
    assert_eq!(
        local(Resolution::Week, "Europe/London", "2026-11-01T20:00:00Z"),
        text("2026-10-26T00:00:00+00:00", "2026-11-02T00:00:00+00:00")
    );
    assert_eq!(
        local(Resolution::Week, "Asia/Kolkata", "2026-11-01T20:00:00Z"),
        text("2026-11-02T00:00:00+05:30", "2026-11-09T00:00:00+05:30")
    );
    assert_eq!(
        local(Resolution::Month, "America/New_York", "2026-12-01T04:59:00Z"),
        text("2026-11-01T00:00:00-04:00", "2026-12-01T00:00:00-05:00")
    );
    // The first ISO week of 2026 begins in 2025.
    assert_eq!(
        local(Resolution::Week, "UTC", "2026-01-01T00:00:00Z"),
        text("2025-12-29T00:00:00+00:00", "2026-01-05T00:00:00+00:00")
    );
}

proptest! {
    #[test]
    fn a_moment_is_in_its_step_and_the_next_step_begins_where_it_ends(
        name in proptest::sample::select(vec!["UTC", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "America/New_York", "Africa/Casablanca"]),
        minute in 23_667_840_i64..32_000_000,
    ) {
        let (zone, moment) = (zone(name), UtcMillis::from_millis(minute * 60_000));
        for resolution in Resolution::ALL {
            let (start, end) = (resolution.start(zone, moment), resolution.end(zone, moment));
            prop_assert!(start <= moment && moment < end, "{resolution:?}");
            prop_assert_eq!(resolution.end(zone, start), end, "{:?}", resolution);
            prop_assert_eq!(resolution.start(zone, end), end, "{:?}", resolution);
            prop_assert_eq!(resolution.start(zone, end.plus_millis(-1)), start, "{:?}", resolution);
        }
    }
}
