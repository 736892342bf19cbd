//! `opstream aggregator`: committed files to windows, as a process of its own, and the rebuild of all windows.

use std::time::Duration;

use clap::Args;
use opstream_aggregator::{AggregatorConfig, LeaseStart};
use opstream_api::RoleWatch;
use opstream_schemas::condition::Reporter;
use tokio_util::sync::CancellationToken;

use crate::health_port::{HealthArgs, run_with_health};
use crate::settings::{DatabaseArgs, KafkaArgs, LakeArgs};

/// Adds every committed file to the windows, once, and publishes what changed.
///
/// One aggregator is active; more of them stand by and take over when its lease expires.
#[derive(Args, Clone)]
pub(crate) struct AggregatorArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    lake: LakeArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    /// Pause between two looks for new files, in milliseconds, 10 to 60000
    #[arg(long, value_name = "MS", env = "OPSTREAM_TICK_MS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    tick_ms: u64,
    /// Build all windows again from the live files, beside the current ones, take over when both hold the same files, and end
    #[arg(long)]
    rebuild: bool,
    #[command(flatten)]
    health: HealthArgs,
}

/// Runs the aggregator until `shutdown` is cancelled, or rebuilds once.
///
/// # Errors
/// When the configuration is wrong, the database cannot be opened, or the Kafka client refuses a setting.
pub(crate) async fn run(args: AggregatorArgs, shutdown: CancellationToken) -> anyhow::Result<()> {
    let broker = args.kafka.address()?;
    let health = args.health.bind().await?;
    let database = args.database.open().await?;
    let reporter = Reporter::default();
    let role = RoleWatch { name: "aggregator", condition: reporter.watch() };
    let config = AggregatorConfig {
        database: database.clone(),
        lake: args.lake.lake,
        bootstrap: broker.bootstrap.clone(),
        topics: broker.topics.clone(),
        properties: broker.properties.clone(),
        tick: Duration::from_millis(args.tick_ms),
        lease_start: LeaseStart::AfterExpiry,
        reporter,
    };
    let running = async {
        if args.rebuild { rebuild(config, shutdown).await } else { opstream_aggregator::run(config, shutdown).await }
    };
    let outcome = run_with_health(health, (database.clone(), broker, role), running).await;
    database.close().await;
    outcome
}

#[expect(clippy::print_stdout, reason = "what was rebuilt is what the command answers")]
async fn rebuild(config: AggregatorConfig, shutdown: CancellationToken) -> anyhow::Result<()> {
    let report = opstream_aggregator::rebuild(config, shutdown).await?;
    println!("rebuilt {} windows from {} files as generation {}", report.windows, report.files, report.generation);
    Ok(())
}
