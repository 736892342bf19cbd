//! One alert: a crossing of a rule's limit, for one period, threshold and combination of values.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::decimal::Decimal;
use super::parts::PPM_NANOS;
use super::store::StoredRule;
use crate::UtcMillis;
use crate::database::Row;

/// What makes an alert this one and no other: the primary key of `alerts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlertKey {
    /// First moment of the period.
    pub period_start: UtcMillis,
    /// Percent of a budget; 0 for other kinds.
    pub threshold: i64,
    /// First 16 bytes of the SHA-256 of the values of `per`, as a JSON array.
    pub combination: [u8; 16],
}

/// In which unit `value` and `limit` of an alert are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Billionths of a US dollar.
    NanoUsd,
    /// Operations of a million.
    Ppm,
    /// Microseconds.
    Micros,
    /// Operations.
    Operations,
}

/// Whether an alert is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertState {
    /// It is not.
    Open,
    /// It is.
    Resolved {
        /// Since when.
        at: UtcMillis,
        /// Why.
        because: Because,
    },
}

/// Why an alert is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// The period of the budget has ended.
    PeriodEnded,
    /// The value is clearly below the limit again.
    BackBelow,
    /// The rule was changed, turned off or deleted.
    RuleChanged,
}

/// An alert as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// UUID in text form, the same wherever and however often it is told: consumers recognise a repetition by it.
    pub alert_id: String,
    /// Number of the rule.
    pub rule_id: i64,
    /// Version of the rule.
    pub rule_version: i64,
    /// Name of the rule when the alert was raised.
    pub rule: String,
    /// Kind of the rule.
    pub kind: String,
    /// The tenant; none when the rule is about all of them together.
    pub workspace: Option<String>,
    /// Values of the filter and of `per`, by dimension.
    pub dimensions: BTreeMap<String, Option<String>>,
    /// Identity within the rule.
    pub key: AlertKey,
    /// First moment after the period.
    pub period_end: UtcMillis,
    /// What was seen when it was raised.
    pub value: i64,
    /// What it reached.
    pub limit: i64,
    /// Of both.
    pub unit: Unit,
    /// Operations of the period then.
    pub operations: i64,
    /// When it was raised, by the database's clock.
    pub raised_at: UtcMillis,
    /// Whether it is over.
    pub state: AlertState,
    /// 1 when it is raised; each change adds one.
    pub revision: i64,
}

impl AlertKey {
    /// The key of a combination of values of `per`.
    pub fn new(period_start: UtcMillis, threshold: i64, per: &[Option<String>]) -> Self {
        Self { period_start, threshold, combination: first_half(&[Json::from(per).to_string().as_bytes()]) }
    }

    /// The id of the alert with this key. Names and times of the rule are part of it, so that two deployments do not share ids.
    pub fn alert_id(&self, rule: &StoredRule) -> String {
        let numbers =
            [rule.rule_id, rule.created_at.millis(), rule.version, self.period_start.millis(), self.threshold];
        let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        let mut bytes = first_half(&[&numbers, &self.combination, rule.rule.name.as_bytes()]);
        // Version 8: made in a way of our own.
        bytes[6] = (bytes[6] & 0x0f) | 0x80;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        uuid::Uuid::from_bytes(bytes).to_string()
    }
}

fn first_half(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize()[..16]);
    half
}

impl Unit {
    const ALL: [Self; 4] = [Self::NanoUsd, Self::Ppm, Self::Micros, Self::Operations];

    /// Its name in SQL and on the topic.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NanoUsd => "nano_usd",
            Self::Ppm => "ppm",
            Self::Micros => "us",
            Self::Operations => "operations",
        }
    }

    /// The unit that people read, and a number of it.
    pub fn shown(self, number: i64) -> (&'static str, String) {
        let (unit, nanos) = match self {
            Self::NanoUsd => ("usd", 1),
            Self::Ppm => ("percent", PPM_NANOS),
            Self::Micros => ("ms", 1_000_000),
            Self::Operations => return ("operations", number.to_string()),
        };
        (unit, Decimal::of_units(number, nanos).as_str().to_owned())
    }
}

impl Because {
    const ALL: [Self; 3] = [Self::PeriodEnded, Self::BackBelow, Self::RuleChanged];

    /// Its name everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PeriodEnded => "period_ended",
            Self::BackBelow => "back_below",
            Self::RuleChanged => "rule_changed",
        }
    }
}

