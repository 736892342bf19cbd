//! `make bench`: measures throughput, latency, memory and size on this machine, each figure beside its budget.
//!
//! One measurement per file, in the order of an operation's way: [`recording`], [`pricing`], [`preparing`], [`storing`] with
//! [`windowing`], [`repricing`], [`verifying`] and [`scaling`], then the [`whole_pipeline`] with [`freshness`], its [`front_door`], [`panels`], what reads files ([`asking`]),
//! and other tools ([`peers`]). [`summing`] proves instead of measuring. Those with processes run the real `opstream` on the backends of the tests' harness, on the
//! laptop's and, where servers are named or Docker can start them, on Kafka and Postgres. docs/benchmarks.md explains the figures.

mod asking;
mod budgets;
mod client;
mod figures;
mod fleet;
mod freshness;
mod front_door;
#[path = "../tests/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the stories need more of it, and its own tests run with them")]
mod harness;
mod latencies;
mod machine;
mod panels;
mod peers;
mod preparing;
mod pricing;
mod processes;
mod producing;
mod recording;
mod report;
mod repricing;
mod roles;
mod scaling;
mod storing;
mod summing;
#[path = "../tests/sums/mod.rs"]
mod sums;
mod verifying;
mod waiting;
mod whole_pipeline;
mod windowing;

use std::cell::RefCell;
use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use futures_util::FutureExt as _;
use opstream_schemas::UtcMicros;

use self::figures::Figure;
use self::harness::backends::{Backends, Combination, each_combination};
use self::machine::Machine;
use self::panels::Extent;
use self::report::Report;

/// Operations per measurement, and in a quick run.
const OPERATIONS: (u64, u64) = (1_000_000, 100_000);

/// Measures throughput, latency, memory and size of opstream on this machine.
#[derive(Parser)]
#[command(name = "make bench ARGS=", max_term_width = 110)]
struct Arguments {
    /// Operations per measurement, 40000 to 100000000 [default: 1000000, with --quick 100000]
    #[arg(long, value_name = "N", env = "OPSTREAM_BENCH_OPERATIONS", value_parser = clap::value_parser!(u64).range(40_000..=100_000_000))]
    operations: Option<u64>,
    /// Take small samples: a first impression in about two minutes, without other tools
    #[arg(long)]
    quick: bool,
    /// Measure only these parts
    #[arg(long, value_name = "PARTS", value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Measure on these backends only
    #[arg(long, value_name = "BACKENDS", value_enum)]
    on: Option<On>,
    /// Leave AiCore and Phoenix out, which are installed from `PyPI` into the user's cache
    #[arg(long)]
    no_peers: bool,
    /// Write everything to this file as JSON too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Put the table into this page, between the lines `<!-- figures -->` and `<!-- /figures -->`
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Given by `cargo bench`, and not by `cargo test`
    #[arg(long, hide = true)]
    bench: bool,
}

/// What a part with processes is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum On {
    /// The embedded broker and SQLite.
    Embedded,
    /// Kafka and Postgres.
    Servers,
}

/// What can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// `record()` in the application.
    Recording,
    /// The price of an operation.
    Pricing,
    /// The ingestor's computation on one core.
    Preparing,
    /// Topic to SQL and Parquet, files to windows, and costs computed again.
    Storing,
    /// One ingestor and two.
    Scaling,
    /// Everything at once, and freshness.
    Pipeline,
    /// OTLP and JSON, accepted and queried.
    FrontDoor,
    /// Questions of the page.
    Panels,
    /// Lists, and questions that read files.
    Asking,
    /// Other tools.
    Peers,
    /// No measurement but a proof: random operations in two orders come to the same sums everywhere; only when it is named.
    Sums,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if !arguments.bench {
        say("nothing is measured without --bench; use `make bench`");
        return Ok(ExitCode::SUCCESS);
    }
    let operations = arguments.operations.unwrap_or(if arguments.quick { OPERATIONS.1 } else { OPERATIONS.0 });
    let mut report = Report::new(Machine::here(UtcMicros::now()), operations);
    if cfg!(debug_assertions) {
        report.not_run.push("an optimised build: debug assertions are on, so no figure is what users get".to_owned());
    }
    if let Some(on) = arguments.on {
        report.not_run.push(format!("anything on other backends than {}", on.combination()));
    }
    for part in Part::value_variants() {
        if arguments.wants(*part) {
            say(&format!("measuring: {}", part.name()));
            Box::pin(measure(*part, &arguments, &mut report)).await;
        } else {
            report.not_run.push(format!("{}, which was not asked for", part.name()));
        }
    }
    write!(std::io::stdout(), "\n{}", report.text()).context("cannot print the table")?;
    if let Some(file) = &arguments.json {
        let text = format!("{:#}\n", report.json());
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(page) = &arguments.markdown {
        report.write_into_page(page)?;
    }
    Ok(if report.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Arguments {
    fn wants(&self, part: Part) -> bool {
        let chosen = self.only.contains(&part);
        match part {
            Part::Sums => chosen,
            Part::Peers => chosen || (self.only.is_empty() && !self.quick && !self.no_peers),
            _ => chosen || self.only.is_empty(),
        }
    }
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Recording => "record() in the application",
            Self::Pricing => "the price of an operation",
            Self::Preparing => "the ingestor's computation",
            Self::Storing => "topic to SQL, Parquet and windows, and re-pricing",
            Self::Scaling => "one ingestor and two",
            Self::Pipeline => "the whole pipeline",
            Self::FrontDoor => "the front door",
            Self::Panels => "panels",
            Self::Asking => "lists and questions that read files",
            Self::Peers => "AiCore and Phoenix",
            Self::Sums => "the sums of random operations",
        }
    }
}

