//! Answers over windows that were filled from known operations.

mod zones;

use std::time::Duration;

use opstream_schemas::UtcMillis;
use opstream_schemas::topics::Topics;
use opstream_schemas::window::{Dimension, DimensionSet, Dimensions, Level, OTHER, SUM_COLUMNS};
use serde_json::{Value, json};

use crate::RequestLimits;
use crate::fixture::windows::Counted;
use crate::fixture::{Fixture, Setup};

/// 2026-11-23T08:00:00Z.
const EIGHT: i64 = 1_795_420_800_000;
const MINUTE: i64 = 60_000;

fn counted(minutes_after_eight: i64, model: &str, cost: i64, latency_us: u64) -> Counted {
    Counted::call(EIGHT + minutes_after_eight * MINUTE + 59_999, ("openai", model), cost, latency_us)
}

/// Operations at 8:00, 8:01, 8:20, 9:30 and the next day at 8:00.
async fn filled() -> Fixture {
    let api = Box::pin(Fixture::new()).await;
    for operation in [
        counted(0, "a", 1_000_000_000, 100),
        counted(1, "b", 500_000_000, 200),
        counted(20, "a", 1, 300),
        counted(90, "b", 70_000_000, 400),
        counted(24 * 60, "a", 3_000_000_000, 500),
    ] {
        Box::pin(api.count(&operation)).await;
    }
    api
}

async fn answer(api: &Fixture, path: &str) -> Value {
    let answer = api.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json()
}

