//! How many alerts a rule raises within an hour: one that is wrong fills neither the table nor a chat.

use opstream_schemas::UtcMillis;
use opstream_schemas::alerts::store::StoredRule;
use opstream_schemas::database::Database;

use super::judge::Verdict;

/// Alerts that a rule raises within an hour: far more than anybody reads, and every combination of a budget with five thresholds.
pub(super) const MOST_AN_HOUR: usize = 5000;
const HOUR_MS: i64 = 3_600_000;

/// Leaves out of a verdict what would be more than `most` alerts within an hour: it is raised later, if its limit is still reached then.
/// Returns what to say of that.
///
/// # Errors
/// What the database answers.
pub(super) async fn hold_back(
    database: &Database,
    (rule, most): (&StoredRule, usize),
    verdict: &mut Verdict,
    now: UtcMillis,
) -> Result<Option<String>, sqlx::Error> {
    if verdict.raised.is_empty() {
        return Ok(None);
    }
    let sql = "select count(*) as alerts from alerts where raised_at_ms > $1 and rule_id = $2";
    let row = database.fetch_optional(sql, &[now.plus_millis(-HOUR_MS).into(), rule.rule_id.into()]).await?;
    let raised = row.map_or(Ok(0), |row| row.int("alerts"))?;
    let room = most.saturating_sub(usize::try_from(raised).unwrap_or(usize::MAX));
    if verdict.raised.len() <= room {
        return Ok(None);
    }
    verdict.raised.truncate(room);
    Ok(Some(format!(
        "has raised {most} alerts within an hour, as many as a rule may; what else reaches its limit waits"
    )))
}
