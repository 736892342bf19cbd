//! `opstream ingestor`: the topic to SQL and Parquet, as a process of its own.

use std::time::Duration;

use clap::Args;
use opstream_api::RoleWatch;
use opstream_ingestor::config::DEFAULT_POISON_HOLD;
use opstream_ingestor::{BatchLimits, ContentPolicy, IngestorConfig};
use opstream_schemas::condition::Reporter;
use tokio_util::sync::CancellationToken;

use crate::cost_policy::CostPolicyArgs;
use crate::health_port::{HealthArgs, run_with_health};
use crate::price_files::PriceArgs;
use crate::price_watch::PriceWatch;
use crate::schema_registry::RegistryArgs;
use crate::settings::{DatabaseArgs, KafkaArgs, LakeArgs};

/// Writes every operation of the topic to SQL and Parquet, exactly once.
///
/// Any number of ingestors may share a group: each takes some of the topic's partitions, and the database fences out
/// whoever has lost one.
#[derive(Args, Clone)]
pub(crate) struct IngestorArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    lake: LakeArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    prices: PriceArgs,
    #[command(flatten)]
    cost_policy: CostPolicyArgs,
    #[command(flatten)]
    pub(crate) batches: BatchArgs,
    /// Consumer group that the ingestors of one pipeline share [default: the topic prefix and `.ingestor`]
    #[arg(long, value_name = "NAME", env = "OPSTREAM_GROUP")]
    group: Option<String>,
    /// Lasting name of this process, such as its pod's name: after a crash it takes its partitions back at once
    #[arg(long, value_name = "NAME", env = "OPSTREAM_INSTANCE")]
    instance: Option<String>,
    /// What is kept of prompts, messages and tool definitions
    #[arg(long, env = "OPSTREAM_CONTENT", value_enum, default_value_t = ContentChoice::Off)]
    content: ContentChoice,
    #[command(flatten)]
    health: HealthArgs,
}

/// When a batch is stored.
#[derive(Args, Clone, Debug)]
pub(crate) struct BatchArgs {
    /// Oldest that a record may get before its batch is stored, in milliseconds, 1 to 60000
    #[arg(long, value_name = "MS", env = "OPSTREAM_BATCH_AGE_MS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    batch_age_ms: u64,
    /// Most records of a batch, 1 to 200000
    #[arg(long, value_name = "N", env = "OPSTREAM_BATCH_RECORDS", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=200_000))]
    batch_records: u32,
    /// Most bytes of a batch, in MiB, 1 to 512
    #[arg(long, value_name = "MIB", env = "OPSTREAM_BATCH_MIB", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=512))]
    batch_mib: u32,
    /// How long unusually many undecodable records are held, and reported, before they become dead letters, in seconds, 0 to
    /// 86400; 0 never holds them
    #[arg(long, value_name = "S", env = "OPSTREAM_POISON_HOLD_S", default_value_t = DEFAULT_POISON_HOLD.as_secs(), value_parser = clap::value_parser!(u64).range(0..=86_400))]
    poison_hold_s: u64,
}

/// What is kept of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ContentChoice {
    /// Nothing.
    Off,
    /// Files of their own in the lake.
    Lake,
    /// Files of their own, and a table for quick look-ups.
    Sql,
}

impl From<ContentChoice> for ContentPolicy {
    fn from(choice: ContentChoice) -> Self {
        match choice {
            ContentChoice::Off => Self::Drop,
            ContentChoice::Lake => Self::Lake,
            ContentChoice::Sql => Self::LakeAndSql,
        }
    }
}

impl BatchArgs {
    /// How long a flood of undecodable records is held.
    pub(crate) const fn poison_hold(&self) -> Duration {
        Duration::from_secs(self.poison_hold_s)
    }

    /// The limits that these flags describe.
    pub(crate) fn limits(&self) -> BatchLimits {
        let whole = |value: u32| usize::try_from(value).expect("32 bits fit an address on every supported machine");
        BatchLimits {
            age: Duration::from_millis(self.batch_age_ms),
            records: whole(self.batch_records),
            bytes: whole(self.batch_mib) << 20,
        }
    }
}

/// Runs the ingestor until `shutdown` is cancelled.
///
/// # Errors
/// When the configuration is wrong, the database cannot be opened, or the Kafka client gives up.
pub(crate) async fn run(args: IngestorArgs, shutdown: CancellationToken) -> anyhow::Result<()> {
    let broker = args.kafka.address()?;
    let registry = args.registry.registry()?;
    let price_watch = PriceWatch::start(args.prices.paths)?;
    let health = args.health.bind().await?;
    let Some(opened) = shutdown.run_until_cancelled(args.database.open()).await else { return Ok(()) };
    let database = opened?;
    let reporter = Reporter::default();
    let role = RoleWatch { name: "ingestor", condition: reporter.watch() };
    let config = IngestorConfig {
        database: database.clone(),
        lake: args.lake.lake,
        bootstrap: broker.bootstrap.clone(),
        topics: broker.topics.clone(),
        group: args.group.unwrap_or_else(|| format!("{}.ingestor", args.kafka.topic_prefix)),
        instance: args.instance,
        properties: broker.properties.clone(),
        limits: args.batches.limits(),
        content: args.content.into(),
        registry,
        prices: price_watch.prices(),
        cost_policy: args.cost_policy.policy(),
        poison_hold: args.batches.poison_hold(),
        reporter,
    };
    let running = Box::pin(price_watch.beside(opstream_ingestor::run(config, shutdown)));
    let outcome = run_with_health(health, (database.clone(), broker, role), running).await;
    database.close().await;
    outcome
}
