//! `opstream dead-letters redrive`: sends letters to the operations topic again, as they were or repaired.
//!
//! Everything is sent page by page; a page is marked when the broker has acknowledged it. A crash in between sends a page again,
//! which adds nothing: operations keep their ids, and those of repaired records without one follow from the letter's place. A
//! record that fails again becomes a letter of its own, whose headers name the places where it failed before.

mod account;
mod repair;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use opstream_api::dead_letters::redrive::{
    Candidate, Meant, Outlet, OutletAddress, Rules, Settled, StoredLetters, send_page,
};
use opstream_api::dead_letters::{Conditions, Place, Writers};
use opstream_ingestor::store::retention_floor;
use opstream_schemas::UtcMillis;
use opstream_schemas::avro::{OPERATION_V1_ID, Record, SchemaId};
use opstream_schemas::database::Database;
use opstream_schemas::validate::AcceptedTimes;

use self::account::Account;
use self::repair::RepairFile;
use super::WhereArgs;
use super::filter::FilterArgs;
use super::reasons::require_known;
use crate::failure::unless_reader_left;
use crate::schema_registry::RegistryArgs;
use crate::settings::{Bootstrap, KafkaArgs};

/// Letters above which `--yes` is asked for.
const MANY: i64 = 100;

/// Send dead letters to the operations topic again, as they were, or repaired from a file.
///
/// Letters that were redriven before are passed over, and so are those that the same checks would refuse again. Sending twice
/// counts nothing twice. They go to the cluster that they came from: without --bootstrap to the broker of the `opstream up` that runs on
/// the folder. Exit code 0: all letters are redriven. 1: some are not, and the report names them.
/// 2: it could not run, or not to its end.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  opstream dead-letters redrive 1/0/4711 1/2/903
  opstream dead-letters redrive --reason newer_schema --dry-run
  opstream dead-letters redrive --all --yes
  opstream dead-letters show --json 1/0/4711 |
    jq -c '.operation.input_tokens = 812' |
    opstream dead-letters redrive --from -

