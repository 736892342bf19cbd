//! Rates and anomalies beside what the operations themselves say.

use opstream_schemas::alerts::{Because, Unit};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::alerts::look;

const RATES: &str = r#"
[[rule]]
name = "failing"
kind = "failure_rate"
percent = 20
window_minutes = 15
min_operations = 5
per = ["team"]

[[rule]]
name = "unpriced"
kind = "unpriced"
count = 3
window_minutes = 15
min_operations = 1

[[rule]]
name = "unpriced-share"
kind = "unpriced"
percent = 30
window_minutes = 30
min_operations = 4

[[rule]]
name = "slow"
kind = "latency"
percentile = 90
above_ms = 500
window_minutes = 15
min_operations = 5
"#;

fn operations() -> impl Strategy<Value = Vec<TestOperation>> {
    let team = proptest::option::of(proptest::sample::select(vec!["a", "b"]));
    let latency = proptest::option::of(1_000..1_000_000_i64);
    let operation = (-40 * 60..60_i64, team, proptest::option::of(1..9_i64), any::<bool>(), latency);
    let operation = operation.prop_map(|(second, team, cost, success, latency_us)| TestOperation {
        success,
        cost,
        latency_us,
        ..spent(NOON + second * 1000, team, 0)
    });
    proptest::collection::vec(operation, 1..60)
}

/// The operations of the last minutes, the present one included.
fn last(minutes: i64, operations: &[TestOperation]) -> Vec<&TestOperation> {
    let end = NOON + MINUTE;
    operations.iter().filter(|o| (end - minutes * MINUTE..end).contains(&o.time_ms)).collect()
}

fn expected(operations: &[TestOperation]) -> BTreeMap<(String, Option<String>), bool> {
    let mut expected = BTreeMap::new();
    for team in [None, Some("a"), Some("b")] {
        let of_team: Vec<_> =
            last(15, operations).into_iter().filter(|o| o.dimensions.team.as_deref() == team).collect();
        let failures = of_team.iter().filter(|o| !o.success).count();
        let is_reached = of_team.len() >= 5 && failures * 100 >= of_team.len() * 20;
        expected.insert(("failing".to_owned(), team.map(str::to_owned)), is_reached);
    }
    let unpriced = |operations: &[&TestOperation]| operations.iter().filter(|o| o.cost.is_none()).count();
    expected.insert(("unpriced".to_owned(), None), unpriced(&last(15, operations)) >= 3);
    let half_an_hour = last(30, operations);
    let is_reached = half_an_hour.len() >= 4 && unpriced(&half_an_hour) * 100 >= half_an_hour.len() * 30;
    expected.insert(("unpriced-share".to_owned(), None), is_reached);
    expected
}

#[test]
fn exactly_the_rates_that_operations_have_are_alerts() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let checked = runner.run(&operations(), |operations| {
        runtime.block_on(async {
            let mut station = Station::on_sqlite().await;
            station.put_rules(RATES, MADE).await;
            station.count(&operations).await;
            station.look(at(NOON)).await;
            let alerts = station.alerts().await;
            let expected = expected(&operations);
            let raised = |(rule, team): &(String, Option<String>)| {
                alerts.iter().any(|alert| alert.rule == *rule && team_of(alert) == team.as_deref())
            };
            let found: BTreeMap<_, _> = expected.keys().map(|key| (key.clone(), raised(key))).collect();
            assert_eq!(found, expected);
            assert_latency(&station, &operations).await;
        });
        Ok(())
    });
    checked.unwrap();
}

/// The percentile is within the sketches' error of that of the operations.
async fn assert_latency(station: &Station, operations: &[TestOperation]) {
    let slow = rules(RATES).into_iter().find(|rule| rule.name == "slow").unwrap();
    let (seen, problem) = look(&station.database, &slow, at(NOON)).await.unwrap();
    assert_eq!(problem, None);
    let mut latencies: Vec<i64> = last(15, operations).iter().filter_map(|o| o.latency_us).collect();
    latencies.sort_unstable();
    let Some(seen) = seen.first() else { return assert!(latencies.is_empty()) };
    assert_eq!((seen.operations, seen.unit), (i64::try_from(latencies.len()).unwrap(), Unit::Micros));
    let exact = latencies[(latencies.len() * 90).div_ceil(100).max(1) - 1];
    assert!((seen.value - exact).abs() * 100 <= exact + 100, "{} for {exact}", seen.value);
    assert_eq!(seen.reached().count() == 1, seen.operations >= 5 && seen.value >= 500_000);
}

