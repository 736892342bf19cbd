//! The transaction of a rule: the lease's fence, alerts that are raised, alerts that are over, and what webhooks are to be told of
//! either.

use opstream_schemas::UtcMillis;
use opstream_schemas::alerts::Because;
use opstream_schemas::alerts::store::StoredRule;
use opstream_schemas::database::{Database, Transaction, Value};
use opstream_schemas::failpoint::{self, Step};
use opstream_schemas::offsets::Fence;
use opstream_schemas::window::Dimension;

use super::evaluate::Looked;
use super::judge::{Crossing, Verdict};
use crate::lease::{self, LeaseError};
use crate::metrics;

/// Alerts that one transaction writes, so that it does not hold SQLite's writer for long.
const MOST_ALERTS: usize = 200;

/// What is to be written of a rule.
pub(super) struct Changes<'a> {
    pub(super) rule: &'a StoredRule,
    pub(super) verdict: Verdict,
    /// Webhooks that are told of what is raised.
    pub(super) targets: Vec<&'a str>,
    pub(super) problem: Option<String>,
    pub(super) now: UtcMillis,
}

/// Writes the changes of a rule, if there are any.
///
/// # Errors
/// When the fence was replaced, and then nothing is written.
pub(super) async fn write(database: &Database, fence: Fence, changes: &Changes<'_>) -> Result<Looked, LeaseError> {
    let Changes { rule, verdict, problem, .. } = changes;
    let (raised, resolved) = (&verdict.raised, &verdict.resolved);
    if raised.is_empty() && resolved.is_empty() && *problem == rule.problem {
        return Ok(Looked::default());
    }
    let mut tx = lease::begin(database, fence).await?;
    let mut looked = Looked { changed: 0, more: raised.len() > MOST_ALERTS || resolved.len() > MOST_ALERTS };
    let mut new_alerts = 0;
    for crossing in raised.iter().take(MOST_ALERTS) {
        if raise(&mut tx, changes, crossing).await? {
            new_alerts += 1;
        }
    }
    for (alert_id, because) in resolved.iter().take(MOST_ALERTS) {
        looked.changed += resolve(&mut tx, alert_id, *because, changes.now).await?;
    }
    looked.changed += new_alerts;
    let values = [rule.rule_id.into(), rule.version.into(), problem.clone().into()];
    tx.execute("update alert_rules set problem = $3 where rule_id = $1 and version = $2", &values).await?;
    failpoint::reach(Step::AlertsComing).await.map_err(sqlx::Error::from)?;
    tx.commit().await?;
    failpoint::reach(Step::AlertsCommitted).await.map_err(sqlx::Error::from)?;
    if new_alerts > 0 {
        metrics::record_raised(rule.rule.condition.kind(), new_alerts);
        tracing::info!(rule = rule.rule.name, alerts = new_alerts, "alerts were raised");
    }
    if *problem != rule.problem
        && let Some(problem) = problem
    {
        tracing::warn!(rule = rule.rule.name, problem, "an alert rule is looked at only in part");
    }
    Ok(looked)
}

/// Inserts an alert unless it is there, or the rule is not what it was any more. Of a period that is over it is over at once.
async fn raise(tx: &mut Transaction, changes: &Changes<'_>, crossing: &Crossing) -> Result<bool, sqlx::Error> {
    let Changes { rule: stored, now, .. } = changes;
    let Crossing { key, limit, seen } = crossing;
    let alert_id = key.alert_id(stored);
    let is_over = stored.rule.condition.has_calendar_periods() && seen.period.end <= *now;
    let dimensions = stored.rule.dimensions_of(&seen.per);
    let workspace = dimensions.get(Dimension::Workspace.column()).cloned().flatten();
    let values: [Value; 18] = [
        stored.rule_id.into(),
        stored.version.into(),
        key.period_start.into(),
        key.threshold.into(),
        key.combination.as_slice().into(),
        alert_id.as_str().into(),
        stored.rule.name.as_str().into(),
        stored.rule.condition.kind().into(),
        workspace.into(),
        serde_json::json!(dimensions).to_string().into(),
        seen.period.end.into(),
        seen.value.into(),
        (*limit).into(),
        seen.unit.name().into(),
        seen.operations.into(),
        (*now).into(),
        is_over.then_some(*now).into(),
        is_over.then_some(Because::PeriodEnded.name()).into(),
    ];
    if tx.execute(include_str!("insert_alert.sql"), &values).await? == 0 {
        return Ok(false);
    }
    for target in &changes.targets {
        let insert = "insert into webhook_deliveries (alert_id, target, revision, attempts, created_at_ms, next_attempt_at_ms) \
                      values ($1, $2, 1, 0, $3, $3)";
        tx.execute(insert, &[alert_id.as_str().into(), (*target).into(), (*now).into()]).await?;
    }
    Ok(true)
}

/// Whoever was told that it was raised is told that it is over. Returns 0 when it was over already.
async fn resolve(tx: &mut Transaction, alert_id: &str, because: Because, now: UtcMillis) -> Result<usize, sqlx::Error> {
    let values = [alert_id.into(), now.into(), because.name().into()];
    let update = "update alerts set resolved_at_ms = $2, resolved_because = $3, revision = revision + 1 \
                  where alert_id = $1 and resolved_at_ms is null";
    if tx.execute(update, &values).await? == 0 {
        return Ok(0);
    }
    let insert = "insert into webhook_deliveries (alert_id, target, revision, attempts, created_at_ms, next_attempt_at_ms) \
                  select alert_id, target, 2, 0, $2, $2 from webhook_deliveries where alert_id = $1 and revision = 1";
    tx.execute(insert, &values[..2]).await?;
    Ok(1)
}

/// Ends the alerts of rules that were changed, turned off or deleted: nobody looks at them any more.
///
/// # Errors
/// When the fence was replaced, and then nothing is written.
pub(super) async fn resolve_of_changed_rules(
    database: &Database,
    fence: Fence,
    now: UtcMillis,
) -> Result<Looked, LeaseError> {
    let rows = database.fetch_all(include_str!("alerts_of_changed_rules.sql"), &[]).await?;
    if rows.is_empty() {
        return Ok(Looked::default());
    }
    let mut tx = lease::begin(database, fence).await?;
    let mut changed = 0;
    for row in &rows {
        changed += resolve(&mut tx, &row.text("alert_id")?, Because::RuleChanged, now).await?;
    }
    tx.commit().await?;
    Ok(Looked { changed, more: rows.len() >= MOST_ALERTS })
}
