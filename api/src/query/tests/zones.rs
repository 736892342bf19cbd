//! Answers in time zones, against operations whose times are converted one by one.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _};
use chrono_tz::Tz;
use opstream_schemas::window::DimensionSet;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

/// Both changes of New York's clocks, Lord Howe's and Adelaide's, and days without.
const MOMENTS: [&str; 5] = [
    "2026-03-07T12:00:00Z",
    "2026-04-04T06:00:00Z",
    "2026-10-03T06:00:00Z",
    "2026-10-31T12:00:00Z",
    "2026-11-22T18:00:00Z",
];
const ZONES: [&str; 7] = [
    "UTC",
    "Asia/Kolkata",
    "Australia/Adelaide",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/New_York",
    "Europe/London",
];

fn moment(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
}

/// An api with one operation at each time.
async fn with_operations(times: &[i64]) -> Fixture {
    let api = Box::pin(Fixture::new()).await;
    for time in times {
        let operation = Counted { time: UtcMillis::from_millis(*time), ..counted(0, "a", 1, 100) };
        Box::pin(api.count_in(&operation, DimensionSet::Workspace)).await;
    }
    api
}

/// Start, local start, end and operations of each step.
fn points(series: &Value) -> Vec<(&str, &str, &str, i64)> {
    let points = series["series"][0]["points"].as_array().unwrap();
    points
        .iter()
        .map(|point| {
            let text = |name: &str| point[name].as_str().unwrap();
            (text("start"), text("start_local"), text("end"), point["operations"].as_i64().unwrap())
        })
        .collect()
}

/// Operations by the local date, hour with its distance from UTC, ISO week or month of each.
fn naive_counts(resolution: &str, zone: Tz, times: &[i64]) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for time in times {
        *counts.entry(naive_name(resolution, zone, *time)).or_default() += 1;
    }
    counts
}

fn naive_name(resolution: &str, zone: Tz, time: i64) -> String {
    let local = DateTime::from_timestamp_millis(time).unwrap().with_timezone(&zone);
    match resolution {
        "hour" => local.format("%Y-%m-%d %H %z").to_string(),
        "day" => local.date_naive().to_string(),
        "week" => format!("{:?}", local.iso_week()),
        _ => local.format("%Y-%m").to_string(),
    }
}

#[test]
fn steps_add_up_to_the_range_and_to_its_operations_in_every_zone() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let operation = (0..MOMENTS.len(), 0_i64..72 * 60);
    let operations = proptest::collection::vec(operation, 12);
    let question = (
        proptest::sample::select(&ZONES[..]),
        proptest::sample::select(&["hour", "day", "week", "month"][..]),
        (0..MOMENTS.len(), -24 * 60_i64..48 * 60),
        prop_oneof![0_i64..5 * 24 * 60, 0_i64..270 * 24 * 60],
    );
    let questions = proptest::collection::vec(question, 12);
    let mut runner = TestRunner::new(Config { cases: 8, max_shrink_iters: 20, ..Config::default() });
    let compared = runner.run(&(operations, questions), |(operations, questions)| {
        let times: Vec<i64> =
            operations.iter().map(|(place, minutes)| moment(MOMENTS[*place]) + minutes * MINUTE).collect();
        runtime.block_on(async {
            let api = with_operations(&times).await;
            for (zone, resolution, (place, minutes), length) in questions {
                let from = moment(MOMENTS[place]) + minutes * MINUTE;
                let to = from + length * MINUTE;
                let inside: Vec<i64> = times.iter().copied().filter(|time| (from..to).contains(time)).collect();
                let (begin, end) = (UtcMillis::from_millis(from), UtcMillis::from_millis(to));
                let range = format!("from={begin}&to={end}&zone={zone}");
                let totals = answer(&api, &format!("/v1/totals?{range}")).await;
                assert_eq!(totals["operations"], inside.len(), "{range}");

                let series = answer(&api, &format!("/v1/series?{range}&resolution={resolution}")).await;
                let tz: Tz = zone.parse().unwrap();
                let found = points(&series).into_iter();
                let found: BTreeMap<String, i64> =
                    found.map(|(start, _, _, count)| (naive_name(resolution, tz, moment(start)), count)).collect();
                assert_eq!(found, naive_counts(resolution, tz, &inside), "{range} {resolution}");

                let steps = answer(&api, &format!("/v1/percentiles?{range}&resolution={resolution}")).await;
                let latencies = steps["points"].as_array().unwrap().iter();
                let latencies: i64 = latencies.map(|step| step["latency"]["count"].as_i64().unwrap()).sum();
                assert_eq!(json!(latencies), totals["operations"], "{range} {resolution}");
            }
        });
        Ok(())
    });
    compared.unwrap();
}

