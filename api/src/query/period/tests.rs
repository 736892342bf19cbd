//! Named ranges and dates, and what is refused.

use super::super::calendar::tests::at;
use super::super::parameters::tests::parameters;
use super::*;

/// A Saturday in New York, and Sunday already in Kolkata.
const NOW: &str = "2026-10-31T20:00:00Z";

fn read(query: &str) -> Result<Period, ApiError> {
    let mut given = parameters(query);
    let period = Period::read(&mut given, at(NOW))?;
    given.finish()?;
    Ok(period)
}

fn local(query: &str) -> (String, String) {
    let answered = read(query).unwrap().answered(None);
    (answered.from_local.unwrap(), answered.to_local.unwrap())
}

#[test]
fn names_are_whole_days_of_the_zone() {
    for (name, from, to) in [
        ("today", "2026-10-31", "2026-11-01"),
        ("yesterday", "2026-10-30", "2026-10-31"),
        ("last_7_days", "2026-10-25", "2026-11-01"),
        ("last_30_days", "2026-10-02", "2026-11-01"),
        ("this_week", "2026-10-26", "2026-11-02"),
        ("last_week", "2026-10-19", "2026-10-26"),
        ("this_month", "2026-10-01", "2026-11-01"),
        ("last_month", "2026-09-01", "2026-10-01"),
        ("this_quarter", "2026-10-01", "2027-01-01"),
        ("last_quarter", "2026-07-01", "2026-10-01"),
        ("this_year", "2026-01-01", "2027-01-01"),
        ("last_year", "2025-01-01", "2026-01-01"),
    ] {
        let (begins, ends) = local(&format!("range={name}&zone=America/New_York"));
        assert!(begins.starts_with(&format!("{from}T00:00:00-0")), "{name} {begins}");
        assert!(ends.starts_with(&format!("{to}T00:00:00-0")), "{name} {ends}");
        assert_eq!(local(&format!("from={from}&to={to}&zone=America/New_York")), (begins, ends), "{name}");
    }
    assert_eq!(NamedRange::WORDS.len(), 12, "all of them are compared");
}

#[test]
fn today_is_another_day_elsewhere() {
    let ends = |query: &str| read(query).unwrap().range;
    let range = |from, to| Range { from: Some(at(from)), to: Some(at(to)) };
    assert_eq!(ends("range=today&zone=Asia/Kolkata"), range("2026-10-31T18:30:00Z", "2026-11-01T18:30:00Z"));
    assert_eq!(ends("range=today&zone=America/New_York"), range("2026-10-31T04:00:00Z", "2026-11-01T04:00:00Z"));
    assert_eq!(ends("range=today"), range("2026-10-31T00:00:00Z", "2026-11-01T00:00:00Z"));
    // The clocks are set back in this week: it has an hour more.
    assert_eq!(ends("range=this_week&zone=America/New_York"), range("2026-10-26T04:00:00Z", "2026-11-02T05:00:00Z"));
    assert_eq!(ends("from=2026-11-01&zone=Asia/Kathmandu").from, Some(at("2026-10-31T18:15:00Z")));
}

#[test]
fn local_times_are_told_only_where_a_zone_was_given() {
    let answered = read("from=2026-11-01T00:00:00Z").unwrap().answered(None);
    assert_eq!((answered.zone, answered.from_local, answered.to), (None, None, None));
    let answered = read("from=2026-11-01T00:00:00Z&zone=asia/kolkata").unwrap().answered(Some(at(NOW)));
    assert_eq!(answered.zone, Some("Asia/Kolkata"));
    assert_eq!(answered.from_local.as_deref(), Some("2026-11-01T05:30:00+05:30"));
    assert_eq!(answered.to_local.as_deref(), Some("2026-11-01T01:30:00+05:30"));
}

#[test]
fn what_could_be_meant_in_two_ways_is_refused() {
    for (query, words) in [
        ("from=2026-11-01", "parameter from is a date; say where its day begins, such as zone=Europe/Berlin"),
        ("range=today&from=2026-11-01T00:00:00Z", "beside from or to"),
        ("range=today&to=2026-11-01T00:00:00Z", "beside from or to"),
        ("range=tomorrow", "allowed is one of today, yesterday, last_7_days"),
        ("from=2026-02-30&zone=UTC", "RFC 3339"),
        ("from=%2B2026-1-01&zone=UTC", "RFC 3339"),
        ("from=2026-11-1&zone=UTC", "RFC 3339"),
        ("zone=Nowhere", "no IANA time zone"),
    ] {
        let refused = read(query).unwrap_err().to_string();
        assert!(refused.contains(words), "{query}: {refused}");
    }
}

fn previous(query: &str) -> (String, String) {
    let period = read(query).unwrap();
    let range = period.previous(at(NOW), UtcMillis::from_millis(0)).unwrap();
    (range.from.unwrap().to_string(), range.to.unwrap().to_string())
}

#[test]
fn the_period_before_is_as_long_in_the_calendars_days_and_months() {
    for (query, from, to) in [
        ("from=2026-10-31T10:00:00Z&to=2026-10-31T11:30:00Z", "2026-10-31T08:30:00.000Z", "2026-10-31T10:00:00.000Z"),
        ("from=2026-10-31T19:00:00Z", "2026-10-31T17:59:00.000Z", "2026-10-31T19:00:00.000Z"),
        ("range=last_month", "2026-08-01T00:00:00.000Z", "2026-09-01T00:00:00.000Z"),
        ("range=yesterday", "2026-10-29T00:00:00.000Z", "2026-10-30T00:00:00.000Z"),
        ("range=last_year", "2024-01-01T00:00:00.000Z", "2025-01-01T00:00:00.000Z"),
        // What has passed of today, and of October: longer than all of a September would not be.
        ("range=today", "2026-10-30T00:00:00.000Z", "2026-10-30T20:01:00.000Z"),
        ("range=this_month", "2026-09-01T00:00:00.000Z", "2026-10-01T00:00:00.000Z"),
        // A day of 23 hours after one of 24.
        ("from=2026-03-08&to=2026-03-09&zone=America/New_York", "2026-03-07T05:00:00.000Z", "2026-03-08T05:00:00.000Z"),
    ] {
        assert_eq!(previous(query), (from.to_owned(), to.to_owned()), "{query}");
    }
    let open = read("to=2026-10-31T10:00:00Z").unwrap();
    assert_eq!(open.previous(at(NOW), UtcMillis::from_millis(0)), None);
}

#[test]
fn the_period_before_ends_at_windows_that_are_kept() {
    let period = read("from=2026-10-31T10:07:00Z&to=2026-10-31T10:10:00Z").unwrap();
    let range = period.previous(at(NOW), at("2026-10-31T10:06:00Z")).unwrap();
    assert_eq!(range.from, Some(at("2026-10-31T10:00:00Z")));
    assert_eq!(range.to, Some(at("2026-10-31T10:07:00Z")));
}
