//! A rule as people write it: TOML in files, JSON in the api, and in its usual form in SQL.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use super::decimal::Decimal;
use super::parts::{Fields, PPM_NANOS, THOUSANDTH_NANOS, is_name};
use super::{AnomalyMeasure, BudgetPeriod, Condition, DurationMeasure, Rule, UnpricedLimit};
use crate::providers::canonical_provider;
use crate::window::Dimension;

/// The fields of a rule, of all kinds together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleText {
    /// Identity; in the api it is in the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `budget`, `failure_rate`, `latency`, `unpriced` or `anomaly`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether it is looked at; true unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The tenant; all of them together unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// Values that operations must have, by dimension; an empty one asks for operations without.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub filter: BTreeMap<String, String>,
    /// Dimensions of which every combination of values is looked at by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub per: Vec<String>,
    /// Names of webhooks; all of them unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<Vec<String>>,
    /// Of a budget: the amount in US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_usd: Option<Decimal>,
    /// Of a budget: `hour`, `day`, `week` or `month`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// Of a budget in place of `period`: hours or days before now, such as `24h` or `30d`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rolling: Option<String>,
    /// Of a budget with a `period`, and of an anomaly: the IANA time zone; UTC unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Of a budget: percent of the amount; 100 unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<Vec<u32>>,
    /// Of a rate: how many minutes before now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_minutes: Option<u32>,
    /// Of a rate: fewer operations make none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_operations: Option<u32>,
    /// Of a failure rate or of unpriced traffic: percent of the operations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<Decimal>,
    /// Of unpriced traffic in place of `percent`: operations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Of a latency: 50 to 99.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percentile: Option<u8>,
    /// Of a latency: milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub above_ms: Option<u32>,
    /// Of a latency: `latency` or `ttft`; of an anomaly: `cost`, `operations`, `failures` or `latency`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
    /// Of an anomaly: how many times the median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factor: Option<Decimal>,
    /// Of an anomaly: the least that is one: US dollars, operations, failures, or milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Decimal>,
    /// Of an anomaly: weeks before that are compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weeks: Option<u8>,
}

/// A field that makes no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field {field} {reason}")]
pub struct RuleError {
    /// The field.
    pub field: String,
    /// What is wrong with it, and what is allowed.
    pub reason: String,
}

impl RuleText {
    /// Reads a rule from TOML or JSON.
    ///
    /// # Errors
    /// Names the field, if it is one's fault, and says what is wrong.
    pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, String>
    where
        D::Error: std::fmt::Display,
    {
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            let (field, reason) = (error.path().to_string(), error.inner().to_string());
            // Types of Rust say nothing to who writes rules.
            let reason = ["u8", "u32"].iter().fold(reason.trim_end().to_owned(), |reason, number| {
                reason.replace(&format!("expected {number}"), "expected a whole number")
            });
            if field == "." || reason.starts_with("unknown field") {
                reason
            } else {
                format!("field {field}: {reason}")
            }
        })
    }
}

impl RuleError {
    pub(super) fn new(field: &str, reason: impl Into<String>) -> Self {
        Self { field: field.to_owned(), reason: reason.into() }
    }
}

impl TryFrom<RuleText> for Rule {
    type Error = RuleError;

    fn try_from(text: RuleText) -> Result<Self, RuleError> {
        let name = text.name.clone().ok_or_else(|| RuleError::new("name", "is missing"))?;
        if !is_name(&name) {
            return Err(RuleError::new(
                "name",
                "has other characters than a-z, A-Z, 0-9, '.', '_' and '-', or not 1 to 100, or is '.' or '..'",
            ));
        }
        if text.workspace.as_deref() == Some("") {
            return Err(RuleError::new("workspace", "is empty; leave it out for all workspaces together"));
        }
        if text.workspace.as_deref().is_some_and(|workspace| workspace.contains('\0')) {
            return Err(RuleError::new("workspace", "has a NUL, which no operation's has"));
        }
        let filter = filter_of(&text.filter)?;
        let per = per_of(&text, &filter)?;
        for name in text.webhooks.iter().flatten() {
            if !is_name(name) {
                return Err(RuleError::new("webhooks", format!("has {name:?}, which is no webhook's name")));
            }
        }
        let mut fields = Fields::of(&text);
        let condition = fields.condition()?;
        fields.refuse_others(&condition)?;
        let RuleText { workspace, webhooks, enabled, .. } = text;
        Ok(Self { name, is_enabled: enabled.unwrap_or(true), workspace, filter, per, webhooks, condition })
    }
}

/// The dimension of this name, unless windows are not kept by it.
fn dimension(field: &str, name: &str) -> Result<Dimension, RuleError> {
    Dimension::from_column(name).ok_or_else(|| {
        let names: Vec<&str> = Dimension::ALL.iter().map(|dimension| dimension.column()).collect();
        let name: String = name.chars().take(60).collect();
        RuleError::new(field, format!("names {name:?}, by which no windows are kept; they are by {}", names.join(", ")))
    })
}

