//! `opstream up`: the whole pipeline in one process, everything under one folder.
//!
//! Start order: broker, database, then the roles, which find both. Stop order: the demo and the front door first, so that
//! nothing new comes in; then the ingestor and the aggregator, which finish what they hold; the broker last.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use opstream_aggregator::{AggregatorConfig, AlertConfig, LeaseStart};
use opstream_api::{ApiConfig, ContentCapture, Listeners, RequestLimits, RoleWatch};
use opstream_ingestor::{ContentPolicy, IngestorConfig};
use opstream_producer::{ProducerConfig, Sink};
use opstream_registry::{Registry, Subjects};
use opstream_schemas::avro::{Record, WriterId};
use opstream_schemas::condition::Reporter;
use opstream_schemas::database::{Database, DatabaseUrl};
use opstream_schemas::prices::Catalogue;
use opstream_schemas::topics::Topics;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::aggregator_command::{self, CompactionArgs};
use crate::broker_command::BrokerArgs;
use crate::cost_policy::CostPolicyArgs;
use crate::demo::DemoConfig;
use crate::disk_watch::watch_disk;
use crate::embedded_broker::EmbeddedBroker;
use crate::ingestor_command::BatchArgs;
use crate::otlp_listen::{OtlpArgs, OtlpPorts};
use crate::price_files::PriceArgs;
use crate::price_watch::PriceWatch;
use crate::rate_args::RateArgs;
use crate::roles::{Roles, first_error};
use crate::scan_args::ScanArgs;
use crate::schema_registry::{Learning, RegistryArgs};
use crate::settings::{RetentionArgs, open_database};
use crate::webhook_args::WebhookArgs;

/// How long the front door may take to answer what it has taken in before it is aborted: it gives its connections 10 s.
const DOORS_PATIENCE: Duration = Duration::from_secs(15);
/// How long the roles behind it may take to store what they hold; what an aborted one held is read again at the next start.
const STORES_PATIENCE: Duration = Duration::from_secs(15);

/// Runs the whole pipeline on this machine: broker, database, lake, api and dashboard under one folder.
///
/// A second start continues where the first one stopped.
#[derive(Args, Clone)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    broker: BrokerArgs,
    /// Address of the api and the dashboard; port 0 takes any free one; beyond loopback it needs --token-file or --insecure
    #[arg(long, value_name = "ADDR", env = "OPSTREAM_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    #[command(flatten)]
    otlp: OtlpArgs,
    /// File whose first line is the token that requests must carry
    #[arg(long, value_name = "FILE", env = "OPSTREAM_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    prices: PriceArgs,
    #[command(flatten)]
    cost_policy: CostPolicyArgs,
    #[command(flatten)]
    batches: BatchArgs,
    #[command(flatten)]
    retention: RetentionArgs,
    /// Keep no prompts, messages and tool definitions
    #[arg(long, env = "OPSTREAM_NO_CONTENT", value_parser = clap::builder::BoolishValueParser::new())]
    no_content: bool,
    #[command(flatten)]
    compaction: CompactionArgs,
    /// Let a synthetic fleet record operations, so that there is something to see
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    webhooks: WebhookArgs,
    #[command(flatten)]
    rates: RateArgs,
    #[command(flatten)]
    scans: ScanArgs,
}

/// Everything that the roles share.
struct Pipeline {
    args: UpArgs,
    database: Database,
    topics: Topics,
    bootstrap: String,
    registry: Option<Registry>,
    prices: watch::Receiver<Arc<Catalogue>>,
    operation_schema_id: WriterId,
    window_schema_id: WriterId,
    alerts: AlertConfig,
    ingestor: Reporter,
    aggregator: Reporter,
    disk: Reporter,
}

