//! `/v1/alert-rules`: what is watched. The rows of rules are the only ones that the api changes; the aggregator reads them.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use opstream_schemas::UtcMillis;
use opstream_schemas::alerts::store::{Put, PutError, StoredRule, delete_rule, load_rule, load_rules, put_rule};
use opstream_schemas::alerts::{Rule, RuleText};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::error::{ApiError, ErrorAnswer};
use crate::front_door::read_small_body;
use crate::query::Parameters;
use crate::routes::openapi::{AlertRule, AlertRuleParameters};
use crate::state::Shared;

/// Far more than a rule has.
const MAX_BODY_BYTES: usize = 64 << 10;

/// A rule as it is stored.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoredAlertRule {
    /// What it says, in its usual form.
    #[serde(flatten)]
    #[schema(value_type = AlertRule)]
    rule: Map<String, Value>,
    /// Counts changes of what it says, from 1.
    version: i64,
    /// Why it is looked at only in part, or not at all; null when nothing is wrong.
    problem: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = "date-time")]
    created_at: UtcMillis,
    /// When it was last changed; periods that had ended by then are not looked at.
    #[schema(value_type = String, format = "date-time")]
    updated_at: UtcMillis,
}

/// All rules.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertRulesAnswer {
    /// The rules by name; there are at most 500.
    rules: Vec<StoredAlertRule>,
}

/// What became of a rule.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PutAnswer {
    /// `created`, `changed`, or `unchanged` when it said the same already.
    outcome: &'static str,
    /// The rule.
    rule: StoredAlertRule,
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeletedAnswer {
    /// Name of the rule. Its alerts stay, and those that are open are over soon.
    deleted: String,
}

/// All alert rules.
#[utoipa::path(get, path = "/v1/alert-rules", tag = "alerts", params(AlertRuleParameters),
    responses((status = 200, body = AlertRulesAnswer)))]
pub(crate) async fn list_rules(
    State(state): State<Shared>,
    mut parameters: Parameters,
) -> Result<Json<AlertRulesAnswer>, ApiError> {
    let workspace = parameters.take("workspace")?;
    parameters.finish()?;
    let is_asked_for = |rule: &StoredRule| {
        workspace.as_ref().is_none_or(|workspace| rule.rule.workspace.as_deref().unwrap_or("") == workspace)
    };
    let rules = load_rules(&state.database).await?;
    Ok(Json(AlertRulesAnswer { rules: rules.iter().filter(|rule| is_asked_for(rule)).map(shown).collect() }))
}

/// Makes or changes the rule of this name. One that says the same already is left as it is, and its alerts go on.
#[utoipa::path(put, path = "/v1/alert-rules/{name}", tag = "alerts", request_body = AlertRule,
    params(("name" = String, Path, description = "1 to 100 letters, digits, '.', '_' and '-'")),
    responses((status = 200, body = PutAnswer),
        (status = 413, body = ErrorAnswer, description = "The body is too large")))]
pub(crate) async fn put_alert_rule(
    State(state): State<Shared>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<PutAnswer>, ApiError> {
    let body = read_small_body(body, MAX_BODY_BYTES).await?;
    let rule = read_rule(&name, &body)?;
    let mut tx = state.database.begin().await?;
    let put = put_rule(&mut tx, &rule, UtcMillis::now()).await.map_err(|error| match error {
        PutError::Database(error) => error.into(),
        error @ PutError::TooMany => ApiError::invalid("too_many_rules", error.to_string()),
    })?;
    tx.commit().await?;
    let outcome = match put {
        Put::Created => "created",
        Put::Changed => "changed",
        Put::Unchanged => "unchanged",
    };
    let stored = load_rule(&state.database, &name).await?.ok_or_else(|| not_found(&name))?;
    Ok(Json(PutAnswer { outcome, rule: shown(&stored) }))
}

/// Deletes the rule of this name; its alerts stay.
#[utoipa::path(delete, path = "/v1/alert-rules/{name}", tag = "alerts",
    params(("name" = String, Path, description = "Name of the rule")),
    responses((status = 200, body = DeletedAnswer),
        (status = 404, body = ErrorAnswer, description = "There is no such rule")))]
pub(crate) async fn delete_alert_rule(
    State(state): State<Shared>,
    Path(name): Path<String>,
) -> Result<Json<DeletedAnswer>, ApiError> {
    let mut tx = state.database.begin().await?;
    let is_deleted = delete_rule(&mut tx, &name).await?;
    tx.commit().await?;
    if is_deleted { Ok(Json(DeletedAnswer { deleted: name })) } else { Err(not_found(&name)) }
}

fn read_rule(name: &str, body: &[u8]) -> Result<Rule, ApiError> {
    let invalid = |message: String| ApiError::invalid("invalid_rule", message.chars().take(500).collect::<String>());
    let deserializer = &mut serde_json::Deserializer::from_slice(body);
    let text = RuleText::read(deserializer).map_err(invalid)?;
    if text.name.as_deref().is_some_and(|other| other != name) {
        return Err(invalid("field name is another than that of the path; leave it out".to_owned()));
    }
    Rule::try_from(RuleText { name: Some(name.to_owned()), ..text }).map_err(|error| invalid(error.to_string()))
}

fn not_found(name: &str) -> ApiError {
    let name: String = name.chars().take(100).collect();
    ApiError::NotFound { message: format!("there is no alert rule {name:?}; /v1/alert-rules lists them") }
}

fn shown(stored: &StoredRule) -> StoredAlertRule {
    let rule = match serde_json::to_value(RuleText::from(&stored.rule)) {
        Ok(Value::Object(rule)) => rule,
        _ => Map::new(),
    };
    StoredAlertRule {
        rule,
        version: stored.version,
        problem: stored.problem.clone(),
        created_at: stored.created_at,
        updated_at: stored.updated_at,
    }
}

#[cfg(test)]
mod tests;
