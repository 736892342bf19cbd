//! `opstream dead-letters`: lists the records that could not become operations, shows one of them, and sends them to the topic
//! again, as they were or repaired.
//!
//! In: the table `dead_letters`, and for repaired ones a file of JSON lines. Out: tables or JSON lines on standard output, and
//! records on the operations topic. It writes no row but the mark of what the broker has acknowledged: whatever is sent again
//! takes the usual way through the topic. Record bytes may be prompts: lists never hold any, and `show` withholds content
//! until it is asked for. docs/dead-letters.md describes all of it.

mod filter;
mod list;
mod reasons;
mod redrive;
mod show;
mod summary;
#[cfg(test)]
mod test_letters;

use std::process::ExitCode;

use anyhow::Context as _;
use opstream_schemas::database::Database;
use tokio_util::sync::CancellationToken;

use crate::data_folder::{Place, PlaceArgs};
use crate::foreign_tables::refuse_foreign;

/// Look at records that could not become operations, and bring them in after all.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  the newest:
    opstream dead-letters list
  how many for which reason:
    opstream dead-letters list --summary
  everything about one, prompts withheld:
    opstream dead-letters show 1/0/4711
  send them again after the ingestors were updated:
    opstream dead-letters redrive --reason newer_schema
  repair one: edit `operation` in the file between the two
    opstream dead-letters show --json 1/0/4711 > letters.jsonl
    opstream dead-letters redrive --from letters.jsonl

A letter is named by its place: STREAM/PARTITION/OFFSET, as `list` shows it.

Exit code 0: done. 1: `redrive` left letters out, and its report names them.
2: the command could not run, or not to its end.")]
pub(crate) struct DeadLettersArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Redrive(Box<redrive::RedriveArgs>),
}

/// Where the letters are.
#[derive(clap::Args, Clone)]
struct WhereArgs {
    #[command(flatten)]
    place: PlaceArgs,
}

/// Does what was asked for; the exit code is a failure when some letters could not be sent.
///
/// # Errors
/// When the database or the broker does not answer, a letter is not there, or an argument is not usable.
pub(crate) async fn run(args: DeadLettersArgs, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    let work = async {
        match args.action {
            Action::List(args) => list::run(&args).await.map(|()| ExitCode::SUCCESS),
            Action::Show(args) => show::run(&args).await.map(|()| ExitCode::SUCCESS),
            Action::Redrive(args) => redrive::run(&args).await,
        }
    };
    let interrupted =
        "interrupted; what the broker had acknowledged is sent already, and a second run goes on from there";
    shutdown.run_until_cancelled(Box::pin(work)).await.context(interrupted)?
}

impl WhereArgs {
    fn place(&self) -> anyhow::Result<Place> {
        self.place.place()
    }

    /// Opens the database, which must be there and have this version's tables: looking at letters creates and changes none.
    async fn open(&self) -> anyhow::Result<Database> {
        let place = self.place()?;
        place.require_file()?;
        let url = place.url;
        if place.is_shared {
            Box::pin(refuse_foreign(&url)).await?;
        }
        let database = Box::pin(Database::connect(&url)).await?;
        let looked = database.fetch_optional("select redriven_at_ms from dead_letters limit 1", &[]).await;
        looked.with_context(|| {
            format!("{url} has no dead letters of this version of opstream; start its roles with this version once")
        })?;
        Ok(database)
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        args: DeadLettersArgs,
    }

    /// Columns of a terminal on which clap wraps nothing of an example.
    const NARROW: usize = 80;

    #[test]
    fn an_example_can_be_copied_from_a_narrow_terminal() {
        let command = CommandLine::command();
        let helps = command.get_subcommands().chain([&command]).filter_map(clap::Command::get_after_long_help);
        let texts: Vec<String> = helps.map(ToString::to_string).collect();
        assert_eq!(texts.len(), 2);
        for line in texts.iter().flat_map(|text| text.lines()) {
            assert!(line.chars().count() <= NARROW, "{line}");
        }
    }
}
