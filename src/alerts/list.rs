//! `opstream alerts list`: the rules with how many of their alerts are open, and the open alerts.

use std::collections::HashMap;
use std::io::Write as _;

use anyhow::Context as _;
use opstream_schemas::alerts::Alert;
use opstream_schemas::alerts::store::load_rules;

use crate::data_folder::PlaceArgs;
use crate::escaped::escaped;
use crate::failure::unless_reader_left;

/// Open alerts that are listed.
const MOST_ALERTS: usize = 100;

/// List the rules, what is wrong with them, and the newest 100 alerts that are open. The api has all of them.
#[derive(clap::Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// One JSON object per line instead: the rules, then the open alerts
    #[arg(long)]
    json: bool,
}

/// Prints the list.
///
/// # Errors
/// When the database or standard output fails.
pub(super) async fn run(args: &ListArgs) -> anyhow::Result<()> {
    let database = args.place.open().await?;
    let rules = load_rules(&database).await.context("cannot read the alert rules")?;
    let counted = "select rule_id, count(*) as alerts from alerts where resolved_at_ms is null group by rule_id";
    let rows = database.fetch_all(counted, &[]).await.context("cannot read the alerts")?;
    let open = rows.iter().map(|row| Ok((row.int("rule_id")?, row.int("alerts")?)));
    let open: HashMap<i64, i64> = open.collect::<Result<_, sqlx::Error>>()?;
    let sql = "select * from alerts where resolved_at_ms is null order by raised_at_ms desc, alert_id desc limit 100";
    let rows = database.fetch_all(sql, &[]).await.context("cannot read the alerts")?;
    let alerts: Vec<Alert> = rows.iter().map(Alert::from_row).collect::<Result<_, _>>()?;
    database.close().await;
    let mut lines = Vec::new();
    if args.json {
        for rule in &rules {
            lines.push(super::show::json_of(rule)?);
        }
        for alert in &alerts {
            lines.push(serde_json::to_string(&alert.to_json())?);
        }
    } else {
        for rule in &rules {
            let is_off = if rule.rule.is_enabled { "" } else { ", off" };
            let open = open.get(&rule.rule_id).copied().unwrap_or(0);
            lines.push(format!("{} ({}{is_off}): {open} open", rule.rule.name, rule.rule.condition.kind()));
            if let Some(problem) = &rule.problem {
                lines.push(format!("  {}", escaped(problem)));
            }
        }
        if rules.is_empty() {
            lines.push("there are no alert rules; `opstream alerts apply FILE` makes some".to_owned());
        }
        for alert in &alerts {
            lines.push(format!("{}  {}", alert.raised_at, escaped(&alert.message())));
        }
        if alerts.len() == MOST_ALERTS {
            lines.push("there are older ones: GET /v1/alerts?state=open".to_owned());
        }
    }
    let text: String = lines.into_iter().map(|line| line + "\n").collect();
    Ok(unless_reader_left(std::io::stdout().write_all(text.as_bytes()))?)
}
