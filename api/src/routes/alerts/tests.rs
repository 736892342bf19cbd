//! Pages of alerts and their filters.

use std::collections::BTreeSet;

use opstream_schemas::database::Value;

use crate::fixture::Fixture;

/// Raises an alert at the millisecond `raised`.
async fn raise(api: &Fixture, number: i64, raised: i64, columns: &[(&str, Value)]) {
    let id = format!("{number:08}-0000-8000-8000-000000000000");
    let mut all: Vec<(&str, Value)> = vec![
        ("rule_id", 1_i64.into()),
        ("rule_version", 1_i64.into()),
        ("period_start_ms", number.into()),
        ("threshold", 80_i64.into()),
        ("combination_hash", vec![0; 16].into()),
        ("alert_id", id.into()),
        ("rule_name", "month".into()),
        ("kind", "budget".into()),
        ("workspace", "w".into()),
        ("dimensions", "{\"team\":\"search\",\"workspace\":\"w\"}".into()),
        ("period_end_ms", (number + 1).into()),
        ("value", 81_200_000_000_i64.into()),
        ("limit_value", 80_000_000_000_i64.into()),
        ("unit", "nano_usd".into()),
        ("operations", 7_i64.into()),
        ("raised_at_ms", raised.into()),
        ("resolved_at_ms", Value::Int(None)),
        ("resolved_because", Value::Text(None)),
        ("revision", 1_i64.into()),
        ("published_revision", 0_i64.into()),
    ];
    for (name, value) in columns {
        all.iter_mut().find(|(known, _)| known == name).unwrap().1 = value.clone();
    }
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    let places: Vec<String> = (1..=all.len()).map(|place| format!("${place}")).collect();
    let values: Vec<Value> = all.iter().map(|(_, value)| value.clone()).collect();
    api.execute(&format!("insert into alerts ({}) values ({})", names.join(", "), places.join(", ")), &values).await;
}

/// Periods of the alerts that are answered.
async fn listed(api: &Fixture, query: &str) -> Vec<i64> {
    let answer = api.get(&format!("/v1/alerts{query}")).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text);
    let alerts = answer.json()["alerts"].as_array().unwrap().clone();
    let number = |alert: &serde_json::Value| alert["alert_id"].as_str().unwrap()[..8].parse().unwrap();
    alerts.iter().map(number).collect()
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap() {
    let api = Fixture::new().await;
    for number in 0..7 {
        // Several at one moment.
        raise(&api, number, number / 3, &[]).await;
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let answer = api.get(&format!("/v1/alerts?limit=2{cursor}")).await.json();
        seen.extend(answer["alerts"].as_array().unwrap().iter().map(|alert| alert["alert_id"].clone()));
        let Some(next) = answer["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let all = api.get("/v1/alerts").await.json();
    let all: Vec<_> = all["alerts"].as_array().unwrap().iter().map(|alert| alert["alert_id"].clone()).collect();
    assert_eq!((seen.len(), &seen), (7, &all));
    assert!(all[0].as_str().unwrap().starts_with("00000006"));
}

#[tokio::test]
async fn filters_leave_what_is_asked_for() {
    let api = Fixture::new().await;
    raise(&api, 1, 1000, &[]).await;
    raise(&api, 2, 2000, &[("resolved_at_ms", 3000_i64.into()), ("resolved_because", "back_below".into())]).await;
    raise(&api, 3, 3000, &[("kind", "latency".into()), ("rule_name", "slow".into()), ("workspace", Value::Text(None))])
        .await;
    for (query, expected) in [
        ("", vec![3, 2, 1]),
        ("?state=open", vec![3, 1]),
        ("?state=resolved", vec![2]),
        ("?kind=latency", vec![3]),
        ("?rule=month", vec![2, 1]),
        ("?workspace=w", vec![2, 1]),
        ("?workspace=", vec![3]),
        ("?workspace=other", vec![]),
        ("?from=1970-01-01T00:00:01.000001Z&to=1970-01-01T00:00:03Z", vec![2]),
        ("?state=open&workspace=w&rule=month&kind=budget", vec![1]),
    ] {
        assert_eq!(listed(&api, query).await, expected, "{query}");
    }
    for query in ["?state=closed", "?kind=cost", "?cursor=x", "?limit=0", "?team=search"] {
        assert_eq!(api.get(&format!("/v1/alerts{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn an_alert_has_the_fields_that_the_description_names() {
    let api = Fixture::new().await;
    raise(&api, 1, 1000, &[]).await;
    let alert = api.get("/v1/alerts").await.json()["alerts"][0].clone();
    let description = api.get("/v1/openapi.json").await.json();
    let described = description["components"]["schemas"]["Alert"]["properties"].as_object().unwrap().clone();
    let names =
        |object: &serde_json::Map<String, serde_json::Value>| object.keys().cloned().collect::<BTreeSet<String>>();
    assert_eq!(names(alert.as_object().unwrap()), names(&described));
    insta::assert_json_snapshot!(alert, @r#"
    {
      "alert_id": "00000001-0000-8000-8000-000000000000",
      "dimensions": {
        "team": "search",
        "workspace": "w"
      },
      "kind": "budget",
      "limit": "80",
      "message": "month: 81.20 usd for team=search, workspace=w reached 80 % of the budget (80 usd) from 1970-01-01T00:00:00.001Z to 1970-01-01T00:00:00.002Z",
      "operations": 7,
      "period_end": "1970-01-01T00:00:00.002Z",
      "period_start": "1970-01-01T00:00:00.001Z",
      "raised_at": "1970-01-01T00:00:01.000Z",
      "resolved_at": null,
      "resolved_because": null,
      "revision": 1,
      "rule": "month",
      "rule_version": 1,
      "state": "open",
      "threshold_percent": 80,
      "unit": "usd",
      "value": "81.20",
      "workspace": "w"
    }
    "#);
}