impl Alert {
    /// Reads a row with all columns of `alerts`.
    ///
    /// # Errors
    /// When a column is missing or holds what this version does not know.
    pub fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let unit = named("unit", &row.text("unit")?, &Unit::ALL, Unit::name)?;
        let because = row.optional_text("resolved_because")?;
        let because = because.map(|name| named("resolved_because", &name, &Because::ALL, Because::name)).transpose()?;
        let at = row.optional_int("resolved_at_ms")?.map(UtcMillis::from_millis);
        let state = at.zip(because).map_or(AlertState::Open, |(at, because)| AlertState::Resolved { at, because });
        let dimensions = serde_json::from_str(&row.text("dimensions")?).map_err(unreadable)?;
        Ok(Self {
            alert_id: row.text("alert_id")?,
            rule_id: row.int("rule_id")?,
            rule_version: row.int("rule_version")?,
            rule: row.text("rule_name")?,
            kind: row.text("kind")?,
            workspace: row.optional_text("workspace")?,
            dimensions,
            key: AlertKey {
                period_start: UtcMillis::from_millis(row.int("period_start_ms")?),
                threshold: row.int("threshold")?,
                combination: row.bytes("combination_hash")?.try_into().map_err(|_| unreadable("combination_hash"))?,
            },
            period_end: UtcMillis::from_millis(row.int("period_end_ms")?),
            value: row.int("value")?,
            limit: row.int("limit_value")?,
            unit,
            operations: row.int("operations")?,
            raised_at: UtcMillis::from_millis(row.int("raised_at_ms")?),
            state,
            revision: row.int("revision")?,
        })
    }

    /// As the api and webhooks tell it. Numbers are exact decimal text.
    pub fn to_json(&self) -> Map<String, Json> {
        let ((unit, value), (_, limit)) = (self.unit.shown(self.value), self.unit.shown(self.limit));
        let (resolved_at, because) = match self.state {
            AlertState::Open => (None, None),
            AlertState::Resolved { at, because } => (Some(at), Some(because.name())),
        };
        let json = json!({
            "alert_id": self.alert_id,
            "rule": self.rule,
            "rule_version": self.rule_version,
            "kind": self.kind,
            "workspace": self.workspace,
            "dimensions": self.dimensions,
            "period_start": self.key.period_start,
            "period_end": self.period_end,
            "threshold_percent": self.threshold_percent(),
            "unit": unit,
            "value": value,
            "limit": limit,
            "operations": self.operations,
            "state": if resolved_at.is_some() { "resolved" } else { "open" },
            "raised_at": self.raised_at,
            "resolved_at": resolved_at,
            "resolved_because": because,
            "revision": self.revision,
            "message": self.message(),
        });
        let Json::Object(object) = json else { return Map::new() };
        object
    }

    /// One sentence for people.
    pub fn message(&self) -> String {
        let ((unit, value), (_, limit)) = (self.unit.shown(self.value), self.unit.shown(self.limit));
        let of = self.dimensions.iter().map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("(none)")));
        let of: Vec<String> = of.collect();
        let of = if of.is_empty() { String::new() } else { format!(" for {}", of.join(", ")) };
        let limit = match self.threshold_percent() {
            Some(percent) => format!("{percent} % of the budget ({limit} {unit})"),
            None => format!("the limit of {limit} {unit}"),
        };
        let period = format!("from {} to {}", self.key.period_start, self.period_end);
        let what = match self.kind.as_str() {
            "failure_rate" => format!("a failure rate of {value} {unit}"),
            "latency" => format!("a latency of {value} {unit}"),
            "unpriced" => format!("{value} {unit} without a price"),
            "anomaly" => format!("{value} {unit} in an hour"),
            _ => format!("{value} {unit}"),
        };
        let said = format!("{}: {what}{of} reached {limit} {period}", self.rule);
        match self.state {
            AlertState::Resolved { because, .. } => {
                let because = match because {
                    Because::PeriodEnded => "the period has ended",
                    Because::BackBelow => "it is back below the limit",
                    Because::RuleChanged => "the rule was changed",
                };
                format!("{said}; {because}")
            }
            AlertState::Open => said,
        }
    }

    /// Percent of the budget that was reached; none for other kinds.
    pub fn threshold_percent(&self) -> Option<i64> {
        Some(self.key.threshold).filter(|threshold| *threshold > 0)
    }
}

fn named<T: Copy>(column: &str, name: &str, all: &[T], name_of: fn(T) -> &'static str) -> Result<T, sqlx::Error> {
    let found = all.iter().copied().find(|known| name_of(*known) == name);
    found.ok_or_else(|| unreadable(format!("alerts.{column} has the unknown value {name:?}")))
}

fn unreadable(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> sqlx::Error {
    sqlx::Error::Decode(reason.into())
}
