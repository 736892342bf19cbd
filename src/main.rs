//! The `opstream` command: parses, sets up logs and signals, and dispatches to one file per subcommand.

mod aggregator_command;
mod alerts;
mod api_command;
mod broker_command;
mod command_line;
mod cost_policy;
mod data_folder;
mod dead_letters;
mod demo;
mod disk_watch;
mod embedded_broker;
mod env_file;
mod escaped;
mod failure;
mod foreign_tables;
mod health_port;
mod import;
mod ingestor_command;
mod listen;
mod otlp_listen;
mod price;
mod price_files;
mod price_watch;
mod rate_args;
mod reprice;
mod restore_files;
mod roles;
mod scan_args;
mod schema_registry;
mod schemas_command;
mod settings;
mod signals;
mod telemetry;
mod text_table;
mod topics_command;
mod up;
mod verify;
mod webhook_args;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use self::failure::answered;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How long blocking work that nobody waits for any more may hold up the end of the process.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// Event-streaming pipeline for LLM observability: every operation stored once, priced exactly, countable at once.
///
/// Settings come from flags, the environment and the file `.env` in this folder, in this order. `opstream up` is all that a
/// laptop needs.
#[derive(Parser)]
#[command(version, propagate_version = true, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    logs: telemetry::LogArgs,
    /// Faults that this process has on purpose; see docs/reliability.md
    #[cfg(debug_assertions)]
    #[arg(long, global = true, hide = true, env = "OPSTREAM_FAILPOINTS")]
    failpoints: Option<opstream_schemas::failpoint::FaultPlan>,
}

#[derive(Subcommand)]
enum Command {
    Up(up::UpArgs),
    Broker(broker_command::BrokerCommandArgs),
    Topics(topics_command::TopicsArgs),
    Schemas(schemas_command::SchemasArgs),
    Ingestor(ingestor_command::IngestorArgs),
    Aggregator(aggregator_command::AggregatorArgs),
    Api(api_command::ApiArgs),
    /// Brings in operations that were recorded elsewhere: AiCore, CSV or JSON lines
    Import(import::ImportArgs),
    Demo(demo::DemoArgs),
    Alerts(alerts::AlertsArgs),
    DeadLetters(dead_letters::DeadLettersArgs),
    Price(price::PriceCommandArgs),
    Reprice(reprice::RepriceArgs),
    Verify(verify::VerifyArgs),
    RestoreFiles(restore_files::RestoreFilesArgs),
}

fn main() -> ExitCode {
    start().unwrap_or_else(|error| {
        failure::say("error", &error);
        ExitCode::FAILURE
    })
}

/// The word after the program's name by which the api starts a process that reads the lake's files. It is no command for people:
/// it knows neither settings nor logs.
const SCAN: &str = "scan";

fn start() -> anyhow::Result<ExitCode> {
    if std::env::args_os().skip(1).eq([SCAN]) {
        return opstream_api::serve_scan().map(|()| ExitCode::SUCCESS);
    }
    let file = env_file::EnvFile::read(Path::new(".env"))?;
    let words: Vec<OsString> = std::env::args_os().collect();
    let parsed = command_line::parse(Cli::command(), &words, &file).and_then(|found| Cli::from_arg_matches(&found));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            failure::unless_reader_left(error.print())?;
            return Ok(ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1)));
        }
    };
    telemetry::start_logging(&cli.logs);
    file.warn_of_odd_lines();
    #[cfg(debug_assertions)]
    if let Some(plan) = cli.failpoints {
        opstream_schemas::failpoint::arm(plan);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(run(cli.command));
    runtime.shutdown_timeout(LAST_PATIENCE);
    outcome
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let (shutdown, _listener) = signals::shutdown_on_signal()?;
    let done = |()| ExitCode::SUCCESS;
    match command {
        Command::Up(args) => Box::pin(up::run(args, shutdown)).await.map(done),
        Command::Broker(args) => broker_command::run(args, shutdown).await.map(done),
        Command::Topics(args) => Box::pin(topics_command::run(args, shutdown)).await.map(done),
        Command::Schemas(args) => Ok(answered(Box::pin(schemas_command::run(args, shutdown)).await)),
        Command::Ingestor(args) => Box::pin(ingestor_command::run(args, shutdown)).await.map(done),
        Command::Aggregator(args) => Box::pin(aggregator_command::run(args, shutdown)).await.map(done),
        Command::Api(args) => Box::pin(api_command::run(args, shutdown)).await.map(done),
        Command::Import(args) => Ok(answered(Box::pin(import::run(args, shutdown)).await)),
        Command::Demo(args) => Box::pin(demo::run_command(args, shutdown)).await.map(done),
        Command::Alerts(args) => Ok(answered(Box::pin(alerts::run(args, shutdown)).await)),
        Command::DeadLetters(args) => Ok(answered(Box::pin(dead_letters::run(args, shutdown)).await)),
        Command::Price(args) => Ok(answered(Box::pin(price::run(args, shutdown)).await)),
        Command::Reprice(args) => Ok(answered(Box::pin(reprice::run(args, shutdown)).await)),
        Command::RestoreFiles(args) => Ok(answered(Box::pin(restore_files::run(args, shutdown)).await)),
        Command::Verify(args) => Ok(Box::pin(verify::run(args, shutdown)).await),
    }
}
