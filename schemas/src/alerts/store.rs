//! The table of rules: who writes it, the command or the api, writes it here.

use serde_json::Value as Json;

use super::{MAX_RULES, Rule, RuleText};
use crate::UtcMillis;
use crate::database::{Database, Engine, Row, Transaction};

/// A rule as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRule {
    /// Number; a rule that is deleted and made again has another.
    pub rule_id: i64,
    /// Counts changes of what it says, from 1.
    pub version: i64,
    /// What it says.
    pub rule: Rule,
    /// Why it is looked at only in part, or not at all.
    pub problem: Option<String>,
    /// When it was made.
    pub created_at: UtcMillis,
    /// When it was last changed: periods that had ended by then are not looked at.
    pub updated_at: UtcMillis,
}

/// What putting a rule did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// There was none of this name.
    Created,
    /// It says something else now.
    Changed,
    /// It said the same already.
    Unchanged,
}

/// A rule that was not put.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// Delete some first.
    #[error("there are {MAX_RULES} rules already, as many as there may be")]
    TooMany,
    /// Try again.
    #[error("the database did not answer about alert rules")]
    Database(#[from] sqlx::Error),
}

const COLUMNS: &str = "rule_id, name, definition, version, is_enabled, problem, created_at_ms, updated_at_ms";

/// All rules by name; those that this version cannot read are left out and said.
///
/// # Errors
/// What the database answers.
pub async fn load_rules(database: &Database) -> Result<Vec<StoredRule>, sqlx::Error> {
    let sql = format!("select {COLUMNS} from alert_rules order by name");
    let rows = database.fetch_all(sqlx::AssertSqlSafe(sql), &[]).await?;
    rows.iter().filter_map(|row| read_rule(row).transpose()).collect()
}

/// The rule of this name.
///
/// # Errors
/// What the database answers.
pub async fn load_rule(database: &Database, name: &str) -> Result<Option<StoredRule>, sqlx::Error> {
    let sql = format!("select {COLUMNS} from alert_rules where name = $1");
    let row = database.fetch_optional(sqlx::AssertSqlSafe(sql), &[name.into()]).await?;
    row.map_or(Ok(None), |row| read_rule(&row))
}

/// Stores a rule under its name, in the caller's transaction. What it says already is left as it is, whatever else was said
/// meanwhile: its alerts go on.
///
/// # Errors
/// When there are too many, or what the database answers.
pub async fn put_rule(tx: &mut Transaction, rule: &Rule, now: UtcMillis) -> Result<Put, PutError> {
    if tx.engine() == Engine::Postgres {
        // One after the other: of two that put the first rule of a name, the second changes it, and none is one too many.
        tx.execute("lock table alert_rules in share row exclusive mode", &[]).await?;
    }
    let text = definition(rule);
    let sql = "select rule_id, definition, is_enabled from alert_rules where name = $1";
    let name = rule.name.as_str();
    let Some(known) = tx.fetch_optional(sql, &[name.into()]).await? else {
        let counted = tx.fetch_optional("select count(*) as rules from alert_rules", &[]).await?;
        let rules = counted.map_or(Ok(0), |row| row.int("rules"))?;
        if usize::try_from(rules).is_ok_and(|rules| rules >= MAX_RULES) {
            return Err(PutError::TooMany);
        }
        let workspace = rule.workspace.clone();
        let values = [name.into(), workspace.into(), text.into(), rule.is_enabled.into(), now.into()];
        let insert = "insert into alert_rules (name, workspace, definition, version, is_enabled, created_at_ms, updated_at_ms) \
                      values ($1, $2, $3, 1, $4, $5, $5)";
        tx.execute(insert, &values).await?;
        return Ok(Put::Created);
    };
    if known.text("definition")? == text && known.bool("is_enabled")? == rule.is_enabled {
        return Ok(Put::Unchanged);
    }
    let values =
        [known.int("rule_id")?.into(), rule.workspace.clone().into(), text.into(), rule.is_enabled.into(), now.into()];
    let update = "update alert_rules set workspace = $2, definition = $3, version = version + 1, is_enabled = $4, problem = null, \
                  updated_at_ms = $5 where rule_id = $1";
    tx.execute(update, &values).await?;
    Ok(Put::Changed)
}

/// Deletes the rule of this name, in the caller's transaction; its alerts stay. Returns whether there was one.
///
/// # Errors
/// What the database answers.
pub async fn delete_rule(tx: &mut Transaction, name: &str) -> Result<bool, sqlx::Error> {
    Ok(tx.execute("delete from alert_rules where name = $1", &[name.into()]).await? > 0)
}

/// What the rule says, apart from its name and whether it is looked at.
fn definition(rule: &Rule) -> String {
    let text = RuleText { name: None, enabled: None, ..RuleText::from(rule) };
    serde_json::to_value(text).unwrap_or(Json::Null).to_string()
}

fn read_rule(row: &Row) -> Result<Option<StoredRule>, sqlx::Error> {
    let name = row.text("name")?;
    let text: Result<RuleText, _> = serde_json::from_str(&row.text("definition")?);
    let named = |text| RuleText { name: Some(name.clone()), ..text };
    let rule = text
        .map_err(|error| error.to_string())
        .and_then(|text| Rule::try_from(named(text)).map_err(|error| error.to_string()));
    let rule = match rule {
        Ok(rule) => Rule { is_enabled: row.bool("is_enabled")?, ..rule },
        Err(error) => {
            tracing::warn!(rule = name, error, "an alert rule cannot be read by this version and is not looked at");
            return Ok(None);
        }
    };
    Ok(Some(StoredRule {
        rule_id: row.int("rule_id")?,
        version: row.int("version")?,
        rule,
        problem: row.optional_text("problem")?,
        created_at: UtcMillis::from_millis(row.int("created_at_ms")?),
        updated_at: UtcMillis::from_millis(row.int("updated_at_ms")?),
    }))
}