async fn refusal(api: &Fixture, path: &str) -> String {
    let answer = api.get(path).await;
    assert_eq!(answer.status, 400, "{path}: {}", answer.text);
    answer.json()["error"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn totals_of_all_time_and_of_any_range_are_exact() {
    let api = filled().await;
    insta::assert_json_snapshot!("totals", answer(&api, "/v1/totals").await);
    for (query, operations) in [
        ("from=2026-11-23T08:00:00Z&to=2026-11-23T08:01:00Z", 1),
        ("from=2026-11-23T08:01:00Z&to=2026-11-23T08:20:00Z", 1),
        ("from=2026-11-23T08:00:00Z&to=2026-11-23T08:00:00Z", 0),
        ("from=2026-11-23T08:01:00Z", 4),
        ("to=2026-11-23T09:30:00Z", 3),
        ("to=2026-11-24T08:01:00Z", 5),
        ("from=2026-11-23T00:00:00Z&to=2026-11-24T00:00:00Z", 4),
        ("from=2026-11-23T09:00:00%2B01:00&to=2026-11-23T10:00:00%2B01:00", 3),
    ] {
        assert_eq!(answer(&api, &format!("/v1/totals?{query}")).await["operations"], operations, "{query}");
    }
}

#[tokio::test]
async fn filters_are_exact_and_bound_as_values() {
    let api = filled().await;
    for (query, operations) in [
        ("model=a", 3),
        ("model=b&provider=OpenAI", 2),
        ("team=blue", 2),
        ("team=", 3),
        ("team=&model=a", 3),
        ("team=blue&model=a", 0),
        ("workspace=w", 5),
        ("workspace=other", 0),
        ("model=a%27%20or%20%271%27=%271", 0),
    ] {
        assert_eq!(answer(&api, &format!("/v1/totals?{query}")).await["operations"], operations, "{query}");
    }
}

#[tokio::test]
async fn operations_beyond_the_kept_combinations_are_named_when_a_filter_may_miss_them() {
    let api = filled().await;
    let mut beyond = counted(3, "a", 7, 100);
    beyond.dimensions = Dimensions::other(DimensionSet::Base, "w");
    api.count(&beyond).await;
    assert_eq!(answer(&api, "/v1/totals").await.get("unattributed"), None);
    assert_eq!(answer(&api, "/v1/totals?workspace=w").await.get("unattributed"), None);
    let filtered = answer(&api, "/v1/totals?model=a").await;
    assert_eq!((&filtered["operations"], &filtered["unattributed"]), (&json!(3), &json!(1)));
    assert_eq!(answer(&api, "/v1/totals?model=a&workspace=x").await.get("unattributed"), None);
    let rows = answer(&api, "/v1/breakdown?by=model&order=operations").await["rows"].clone();
    assert_eq!(rows[2]["dimensions"]["model"], OTHER);
}

#[tokio::test]
async fn what_a_grouped_answer_may_miss_is_counted_in_the_set_that_it_is_read_from() {
    let api = filled().await;
    // Beyond the limit of the base set only: model and team are both kept by no other.
    let beyond = counted(3, "a", 7, 100);
    api.count_in(&beyond, DimensionSet::ProviderModel).await;
    let overflow = Counted { dimensions: Dimensions::other(DimensionSet::Base, "w"), ..beyond };
    api.count_in(&overflow, DimensionSet::Base).await;
    assert_eq!(answer(&api, "/v1/totals?model=a").await.get("unattributed"), None);
    let day = "from=2026-11-23T08:00:00Z&to=2026-11-23T09:00:00Z&model=a";
    for path in [
        "/v1/breakdown?by=team&model=a".to_owned(),
        format!("/v1/breakdown?{day}&by=team"),
        format!("/v1/series?{day}&by=team"),
        format!("/v1/percentiles?{day}&by=team"),
    ] {
        assert_eq!(answer(&api, &path).await["unattributed"], 1, "{path}");
    }
    for path in ["/v1/breakdown?by=team", "/v1/breakdown?by=model&model=a", "/v1/breakdown?by=team&workspace=w"] {
        assert_eq!(answer(&api, path).await.get("unattributed"), None, "{path}");
    }
}

#[tokio::test]
async fn what_cannot_be_answered_says_why() {
    let api = filled().await;
    assert!(refusal(&api, "/v1/totals?session_id=s").await.contains("known are zone, range, from, to, workspace"));
    assert!(refusal(&api, "/v1/totals?from=2026-11-23T08:00:30Z").await.contains("whole UTC minute"));
    assert!(refusal(&api, "/v1/totals?from=yesterday").await.contains("RFC 3339"));
    assert!(refusal(&api, "/v1/totals?from=2026-11-23T08:00:00Z&to=2026-11-23T07:00:00Z").await.contains("before"));
    assert!(refusal(&api, "/v1/breakdown").await.contains("by=model"));
    assert!(refusal(&api, "/v1/breakdown?by=session_id").await.contains("windows are kept by"));
    assert!(refusal(&api, "/v1/series").await.contains("from is missing"));
    assert!(refusal(&api, "/v1/series?from=2020-01-01T00:00:00Z&resolution=minute").await.contains("wider resolution"));
    assert!(refusal(&api, "/v1/series?from=2026-11-23T08:00:00Z&resolution=fortnight").await.contains("quarter_hour"));
    let floor = "update settings set value = $1 where name = 'window_minute_floor_ms'";
    api.execute(floor, &[(EIGHT + 60 * MINUTE).into()]).await;
    assert!(refusal(&api, "/v1/totals?from=2026-11-23T08:01:00Z").await.contains("minutes are kept only since"));
    let minutes = "/v1/series?from=2026-11-23T08:00:00Z&to=2026-11-23T09:30:00Z&resolution=minute";
    assert!(refusal(&api, minutes).await.contains("kept only since 2026-11-23T09:00:00.000Z"));
}

#[tokio::test]
async fn a_series_adds_up_to_the_totals_at_every_resolution() {
    let api = filled().await;
    let range = "from=2026-11-23T08:01:00Z&to=2026-11-24T08:01:00Z";
    let total = answer(&api, &format!("/v1/totals?{range}")).await["operations"].as_i64().unwrap();
    for (resolution, points) in [("minute", 4), ("quarter_hour", 4), ("hour", 3), ("day", 2)] {
        let series = answer(&api, &format!("/v1/series?{range}&resolution={resolution}")).await;
        let found = series["series"][0]["points"].as_array().unwrap();
        assert_eq!(found.len(), points, "{resolution}");
        assert_eq!(found.iter().map(|point| point["operations"].as_i64().unwrap()).sum::<i64>(), total);
        // Also of steps that the range cuts; in order of time.
        assert!(found.is_sorted_by_key(|point| point["start"].as_str()));
        for point in found {
            let from = point["start"].as_str().unwrap().max("2026-11-23T08:01:00.000Z");
            let to = point["end"].as_str().unwrap().min("2026-11-24T08:01:00.000Z");
            let part = answer(&api, &format!("/v1/totals?from={from}&to={to}")).await;
            assert_eq!([&point["operations"], &point["cost_usd"]], [&part["operations"], &part["cost_usd"]], "{from}");
        }
    }
    let by_model = answer(&api, &format!("/v1/series?{range}&resolution=hour&by=model")).await;
    insta::assert_json_snapshot!("series_by_model", by_model);
    let gone = "update settings set value = $1 where name = 'window_minute_floor_ms'";
    api.execute(gone, &[(EIGHT + 24 * 60 * MINUTE).into()]).await;
    let old = answer(&api, "/v1/series?from=2026-11-23T08:00:00Z&to=2026-11-23T09:00:00Z").await;
    assert_eq!((&old["resolution"], old["series"][0]["points"].as_array().unwrap().len()), (&json!("quarter_hour"), 2));
    let nothing = answer(&api, "/v1/series?from=2026-11-25T00:00:00Z&to=2026-11-25T00:00:00Z").await;
    assert_eq!(nothing["series"], json!([{ "dimensions": {}, "points": [] }]));
}

#[tokio::test]
async fn a_breakdown_is_ordered_and_says_what_it_leaves_out() {
    let api = filled().await;
    insta::assert_json_snapshot!("breakdown", answer(&api, "/v1/breakdown?by=provider,model").await);
    let cut = answer(&api, "/v1/breakdown?by=model&limit=1&order=failures").await;
    assert_eq!((&cut["rows"][0]["dimensions"]["model"], &cut["left_out"]), (&json!("b"), &json!(1)));
    for dimension in Dimension::ALL {
        answer(&api, &format!("/v1/breakdown?by={}", dimension.column())).await;
    }
    let models = async |order: &str| {
        let rows = answer(&api, &format!("/v1/breakdown?by=model&order={order}")).await["rows"].clone();
        let model = |row: &Value| row["dimensions"]["model"].as_str().unwrap().to_owned();
        rows.as_array().unwrap().iter().map(model).collect::<Vec<_>>()
    };
    for (order, expected) in [
        ("cost_usd", ["a", "b"]),
        ("operations", ["a", "b"]),
        ("failures", ["b", "a"]),
        ("input_tokens", ["a", "b"]),
        ("output_tokens", ["a", "b"]),
        // Means of 300 for both; the number of operations decides.
        ("latency_mean_us", ["a", "b"]),
    ] {
        assert_eq!(models(order).await, expected, "{order}");
    }
}

#[tokio::test]
async fn a_question_beyond_its_time_is_broken_off_and_says_what_helps() {
    let limits = RequestLimits { reading: Duration::from_nanos(1), ..RequestLimits::default() };
    let api = Fixture::with(Setup { limits, ..Setup::default() }).await;
    // The answer takes SQLite a few hundred thousand steps.
    let copies = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) insert into windows \
                  select 1, 1, 3, n.i * 86400000, 1, 1, 1, 0, ";
    let zeroes = vec!["0"; SUM_COLUMNS.len()].join(", ");
    let columns =
        "generation, dimension_set, level, window_start_ms, dimension_id, fence, revision, published_revision";
    let copies = copies.replace(
        "insert into windows",
        &format!("insert into windows ({columns}, {}, latency_sketch, ttft_sketch)", SUM_COLUMNS.join(", ")),
    );
    api.execute(&format!("{copies} {zeroes}, x'', x'' from n"), &[]).await;
    let refused = api.get("/v1/totals").await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["error"]["code"]),
        (503, &json!("timed_out")),
        "{}",
        refused.text
    );
    assert!(refused.text.contains("shorter range"), "{}", refused.text);
}

