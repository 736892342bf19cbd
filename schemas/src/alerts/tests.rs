//! Rules as they are written, refused and stored.

use super::store::{Put, delete_rule, load_rule, load_rules, put_rule};
use super::*;
use crate::database::{Database, DatabaseUrl};
use crate::window::{Dimension, DimensionSet};
use crate::{NanoUsd, UtcMillis};

const ALL_KINDS: &str = r#"
[[rule]]
name = "search-month"
kind = "budget"
workspace = "acme"
filter = { team = "search", provider = "gemini" }
per = ["model"]
amount_usd = 500.25
period = "month"
zone = "america/new_york"
thresholds = [100, 50, 50]
webhooks = ["ops"]

[[rule]]
name = "rolling"
kind = "budget"
amount_usd = "10"
rolling = "2d"

[[rule]]
name = "failing"
kind = "failure_rate"
percent = 2.5
window_minutes = 15

[[rule]]
name = "slow"
kind = "latency"
measure = "ttft"
percentile = 95
above_ms = 2000
window_minutes = 30
min_operations = 5

[[rule]]
name = "unpriced"
kind = "unpriced"
count = 3
window_minutes = 60

[[rule]]
name = "odd-hour"
kind = "anomaly"
measure = "cost"
factor = 2.5
minimum = "0.75"
zone = "Asia/Kolkata"
enabled = false
"#;

fn rules() -> Vec<Rule> {
    read_rules("rules.toml", ALL_KINDS).unwrap()
}

#[test]
fn every_kind_is_read_and_its_usual_form_is_the_same_rule() {
    let rules = rules();
    let expected = Condition::Budget {
        amount: NanoUsd::from_nanos(500_250_000_000),
        period: BudgetPeriod::Calendar {
            resolution: crate::calendar::Resolution::Month,
            zone: crate::calendar::Zone::from_name("America/New_York").unwrap(),
        },
        thresholds: vec![50, 100],
    };
    assert_eq!(rules[0].condition, expected);
    assert_eq!(rules[0].filter[&Dimension::Provider].as_deref(), Some("gcp.gemini"));
    assert_eq!(rules[0].dimension_set(), DimensionSet::Base);
    assert_eq!(rules[1].dimension_set(), DimensionSet::Workspace);
    assert!(matches!(rules[1].condition, Condition::Budget { period: BudgetPeriod::Rolling { hours: 48 }, .. }));
    assert!(matches!(rules[2].condition, Condition::FailureRate { ppm: 25_000, .. }));
    assert!(!rules[5].is_enabled);
    for rule in rules {
        let json = serde_json::to_string(&RuleText::from(&rule)).unwrap();
        let again: RuleText = serde_json::from_str(&json).unwrap();
        assert_eq!(Rule::try_from(again).unwrap(), rule, "{json}");
    }
}

/// Fields of a rule, and words of the refusal.
const WRONG: &[(&str, &str)] = &[
    ("kind = \"budjet\"", "r.toml, rule a, field kind is \"budjet\"; it is budget, failure_rate, latency"),
    ("kind = \"budget\"\nperiod = \"day\"", "rule a, field amount_usd is missing"),
    (
        "kind = \"budget\"\namount_usd = 1\nperiod = \"year\"",
        "field period is \"year\"; it is hour, day, week or month",
    ),
    ("kind = \"budget\"\namount_usd = -1\nperiod = \"day\"", "field amount_usd is not above 0"),
    ("kind = \"budget\"\namount_usd = 1\nperiod = \"day\"\nrolling = \"1h\"", "field rolling is given beside period"),
    ("kind = \"budget\"\namount_usd = 1\nrolling = \"1w\"", "such as 24h or 30d, at most 366d"),
    ("kind = \"budget\"\namount_usd = 1\nrolling = \"1h\"\nzone = \"UTC\"", "field zone means nothing beside rolling"),
    ("kind = \"budget\"\namount_usd = 1\nperiod = \"day\"\nzone = \"Mars\"", "no IANA time zone"),
    ("kind = \"budget\"\namount_usd = 1\nperiod = \"day\"\npercent = 5", "field percent means nothing"),
    ("kind = \"failure_rate\"\npercent = 0.00001\nwindow_minutes = 5", "at most four decimals"),
    ("kind = \"failure_rate\"\npercent = 5\nwindow_minutes = 1441", "field window_minutes is 1441; it is 1 to 1440"),
    (
        "kind = \"latency\"\npercentile = 100\nabove_ms = 1\nwindow_minutes = 5",
        "field percentile is 100; it is 50 to 99",
    ),
    ("kind = \"anomaly\"\nmeasure = \"cost\"\nfactor = 1\nminimum = 1", "field factor is no number above 1"),
    ("kind = \"unpriced\"\nwindow_minutes = 5", "field count is missing"),
    ("kind = \"unpriced\"\nwindow_minutes = 5\ncount = \"x\"", "r.toml, rule a: field count: invalid type"),
    (
        "kind = \"latency\"\npercentile = 99.9",
        "field percentile: invalid type: floating point `99.9`, expected a whole number",
    ),
    (
        "kind = \"budget\"\namount_usd = true",
        "field amount_usd: invalid type: boolean `true`, expected a number or its text",
    ),
    ("kind = \"budget\"\namount_usd = \"1.0000000005\"\nperiod = \"day\"", "field amount_usd"),
    ("kind = \"unpriced\"\nwindow_minuts = 5", "rule a: unknown field `window_minuts`"),
    (
        "filter = { session_id = \"s\" }",
        "names \"session_id\", by which no windows are kept; they are by workspace, project, team",
    ),
    ("filter = { team = \"a\" }\nper = [\"team\"]", "field per names team, of which the rule has one value already"),
    ("workspace = \"\"", "field workspace is empty"),
    ("webhooks = [\"a b\"]", "which is no webhook's name"),
];

