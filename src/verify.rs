//! `opstream verify`: proves that nothing was lost or doubled, from one snapshot and by reading everything.
//!
//! In: a database and the lake that it lists, while the pipeline runs or stands still. Out: a table of checks on
//! standard output, or JSON, and the exit code. The checks run in the order in which causes come before their
//! consequences: `files`, `contents`, `rows_and_files`, `costs`, `repricings`, `applied_ranges`, `source_offsets`, `windows`,
//! `totals`, `bookkeeping`, `producer_numbers`; docs/verify.md describes them. Memory does not grow with the number of operations, except for one bit each.
//!
//! It repairs nothing and writes nothing. It decodes and adds up by itself instead of calling the ingestor or the
//! aggregator, so that it cannot share their mistakes.

mod bookkeeping;
mod costs;
mod facts;
mod files;
mod given_up;
mod lake_file;
mod number_set;
mod offset_set;
mod producers;
mod progress;
mod ranges;
mod render;
mod report;
mod repricings;
mod rows;
mod slice;
mod snapshot;
mod sums;
mod totals;
mod whole_file;
mod windows;

#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, DatabaseUrl};
use tokio_util::sync::CancellationToken;

use self::progress::Progress;
use self::report::Report;
use self::snapshot::{Snapshot, VerifyError};
pub(crate) use self::whole_file::{FileState, state_of_file};
use self::windows::WindowsCheck;
pub(crate) use crate::data_folder::DEFAULT_DATA;
use crate::data_folder::Place;
use crate::failure::{self, NOT_RUN};
use crate::settings::{DatabaseArgs, LakeArgs};

/// Exit code when something is not as promised.
const FOUND: u8 = 1;

/// Prove from one snapshot that no operation was lost or doubled, by reading every row, file and window.
///
/// Exit code 0: everything is as promised. 1: something is not, and the report names it. 2: the verification could not run.
#[derive(clap::Args)]
pub(crate) struct VerifyArgs {
    /// Folder of `opstream up`, with its database and lake; wins over --database-url [default: ./opstream-data]
    #[arg(long, value_name = "DIR", env = "OPSTREAM_DATA")]
    data: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    lake: LakeArgs,
    /// Print the report as one JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Verifies and prints the report to standard output, or to standard error why there is none. `shutdown` gives up.
pub(crate) async fn run(args: VerifyArgs, shutdown: CancellationToken) -> ExitCode {
    let outcome = tokio::select! {
        outcome = verify_and_print(&args) => outcome,
        () = shutdown.cancelled() => Err(anyhow::anyhow!("interrupted")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FOUND),
        Err(error) => {
            failure::say("opstream verify could not run", &error);
            ExitCode::from(NOT_RUN)
        }
    }
}

/// Returns whether the report is clean.
async fn verify_and_print(args: &VerifyArgs) -> anyhow::Result<bool> {
    let (place, lake) = place_beside(args, Path::new(DEFAULT_DATA))?;
    // An empty database would be clean.
    place.require_file()?;
    let url = place.url;
    let database = Database::connect_to_read(&url).await?;
    let report = verify_where_files_are(&database, &lake).await;
    database.close().await;
    let report = report?.at(url.to_string(), lake.display().to_string());
    let mut stdout = std::io::stdout().lock();
    let written = if args.json { render::json(&report, &mut stdout) } else { render::table(&report, &mut stdout) };
    failure::unless_reader_left(written.and_then(|()| stdout.flush())).context("cannot write the report")?;
    Ok(report.clean)
}

/// A lake that is not there at all is more likely a wrong folder than the loss of every file. A pipeline that has written
/// no file yet may have none.
async fn verify_where_files_are(database: &Database, lake: &Path) -> anyhow::Result<Report> {
    if !lake.is_dir() {
        let sql = "select 1 as found from lake_files where removed_at_ms is null limit 1";
        let listed = database.fetch_optional(sql, &[]).await.context("the database has no tables of opstream")?;
        let place = lake.display();
        anyhow::ensure!(listed.is_none(), "there is no lake {place}; name its folder with --data or --lake");
    }
    Ok(verify(database, lake, UtcMillis::now()).await?)
}

/// Where the tables and the files are, with this default folder.
fn place_beside(args: &VerifyArgs, default: &Path) -> anyhow::Result<(Place, PathBuf)> {
    let place = Place::of(args.data.as_deref(), default, &args.database)?;
    let lake = place.lake(&args.lake);
    Ok((place, lake))
}

/// Database and lake of the folder, or of the flags where no folder is named.
pub(crate) fn place_of(
    data: Option<&Path>,
    default: &Path,
    (database, lake): (&DatabaseArgs, &LakeArgs),
) -> anyhow::Result<(DatabaseUrl, PathBuf)> {
    let place = Place::of(data, default, database)?;
    let lake = place.lake(lake);
    Ok((place.url, lake))
}

/// Runs every check on one snapshot that is taken now.
///
/// # Errors
/// When the database fails or has no tables of opstream, or a file changes while it is being read.
async fn verify(database: &Database, lake: &Path, now: UtcMillis) -> Result<Report, VerifyError> {
    verify_snapshot(Snapshot::begin(database.clone(), lake).await?, now).await
}

async fn verify_snapshot(mut snapshot: Snapshot, now: UtcMillis) -> Result<Report, VerifyError> {
    let progress = Progress::start();
    let outcome = check_all(&mut snapshot, &progress).await;
    progress.finish();
    let checks = outcome?;
    snapshot.end().await?;
    Ok(Report::new(now, checks))
}

async fn check_all(snapshot: &mut Snapshot, progress: &Progress) -> Result<Vec<report::Check>, VerifyError> {
    let rows = snapshot.listed_rows().await?;
    progress.expect("reading files", rows);
    let files = files::check_files(snapshot, progress).await?;
    progress.expect("comparing rows", rows);
    let windows = WindowsCheck::begin(snapshot, &files.unreadable_spans).await?;
    let rows = rows::check_rows(snapshot, windows, &files.unreadable, progress).await?;
    progress.expect("walking ranges", 0);
    let ranges = ranges::check_ranges(snapshot, rows.offsets).await?;
    let bookkeeping = bookkeeping::check_bookkeeping(snapshot).await?;
    Ok(vec![
        files.files,
        files.contents,
        rows.check,
        rows.costs,
        rows.repricings,
        ranges.applied_ranges,
        ranges.source_offsets,
        rows.windows,
        rows.totals,
        bookkeeping,
        rows.producers,
    ])
}