#[tokio::test]
async fn operations_of_clocks_that_are_ahead_are_in_totals_and_in_series() {
    let api = Fixture::new().await;
    let now = UtcMillis::now();
    for ahead in [0, 90, 20 * 60] {
        let time = UtcMillis::from_millis(now.millis() + ahead * MINUTE);
        api.count(&Counted { time, ..counted(0, "a", 1, 100) }).await;
    }
    let hour = Level::Hour.window_start(now);
    for resolution in ["minute", "quarter_hour", "hour", "day"] {
        let from = if resolution == "day" { Level::Day.window_start(now) } else { hour };
        let total = answer(&api, &format!("/v1/totals?from={from}")).await["operations"].clone();
        let range = format!("from={from}&resolution={resolution}");
        let series = answer(&api, &format!("/v1/series?{range}")).await;
        let points = series["series"][0]["points"].as_array().unwrap();
        let operations: i64 = points.iter().map(|point| point["operations"].as_i64().unwrap()).sum();
        assert_eq!((json!(operations), operations), (total, 3), "{resolution}");
        let last = points.last().unwrap()["start"].as_str().unwrap();
        assert!(series["to"].as_str().unwrap() > last, "{series}");
        let steps = answer(&api, &format!("/v1/percentiles?{range}")).await;
        assert_eq!(steps["points"].as_array().unwrap().len(), points.len());
    }
}

