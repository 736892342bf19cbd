//! Budgets beside sums that are made in the plainest way: each operation's time is converted by itself.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike as _};
use chrono_tz::Tz;
use opstream_schemas::alerts::Because;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

const ZONES: [&str; 4] = ["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"];
const PERIODS: [&str; 4] = ["hour", "day", "week", "month"];
const AMOUNT: i64 = 10_000;
const THRESHOLDS: [i64; 3] = [50, 80, 100];

/// A Sunday on which clocks are set: in New York, and on Lord Howe Island.
const NEW_YORK_AUTUMN: i64 = 1_793_538_000_000;
const LORD_HOWE_AUTUMN: i64 = 1_775_310_000_000;

/// One rule for each zone and period.
fn file() -> String {
    let mut file = String::new();
    for zone in ZONES {
        for period in PERIODS {
            let name = format!("{period}.{}", zone.replace('/', "."));
            let rule = format!(
                "[[rule]]\nname = \"{name}\"\nkind = \"budget\"\nworkspace = \"w\"\nper = [\"team\"]\namount_usd = \"0.00001\"\n\
                 period = \"{period}\"\nzone = \"{zone}\"\nthresholds = [50, 80, 100]\n"
            );
            file += &rule;
        }
    }
    file
}

/// What the period of a moment is called on local clocks.
fn called(period: &str, zone: &str, millis: i64) -> String {
    let zone: Tz = zone.parse().unwrap();
    let local = DateTime::from_timestamp_millis(millis).unwrap().with_timezone(&zone);
    match period {
        // Half an hour that comes twice is two hours, by their distance from UTC.
        "hour" => local.format("%Y-%m-%d %H %z").to_string(),
        "day" => local.date_naive().to_string(),
        "week" => format!("{:?}", local.iso_week()),
        _ => local.format("%Y-%m").to_string(),
    }
}

/// Rule, period, team and threshold of each limit that these operations reach.
type Crossings = BTreeSet<(String, String, Option<String>, i64)>;

fn expected(operations: &[TestOperation]) -> Crossings {
    let mut sums: BTreeMap<(String, String, Option<String>), i64> = BTreeMap::new();
    for operation in operations {
        for zone in ZONES {
            for period in PERIODS {
                let rule = format!("{period}.{}", zone.replace('/', "."));
                let key = (rule, called(period, zone, operation.time_ms), operation.dimensions.team.clone());
                *sums.entry(key).or_default() += operation.cost.unwrap_or(0);
            }
        }
    }
    let mut crossings = Crossings::new();
    for ((rule, period, team), sum) in sums {
        for threshold in THRESHOLDS.into_iter().filter(|threshold| sum * 100 >= AMOUNT * threshold) {
            crossings.insert((rule.clone(), period.clone(), team.clone(), threshold));
        }
    }
    crossings
}

fn found(alerts: &[Alert]) -> Crossings {
    let crossing = |alert: &Alert| {
        let (period, zone) = alert.rule.split_once('.').unwrap();
        let start = called(period, &zone.replacen('.', "/", 1), alert.key.period_start.millis());
        (alert.rule.clone(), start, team_of(alert).map(str::to_owned), alert.key.threshold)
    };
    alerts.iter().map(crossing).collect()
}

/// Operations of the twenty hours before a moment, which lie in periods that are looked at whatever the zone, and in the hour after it.
fn operations(now: i64) -> impl Strategy<Value = Vec<TestOperation>> {
    let team = proptest::option::of(proptest::sample::select(vec!["a", "b"]));
    let operation = (-20 * 60..30_i64, team, proptest::option::of(0..4000_i64));
    let operation =
        operation.prop_map(move |(minute, team, cost)| TestOperation { cost, ..spent(now + minute * MINUTE, team, 0) });
    proptest::collection::vec(operation, 1..30)
}

#[test]
fn exactly_the_limits_that_operations_reach_are_alerts_where_clocks_are_set_and_elsewhere() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for sunday in [NEW_YORK_AUTUMN, LORD_HOWE_AUTUMN, NOON] {
        let now = sunday + 5 * HOUR;
        let mut runner = TestRunner::new(Config { cases: 8, failure_persistence: None, ..Config::default() });
        let checked = runner.run(&operations(now), |operations| {
            runtime.block_on(async {
                let mut station = Station::on_sqlite().await;
                station.put_rules(&file(), MADE).await;
                station.count(&operations).await;
                station.look(at(now)).await;
                let alerts = station.alerts().await;
                assert_eq!(found(&alerts), expected(&operations));
                assert_eq!(alerts.len(), expected(&operations).len(), "each once");
            });
            Ok(())
        });
        checked.unwrap();
    }
}

