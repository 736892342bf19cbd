//! `opstream aggregator`: committed files to windows, as a process of its own, and the rebuild of all windows.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use opstream_aggregator::retention::preview;
use opstream_aggregator::{AggregatorConfig, AlertConfig, Compaction, KeepDays, LeaseStart};
use opstream_api::{BrokerAddress, RoleWatch};
use opstream_registry::Subjects;
use opstream_schemas::avro::{Record, WriterId};
use opstream_schemas::condition::Reporter;
use opstream_schemas::database::Database;
use tokio_util::sync::CancellationToken;

use crate::data_folder::Place;
use crate::health_port::{HealthArgs, run_with_health};
use crate::schema_registry::{Learning, RegistryArgs};
use crate::settings::{DatabaseArgs, KafkaArgs, LakeArgs, RetentionArgs, whole_number};
use crate::verify::{FileState, state_of_file};
use crate::webhook_args::WebhookArgs;

/// Adds every committed file to the windows, once, and publishes what changed.
///
/// One aggregator is active; more of them stand by and take over when its lease expires.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Args, Clone)]
pub(crate) struct AggregatorArgs {
    /// Folder of `opstream up`, with its database, lake and broker; wins over --database-url and --lake
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    lake: LakeArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    /// Pause between two looks for new files, in milliseconds, 10 to 60000
    #[arg(long, value_name = "MS", env = "OPSTREAM_TICK_MS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    tick_ms: u64,
    #[command(flatten)]
    compaction: CompactionArgs,
    /// Build all windows again from the live files, beside the current ones, take over when both hold the same files, and end
    #[arg(long)]
    rebuild: bool,
    /// Call off the rebuild that is under way, and end; the current windows stay
    #[arg(long, conflicts_with = "rebuild")]
    abandon_rebuild: bool,
    /// Stop waiting for this file of operations, which is lost for good, and end; `opstream verify` will name it, and docs/verify.md
    /// says how to take that back
    #[arg(
        long,
        value_name = "NUMBER",
        value_parser = whole_number::<i64>(1..=i64::MAX),
        allow_negative_numbers = true,
        conflicts_with_all = ["rebuild", "abandon_rebuild"],
    )]
    give_up_file: Option<i64>,
    /// Give the file up although it is on disk, can be read and adds up
    #[arg(long, requires = "give_up_file")]
    yes: bool,
    #[command(flatten)]
    retention: RetentionArgs,
    /// Say what --keep-days would drop now, and end; nothing is dropped
    #[arg(long, requires = "keep_days", conflicts_with_all = ["rebuild", "abandon_rebuild", "give_up_file"])]
    preview_retention: bool,
    #[command(flatten)]
    webhooks: WebhookArgs,
    #[command(flatten)]
    health: HealthArgs,
}

/// Whether small files are merged: of `opstream aggregator` and `opstream up`.
#[derive(Args, Clone)]
pub(crate) struct CompactionArgs {
    /// Leave the small Parquet files of single batches as they are, instead of merging them into files of an hour or a day
    #[arg(long, env = "OPSTREAM_NO_COMPACTION", value_parser = clap::builder::BoolishValueParser::new())]
    no_compaction: bool,
}

impl CompactionArgs {
    /// What the aggregator is told.
    pub(crate) const fn compaction(&self) -> Compaction {
        if self.no_compaction { Compaction::Off } else { Compaction::On }
    }
}

/// Runs the aggregator until `shutdown` is cancelled, or does once what was asked for.
///
/// # Errors
/// When the configuration is wrong, the database cannot be opened, the Kafka client refuses a setting, or what was asked for cannot
/// be done.
pub(crate) async fn run(args: AggregatorArgs, shutdown: CancellationToken) -> anyhow::Result<()> {
    let place = args.place()?;
    if args.abandon_rebuild || args.preview_retention || args.give_up_file.is_some() {
        return run_once(&args, &place).await;
    }
    let broker = BrokerAddress {
        bootstrap: args.kafka.bootstrap_beside(place.folder.as_deref()).addresses,
        ..args.kafka.address()?
    };
    let webhooks = args.webhooks.webhooks()?;
    let subjects = args.registry.subjects(&broker.topics)?;
    let health = args.health.bind().await?;
    let mut learning = Learning::default();
    let asked = shutdown.run_until_cancelled(schema_ids(&mut learning, subjects.as_ref())).await;
    let Some(ids) = asked else { return Ok(()) };
    let [window_schema_id, alert_schema_id] = ids?;
    let database = place.open().await?;
    let reporter = Reporter::default();
    let role = RoleWatch { name: "aggregator", condition: reporter.watch() };
    let config = AggregatorConfig {
        database: database.clone(),
        lake: place.lake(&args.lake),
        bootstrap: broker.bootstrap.clone(),
        topics: broker.topics.clone(),
        properties: broker.properties.clone(),
        window_schema_id,
        alerts: AlertConfig { schema_id: alert_schema_id, webhooks },
        tick: Duration::from_millis(args.tick_ms),
        lease_start: LeaseStart::AfterExpiry,
        compaction: args.compaction.compaction(),
        keep_days: args.retention.keep_days(),
        reporter,
    };
    let running = Box::pin(async {
        if args.rebuild { rebuild(config, shutdown).await } else { opstream_aggregator::run(config, shutdown).await }
    });
    let outcome = learning.beside(run_with_health(health, (database.clone(), broker, role), running)).await;
    database.close().await;
    outcome
}

