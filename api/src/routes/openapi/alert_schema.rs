//! Alerts and their rules as the description has them. What is served is written by the crate of contracts, which webhooks and files
//! share; tests compare the names.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

/// An alert: a rule's limit was reached, once for each period, threshold and combination of values. Numbers are exact decimal text.
#[derive(ToSchema)]
#[expect(dead_code, clippy::struct_field_names, reason = "described only, with the names that are served")]
pub(crate) struct Alert {
    /// UUID, the same however often the alert is told.
    alert_id: String,
    /// Name of the rule.
    rule: String,
    /// Version of the rule.
    rule_version: i64,
    /// `budget`, `failure_rate`, `latency`, `unpriced` or `anomaly`.
    kind: String,
    /// The tenant; null when the rule is about all of them together.
    workspace: Option<String>,
    /// Values that the operations have in common, by dimension; null for operations without one.
    dimensions: BTreeMap<String, Option<String>>,
    /// First moment of the period.
    #[schema(format = "date-time")]
    period_start: String,
    /// First moment after it.
    #[schema(format = "date-time")]
    period_end: String,
    /// Percent of the budget that was reached; null for other kinds.
    threshold_percent: Option<i64>,
    /// Of `value` and `limit`: `usd`, `percent`, `ms` or `operations`.
    unit: String,
    /// What was seen when it was raised.
    #[schema(example = "81.20")]
    value: String,
    /// What it reached.
    #[schema(example = "80")]
    limit: String,
    /// Operations of the period then.
    operations: i64,
    /// `open` or `resolved`.
    state: String,
    /// When it was raised.
    #[schema(format = "date-time")]
    raised_at: String,
    /// Since when it is over.
    #[schema(format = "date-time")]
    resolved_at: Option<String>,
    /// `period_ended`, `back_below` or `rule_changed`.
    resolved_because: Option<String>,
    /// 1 when it is raised; each change adds one.
    revision: i64,
    /// The same in a sentence.
    message: String,
}

/// What is watched, and when that is too much: docs/alerts.md. Each kind has its own fields; decimals are numbers or their text.
#[derive(ToSchema)]
#[expect(dead_code, reason = "described only")]
pub(crate) struct AlertRule {
    /// Identity; when it is put it is that of the path.
    name: Option<String>,
    /// `budget`, `failure_rate`, `latency`, `unpriced` or `anomaly`.
    kind: String,
    /// Whether it is looked at; true unless said.
    enabled: Option<bool>,
    /// The tenant; all of them together unless said.
    workspace: Option<String>,
    /// Values that operations must have, by dimension; an empty one asks for operations without.
    filter: Option<BTreeMap<String, String>>,
    /// Dimensions of which every combination of values is looked at by itself, at most 1,000.
    per: Option<Vec<String>>,
    /// Names of webhooks; all of them unless said.
    webhooks: Option<Vec<String>>,
    /// Of a budget: the amount in US dollars.
    #[schema(example = "500")]
    amount_usd: Option<Value>,
    /// Of a budget: `hour`, `day`, `week` or `month`.
    period: Option<String>,
    /// Of a budget in place of `period`: hours or days before now.
    #[schema(example = "24h")]
    rolling: Option<String>,
    /// Of a budget with a `period`, and of an anomaly: the IANA time zone; UTC unless said.
    zone: Option<String>,
    /// Of a budget: percent of the amount; 100 unless said.
    thresholds: Option<Vec<u32>>,
    /// Of a rate: how many minutes before now, 1 to 1,440.
    window_minutes: Option<u32>,
    /// Of a rate: fewer operations make none; 20 unless said.
    min_operations: Option<u32>,
    /// Of a failure rate or of unpriced traffic: percent of the operations.
    percent: Option<Value>,
    /// Of unpriced traffic in place of `percent`: operations.
    count: Option<u32>,
    /// Of a latency: 50 to 99.
    percentile: Option<u8>,
    /// Of a latency: milliseconds.
    above_ms: Option<u32>,
    /// Of a latency: `latency` or `ttft`; of an anomaly: `cost`, `operations`, `failures` or `latency`.
    measure: Option<String>,
    /// Of an anomaly: how many times the median of the same hour in the weeks before.
    factor: Option<Value>,
    /// Of an anomaly: the least that is one: US dollars, operations, or milliseconds.
    minimum: Option<Value>,
    /// Of an anomaly: weeks before that are compared, 1 to 12; 4 unless said.
    weeks: Option<u8>,
}