#[tokio::test]
async fn a_late_operation_raises_a_period_that_is_over_and_a_lowered_one_stays_raised() {
    Station::each(async |station| {
        let day = "[[rule]]\nname = \"day\"\nkind = \"budget\"\namount_usd = \"0.00001\"\nperiod = \"day\"\n";
        station.put_rules(day, MADE).await;
        station.count(&[spent(NOON, None, 9_999), spent(NOON - DAY_MILLIS, None, 9_999)]).await;
        assert_eq!(station.look(at(NOON)).await.changed, 0);

        // A nano-dollar more, a day late.
        station.count(&[spent(NOON - DAY_MILLIS, None, 1)]).await;
        assert_eq!(station.look(at(NOON)).await.changed, 1);
        let alerts = station.alerts().await;
        let ended = AlertState::Resolved { at: at(NOON), because: Because::PeriodEnded };
        assert_eq!((alerts[0].value, alerts[0].limit, alerts[0].state, alerts[0].revision), (10_000, 10_000, ended, 1));
        assert_eq!(alerts[0].period_end, at(NOON - NOON.rem_euclid(DAY_MILLIS)));

        // The present day: raised, lowered by new prices, and over when it ends.
        station.count(&[spent(NOON, None, 5_000)]).await;
        station.look(at(NOON)).await;
        station.execute("update windows set cost_nano_usd = 0", &[]).await;
        assert_eq!(station.look(at(NOON)).await.changed, 0);
        assert!(is_open(&station.alerts().await[1]));
        assert_eq!(station.look(at(NOON + 12 * HOUR - 1)).await.changed, 0);
        assert_eq!(station.look(at(NOON + 12 * HOUR)).await.changed, 1);
        let over = &station.alerts().await[1];
        assert_eq!((over.revision, is_open(over)), (2, false));
        let told = "select count(*) as n from webhook_deliveries where target = 'ops'";
        assert_eq!(station.int(told).await, 3, "two that were raised, and one that is over");
    })
    .await;
}

#[tokio::test]
async fn periods_that_had_ended_when_the_rule_was_made_are_none_of_its() {
    let mut station = Station::on_sqlite().await;
    station.count(&[spent(NOON, None, 20_000), spent(NOON - DAY_MILLIS, None, 20_000)]).await;
    let day = "[[rule]]\nname = \"day\"\nkind = \"budget\"\namount_usd = \"0.00001\"\nperiod = \"day\"\n";
    station.put_rules(day, at(NOON)).await;
    station.look(at(NOON)).await;
    let starts: Vec<UtcMillis> = station.alerts().await.iter().map(|alert| alert.key.period_start).collect();
    assert_eq!(starts, [at(NOON - 12 * HOUR)]);
}

#[tokio::test]
async fn a_rolling_budget_is_over_when_the_hours_are_past() {
    Station::each(async |station| {
        let rolling = "[[rule]]\nname = \"rolling\"\nkind = \"budget\"\namount_usd = \"0.00001\"\nrolling = \"24h\"\n";
        station.put_rules(rolling, MADE).await;
        station
            .count(&[
                spent(NOON - 23 * HOUR, None, 6_000),
                spent(NOON, None, 4_000),
                spent(NOON - 25 * HOUR, None, 6_000),
            ])
            .await;
        assert_eq!(station.look(at(NOON)).await.changed, 1);
        assert_eq!(station.alerts().await[0].value, 10_000);
        assert_eq!(station.look(at(NOON + HOUR + 14 * MINUTE)).await.changed, 0);
        assert_eq!(station.look(at(NOON + HOUR + 15 * MINUTE)).await.changed, 1);
        assert!(matches!(station.alerts().await[0].state, AlertState::Resolved { because: Because::BackBelow, .. }));
    })
    .await;
}

#[tokio::test]
async fn more_combinations_than_are_looked_at_are_told_and_the_largest_are_looked_at() {
    Station::each(async |station| {
        let per_team = "[[rule]]\nname = \"teams\"\nkind = \"budget\"\nper = [\"team\"]\namount_usd = \"0.00001\"\nperiod = \"day\"\n";
        station.put_rules(per_team, MADE).await;
        let team = |number: i64| format!("team {number}");
        let small: Vec<TestOperation> = (0..1000).map(|number| spent(NOON, Some(&team(number)), 1)).collect();
        station.count(&small).await;
        station.look(at(NOON)).await;
        assert_eq!(station.problem().await, None);
        station.count(&[spent(NOON, Some("large"), 10_000)]).await;
        assert_eq!(station.look(at(NOON)).await.changed, 1);
        let problem = station.problem().await.unwrap();
        assert!(problem.starts_with("has more than 1000 combinations of values"), "{problem}");
        assert_eq!(team_of(&station.alerts().await[0]), Some("large"));
    })
    .await;
}
