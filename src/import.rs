//! `opstream import`: brings operations that were recorded elsewhere into the pipeline, through the front door.
//!
//! In: `AiCore`'s records, a CSV file or JSON lines. Out: the same operations, committed and counted in windows by the
//! time the command returns. An id follows from its record alone, so a second run finds every operation in place and
//! adds nothing. The command speaks HTTP to one address and nothing else: it opens no broker and no database of the
//! pipeline.

mod aicore;
mod csv_file;
mod delivery;
mod display;
mod door;
mod feed;
mod identity;
mod json_lines;
pub(crate) mod lines;
mod summary;
#[cfg(test)]
mod test_door;
#[cfg(test)]
mod test_input;
#[cfg(test)]
mod tests;
mod windowed;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use opstream_schemas::UtcMillis;
use opstream_schemas::validate::{AcceptedTimes, DEFAULT_RETENTION_FLOOR};
use tokio_util::sync::CancellationToken;

use self::delivery::{Delivered, Delivery};
use self::display::Display;
use self::door::Door;
use self::feed::{Feed, Input};

/// Arguments of `opstream import`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code 0: everything is in. 1: some records are not, and the report names them. 2: it could not run to its end."
)]
pub(crate) struct ImportArgs {
    /// Address of a running opstream
    #[arg(
        long,
        value_name = "URL",
        env = "OPSTREAM_URL",
        default_value = "http://127.0.0.1:8080",
        global = true,
        display_order = 800
    )]
    url: String,
    /// File whose first line is the access token, where the address asks for one
    #[arg(long, value_name = "FILE", env = "OPSTREAM_TOKEN_FILE", global = true, display_order = 801)]
    token_file: Option<PathBuf>,
    #[command(subcommand)]
    source: Source,
}

/// What to import.
#[derive(Debug, clap::Subcommand)]
enum Source {
    #[command(about = "AiCore's records: the folder of its JSON files or its SQLite database")]
    Aicore(aicore::AicoreArgs),
    /// A CSV file with a header line
    Csv(csv_file::CsvArgs),
    /// Operations as the front door takes them, one JSON object per line
    Jsonl(json_lines::JsonLinesArgs),
}

/// Imports everything that the source holds and prints what came of it.
///
/// The exit code is a failure when a record was refused or did not become a row; the others are imported all the same.
///
/// # Errors
/// When the source cannot be read, the address does not answer, or the pipeline does not take the operations in. What
/// was sent until then stays sent, and a second run continues.
pub(crate) async fn run(args: ImportArgs, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    let mut stdout = std::io::stdout();
    let input = match args.source {
        Source::Aicore(source) => aicore::open(source).await?,
        Source::Csv(source) if source.dry_run => {
            // Only a server knows how far retention has moved its own floor.
            let accepted = AcceptedTimes::at(UtcMillis::now(), DEFAULT_RETENTION_FLOOR);
            let n_refused = csv_file::preview(&source, accepted, &mut stdout)?;
            return Ok(if n_refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Source::Csv(source) => csv_file::open(&source)?,
        Source::Jsonl(source) => json_lines::open(source)?,
    };
    let display = Display::start(&input.name, input.extent);
    let name = input.name.clone();
    let outcome = match Door::open(&args.url, args.token_file.as_deref(), display.clone(), shutdown) {
        Ok(door) => transfer(input, &door, &display).await,
        Err(error) => Err(error.into()),
    };
    display.finish();
    let (delivered, remarks) = outcome?;
    let summary = summary::Summary { source: &name, delivered: &delivered, remarks: &remarks };
    summary.write_to(&mut stdout).and_then(|()| stdout.flush()).context("cannot write the summary")?;
    let is_complete = delivered.n_refused == 0 && delivered.not_stored.is_empty();
    Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads the input on a thread of its own, delivers what it yields, and waits until that is in windows.
async fn transfer(input: Input, door: &Door, display: &Display) -> anyhow::Result<(Delivered, Vec<String>)> {
    door.greet().await?;
    let (feed, mut yields) = Feed::new();
    let (report, reported) = tokio::sync::oneshot::channel();
    // A plain thread, because one that waits for standard input must not hold up the end of the process.
    std::thread::Builder::new()
        .name("import-reader".to_owned())
        .spawn(move || {
            // Nobody listens any more when the delivery has failed; its error is the one that is shown.
            drop(report.send((input.read)(&feed)));
        })
        .context("cannot start the reader")?;

    let mut delivery = Delivery::new(door.clone(), display.clone());
    while let Some(record) = door.unless_interrupted(yields.recv()).await? {
        delivery.take(record).await?;
    }
    let remarks = reported.await.context("the reader stopped without a result")??;
    let mut delivered = delivery.finish().await?;
    delivered.not_stored = windowed::wait(door, &delivered, display).await?;
    Ok((delivered, remarks))
}
