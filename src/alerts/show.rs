//! `opstream alerts show`: a rule in its usual form, as a file would have it.

use anyhow::Context as _;
use opstream_schemas::alerts::RuleText;
use opstream_schemas::alerts::store::StoredRule;
use serde::Serialize;

use super::rule_named;
use crate::data_folder::PlaceArgs;

/// Show a rule as TOML, in a form that `apply` takes.
#[derive(clap::Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// As JSON, with its version
    #[arg(long)]
    json: bool,
    /// Name of the rule
    name: String,
}

#[derive(Serialize)]
struct File {
    rule: [RuleText; 1],
}

/// Prints the rule.
///
/// # Errors
/// When there is none of this name, or the database fails.
#[expect(clippy::print_stdout, reason = "the rule is what the command answers")]
pub(super) async fn run(args: &ShowArgs) -> anyhow::Result<()> {
    let database = args.place.open().await?;
    let rule = rule_named(&database, &args.name).await?;
    database.close().await;
    if args.json {
        println!("{}", json_of(&rule)?);
    } else {
        print!("{}", toml::to_string(&File { rule: [RuleText::from(&rule.rule)] }).context("cannot write the rule")?);
    }
    Ok(())
}

/// The rule as the api tells it.
pub(super) fn json_of(stored: &StoredRule) -> anyhow::Result<String> {
    let mut json = serde_json::to_value(RuleText::from(&stored.rule))?;
    json["version"] = stored.version.into();
    json["problem"] = stored.problem.clone().into();
    json["created_at"] = stored.created_at.to_string().into();
    json["updated_at"] = stored.updated_at.to_string().into();
    Ok(json.to_string())
}
