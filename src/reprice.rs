//! `opstream reprice`: what operations of a span of time cost by other prices: asked for, watched, shown and undone.
//!
//! In: a span, price files, the database, and for a dry run the lake. Out: a row of `repricings`, which the active aggregator works on,
//! and a report on standard output. It changes no cost itself; docs/repricing.md describes all of it.

mod report;
mod watch;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use opstream_aggregator::repricing::{self, PreviewPrices, RepricingRequest};
use opstream_schemas::database::Database;
use opstream_schemas::prices::{Catalogue, CostPolicy};
use opstream_schemas::{UtcMicros, UtcMillis};
use tokio_util::sync::CancellationToken;

use self::report::Report;
use crate::cost_policy::CostPolicyChoice;
use crate::data_folder::PlaceArgs;
use crate::price::parse_moment;
use crate::price_files::{PriceArgs, PriceFiles};
use crate::settings::LakeArgs;
use crate::text_table::{print, print_text};

/// Compute the costs of stored operations again, with other prices, in rows, files and windows at once.
///
/// The active aggregator does it, file by file; this command asks, shows how far it is and reports what changed. What each operation
/// cost at first stays beside it, and `undo` puts everything back.
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_long_help = "Examples:
  what new prices would change since the first of November; nothing is changed:
    opstream reprice --from 2026-11-01 --prices prices/ --dry-run
  change it:
    opstream reprice --from 2026-11-01 --prices prices/
  put it back:
    opstream reprice undo 3
  what October's traffic would have cost with another model:
    opstream reprice --from 2026-10-01 --to 2026-11-01 \\
      --as-model openai/gpt-4o-mini