fn filter_of(texts: &BTreeMap<String, String>) -> Result<BTreeMap<Dimension, Option<String>>, RuleError> {
    let mut filter = BTreeMap::new();
    for (name, value) in texts {
        let field = format!("filter.{name}");
        let dimension = dimension(&field, name)?;
        if dimension == Dimension::Workspace {
            return Err(RuleError::new(&field, "is the field workspace of the rule itself"));
        }
        if value.contains('\0') {
            return Err(RuleError::new(&field, "has a NUL, which no operation's has"));
        }
        if value.is_empty() && dimension == Dimension::OperationType {
            return Err(RuleError::new(&field, "is empty, but every operation has one"));
        }
        let value = match dimension {
            Dimension::Provider => canonical_provider(value).into_owned(),
            _ => value.clone(),
        };
        filter.insert(dimension, Some(value).filter(|value| !value.is_empty()));
    }
    Ok(filter)
}

fn per_of(text: &RuleText, filter: &BTreeMap<Dimension, Option<String>>) -> Result<Vec<Dimension>, RuleError> {
    let mut per = Vec::new();
    for name in &text.per {
        let dimension = dimension("per", name)?;
        let is_fixed =
            filter.contains_key(&dimension) || (dimension == Dimension::Workspace && text.workspace.is_some());
        if is_fixed {
            return Err(RuleError::new("per", format!("names {name}, of which the rule has one value already")));
        }
        if per.contains(&dimension) {
            return Err(RuleError::new("per", format!("names {name} twice")));
        }
        per.push(dimension);
    }
    Ok(per)
}

/// The usual form: what goes without saying is said, and names and amounts are written in one way.
impl From<&Rule> for RuleText {
    fn from(rule: &Rule) -> Self {
        let filter = rule.filter.iter();
        let mut text = Self {
            name: Some(rule.name.clone()),
            kind: Some(rule.condition.kind().to_owned()),
            enabled: Some(rule.is_enabled),
            workspace: rule.workspace.clone(),
            filter: filter.map(|(key, value)| (key.column().to_owned(), value.clone().unwrap_or_default())).collect(),
            per: rule.per.iter().map(|dimension| dimension.column().to_owned()).collect(),
            webhooks: rule.webhooks.clone(),
            ..Self::default()
        };
        text.set_condition(&rule.condition);
        text
    }
}

impl RuleText {
    fn set_condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Budget { amount, period, thresholds } => {
                self.amount_usd = Some(Decimal::of_units(amount.nanos(), 1));
                self.thresholds = Some(thresholds.clone());
                match period {
                    BudgetPeriod::Calendar { resolution, zone } => {
                        self.period = Some(resolution.name().to_owned());
                        self.zone = Some(zone.name().to_owned());
                    }
                    BudgetPeriod::Rolling { hours } => self.rolling = Some(format!("{hours}h")),
                }
            }
            Condition::FailureRate { ppm, window } => {
                self.percent = Some(Decimal::of_units(*ppm, PPM_NANOS));
                self.set_window(*window);
            }
            Condition::Latency { measure, percentile, above_us, window } => {
                self.measure = Some(measure.name().to_owned());
                self.percentile = Some(*percentile);
                self.above_ms = u32::try_from(above_us / 1000).ok();
                self.set_window(*window);
            }
            Condition::Unpriced { limit, window } => {
                match limit {
                    UnpricedLimit::Count(count) => self.count = u32::try_from(*count).ok(),
                    UnpricedLimit::Ppm(ppm) => self.percent = Some(Decimal::of_units(*ppm, PPM_NANOS)),
                }
                self.set_window(*window);
            }
            Condition::Anomaly { measure, factor_thousandths, minimum, weeks, zone } => {
                self.measure = Some(measure.name().to_owned());
                self.factor = Some(Decimal::of_units(*factor_thousandths, THOUSANDTH_NANOS));
                self.minimum = Some(Decimal::of_units(*minimum, measure.minimum_nanos()));
                self.weeks = Some(*weeks);
                self.zone = Some(zone.name().to_owned());
            }
        }
    }

    fn set_window(&mut self, window: super::RateWindow) {
        self.window_minutes = Some(window.minutes);
        self.min_operations = u32::try_from(window.min_operations).ok();
    }
}

impl DurationMeasure {
    /// Both, with their names.
    pub const NAMES: [(&'static str, Self); 2] = [("latency", Self::Latency), ("ttft", Self::Ttft)];

    /// Its name in rules.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Ttft => "ttft",
        }
    }
}

impl AnomalyMeasure {
    /// All of them, with their names.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("cost", Self::Cost),
        ("operations", Self::Operations),
        ("failures", Self::Failures),
        ("latency", Self::Latency),
    ];

    /// Its name in rules.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cost => "cost",
            Self::Operations => "operations",
            Self::Failures => "failures",
            Self::Latency => "latency",
        }
    }

    /// What a unit of it is in billionths of what `minimum` is written in: dollars, operations, or milliseconds.
    pub(super) const fn minimum_nanos(self) -> i64 {
        match self {
            Self::Cost => 1,
            Self::Operations | Self::Failures => 1_000_000_000,
            Self::Latency => 1_000_000,
        }
    }
}
