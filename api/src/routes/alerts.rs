//! `GET /v1/alerts`: limits that were reached, newest first.

use axum::Json;
use axum::extract::State;
use opstream_schemas::alerts::Alert;
use opstream_schemas::database::Value;
use opstream_schemas::{UtcMicros, UtcMillis};
use serde::Serialize;
use serde_json::Map;
use sqlx::AssertSqlSafe;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::query::{Parameters, invalid};
use crate::routes::openapi::{Alert as AlertDescription, AlertParameters};
use crate::state::Shared;

/// Alerts of an answer that names no limit.
const DEFAULT_ALERTS: u32 = 100;
/// Most alerts of an answer.
const MAX_ALERTS: u32 = 1000;

const KINDS: [&str; 5] = ["budget", "failure_rate", "latency", "unpriced", "anomaly"];

/// A page of alerts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertsAnswer {
    /// The alerts, the newest first.
    #[schema(value_type = Vec<AlertDescription>)]
    alerts: Vec<Map<String, serde_json::Value>>,
    /// `cursor` of the next page; null on the last one.
    next_cursor: Option<String>,
}

/// Conditions with what is bound to them.
#[derive(Default)]
struct Conditions {
    texts: Vec<String>,
    values: Vec<Value>,
}

/// Alerts, newest first, with a cursor to older ones.
#[utoipa::path(get, path = "/v1/alerts", tag = "alerts", params(AlertParameters),
    responses((status = 200, body = AlertsAnswer)))]
pub(crate) async fn list_alerts(
    State(state): State<Shared>,
    mut parameters: Parameters,
) -> Result<Json<AlertsAnswer>, ApiError> {
    let limit = usize::try_from(parameters.take_count("limit", MAX_ALERTS)?.unwrap_or(DEFAULT_ALERTS)).unwrap_or(1);
    let mut conditions = read_conditions(&mut parameters)?;
    parameters.finish()?;
    // One more than is asked for says whether there is another page.
    let more = conditions.bind(i64::try_from(limit).unwrap_or(i64::MAX) + 1);
    let filter =
        if conditions.texts.is_empty() { String::new() } else { format!("where {}", conditions.texts.join(" and ")) };
    let sql = format!("select * from alerts {filter} order by raised_at_ms desc, alert_id desc limit {more}");
    let mut reading = state.begin_reading().await?;
    let rows = reading.fetch_all(AssertSqlSafe(sql), &conditions.values).await?;
    let alerts: Vec<Alert> = rows.iter().take(limit).map(Alert::from_row).collect::<Result<_, _>>()?;
    let last = alerts.last().filter(|_| rows.len() > limit);
    let next_cursor = last.map(|alert| format!("{}.{}", alert.raised_at.millis(), alert.alert_id));
    Ok(Json(AlertsAnswer { alerts: alerts.iter().map(Alert::to_json).collect(), next_cursor }))
}

fn read_conditions(parameters: &mut Parameters) -> Result<Conditions, ApiError> {
    let mut conditions = Conditions::default();
    let states = [("open", "resolved_at_ms is null"), ("resolved", "resolved_at_ms is not null")];
    if let Some(state) = parameters.take_choice("state", &states)? {
        conditions.texts.push(state.to_owned());
    }
    if let Some(rule) = parameters.take("rule")? {
        conditions.add("rule_name =", rule);
    }
    if let Some(kind) = parameters.take_choice("kind", &KINDS.map(|kind| (kind, kind)))? {
        conditions.add("kind =", kind);
    }
    match parameters.take("workspace")? {
        Some(workspace) if workspace.is_empty() => conditions.texts.push("workspace is null".to_owned()),
        Some(workspace) => conditions.add("workspace =", workspace),
        None => {}
    }
    if let Some(from) = parameters.take_moment("from")? {
        conditions.add("raised_at_ms >=", rounded_up(from));
    }
    if let Some(to) = parameters.take_moment("to")? {
        conditions.add("raised_at_ms <", rounded_up(to));
    }
    if let Some(cursor) = parameters.take("cursor")? {
        let place = cursor.split_once('.').and_then(|(millis, id)| Some((millis.parse::<i64>().ok()?, id)));
        let (millis, alert_id) = place.ok_or_else(|| invalid("cursor", "is no next_cursor of an earlier answer"))?;
        let (millis, alert_id) = (conditions.bind(millis), conditions.bind(alert_id));
        conditions.texts.push(format!("(raised_at_ms, alert_id) < ({millis}, {alert_id})"));
    }
    Ok(conditions)
}

/// The first millisecond that does not begin before a moment.
fn rounded_up(moment: UtcMicros) -> UtcMillis {
    let millis = moment.to_millis();
    if UtcMicros::from(millis) == moment { millis } else { millis.plus_millis(1) }
}

impl Conditions {
    /// `condition` ends where its value is to stand.
    fn add(&mut self, condition: &str, value: impl Into<Value>) {
        let place = self.bind(value);
        self.texts.push(format!("{condition} {place}"));
    }

    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }
}

#[cfg(test)]
mod tests;