/// Runs until `shutdown` is cancelled, then drains.
///
/// # Errors
/// When the configuration is wrong, something cannot be opened, or a role fails or does not stop in time.
pub(crate) async fn run(args: UpArgs, shutdown: CancellationToken) -> anyhow::Result<()> {
    let topics = Topics::new(&args.broker.topic_prefix).context("--topic-prefix (OPSTREAM_TOPIC_PREFIX)")?;
    let token = crate::listen::read_token(args.token_file.as_deref())?;
    crate::listen::check_listen(args.listen, token.as_ref(), args.broker.insecure)?;
    args.otlp.check(token.as_ref(), args.broker.insecure)?;
    let config = args.broker.config(&args.broker.default_group())?;
    let webhooks = args.webhooks.webhooks()?;
    let subjects = args.registry.subjects(&topics)?;
    let price_watch = PriceWatch::start(args.prices.paths.clone())?;
    let mut learning = Learning::default();
    let Some(ids) = shutdown.run_until_cancelled(schema_ids(&mut learning, subjects.as_ref())).await else {
        return Ok(());
    };
    let [operation_schema_id, window_schema_id, alert_schema_id] = ids?;
    // A new folder is made only where all addresses are free; of one that is there the broker's lock says best who uses it.
    let early = if config.folder.exists() { None } else { Some(listen(&args).await?) };
    let starting = EmbeddedBroker::start(config);
    let Some(started) = shutdown.run_until_cancelled(starting).await else { return Ok(()) };
    let mut broker = started?;
    let outcome = match shutdown.run_until_cancelled(open(&args, early)).await {
        None => Ok(()),
        Some(Err(error)) => Err(error),
        Some(Ok((doors, database))) => {
            let [ingestor, aggregator, disk] = std::array::from_fn(|_| Reporter::default());
            let pipeline = Pipeline {
                args,
                database: database.clone(),
                topics,
                bootstrap: broker.address().to_string(),
                registry: subjects.map(|subjects| subjects.registry().clone()),
                prices: price_watch.prices(),
                operation_schema_id,
                window_schema_id,
                alerts: AlertConfig { schema_id: alert_schema_id, webhooks },
                ingestor,
                aggregator,
                disk,
            };
            let outcome = tokio::select! {
                outcome = learning.beside(price_watch.beside(pipeline.run_roles(doors, token, &shutdown))) => outcome,
                error = broker.failed() => Err(error.context("the embedded broker failed")),
            };
            database.close().await;
            outcome
        }
    };
    first_error([outcome, broker.stop().await])?;
    say_stopped();
    Ok(())
}

/// Ids of operations, windows and alerts.
async fn schema_ids(learning: &mut Learning, subjects: Option<&Subjects>) -> anyhow::Result<[WriterId; 3]> {
    let operation = learning.begin(subjects, Record::Operation).await?;
    let [window, alert] = aggregator_command::schema_ids(learning, subjects).await?;
    Ok([operation, window, alert])
}

#[expect(clippy::print_stdout, reason = "whoever pressed Ctrl-C waits for it")]
fn say_stopped() {
    println!("opstream has stopped; everything is kept for the next start.");
}

/// What is listened at: the api's address, and those of exporters.
struct Doors {
    api: TcpListener,
    otlp: OtlpPorts,
}

async fn listen(args: &UpArgs) -> anyhow::Result<Doors> {
    let api = TcpListener::bind(args.listen).await.with_context(|| {
        format!("cannot listen on {}; choose another address with --listen (OPSTREAM_LISTEN)", args.listen)
    })?;
    let otlp = args.otlp.bind(args.listen).await?;
    Ok(Doors { api, otlp })
}

/// Opens what the roles need besides the broker, and listens unless that was done before.
async fn open(args: &UpArgs, early: Option<Doors>) -> anyhow::Result<(Doors, Database)> {
    let doors = match early {
        Some(doors) => doors,
        None => listen(args).await?,
    };
    let database = open_database(&DatabaseUrl::Sqlite(args.broker.data.join("opstream.db"))).await?;
    Ok((doors, database))
}

/// Says where everything is, once, when it can be used.
#[expect(clippy::print_stdout, reason = "the address is what the command answers")]
fn announce(text: &str) {
    println!("{text}");
}

impl Pipeline {
    async fn run_roles(
        &self,
        doors: Doors,
        token: Option<opstream_api::Secret>,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<()> {
        let announcement = self.announcement(&doors)?;
        let listeners = Listeners { api: doors.api, otlp: doors.otlp.listeners };
        let (intake, storing) = (CancellationToken::new(), CancellationToken::new());
        let (mut doors, mut stores) = (Roles::default(), Roles::default());
        stores.spawn("ingestor", opstream_ingestor::run(self.ingestor(), storing.clone()));
        stores.spawn("aggregator", opstream_aggregator::run(self.aggregator(), storing.clone()));
        stores.spawn("disk watch", watch_disk(self.args.broker.data.clone(), self.disk.clone(), storing.clone()));
        doors.spawn("api", opstream_api::run(listeners, self.api(token)?, intake.clone()));
        if self.args.demo {
            let demo = DemoConfig::for_laptop(&self.bootstrap, &self.topics, &self.operation_schema_id);
            doors.spawn("demo", crate::demo::run(demo, intake.clone()));
        }
        announce(&announcement);
        let failure = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            error = doors.failed() => Err(error),
            error = stores.failed() => Err(error),
        };
        intake.cancel();
        let doors = doors.drain(DOORS_PATIENCE).await;
        storing.cancel();
        let stores = stores.drain(STORES_PATIENCE).await;
        first_error([failure, doors, stores])
    }