#[tokio::test]
async fn the_days_on_which_clocks_are_set_are_one_step_each_of_23_and_25_hours() {
    let every_half_hour: Vec<i64> = ["2026-03-07T12:00:00Z", "2026-10-31T12:00:00Z"]
        .into_iter()
        .flat_map(|first| (0..96).map(move |half| moment(first) + half * 30 * MINUTE))
        .collect();
    let api = with_operations(&every_half_hour).await;
    for (date, next, start, end, halves) in [
        ("2026-03-08", "2026-03-09", "2026-03-08T05:00:00.000Z", "2026-03-09T04:00:00.000Z", 46),
        ("2026-11-01", "2026-11-02", "2026-11-01T04:00:00.000Z", "2026-11-02T05:00:00.000Z", 50),
    ] {
        let range = format!("from={date}&to={next}&zone=America/New_York");
        let days = answer(&api, &format!("/v1/series?{range}&resolution=day")).await;
        let local = days["from_local"].as_str().unwrap();
        assert_eq!(points(&days), [(start, local, end, halves)]);
        let hours = answer(&api, &format!("/v1/series?{range}&resolution=hour")).await;
        assert_eq!(points(&hours).len() * 2, usize::try_from(halves).unwrap());
        assert!(points(&hours).iter().all(|(.., operations)| *operations == 2));
        let local: Vec<&str> = points(&hours).iter().map(|(_, local, ..)| *local).collect();
        let is_repeated = local.contains(&"2026-11-01T01:00:00-04:00") && local.contains(&"2026-11-01T01:00:00-05:00");
        assert_eq!(is_repeated, date == "2026-11-01", "{local:?}");
    }
}

#[tokio::test]
async fn days_and_hours_of_zones_beside_the_full_hour_begin_at_their_own() {
    let quarters: Vec<i64> = (0..192).map(|quarter| moment("2026-11-21T12:00:00Z") + quarter * 15 * MINUTE).collect();
    let api = with_operations(&quarters).await;
    for (zone, start, offset) in [
        ("Asia/Kolkata", "2026-11-21T18:30:00.000Z", "+05:30"),
        ("Australia/Adelaide", "2026-11-21T13:30:00.000Z", "+10:30"),
        ("Asia/Kathmandu", "2026-11-21T18:15:00.000Z", "+05:45"),
        ("Australia/Lord_Howe", "2026-11-21T13:00:00.000Z", "+11:00"),
    ] {
        let series =
            |resolution: &str| format!("/v1/series?from=2026-11-22&to=2026-11-23&zone={zone}&resolution={resolution}");
        let days = answer(&api, &series("day")).await;
        let local = format!("2026-11-22T00:00:00{offset}");
        let [(first, local_first, _, operations)] = points(&days)[..] else { panic!("{days}") };
        assert_eq!((first, local_first, operations), (start, local.as_str(), 96));
        let hours = answer(&api, &series("hour")).await;
        assert_eq!((points(&hours).len(), points(&hours)[0].0, points(&hours)[0].3), (24, start, 4), "{zone}");
    }
}

