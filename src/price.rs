//! `opstream price`: what operations cost and why, and the catalogue that says so.
//!
//! In: the prices that are compiled in, price files laid over them, and for a stored operation its row. Out: tables or JSON
//! on standard output. It computes no price itself, changes no row and asks nobody for prices; docs/prices.md describes all
//! of it.

mod check;
mod diff;
mod explain;
mod import;
mod list;
mod moment;

use std::process::ExitCode;

use anyhow::Context as _;
use opstream_schemas::UtcMicros;
use opstream_schemas::prices::Catalogue;
use tokio_util::sync::CancellationToken;

use crate::price_files::{PriceArgs, PriceFiles};

/// See what operations cost and why, and which prices say so; check and import prices.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  why a stored operation costs what it costs:
    opstream price explain --operation-id 019a…
  what Gemini's models cost, and what changes their prices:
    opstream price list --provider gemini
  whether files may be laid over the built-in prices:
    opstream price check prices/
  what they would change:
    opstream price diff prices/
  prices of models that the catalogue does not have, from a public list:
    opstream price import --from litellm list.json --only-missing \\
      --provider groq > prices/groq.toml

Exit code 0: what was asked for. 1: the answer is no: `explain` found no cost,
`list` no model, `check` a fault, `diff` a difference, and `import` nothing to
carry over. 2: the command could not run; standard error says why.")]
pub(crate) struct PriceCommandArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    Explain(Box<explain::ExplainArgs>),
    List(list::ListArgs),
    Check(check::CheckArgs),
    Diff(diff::DiffArgs),
    Import(import::ImportArgs),
}

/// Answers what was asked for; the exit code is a failure when the answer is no.
///
/// # Errors
/// When price files or the database cannot be read, or an argument is not usable.
pub(crate) async fn run(args: PriceCommandArgs, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    shutdown.run_until_cancelled(Box::pin(answer(&args.action))).await.context("interrupted")?
}

async fn answer(action: &Action) -> anyhow::Result<ExitCode> {
    match action {
        Action::Explain(args) => explain::run(args).await,
        Action::List(args) => list::run(args),
        Action::Check(args) => check::run(args),
        Action::Diff(args) => diff::run(args),
        Action::Import(args) => import::run(args),
    }
}

impl PriceArgs {
    /// The built-in prices with these laid over them.
    fn catalogue(&self) -> anyhow::Result<Catalogue> {
        let files = PriceFiles::read(&self.paths).context("--prices (OPSTREAM_PRICES)")?;
        let catalogue = files.lay_over(Catalogue::embedded()).context("--prices (OPSTREAM_PRICES)")?;
        Ok(catalogue.into_owned())
    }
}

/// A moment, or a day, which begins at midnight UTC.
///
/// # Errors
/// Says what is expected.
pub(crate) fn parse_moment(text: &str) -> Result<UtcMicros, String> {
    let day = format!("{text}T00:00:00Z");
    let parsed = UtcMicros::parse_rfc3339(text).or_else(|error| UtcMicros::parse_rfc3339(&day).map_err(|_| error));
    parsed.map_err(|error| format!("{error}; or a day, such as 2026-11-23, which begins at midnight UTC"))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        args: PriceCommandArgs,
    }

    #[test]
    fn an_example_can_be_copied_from_a_narrow_terminal() {
        let command = CommandLine::command();
        let helps = command.get_subcommands().chain([&command]).filter_map(clap::Command::get_after_long_help);
        let texts: Vec<String> = helps.map(ToString::to_string).collect();
        assert!(!texts.is_empty());
        for line in texts.iter().flat_map(|text| text.lines()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