/// A part that panics has failed, and the others are measured all the same.
async fn measure(part: Part, arguments: &Arguments, report: &mut Report) {
    let operations = report.operations;
    let extent = if arguments.quick { Extent::Quick } else { Extent::Full };
    let on = arguments.on;
    let outcome = match part {
        Part::Recording => alone(async || recording::measure(operations).await).await,
        Part::Pricing => alone(async || pricing::measure(operations)).await,
        Part::Preparing => alone(async || preparing::measure(operations)).await,
        Part::Storing => on_each(on, async |backends| storing::measure(backends, operations).await).await,
        Part::Scaling => on_each(on, async |backends| scaling::measure(backends, operations).await).await,
        Part::Pipeline => on_each(on, async |backends| whole_pipeline::measure(backends, operations).await).await,
        Part::FrontDoor => on_each(on, async |backends| front_door::measure(backends, operations).await).await,
        Part::Panels => on_each(on, async |backends| Box::pin(panels::measure(backends, extent)).await).await,
        Part::Asking => on_each(on, async |backends| Box::pin(asking::measure(backends, operations)).await).await,
        Part::Peers => return peers::measure(report, arguments.quick).await,
        Part::Sums => on_each(on, async |backends| Box::pin(summing::measure(backends, operations)).await).await,
    };
    report.figures.extend(outcome.figures);
    if outcome.has_failed {
        report.failed.push(format!("{}; the reason is above", part.name()));
    } else if outcome.lacks_servers && on != Some(On::Embedded) {
        report.not_run.push(format!("{} on {}: no servers", part.name(), Combination::KafkaPostgres));
    }
}

impl On {
    const fn combination(self) -> Combination {
        match self {
            Self::Embedded => Combination::EmbeddedSqlite,
            Self::Servers => Combination::KafkaPostgres,
        }
    }
}

/// What became of a part.
struct Outcome {
    figures: Vec<Figure>,
    has_failed: bool,
    lacks_servers: bool,
}

async fn alone(measure: impl AsyncFn() -> Vec<Figure>) -> Outcome {
    let measured = AssertUnwindSafe(measure()).catch_unwind().await;
    Outcome { has_failed: measured.is_err(), figures: measured.unwrap_or_default(), lacks_servers: false }
}

async fn on_each(on: Option<On>, measure: impl AsyncFn(&Backends) -> Vec<Figure>) -> Outcome {
    let figures = RefCell::new(Vec::new());
    let seen = RefCell::new(Vec::new());
    let story = async |backends: &Backends| {
        if on.is_some_and(|on| on.combination() != backends.combination) {
            return;
        }
        say(&format!("  on {}", backends.combination));
        seen.borrow_mut().push(backends.combination);
        let measured = measure(backends).await;
        figures.borrow_mut().extend(measured.into_iter().map(|figure| figure.on(backends.combination)));
    };
    let has_failed = AssertUnwindSafe(each_combination(story)).catch_unwind().await.is_err();
    let lacks_servers = !seen.borrow().contains(&Combination::KafkaPostgres);
    Outcome { figures: figures.into_inner(), has_failed, lacks_servers }
}

/// Says on standard error what is going on; the table belongs to standard output.
fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").expect("standard error is open");
}
