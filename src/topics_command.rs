//! `opstream topics`: creates the pipeline's topics in a Kafka cluster, with the settings that the pipeline counts on.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;

use crate::settings::KafkaArgs;

/// How long the cluster may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest record that the topics take, bytes: a prompt of several megabytes is a legal operation.
const MAX_MESSAGE_BYTES: &str = "10485760";

/// Creates the topics of the pipeline in a Kafka cluster; topics that exist are left as they are.
///
/// Run it once before the roles start. `opstream up` and `opstream broker` create their own.
#[derive(Args, Clone)]
pub(crate) struct TopicsArgs {
    #[command(flatten)]
    kafka: KafkaArgs,
    /// Partitions of the operations topic, 1 to 10000; more partitions let more ingestors share the work
    #[arg(long, value_name = "N", env = "OPSTREAM_PARTITIONS", default_value_t = 12, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    partitions: i32,
    /// Copies of each partition, 1 to 15; at least 3 wherever operations must survive a broker
    #[arg(long, value_name = "N", env = "OPSTREAM_REPLICATION", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=15))]
    replication: i32,
    /// How long operations stay in the topic, in hours, 1 to 87600: the time to repair a database, or to restore one
    #[arg(long, value_name = "HOURS", env = "OPSTREAM_RETENTION_HOURS", default_value_t = 168, value_parser = clap::value_parser!(u64).range(1..=87_600))]
    retention_hours: u64,
}

/// Creates what is missing.
///
/// # Errors
/// When the cluster does not answer or refuses.
#[expect(clippy::print_stdout, reason = "what was created is what the command answers")]
pub(crate) async fn run(args: TopicsArgs) -> anyhow::Result<()> {
    let topics = args.kafka.topics()?;
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", &args.kafka.bootstrap);
    for (name, value) in args.kafka.properties()? {
        client.set(name, value);
    }
    let admin: AdminClient<DefaultClientContext> = client.create().context("cannot use the Kafka settings")?;
    let (operations, windows, dead) = (topics.operations(), topics.windows(), topics.dead_letters());
    let retention = (args.retention_hours * 3_600_000).to_string();
    let topic = |name, partitions| NewTopic::new(name, partitions, TopicReplication::Fixed(args.replication));
    let plans = [
        topic(&operations, args.partitions).set("cleanup.policy", "delete").set("retention.ms", &retention),
        topic(&windows, 1).set("cleanup.policy", "compact"),
        topic(&dead, 1).set("cleanup.policy", "delete").set("retention.ms", &retention),
    ];
    let plans = plans.map(|plan| plan.set("max.message.bytes", MAX_MESSAGE_BYTES));
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE));
    let created = admin.create_topics(&plans, &options).await;
    for outcome in created.with_context(|| format!("the Kafka cluster at {} does not answer", args.kafka.bootstrap))? {
        match outcome {
            Ok(topic) => println!("created {topic}"),
            Err((topic, RDKafkaErrorCode::TopicAlreadyExists)) => {
                println!("{topic} exists already and is left as it is");
            }
            Err((topic, error)) => bail!("the cluster did not create {topic}: {error}"),
        }
    }
    Ok(())
}