#[tokio::test]
async fn named_ranges_and_dates_are_understood_by_all_answers_which_tell_the_moments() {
    let now = UtcMillis::now();
    let api = with_operations(&[now.millis()]).await;
    for path in [
        "totals?",
        "breakdown?by=workspace&",
        "percentiles?",
        "percentiles?resolution=hour&",
        "series?resolution=month&",
    ] {
        let named = answer(&api, &format!("/v1/{path}range=this_year&zone=Asia/Kolkata")).await;
        assert_eq!(named["zone"], "Asia/Kolkata");
        let text = |name: &str| named[name].as_str().unwrap().to_owned();
        assert!(
            text("from").ends_with("-12-31T18:30:00.000Z") && text("to").ends_with("-12-31T18:30:00.000Z"),
            "{named}"
        );
        assert!(text("from_local").ends_with("-01-01T00:00:00+05:30"), "{named}");
        let dates = format!("from={}&to={}", &text("from_local")[..10], &text("to_local")[..10]);
        let mut dated = answer(&api, &format!("/v1/{path}{dates}&zone=Asia/Kolkata")).await;
        dated["complete_to"] = named["complete_to"].clone();
        assert_eq!(dated, named, "{path}");
    }
    let today = answer(&api, "/v1/totals?range=today").await;
    assert_eq!((today["from"].as_str().unwrap().len(), today.get("zone")), ("2026-11-23T00:00:00.000Z".len(), None));
    let all = answer(&api, "/v1/totals").await;
    assert_eq!((&all["from"], &all["to"], &all["operations"]), (&Value::Null, &Value::Null, &json!(1)));
}

#[tokio::test]
async fn operations_of_clocks_that_are_ahead_are_in_the_steps_of_a_zone() {
    let now = UtcMillis::now().millis();
    let api = with_operations(&[now, now + 90 * MINUTE, now + 20 * 60 * MINUTE]).await;
    let from = UtcMillis::from_millis(now - now % MINUTE);
    for resolution in ["hour", "day", "week", "month"] {
        let series = answer(&api, &format!("/v1/series?from={from}&zone=Asia/Kolkata&resolution={resolution}")).await;
        let found = points(&series);
        assert_eq!(found.iter().map(|(.., operations)| operations).sum::<i64>(), 3, "{resolution}");
        assert_eq!(series["to"], found.last().unwrap().2, "the answer ends with the last step");
    }
}

#[tokio::test]
async fn groups_and_filters_hold_in_the_steps_of_a_zone() {
    let api = filled().await;
    let range = "from=2026-11-23&to=2026-11-25&zone=Asia/Kathmandu&resolution=day&by=model";
    insta::assert_json_snapshot!("series_of_a_zone", answer(&api, &format!("/v1/series?{range}")).await);
    let blue = answer(&api, &format!("/v1/series?{range}&team=blue")).await;
    assert_eq!(
        (blue["series"].as_array().unwrap().len(), &blue["series"][0]["points"][0]["operations"]),
        (1, &json!(2))
    );
    let percentiles = answer(&api, &format!("/v1/percentiles?{range}")).await;
    assert_eq!(percentiles["groups"][0]["points"][1]["start_local"], "2026-11-24T00:00:00+05:45");
}

#[tokio::test]
async fn what_a_zone_cannot_answer_says_why() {
    let api = filled().await;
    assert!(refusal(&api, "/v1/series?from=2026-11-01&resolution=day").await.contains("zone=Europe/Berlin"));
    assert!(refusal(&api, "/v1/series?zone=UTC").await.contains("range=this_month"));
    assert!(refusal(&api, "/v1/totals?zone=CEST").await.contains("no IANA time zone"));
    assert!(refusal(&api, "/v1/totals?range=today&from=2026-11-01T00:00:00Z").await.contains("which of them is meant"));
    let hours = "/v1/series?from=2015-01-01&zone=Asia/Kolkata&resolution=hour";
    assert!(refusal(&api, hours).await.contains("take a wider resolution"));
    let minutes = "/v1/series?from=1900-01-01&to=1900-02-01&zone=Asia/Kolkata&resolution=day";
    assert!(refusal(&api, minutes).await.contains("not a whole UTC minute"));
}
