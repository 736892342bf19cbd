//! `opstream topics`: creates the pipeline's topics in a Kafka cluster, with the settings that the pipeline counts on, and
//! says where existing topics differ from them. It changes no topic that exists.

mod existing;
mod plan;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic};
use rdkafka::client::DefaultClientContext;
use rdkafka::types::RDKafkaErrorCode;
use tokio_util::sync::CancellationToken;

use self::plan::TopicPlan;
use crate::settings::KafkaArgs;

type Admin = AdminClient<DefaultClientContext>;

/// How long the cluster may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Creates the topics of the pipeline in a Kafka cluster; topics that exist are left as they are, and differences are said.
///
/// Run it once before the roles start. `opstream up` and `opstream broker` create their own.
#[derive(Args, Clone)]
pub(crate) struct TopicsArgs {
    #[command(flatten)]
    kafka: KafkaArgs,
    /// Partitions of the topics of operations and of contents, 1 to 10000; more partitions let more ingestors share the work
    #[arg(long, value_name = "N", env = "OPSTREAM_PARTITIONS", default_value_t = 12, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    partitions: i32,
    /// Copies of each partition, 1 to 15; at least 3 wherever operations must survive a broker. Two of them must have an
    /// operation before it is acknowledged
    #[arg(long, value_name = "N", env = "OPSTREAM_REPLICATION", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=15))]
    replication: i32,
    /// How long operations and contents stay in their topics, in hours, 1 to 87600: the time to repair a database, or to restore one
    #[arg(long, value_name = "HOURS", env = "OPSTREAM_RETENTION_HOURS", default_value_t = 168, value_parser = clap::value_parser!(u64).range(1..=87_600))]
    retention_hours: u64,
}

/// Creates what is missing and says how the topics that exist differ.
///
/// # Errors
/// When the cluster does not answer or refuses.
pub(crate) async fn run(args: TopicsArgs, shutdown: CancellationToken) -> anyhow::Result<()> {
    let plans = plans(&args)?;
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", args.kafka.bootstrap());
    for (name, value) in args.kafka.properties()? {
        client.set(name, value);
    }
    let admin: Admin = client.create().context("cannot use the Kafka settings")?;
    let creating = create(admin, &plans);
    let created = shutdown.run_until_cancelled(creating).await.context("interrupted; topics may be half created")?;
    created.with_context(|| format!("the Kafka cluster at {}", args.kafka.bootstrap()))
}

#[expect(clippy::print_stdout, reason = "what was created is what the command answers")]
async fn create(admin: Admin, plans: &[TopicPlan]) -> anyhow::Result<()> {
    let new: Vec<NewTopic<'_>> = plans.iter().map(TopicPlan::new_topic).collect();
    let outcomes = admin.create_topics(&new, &options()).await.context("does not answer")?;
    let admin = Arc::new(admin);
    for (outcome, plan) in outcomes.into_iter().zip(plans) {
        match outcome {
            Ok(topic) => println!("created {topic}"),
            Err((topic, RDKafkaErrorCode::TopicAlreadyExists)) => {
                println!("{topic} exists already and is left as it is");
                for difference in plan.differences(&existing::look_at(&admin, &topic).await?) {
                    println!("  {difference}");
                }
            }
            Err((topic, error)) => bail!("does not create {topic}: {error}"),
        }
    }
    Ok(())
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE))
}

fn plans(args: &TopicsArgs) -> anyhow::Result<[TopicPlan; 5]> {
    let topics = args.kafka.topics()?;
    let retention = (args.retention_hours * 3_600_000).to_string();
    let kept = |name: String, partitions: i32| {
        let kept_for = ("retention.ms", retention.clone());
        TopicPlan::new(name, partitions, args.replication, vec![("cleanup.policy", "delete".to_owned()), kept_for])
    };
    let compacted = vec![("cleanup.policy", "compact".to_owned())];
    Ok([
        kept(topics.operations(), args.partitions),
        kept(topics.contents(), args.partitions),
        TopicPlan::new(topics.windows(), 1, args.replication, compacted.clone()),
        TopicPlan::new(topics.alerts(), 1, args.replication, compacted),
        kept(topics.dead_letters(), 1),
    ])
}
