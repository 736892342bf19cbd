//! `opstream alerts`: the rules of budgets and alerts, and what they see.
//!
//! In: the table of rules, and a TOML file of them. Out: changed rules, or what stands in the tables. It raises nothing: that is the
//! aggregator's. docs/alerts.md describes rules and alerts.

mod apply;
mod list;
mod show;
mod test_rule;

use std::process::ExitCode;

use anyhow::Context as _;
use opstream_schemas::alerts::store::{StoredRule, delete_rule, load_rule};
use opstream_schemas::database::Database;
use tokio_util::sync::CancellationToken;

use crate::data_folder::PlaceArgs;

/// Rules of budgets and alerts: list, change and try them.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  what would change, and then change it:
    opstream alerts apply --dry-run alerts.toml
    opstream alerts apply alerts.toml
  which alerts are open:
    opstream alerts list
  what a rule sees now:
    opstream alerts test search-month

A file has one [[rule]] after the other; a rule is known by its name, and
applying the same file again changes nothing. docs/alerts.md has the fields.

Exit code 0: done. 1: `test` sees a limit that is reached. 2: the command
could not run; standard error says why.")]
pub(crate) struct AlertsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Apply(apply::ApplyArgs),
    Delete(DeleteArgs),
    Test(test_rule::TestArgs),
}

/// Delete a rule. Its alerts stay in the table; those that are open are over as soon as the aggregator sees it.
#[derive(clap::Args)]
struct DeleteArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Name of the rule
    name: String,
}

/// Does what was asked for.
///
/// # Errors
/// When the database does not answer, a rule is not there, or a file is not usable.
pub(crate) async fn run(args: AlertsArgs, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    let work = async {
        match args.action {
            Action::List(args) => list::run(&args).await.map(|()| ExitCode::SUCCESS),
            Action::Show(args) => show::run(&args).await.map(|()| ExitCode::SUCCESS),
            Action::Apply(args) => apply::run(&args).await.map(|()| ExitCode::SUCCESS),
            Action::Delete(args) => delete(&args).await.map(|()| ExitCode::SUCCESS),
            Action::Test(args) => test_rule::run(&args).await,
        }
    };
    shutdown.run_until_cancelled(Box::pin(work)).await.context("interrupted; nothing is half changed")?
}

#[expect(clippy::print_stdout, reason = "what was deleted is what the command answers")]
async fn delete(args: &DeleteArgs) -> anyhow::Result<()> {
    let database = args.place.open().await?;
    let mut tx = database.begin().await?;
    let is_deleted = delete_rule(&mut tx, &args.name).await?;
    tx.commit().await?;
    database.close().await;
    anyhow::ensure!(is_deleted, "there is no alert rule {:?}; `opstream alerts list` lists them", args.name);
    println!("deleted {}", args.name);
    Ok(())
}

/// The rule of this name.
///
/// # Errors
/// When there is none.
async fn rule_named(database: &Database, name: &str) -> anyhow::Result<StoredRule> {
    let found = load_rule(database, name).await.context("cannot read the alert rules")?;
    found.with_context(|| format!("there is no alert rule {name:?}; `opstream alerts list` lists them"))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        args: AlertsArgs,
    }

    /// Columns of a terminal on which clap wraps nothing of an example.
    const NARROW: usize = 80;

    #[test]
    fn an_example_can_be_copied_from_a_narrow_terminal() {
        let help = CommandLine::command().get_after_long_help().unwrap().to_string();
        for line in help.lines() {
            assert!(line.chars().count() <= NARROW, "{line}");
        }
    }
}