/// Ids of windows and of alerts.
///
/// # Errors
/// When the registry answers and has none.
pub(crate) async fn schema_ids(learning: &mut Learning, subjects: Option<&Subjects>) -> anyhow::Result<[WriterId; 2]> {
    let window = learning.begin(subjects, Record::Window).await?;
    Ok([window, learning.begin(subjects, Record::Alert).await?])
}

/// What is done at once and needs no broker. It makes no database: there is nothing to do in a new one.
async fn run_once(args: &AggregatorArgs, place: &Place) -> anyhow::Result<()> {
    place.require_file()?;
    let database = place.open().await?;
    let outcome = match (args.give_up_file, args.retention.keep_days().filter(|_| args.preview_retention)) {
        (Some(number), _) => give_up(&database, number, (!args.yes).then(|| place.lake(&args.lake))).await,
        (None, Some(keep_days)) => preview_retention(&database, keep_days).await,
        (None, None) => abandon_rebuild(&database).await,
    };
    database.close().await;
    outcome
}

impl AggregatorArgs {
    /// Where the database is. Unlike the commands that only look, a role takes no folder that nobody named.
    fn place(&self) -> anyhow::Result<Place> {
        match &self.data {
            Some(data) => Place::of(Some(data), data, &self.database),
            None => Place::named(&self.database),
        }
    }
}

#[expect(clippy::print_stdout, reason = "what was rebuilt is what the command answers")]
async fn rebuild(config: AggregatorConfig, shutdown: CancellationToken) -> anyhow::Result<()> {
    let report = opstream_aggregator::rebuild(config, shutdown).await?;
    println!("rebuilt {} windows from {} files as generation {}", report.windows, report.files, report.generation);
    Ok(())
}

/// Gives up a file; one that is whole in this lake is refused.
///
/// # Errors
/// When the file is whole, is no live file of operations, or the database fails.
#[expect(clippy::print_stdout, reason = "what was given up is what the command answers")]
pub(crate) async fn give_up(database: &Database, number: i64, lake: Option<PathBuf>) -> anyhow::Result<()> {
    if let Some(lake) = lake {
        require_broken(database, &lake, number).await?;
    }
    let given_up = opstream_aggregator::give_up_file(database, number).await?;
    println!("gave up file {number} with {} operations", given_up.operations);
    if given_up.is_in_windows {
        println!("the windows hold some or all of them; `opstream aggregator --rebuild` makes windows without them");
    }
    Ok(())
}

async fn require_broken(database: &Database, lake: &Path, number: i64) -> anyhow::Result<()> {
    // In a wrong folder every file would seem to be lost.
    anyhow::ensure!(
        lake.is_dir(),
        "there is no lake {}, in which to look whether file {number} is lost; name its folder with --data or --lake, or add --yes",
        lake.display()
    );
    let state = state_of_file(database, lake, number).await.context("cannot look at the file")?;
    let FileState::Whole { path, operations, first, last } = state else { return Ok(()) };
    anyhow::bail!(
        "file {number} ({path}) is not lost: it is on disk, can be read and adds up; giving it up would take its {operations} operations, \
         from {first} to {last}, and their contents out of queries and exports, and out of the windows with the next --rebuild; add --yes \
         to do so all the same"
    )
}

#[expect(clippy::print_stdout, reason = "what would be dropped is what the command answers")]
async fn preview_retention(database: &Database, keep_days: KeepDays) -> anyhow::Result<()> {
    let seen = preview(database, keep_days).await.context("cannot look at what would be dropped")?;
    println!("kept are the operations from {} on", seen.floor);
    if let Some(oldest) = seen.oldest {
        println!("the oldest is of {oldest}");
    }
    let Some(next_floor) = seen.next_floor else {
        println!("no operation is in windows yet, so nothing would be dropped");
        return Ok(());
    };
    println!("with --keep-days {} they would be kept from {next_floor} on", keep_days.days());
    println!("{} operations would be dropped, and {} files of {} bytes", seen.operations, seen.files, seen.bytes);
    if seen.straddling_files > 0 {
        println!(
            "{} more files reach on both sides of that moment: they stay until it has passed them, without their rows before it",
            seen.straddling_files
        );
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what was called off is what the command answers")]
async fn abandon_rebuild(database: &Database) -> anyhow::Result<()> {
    match opstream_aggregator::abandon_rebuild(database).await.context("cannot call the rebuild off")? {
        Some(generation) => println!("called off the rebuild as generation {generation}"),
        None => println!("no rebuild is under way"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        args: AggregatorArgs,
    }

    #[test]
    fn files_are_merged_unless_that_is_turned_off() {
        let compaction = |arguments: &[&str]| {
            let line = CommandLine::try_parse_from([&["aggregator"], arguments].concat()).unwrap();
            line.args.compaction.compaction()
        };
        assert_eq!(compaction(&[]), Compaction::On);
        assert_eq!(compaction(&["--no-compaction"]), Compaction::Off);
    }
}