    fn api(&self, token: Option<opstream_api::Secret>) -> anyhow::Result<ApiConfig> {
        let producer = ProducerConfig {
            topics: self.topics.clone(),
            schema_id: self.operation_schema_id.clone(),
            ..ProducerConfig::new(&self.bootstrap)
        };
        Ok(ApiConfig {
            database: self.database.clone(),
            sink: Sink::Kafka(producer),
            schemas: self.registry.clone(),
            topics: self.topics.clone(),
            token,
            content: if self.args.no_content { ContentCapture::Off } else { ContentCapture::On },
            limits: RequestLimits::default(),
            rates: self.args.rates.limits(),
            scans: self.args.scans.limits(),
            lake: Some(self.lake()),
            metrics: Some(crate::telemetry::start_metrics()?),
            roles: vec![
                RoleWatch { name: "ingestor", condition: self.ingestor.watch() },
                RoleWatch { name: "aggregator", condition: self.aggregator.watch() },
                RoleWatch { name: "disk", condition: self.disk.watch() },
            ],
        })
    }

    /// Where everything is.
    fn announcement(&self, doors: &Doors) -> anyhow::Result<String> {
        let url = |listener: &TcpListener| Ok(format!("http://{}", listener.local_addr()?));
        let own_address = "cannot read the listener's own address";
        let api = url(&doors.api).context(own_address)?;
        let otlp: io::Result<Vec<String>> = doors.otlp.listeners.iter().map(url).collect();
        let mut otlp = otlp.context(own_address)?;
        if otlp.is_empty() {
            otlp.push(api.clone());
        }
        let taken: Vec<String> = doors.otlp.taken.iter().map(|taken| format!(" ({taken} is taken)")).collect();
        Ok([
            format!("opstream is up: {api}"),
            format!("  OpenTelemetry:  {}{}", otlp.join(", "), taken.concat()),
            format!("  Kafka clients:  {}", self.bootstrap),
            format!("  data:           {}", self.args.broker.data.display()),
            "  Ctrl-C stops it and keeps everything; the next start continues where it stopped.".to_owned(),
        ]
        .join("\n"))
    }

    fn ingestor(&self) -> IngestorConfig {
        IngestorConfig {
            database: self.database.clone(),
            lake: self.lake(),
            bootstrap: self.bootstrap.clone(),
            topics: self.topics.clone(),
            group: self.args.broker.default_group(),
            instance: None,
            properties: std::collections::BTreeMap::new(),
            limits: self.args.batches.limits(),
            content: if self.args.no_content { ContentPolicy::Drop } else { ContentPolicy::LakeAndSql },
            registry: self.registry.clone(),
            prices: self.prices.clone(),
            cost_policy: self.args.cost_policy.policy(),
            poison_hold: self.args.batches.poison_hold(),
            reporter: self.ingestor.clone(),
        }
    }

    fn aggregator(&self) -> AggregatorConfig {
        AggregatorConfig {
            database: self.database.clone(),
            lake: self.lake(),
            bootstrap: self.bootstrap.clone(),
            topics: self.topics.clone(),
            properties: std::collections::BTreeMap::new(),
            window_schema_id: self.window_schema_id.clone(),
            alerts: self.alerts.clone(),
            tick: opstream_aggregator::config::DEFAULT_TICK,
            // The broker's lock says that no other process uses this folder.
            lease_start: LeaseStart::AtOnce,
            compaction: self.args.compaction.compaction(),
            keep_days: self.args.retention.keep_days(),
            reporter: self.aggregator.clone(),
        }
    }

    fn lake(&self) -> PathBuf {
        self.args.broker.data.join("lake")
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _};

    use super::*;
    use crate::env_file::EnvFile;

    #[derive(clap::Parser)]
    struct CommandLine {
        #[command(flatten)]
        args: UpArgs,
    }

    /// What the variable's value in `.env` makes of the flag.
    fn no_content(value: &str) -> Result<bool, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        std::fs::write(&file, format!("OPSTREAM_NO_CONTENT={value}\n")).unwrap();
        let parsed = crate::command_line::parse(CommandLine::command(), &["up".into()], &EnvFile::read(&file).unwrap());
        let found = parsed.and_then(|found| CommandLine::from_arg_matches(&found));
        found.map(|line| line.args.no_content).map_err(|error| error.to_string())
    }

    #[test]
    fn a_switch_in_the_environment_is_yes_or_no_and_nothing_else() {
        for (value, expected) in [("true", true), ("1", true), ("on", true), ("no", false), ("0", false)] {
            assert_eq!(no_content(value), Ok(expected), "{value}");
        }
        let error = no_content("ja").unwrap_err();
        assert!(error.contains("OPSTREAM_NO_CONTENT") && error.contains("ja"), "{error}");
    }
}