Exit code 0: done. 1: it failed, and the report says why. 2: the command could
not run. An interrupted command leaves the re-pricing under way: `show` says how
far it is."
)]
pub(crate) struct RepriceArgs {
    #[command(subcommand)]
    action: Option<Action>,
    /// Operations from this time on: RFC 3339, or a day, which begins at midnight UTC
    #[arg(long, value_name = "TIME", value_parser = parse_moment, required = true)]
    from: Option<UtcMicros>,
    /// Operations before this time [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    to: Option<UtcMicros>,
    #[command(flatten)]
    prices: PriceArgs,
    /// Whose cost counts where one was reported too: as the ingestors of this pipeline have it
    #[arg(long, env = "OPSTREAM_COST_POLICY", value_enum, default_value_t = CostPolicyChoice::Catalogue)]
    cost_policy: CostPolicyChoice,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Say what the operations would have cost with this provider's model, by the catalogue, and change nothing
    #[arg(long, value_name = "PROVIDER/MODEL", value_parser = provider_and_model)]
    as_model: Option<(String, String)>,
    /// Ask, and do not wait for the end
    #[arg(long, conflicts_with_all = ["dry_run", "as_model"])]
    no_wait: bool,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    lake: LakeArgs,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Put back what the operations cost before a re-pricing
    Undo {
        /// Its number, as `list` shows it
        #[arg(value_name = "NUMBER")]
        number: i64,
        /// Ask, and do not wait for the end
        #[arg(long)]
        no_wait: bool,
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// List all re-pricings, the newest first
    List {
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Show how far a re-pricing is and what it changed, per model and in total
    Show {
        /// Its number, as `list` shows it
        #[arg(value_name = "NUMBER")]
        number: i64,
        #[command(flatten)]
        output: OutputArgs,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

/// How the report is written.
#[derive(clap::Args, Clone, Copy, Debug)]
struct OutputArgs {
    /// JSON, one object per line, instead of text
    #[arg(long)]
    json: bool,
}

impl OutputArgs {
    fn write(self, report: &Report) -> anyhow::Result<()> {
        let written = if self.json { print(&report.as_json()) } else { print_text(&report.as_text()) };
        written.context("cannot write the report")
    }
}

/// Does what was asked for.
///
/// # Errors
/// When price files, the database or the lake cannot be read, or what was asked for cannot be done now.
pub(crate) async fn run(args: RepriceArgs, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    match &args.action {
        None => Box::pin(reprice(&args, shutdown)).await,
        Some(Action::Undo { number, no_wait, output, place }) => {
            let database = place.open().await?;
            repricing::ask_undo(&database, *number).await?;
            Box::pin(watch::until_done(&database, (*number, *no_wait), *output, shutdown)).await
        }
        Some(Action::List { output, place }) => {
            let database = place.open().await?;
            let all = repricing::list(&database).await.context("cannot read the re-pricings")?;
            output.write(&Report::List(all))?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Action::Show { number, output, place }) => {
            let database = place.open().await?;
            let found = repricing::show(&database, *number).await.context("cannot read the re-pricing")?;
            let missing =
                || format!("there is no re-pricing {number}; `opstream reprice list` shows those that there are");
            output.write(&Report::One(found.with_context(missing)?))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn reprice(args: &RepriceArgs, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    let (from, to) = args.span()?;
    let files = PriceFiles::read(&args.prices.paths).context("--prices (OPSTREAM_PRICES)")?;
    let catalogue = files.lay_over(Catalogue::embedded()).context("--prices (OPSTREAM_PRICES)")?.into_owned();
    let cost_policy = args.cost_policy.policy();
    let database = args.place.open().await?;
    if args.as_model.is_none() && args.prices.paths.is_empty() {
        note_other_prices(&database, (from, to), catalogue.version()).await?;
    }
    if args.dry_run || args.as_model.is_some() {
        let cost_policy = if args.as_model.is_some() { CostPolicy::Catalogue } else { cost_policy };
        let prices = PreviewPrices { catalogue: Arc::new(catalogue), cost_policy, as_model: args.as_model.clone() };
        return Box::pin(preview(args, &database, (from, to), prices, shutdown)).await;
    }
    let price_version = catalogue.version().to_owned();
    let request = RepricingRequest { from, to, price_version, price_files: files.texts(), cost_policy };
    let number = repricing::ask(&database, &request).await?;
    Box::pin(watch::until_done(&database, (number, args.no_wait), args.output, shutdown)).await
}

/// Says so where operations were not priced with the prices that opstream brings along: price files may have been forgotten.
async fn note_other_prices(database: &Database, span: (UtcMillis, UtcMillis), builtin: &str) -> anyhow::Result<()> {
    let newest = repricing::newest_price_version(database, span).await.context("cannot read the operations")?;
    if let Some(version) = newest.filter(|version| version != builtin) {
        let note = format!(
            "note: the newest of these operations was priced with {version}, and these are the prices that opstream brings along, {builtin}. \
             If price files of your own were among the others, name them with --prices, or they no longer count"
        );
        drop(writeln!(std::io::stderr(), "{note}"));
    }
    Ok(())
}

async fn preview(
    args: &RepriceArgs,
    database: &Database,
    span: (UtcMillis, UtcMillis),
    prices: PreviewPrices,
    shutdown: CancellationToken,
) -> anyhow::Result<ExitCode> {
    if let Some((provider, model)) = &prices.as_model {
        anyhow::ensure!(
            prices.catalogue.find(provider, model).is_some(),
            "--as-model {provider}/{model}: the catalogue has no such model; `opstream price list --provider {provider}` shows those \
             that it has"
        );
    }
    let lake = args.place.place()?.lake(&args.lake);
    anyhow::ensure!(
        lake.is_dir(),
        "there is no lake in {}; name its folder with --lake (OPSTREAM_LAKE), or that of `opstream up` with --data",
        lake.display()
    );
    let progress = watch::Progress::start();
    let previewing = repricing::preview(database, &lake, span, &prices, |done, of| progress.tell(done, of));
    let seen = shutdown.run_until_cancelled(Box::pin(previewing)).await.context("interrupted; nothing was changed")?;
    progress.finish();
    let as_model = prices.as_model.map(|(provider, model)| format!("{provider}/{model}"));
    let version = prices.catalogue.version().to_owned();
    let policy = prices.cost_policy.name();
    args.output.write(&Report::Preview { span, version, policy, as_model, seen: seen? })?;
    Ok(ExitCode::SUCCESS)
}

impl RepriceArgs {
    /// From when to when.
    fn span(&self) -> anyhow::Result<(UtcMillis, UtcMillis)> {
        let now = UtcMillis::now();
        let from = self.from.context("--from is missing")?.to_millis();
        let to = self.to.map_or(now, UtcMicros::to_millis);
        anyhow::ensure!(
            from < to,
            "--from {from} is not before {}",
            if self.to.is_some() { format!("--to {to}") } else { "now".to_owned() }
        );
        anyhow::ensure!(to <= now, "--to {to} is still to come; leave it out for all operations until now");
        Ok((from, to))
    }
}

/// `PROVIDER/MODEL`, as `opstream price list` names them.
fn provider_and_model(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((provider, model)) if !provider.is_empty() && !model.is_empty() => {
            Ok((provider.to_owned(), model.to_owned()))
        }
        _ => Err("expected a provider and a model, such as openai/gpt-4o-mini".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        args: RepriceArgs,
    }

    fn parse(arguments: &[&str]) -> Result<RepriceArgs, String> {
        let line = CommandLine::try_parse_from([&["reprice"], arguments].concat());
        line.map(|line| line.args).map_err(|error| error.to_string())
    }

    #[test]
    fn the_span_is_named_and_lies_in_the_past() {
        assert!(parse(&[]).err().unwrap().contains("--from <TIME>"));
        let span = |arguments: &[&str]| parse(arguments).unwrap().span().map_err(|error| error.to_string());
        let (from, to) = span(&["--from", "2026-11-01", "--to", "2026-11-02T00:00:00+01:00"]).unwrap();
        assert_eq!(
            (from.to_string(), to.to_string()),
            ("2026-11-01T00:00:00.000Z".to_owned(), "2026-11-01T23:00:00.000Z".to_owned())
        );
        assert!(span(&["--from", "2026-11-02", "--to", "2026-11-01"]).unwrap_err().contains("is not before --to"));
        assert!(span(&["--from", "2026-11-02", "--to", "2999-01-01"]).unwrap_err().contains("still to come"));
    }

    #[test]
    fn a_model_is_named_with_its_provider() {
        assert!(parse(&["--from", "2026-11-01", "--as-model", "gpt-4o"]).err().unwrap().contains("openai/gpt-4o-mini"));
        let named = parse(&["--from", "2026-11-01", "--as-model", "openrouter/meta/llama"]).unwrap().as_model;
        assert_eq!(named, Some(("openrouter".to_owned(), "meta/llama".to_owned())));
    }

    #[test]
    fn an_example_can_be_copied_from_a_narrow_terminal() {
        let help = CommandLine::command().get_after_long_help().unwrap().to_string();
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
    }

    #[test]
    fn others_of_its_commands_need_no_span() {
        assert!(matches!(parse(&["undo", "3"]).unwrap().action, Some(Action::Undo { number: 3, no_wait: false, .. })));
        assert!(parse(&["list", "--from", "2026-11-01"]).is_err());
    }
}
