//! `opstream demo`: a synthetic fleet that records operations through the producer library, so that there is something to
//! see without an application of one's own.
//!
//! In: a seed, a rate and a broker. Out: operations of several agents, providers and models on the topic, with sessions,
//! streams, failures, retries, embeddings and tool calls. Token counts are distributed as in a real trace; names, prompts
//! and answers are invented and say so. `opstream up --demo` runs the same.

mod call;
mod crowd;
mod fleet;
mod speech;
mod stage;
mod timetable;
mod tokens;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use opstream_producer::{Producer, ProducerConfig, Sink};
use opstream_schemas::UtcMicros;
use opstream_schemas::avro::{Record, WriterId};
use opstream_schemas::topics::Topics;
use tokio_util::sync::CancellationToken;

use self::stage::Stage;
use crate::settings::KafkaArgs;

/// Operations per second unless the command line says otherwise: a page that visibly moves, on any laptop.
const DEFAULT_RATE: f64 = 1.0;
/// Operations per past hour: as many as come from then on, so that no chart shows the moment at which the demo was started.
const BACKFILLED_PER_HOUR: f64 = 3_600.0;
/// Hours that `opstream up --demo` fills.
const LAPTOP_BACKFILL_HOURS: u32 = 24;
/// How long the end waits for the last acknowledgements.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);
/// Fastest rate; above it the generator and not the pipeline would be measured.
const HIGHEST_RATE: f64 = 50_000.0;

/// Records a synthetic fleet's operations: agents, sessions, several providers, streams, failures and retries.
///
/// The same seed and start give the same operations. Token counts follow a real production trace.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  opstream demo                                    five operations per second until interrupted
  opstream demo --backfill 24 --workspace acme     fills the past day first
  opstream demo --operations 100000 --rate 2000/s  so many, then ends

The same seed, started at the same moment, gives the same operations with the same ids. Without \
--operations, past hours depend on the seed alone: filling an hour again adds nothing to it.")]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    kafka: KafkaArgs,
    /// Operations per second, up to 50000
    #[arg(long, value_name = "N[/s]", default_value = "5", value_parser = parse_rate)]
    rate: f64,
    /// End after so many operations instead of running until interrupted
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    operations: Option<u64>,
    /// Fill so many past hours first, up to 720
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(1..=720))]
    backfill: Option<u32>,
    /// Chooses the operations
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Workspace in which the fleet works; repeatable
    #[arg(long, value_name = "NAME", default_values_t = default_workspaces())]
    workspace: Vec<String>,
}

/// What the demo plays, and where to.
pub(crate) struct DemoConfig {
    /// Kafka brokers, `host:port` separated by commas.
    pub(crate) bootstrap: String,
    /// Names of the topics.
    pub(crate) topics: Topics,
    /// Further settings of librdkafka.
    pub(crate) properties: BTreeMap<String, String>,
    /// Id in the frame of each operation.
    pub(crate) schema_id: WriterId,
    /// Operations per second, above 0.
    pub(crate) rate: f64,
    /// Ends after so many; none runs until it is stopped.
    pub(crate) operations: Option<u64>,
    /// Past hours that are filled first.
    pub(crate) backfill_hours: Option<u32>,
    /// Chooses the operations.
    pub(crate) seed: u64,
    /// Workspaces in which the fleet works; at least one.
    pub(crate) workspaces: Vec<String>,
}

impl DemoConfig {
    /// The demo of `opstream up --demo`: a filled day, then a steady trickle.
    pub(crate) fn for_laptop(bootstrap: &str, topics: &Topics, schema_id: &WriterId) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
            topics: topics.clone(),
            properties: BTreeMap::new(),
            schema_id: schema_id.clone(),
            rate: DEFAULT_RATE,
            operations: None,
            backfill_hours: Some(LAPTOP_BACKFILL_HOURS),
            seed: 1,
            workspaces: default_workspaces(),
        }
    }
}

impl DemoArgs {
    /// The demo that these arguments describe.
    ///
    /// # Errors
    /// When the topic prefix or a Kafka setting is not usable.
    fn config(self) -> anyhow::Result<DemoConfig> {
        Ok(DemoConfig {
            topics: self.kafka.topics()?,
            properties: self.kafka.properties()?,
            schema_id: WriterId::builtin(Record::Operation),
            bootstrap: self.kafka.bootstrap().to_owned(),
            rate: self.rate,
            operations: self.operations,
            backfill_hours: self.backfill,
            seed: self.seed,
            workspaces: self.workspace,
        })
    }
}

/// Runs `opstream demo`.
///
/// # Errors
/// Those of [`run`], and when the arguments are not usable.
pub(crate) async fn run_command(args: DemoArgs, shutdown: CancellationToken) -> anyhow::Result<()> {
    run(args.config()?, shutdown).await
}

/// Plays the fleet until its end or until `shutdown` is cancelled; then delivers what is under way.
///
/// # Errors
/// When the producer cannot start, or the broker refuses the operations for good.
pub(crate) async fn run(config: DemoConfig, shutdown: CancellationToken) -> anyhow::Result<()> {
    let producer_config = ProducerConfig {
        topics: config.topics.clone(),
        properties: config.properties.clone(),
        schema_id: config.schema_id.clone(),
        ..ProducerConfig::new(&config.bootstrap)
    };
    let producer = Producer::start(Sink::Kafka(producer_config)).context("cannot start the demo's producer")?;
    let played = Stage { config: &config, producer: &producer, shutdown: &shutdown }.play(UtcMicros::now()).await;
    let counters = producer.close(CLOSE_WITHIN).await;
    let lost = counters.failed + counters.dropped;
    tracing::info!(sent = counters.sent, lost, "the demo has ended");
    played
}

fn default_workspaces() -> Vec<String> {
    vec!["acme".to_owned(), "globex".to_owned()]
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix("/s").unwrap_or(text).trim();
    match number.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= HIGHEST_RATE => Ok(rate),
        _ => Err(format!("expected operations per second above 0 and up to {HIGHEST_RATE}, such as 5 or 200/s")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct CommandLine {
        #[command(flatten)]
        args: DemoArgs,
    }

    fn config(options: &[&str]) -> Result<DemoConfig, clap::Error> {
        let words = ["demo"].iter().chain(options);
        CommandLine::try_parse_from(words).map(|line| line.args.config().unwrap())
    }

    #[test]
    fn a_rate_may_carry_its_unit_and_must_be_possible() {
        assert!((config(&["--rate", "200/s"]).unwrap().rate - 200.0).abs() < f64::EPSILON);
        for impossible in ["0", "-1", "NaN", "1e9", "fast"] {
            let error = config(&["--rate", impossible]).err().expect("refused").to_string();
            assert!(error.contains("such as 5 or 200/s") || error.contains("unexpected argument"), "{error}");
        }
    }

    #[test]
    fn the_defaults_run_until_stopped_in_two_workspaces() {
        let config = config(&[]).unwrap();
        assert_eq!((config.operations, config.backfill_hours), (None, None));
        assert_eq!(config.workspaces, ["acme", "globex"]);
    }
}