A line of the file is {\"place\": \"1/0/4711\", \"operation\": {…}}, the operation
as POST /v1/operations takes it. One without an operation_id keeps the id of its
record; if there is none, or it is what is wrong, the id follows from the place,
the workspace and started_at, and is the same in every run.")]
pub(super) struct RedriveArgs {
    #[command(flatten)]
    place: WhereArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    /// The letters, as `list` names them: STREAM/PARTITION/OFFSET
    #[arg(value_name = "PLACE", conflicts_with = "from")]
    places: Vec<Place>,
    #[command(flatten)]
    filter: FilterArgs,
    /// All letters
    #[arg(long, conflicts_with_all = ["places", "from"])]
    all: bool,
    /// Repaired letters: JSON lines as `show --json` writes them, with a corrected `operation`; - is standard input
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Send letters that were redriven before, too
    #[arg(long)]
    again: bool,
    /// Send letters as they are even if the checks of this version would refuse them again; such a record comes back as a new letter
    #[arg(long, conflicts_with = "from")]
    unchecked: bool,
    /// Send letters to a cluster that they did not come from, because the pipeline moved there
    #[arg(long)]
    other_cluster: bool,
    /// Say what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for this flag when more than 100 letters are meant
    #[arg(long)]
    yes: bool,
}

/// A running redrive.
struct Redrive {
    database: Database,
    /// None for a dry run.
    outlet: Option<Outlet>,
    account: Account,
    bar: ProgressBar,
}

/// Sends what was asked for and prints what became of it.
///
/// # Errors
/// When the database or the broker fails, or a place is not a letter's. What was acknowledged until then is marked.
pub(super) async fn run(args: &RedriveArgs) -> anyhow::Result<ExitCode> {
    args.check()?;
    let topic = args.kafka.topics()?.operations();
    let schema_id = args.schema_id().await?;
    let database = args.place.open().await?;
    require_known(&args.filter.reason, &database).await?;
    let outlet = if args.dry_run { None } else { Some(args.outlet().await?) };
    let floor = retention_floor(&database).await.context("cannot read the retention floor")?;
    let accepted = AcceptedTimes::at(UtcMillis::now(), floor);
    let rules = Rules { accepted, again: args.again, unchecked: args.unchecked, schema_id };
    let mut redrive = Redrive { database, outlet, account: Account::default(), bar: progress() };
    let outcome = Box::pin(redrive.send_all(args, rules)).await;
    redrive.bar.finish_and_clear();
    redrive.database.close().await;
    let mut out = std::io::stdout().lock();
    let written = redrive.account.write(&topic, args.dry_run, &mut out).and_then(|()| out.flush());
    unless_reader_left(written).context("cannot write the report")?;
    outcome?;
    Ok(if redrive.account.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl RedriveArgs {
    async fn outlet(&self) -> anyhow::Result<Outlet> {
        let folder = self.place.place()?.folder;
        let Bootstrap { addresses, named_by } = self.kafka.bootstrap_beside(folder.as_deref());
        let address = OutletAddress {
            bootstrap: addresses,
            named_by,
            properties: self.kafka.properties()?,
            topic: self.kafka.topics()?.operations(),
        };
        Outlet::open(address, self.other_cluster).await
    }

    /// The id of our schema; in the registry, if there is one, and only asked for when something is written.
    async fn schema_id(&self) -> anyhow::Result<SchemaId> {
        match self.registry.subjects(&self.kafka.topics()?)? {
            Some(subjects) if self.from.is_some() => Ok(subjects.look_up(Record::Operation).await?.id),
            _ => Ok(OPERATION_V1_ID),
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        let has_filter = !self.filter.is_empty();
        anyhow::ensure!(
            self.all || has_filter || self.from.is_some() || !self.places.is_empty(),
            "nothing says which letters are meant; name places, a filter such as --reason, --from FILE, or --all"
        );
        anyhow::ensure!(
            !has_filter || (self.places.is_empty() && self.from.is_none()),
            "a filter chooses from all letters; leave it out beside places or --from"
        );
        Ok(())
    }

    /// The letters that are meant, redriven ones included.
    fn conditions(&self) -> Conditions {
        if self.places.is_empty() { self.filter.conditions() } else { Conditions::of_places(&self.places) }
    }
}

impl Redrive {
    async fn send_all(&mut self, args: &RedriveArgs, rules: Rules) -> anyhow::Result<()> {
        if let Some(file) = &args.from {
            let mut file = RepairFile::open(file, Writers::of(args.registry.registry()?))?;
            loop {
                let page = file.page(&self.database, rules).await?;
                if page.is_empty() {
                    return Ok(());
                }
                self.send(page).await?;
            }
        }
        let meant = Meant { conditions: args.conditions(), places: &args.places };
        let writers = Writers::of(args.registry.registry()?);
        let mut letters = StoredLetters::choose(&self.database, meant, rules, writers).await?;
        self.account.already = letters.redriven_before;
        let count = letters.count;
        let is_allowed = count <= MANY || args.yes || args.dry_run;
        anyhow::ensure!(is_allowed, "{count} letters would be sent; look with --dry-run, then add --yes");
        self.bar.set_length(u64::try_from(count).unwrap_or(0));
        loop {
            let page = letters.page(&self.database).await?;
            if page.is_empty() {
                return Ok(());
            }
            self.send(page).await?;
        }
    }

    /// Sends a page and counts what became of it.
    async fn send(&mut self, page: Vec<Candidate>) -> anyhow::Result<()> {
        self.bar.inc(u64::try_from(page.len()).unwrap_or(0));
        let sent = send_page(&self.database, self.outlet.as_ref(), page).await?;
        for (name, settled) in sent.settled {
            match settled {
                Settled::Sent => self.account.sent += 1,
                Settled::AlreadyRedriven => self.account.already += 1,
                Settled::Refused { code, reason } => self.account.refuse(&name, code, &reason),
            }
        }
        sent.failure.map_or(Ok(()), Err)
    }
}

/// A bar on a terminal, nothing elsewhere.
fn progress() -> ProgressBar {
    let bar = ProgressBar::no_length();
    let style = ProgressStyle::with_template("{spinner} {wide_bar} {human_pos}/{human_len} letters");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

#[cfg(test)]
mod tests;