#[test]
fn what_is_wrong_is_named_with_file_rule_and_field() {
    let refused = |fields: &str| {
        let text = format!("[[rule]]\nname = \"a\"\n{fields}\n");
        read_rules("r.toml", &text).unwrap_err().to_string()
    };
    for (fields, words) in WRONG {
        let text = refused(fields);
        assert!(text.contains(words), "{fields}: {text}");
    }
    for name in ["", ".", "..", "a b", "a/b", "ü"] {
        let text = format!("[[rule]]\nname = \"{name}\"\nkind = \"budget\"\n");
        assert!(
            read_rules("r.toml", &text).unwrap_err().to_string().contains("field name has other characters"),
            "{name}"
        );
    }
    let twice = read_rules("r.toml", &format!("{ALL_KINDS}{ALL_KINDS}")).unwrap_err().to_string();
    assert_eq!(twice, "r.toml, rule search-month, field name is that of another rule of the file");
    assert!(read_rules("r.toml", "rule = 1").unwrap_err().to_string().contains("no [[rule]]"));
    assert!(read_rules("r.toml", "[[rules]]\n").unwrap_err().to_string().contains("has \"rules\""));
    assert!(read_rules("r.toml", "x").unwrap_err().to_string().starts_with("r.toml cannot be read"));
    assert!(
        read_rules("r.toml", "[[rule]]\nkind = \"budget\"")
            .unwrap_err()
            .to_string()
            .contains("rule number 1, field name is missing")
    );
}

fn at(millis: i64) -> UtcMillis {
    UtcMillis::from_millis(millis)
}

#[tokio::test]
async fn a_rule_is_put_once_and_its_version_counts_changes() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::connect(&DatabaseUrl::Sqlite(folder.path().join("opstream.db"))).await.unwrap();
    crate::migrations::migrate(&database).await.unwrap();
    let rule = rules().swap_remove(0);
    let put = async |rule: &Rule, now| {
        let mut tx = database.begin().await.unwrap();
        let put = put_rule(&mut tx, rule, at(now)).await.unwrap();
        tx.commit().await.unwrap();
        put
    };
    assert_eq!(put(&rule, 1).await, Put::Created);
    assert_eq!(put(&rule, 2).await, Put::Unchanged);
    let off = Rule { is_enabled: false, ..rule.clone() };
    assert_eq!(put(&off, 3).await, Put::Changed);
    let stored = load_rule(&database, &rule.name).await.unwrap().unwrap();
    assert_eq!((stored.version, stored.created_at, stored.updated_at, &stored.rule), (2, at(1), at(3), &off));
    assert_eq!(load_rules(&database).await.unwrap(), std::slice::from_ref(&stored));
    let mut tx = database.begin().await.unwrap();
    assert!(delete_rule(&mut tx, &rule.name).await.unwrap() && !delete_rule(&mut tx, &rule.name).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(put(&rule, 4).await, Put::Created);
    let again = load_rule(&database, &rule.name).await.unwrap().unwrap();
    assert_ne!(again.rule_id, stored.rule_id, "its alerts are others");
}

#[test]
fn an_id_is_that_of_one_crossing_and_of_no_other() {
    let rule = rules().swap_remove(0);
    let stored =
        store::StoredRule { rule_id: 1, version: 1, rule, problem: None, created_at: at(5), updated_at: at(5) };
    let key = AlertKey::new(at(0), 50, &[Some("a".to_owned())]);
    let id = key.alert_id(&stored);
    assert_eq!(id, key.alert_id(&stored));
    assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 8);
    let others = [
        AlertKey::new(at(1), 50, &[Some("a".to_owned())]).alert_id(&stored),
        AlertKey::new(at(0), 80, &[Some("a".to_owned())]).alert_id(&stored),
        AlertKey::new(at(0), 50, &[None]).alert_id(&stored),
        key.alert_id(&store::StoredRule { version: 2, ..stored.clone() }),
        key.alert_id(&store::StoredRule { created_at: at(6), ..stored.clone() }),
    ];
    let distinct: std::collections::BTreeSet<&String> = others.iter().chain([&id]).collect();
    assert_eq!(distinct.len(), 6);
}

#[test]
fn an_alert_tells_exact_numbers_in_units_that_people_read() {
    assert_eq!(Unit::NanoUsd.shown(81_200_000_000), ("usd", "81.20".to_owned()));
    assert_eq!(Unit::NanoUsd.shown(500_000_000_000), ("usd", "500".to_owned()));
    assert_eq!(Unit::Ppm.shown(62_500), ("percent", "6.25".to_owned()));
    assert_eq!(Unit::Micros.shown(2_000_500), ("ms", "2000.50".to_owned()));
    assert_eq!(Unit::Operations.shown(7), ("operations", "7".to_owned()));
}

#[test]
fn the_example_of_the_documentation_is_a_file_of_rules() {
    let page = include_str!("../../../docs/alerts.md");
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let kinds: std::collections::BTreeSet<&str> =
        read_rules("alerts.toml", example).unwrap().iter().map(|rule| rule.condition.kind()).collect();
    assert_eq!(kinds.len(), 5, "each kind is shown");
}
