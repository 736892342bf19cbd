//! `make torture`: hundreds of faults in running pipelines, each run judged by an oracle, as a table.
//!
//! Every class of faults gets a pipeline of its own on each combination of backends. What is done at which moment follows from
//! the seed; how the machine interleaves it does not. Runs are on the build of `make up`, which has failpoints.

#[path = "../harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the stories need more of it, and its own tests run with them")]
mod harness;
#[path = "../../benches/machine.rs"]
mod machine;
mod report;
#[path = "mod.rs"]
#[expect(dead_code, unused_imports, reason = "a story takes the sample, and the tests of it run with the stories")]
mod torture;

use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use futures_util::FutureExt as _;
use opstream_schemas::UtcMicros;

use self::harness::backends::{Backends, Combination};
use self::harness::private_server::Kind;
use self::harness::servers;
use self::machine::Machine;
use self::report::{Line, Report};
use self::torture::faults::{Class, Disturbance, Outage};
use self::torture::load::Extent;
use self::torture::run::{Outcome, run};
use self::torture::stage::Stage;

/// Enough to keep every stage busy.
const MOST_BEHIND: u64 = 150_000;

/// Disturbs running pipelines and judges what became of the acknowledged operations.
#[derive(Parser)]
#[command(name = "make torture ARGS=", max_term_width = 110)]
struct Arguments {
    /// Faults of each class on each combination, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// Faults of each class that kills, 1 to 1000; as many as of the others when it is not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    kills: Option<u16>,
    /// Most operations of a run, 1000 to 10000000
    #[arg(long, value_name = "N", default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1_000..=10_000_000))]
    operations: u64,
    /// From which steps, visits and moments follow
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Longest absence of broker, database, space or speed, in seconds, 1 to 600; the shortest is half of it
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=600))]
    longest_outage: u16,
    /// Only the classes whose name contains this, such as `kill` or `commit`
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Leave the combination of the embedded broker and SQLite out
    #[arg(long)]
    no_embedded: bool,
    /// Leave the combination of Kafka and Postgres out
    #[arg(long)]
    no_servers: bool,
    /// Put the table into this page, between the lines `<!-- torture -->` and `<!-- /torture -->`
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Given by `cargo bench`, and not by `cargo test`
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if !arguments.bench {
        say("nothing is tortured without --bench; use `make torture`");
        return Ok(ExitCode::SUCCESS);
    }
    let mut report = Report::new(Machine::here(UtcMicros::now()), arguments.seed, arguments.longest_outage);
    for combination in [Combination::EmbeddedSqlite, Combination::KafkaPostgres] {
        if !arguments.wants(combination) {
            report.not_run.push(format!("{combination}, which was not asked for"));
            continue;
        }
        if combination == Combination::KafkaPostgres && servers::find().await.is_none() {
            report.not_run.push(format!("{combination}: no servers"));
            continue;
        }
        for class in Class::all(combination) {
            if arguments.only.as_ref().is_none_or(|text| class.to_string().contains(text.as_str())) {
                Box::pin(torment(&arguments, class, combination, &mut report)).await;
            }
        }
    }
    write!(std::io::stdout(), "\n{}", report.markdown()).context("cannot print the table")?;
    if let Some(page) = &arguments.markdown {
        harness::page::put_between(page, report::MARKERS, &report.markdown())?;
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Arguments {
    fn rounds(&self, class: &Class) -> usize {
        usize::from(self.kills.filter(|_| class.kills()).unwrap_or(self.rounds))
    }

    const fn wants(&self, combination: Combination) -> bool {
        match combination {
            Combination::EmbeddedSqlite => !self.no_embedded,
            Combination::KafkaPostgres => !self.no_servers,
        }
    }
}

/// One run of a class; its traces are kept if anything was found.
async fn torment(arguments: &Arguments, class: Class, combination: Combination, report: &mut Report) {
    let rounds = arguments.rounds(&class);
    say(&format!("{combination}: {rounds} × {class}"));
    let disturbances = class.rounds(rounds, arguments.seed, Duration::from_secs(arguments.longest_outage.into()));
    let backends = match own_server(class, combination) {
        Some(kind) => Backends::with_own(kind).await,
        None => Backends::create(combination).await,
    };
    let Some(mut backends) = backends else {
        report.not_run.push(format!("{class} on {combination}: no server of its own"));
        return;
    };
    let extent = Extent { operations: arguments.operations, behind: MOST_BEHIND };
    let outcome = match Box::pin(try_run(&backends, &disturbances, extent)).await {
        Ok(Some(outcome)) => Ok(outcome),
        Ok(None) => {
            report.not_run.push(format!("{class} on {combination}: this machine does not allow it"));
            return;
        }
        Err(reason) => Err(reason),
    };
    let is_clean = outcome.as_ref().is_ok_and(|outcome| outcome.verdict.is_clean());
    match &outcome {
        Ok(outcome) => say(&format!("  {outcome}")),
        Err(reason) => say(&format!("  failed: {reason}")),
    }
    if is_clean {
        backends.remove().await;
    } else {
        backends.keep();
    }
    report.lines.push(Line { class, combination, outcome });
}

/// The server that a class crashes, where others need the shared one.
const fn own_server(class: Class, combination: Combination) -> Option<Kind> {
    match (class, combination) {
        (Class::Outage(Outage::Broker), Combination::KafkaPostgres) => Some(Kind::Kafka),
        (Class::Outage(Outage::Database), Combination::KafkaPostgres) => Some(Kind::Postgres),
        _ => None,
    }
}

/// As [`run`], and what it panicked with. `None` where a stage cannot be had.
async fn try_run(backends: &Backends, disturbances: &[Disturbance], extent: Extent) -> Result<Option<Outcome>, String> {
    let staged = async {
        let stage = Stage::set(backends, disturbances).await?;
        Some(Box::pin(run(stage, disturbances, extent)).await)
    };
    let outcome = AssertUnwindSafe(staged).catch_unwind().await;
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
        text.unwrap_or("it panicked without a text").to_owned()
    })
}

/// Says on standard error what is going on; the table belongs to standard output.
fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").expect("standard error is open");
}