#[tokio::test]
async fn a_rate_is_one_alert_until_it_is_clearly_below_and_then_another() {
    Station::each(async |station| {
        let failing = "[[rule]]\nname = \"failing\"\nkind = \"failure_rate\"\npercent = 50\nwindow_minutes = 5\nmin_operations = 2\n";
        station.put_rules(failing, MADE).await;
        let failed = |minute: i64| TestOperation { success: false, ..TestOperation::at(NOON + minute * MINUTE) };
        station.count(&[failed(0), TestOperation::at(NOON)]).await;
        for minute in 0..3 {
            station.look(at(NOON + minute * MINUTE)).await;
        }
        assert_eq!(station.alerts().await.len(), 1, "as long as it lasts");
        // 48 % is below the limit, and not by a tenth.
        let well: Vec<TestOperation> = (0..12).map(|_| TestOperation::at(NOON + MINUTE)).collect();
        let ill: Vec<TestOperation> = (0..11).map(|_| failed(1)).collect();
        station.count(&[well, ill].concat()).await;
        station.look(at(NOON + 2 * MINUTE)).await;
        assert!(is_open(&station.alerts().await[0]));
        station.look(at(NOON + 20 * MINUTE)).await;
        assert!(matches!(station.alerts().await[0].state, AlertState::Resolved { because: Because::BackBelow, .. }));
        station.count(&[failed(30), failed(30)]).await;
        station.look(at(NOON + 30 * MINUTE)).await;
        assert_eq!(station.alerts().await.iter().filter(|alert| is_open(alert)).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_hour_far_above_those_of_the_weeks_before_is_an_anomaly() {
    Station::each(async |station| {
        let odd = "[[rule]]\nname = \"odd\"\nkind = \"anomaly\"\nmeasure = \"cost\"\nfactor = 3\nminimum = \"0.000001\"\nweeks = 4\n\
                   zone = \"America/New_York\"\n";
        station.put_rules(odd, MADE).await;
        // On the Sunday three weeks before, clocks went back: the same hour of New York is another hour of UTC before it.
        let week = 7 * DAY_MILLIS;
        let usual = |weeks: i64, cost| spent(NOON - weeks * week - if weeks > 3 { HOUR } else { 0 }, None, cost);
        station.count(&[usual(1, 1000), usual(2, 1200), usual(3, 800), usual(4, 1000), spent(NOON - 5 * week, None, 1)]).await;
        station.count(&[spent(NOON + MINUTE, None, 2999)]).await;
        station.look(at(NOON + 2 * MINUTE)).await;
        assert!(station.alerts().await.is_empty());
        station.count(&[spent(NOON + MINUTE, None, 1)]).await;
        station.look(at(NOON + 2 * MINUTE)).await;
        let alert = station.alerts().await.swap_remove(0);
        assert_eq!((alert.value, alert.limit, alert.key.period_start), (3000, 3000, at(NOON)));
        station.look(at(NOON + HOUR + MINUTE)).await;
        assert!(is_open(&station.alerts().await[0]), "the hour before is still one");
        station.look(at(NOON + 2 * HOUR + MINUTE)).await;
        assert_eq!(station.alerts().await.len(), 1);
        assert!(!is_open(&station.alerts().await[0]));
    })
    .await;
}

#[tokio::test]
async fn a_deployment_that_is_new_has_no_anomalies() {
    let mut station = Station::on_sqlite().await;
    let odd =
        "[[rule]]\nname = \"odd\"\nkind = \"anomaly\"\nmeasure = \"operations\"\nfactor = 2\nminimum = 1\nweeks = 4\n";
    station.put_rules(odd, MADE).await;
    station.count(&[spent(NOON, None, 1), spent(NOON - 8 * DAY_MILLIS, None, 1)]).await;
    station.look(at(NOON)).await;
    assert!(station.alerts().await.is_empty(), "of four weeks one is known");
}