#[tokio::test]
async fn percentiles_are_within_their_error_as_a_whole_and_in_steps() {
    let api = filled().await;
    let whole = answer(&api, "/v1/percentiles?to=2026-11-24T00:00:00Z").await;
    assert_eq!((&whole["latency"]["count"], &whole["ttft"]["count"]), (&json!(4), &json!(0)));
    for (name, exact) in [("p50_us", 200.0), ("p95_us", 400.0), ("max_us", 400.0)] {
        assert_within_error(&whole, &whole["latency"][name], exact);
    }
    assert_eq!(whole["ttft"]["p50_us"], Value::Null);
    let steps =
        answer(&api, "/v1/percentiles?from=2026-11-23T08:00:00Z&to=2026-11-23T10:00:00Z&resolution=hour&model=b").await;
    let counts: Vec<&Value> =
        steps["points"].as_array().unwrap().iter().map(|point| &point["latency"]["count"]).collect();
    assert_eq!(counts, [&json!(1), &json!(1)]);
}

fn assert_within_error(answer: &Value, percentile: &Value, exact: f64) {
    let (value, error) = (percentile.as_f64().unwrap(), answer["relative_error"].as_f64().unwrap());
    // The last factor is the rounding of the doubles themselves.
    assert!((value - exact).abs() <= exact * error * (1.0 + 1e-12), "{value} for {exact}");
}

#[tokio::test]
async fn percentiles_of_a_few_microseconds_are_within_their_error_too() {
    let api = Fixture::new().await;
    for (number, latency_us) in (0..).zip([0, 1, 49, 50, 51, 52, 53, 54, 99, 101, 12_345]) {
        let model = latency_us.to_string();
        api.count(&counted(number, &model, 0, latency_us)).await;
    }
    let by_model = answer(&api, "/v1/percentiles?by=model").await;
    let groups = by_model["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 11);
    for group in groups {
        let exact: f64 = group["dimensions"]["model"].as_str().unwrap().parse().unwrap();
        assert_within_error(&by_model, &group["latency"]["p50_us"], exact);
    }
}

#[tokio::test]
async fn percentiles_by_dimension_are_those_of_each_group_alone() {
    let api = filled().await;
    let range = "from=2026-11-23T08:00:00Z&to=2026-11-25T00:00:00Z";
    for resolution in ["", "&resolution=hour"] {
        let grouped = answer(&api, &format!("/v1/percentiles?{range}{resolution}&by=model")).await;
        let groups = grouped["groups"].as_array().unwrap();
        assert_eq!((groups.len(), grouped.get("latency"), grouped.get("points")), (2, None, None));
        for group in groups {
            let model = group["dimensions"]["model"].as_str().unwrap();
            let alone = answer(&api, &format!("/v1/percentiles?{range}{resolution}&model={model}")).await;
            for part in ["latency", "ttft", "points"] {
                assert_eq!(group.get(part), alone.get(part), "{model} {part}");
            }
        }
        assert_eq!(groups[0]["dimensions"]["model"], "a", "three latencies come before two");
    }
    let nothing = answer(&api, "/v1/percentiles?to=2020-01-01T00:00:00Z&by=model").await;
    assert_eq!(nothing["groups"], json!([]));
}

#[tokio::test]
async fn only_the_current_generation_is_read() {
    let api = filled().await;
    api.execute("update settings set value = 2 where name = 'window_generation'", &[]).await;
    assert_eq!(answer(&api, "/v1/totals").await["operations"], 0);
}

#[tokio::test]
async fn progress_tells_committed_and_windowed_offsets() {
    let api = Fixture::new().await;
    let nothing = json!({ "committed": [], "complete_to": null, "retention_floor": "2015-01-01T00:00:00.000Z" });
    assert_eq!(answer(&api, "/v1/progress").await, nothing);
    api.execute(
        "insert into streams (stream_id, cluster_id, topic, topic_id, first_seen_ms) values (1, 'c', $1, 'i', 0)",
        &[Topics::default().operations().into()],
    )
    .await;
    api.execute(
        "insert into stream_partitions (stream_id, partition, fence, owner, start_offset, next_offset, updated_at_ms) \
                 values (1, 0, 1, '', 0, 123, 0)",
        &[],
    )
    .await;
    api.execute("insert into windowed_offsets (stream_id, partition, next_offset) values (1, 0, 120)", &[]).await;
    api.execute(
        "insert into watermarks (stream_id, partition, observed_at_ms, high_watermark) values (1, 0, $1, 100)",
        &[EIGHT.into()],
    )
    .await;
    insta::assert_json_snapshot!(answer(&api, "/v1/progress").await, @r#"
    {
      "committed": [
        {
          "next_offset": 123,
          "partition": 0,
          "windowed_to": 120
        }
      ],
      "complete_to": "2026-11-23T08:00:00.000Z",
      "retention_floor": "2015-01-01T00:00:00.000Z"
    }
    "#);
}
