//! `opstream broker`: the embedded broker alone, for a pipeline whose roles run as separate processes on one machine.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use opstream_ingestor::config::contents_group;
use opstream_schemas::topics::Topics;
use tokio_util::sync::CancellationToken;

use crate::embedded_broker::{EmbeddedBroker, EmbeddedBrokerConfig, TopicPlan};

/// Runs the embedded Kafka broker alone, until it is interrupted.
#[derive(Args, Clone, Debug)]
pub(crate) struct BrokerCommandArgs {
    #[command(flatten)]
    broker: BrokerArgs,
    /// Consumer group of the ingestors: operations that it has not read stay, however large the topic grows, for a week
    /// [default: the topic prefix and `.ingestor`]
    #[arg(long, value_name = "NAME", env = "OPSTREAM_GROUP")]
    group: Option<String>,
}

/// What describes the broker, alone or as a part of the pipeline.
#[derive(Args, Clone, Debug)]
pub(crate) struct BrokerArgs {
    /// Folder of all data; the broker uses `broker` in it
    #[arg(long, value_name = "DIR", env = "OPSTREAM_DATA", default_value = "./opstream-data")]
    pub(crate) data: PathBuf,
    /// Address that Kafka clients connect to; port 0 takes any free one. Clients are told to come back to the address that
    /// they have reached, so what stands in between (a tunnel, a container) must not change the port
    #[arg(long, value_name = "ADDR", env = "OPSTREAM_BROKER_LISTEN", default_value = "127.0.0.1:9092")]
    pub(crate) broker_listen: SocketAddr,
    /// Partitions of the topics of operations and of contents, 1 to 64; more partitions let more ingestors share the work
    #[arg(
        long,
        value_name = "N",
        env = "OPSTREAM_PARTITIONS",
        default_value_t = 4,
        value_parser = clap::value_parser!(i32).range(1..=64),
    )]
    pub(crate) partitions: i32,
    /// First part of every topic's name
    #[arg(long, value_name = "NAME", env = "OPSTREAM_TOPIC_PREFIX", default_value = "llm")]
    pub(crate) topic_prefix: String,
    /// Allow an address that other machines can reach: the broker has neither passwords nor encryption
    #[arg(long)]
    pub(crate) insecure: bool,
}

impl BrokerArgs {
    /// The group of ingestors that name no other.
    pub(crate) fn default_group(&self) -> String {
        format!("{}.ingestor", self.topic_prefix)
    }

    /// The broker that these arguments describe, with ingestors in this group.
    ///
    /// # Errors
    /// When the address can be reached from other machines and `--insecure` is not given, or the prefix is not usable.
    pub(crate) fn config(&self, group: &str) -> anyhow::Result<EmbeddedBrokerConfig> {
        if !self.broker_listen.ip().is_loopback() && !self.insecure {
            anyhow::bail!(
                "--broker-listen {} (OPSTREAM_BROKER_LISTEN) can be reached from other machines, and the embedded broker \
                 has neither passwords nor encryption; use a loopback address such as 127.0.0.1:9092, or add --insecure",
                self.broker_listen,
            );
        }
        let topics = Topics::new(&self.topic_prefix).context("--topic-prefix (OPSTREAM_TOPIC_PREFIX)")?;
        // Operations and contents as they come in, the latest values of windows and alerts, and what could not be read.
        let plan = |name, partitions, compacted| TopicPlan { name, partitions, compacted, reader: None };
        let read = |name, group| TopicPlan { reader: Some(group), ..plan(name, self.partitions, false) };
        Ok(EmbeddedBrokerConfig {
            folder: self.data.join("broker"),
            listen: self.broker_listen,
            topics: vec![
                read(topics.operations(), group.to_owned()),
                read(topics.contents(), contents_group(group)),
                plan(topics.windows(), 1, true),
                plan(topics.alerts(), 1, true),
                plan(topics.dead_letters(), 1, false),
            ],
        })
    }
}

impl BrokerCommandArgs {
    fn config(&self) -> anyhow::Result<EmbeddedBrokerConfig> {
        let group = self.group.clone().unwrap_or_else(|| self.broker.default_group());
        self.broker.config(&group)
    }
}

/// Runs the broker until `shutdown` is cancelled.
///
/// # Errors
/// When the broker cannot start, fails, or does not stop in time.
pub(crate) async fn run(args: BrokerCommandArgs, shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut broker = EmbeddedBroker::start(args.config()?).await?;
    let outcome = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        error = broker.failed() => Err(error),
    };
    outcome.and(broker.stop().await)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: BrokerCommandArgs,
    }

    fn parse(arguments: &[&str]) -> Result<BrokerCommandArgs, clap::Error> {
        Command::try_parse_from([&["broker"], arguments].concat()).map(|command| command.args)
    }

    #[test]
    fn an_address_beyond_this_machine_must_be_asked_for() {
        let open = parse(&["--broker-listen", "0.0.0.0:9092"]).unwrap();
        let error = open.config().unwrap_err().to_string();
        assert!(error.contains("0.0.0.0:9092") && error.contains("--insecure"), "{error}");
        parse(&["--broker-listen", "0.0.0.0:9092", "--insecure"]).unwrap().config().unwrap();
        parse(&["--broker-listen", "[::1]:9092"]).unwrap().config().unwrap();
    }

    #[test]
    fn the_topics_carry_the_prefix_and_only_windows_and_alerts_are_compacted() {
        let args = parse(&["--topic-prefix", "team", "--partitions", "7", "--data", "/x"]).unwrap();
        let config = args.config().unwrap();
        let topics: Vec<_> =
            config.topics.iter().map(|plan| (plan.name.as_str(), plan.partitions, plan.compacted)).collect();
        assert_eq!(
            topics,
            [
                ("team.operations", 7, false),
                ("team.contents", 7, false),
                ("team.windows", 1, true),
                ("team.alerts", 1, true),
                ("team.operations.dead", 1, false),
            ],
        );
        assert_eq!(config.folder, PathBuf::from("/x/broker"));
        let error = parse(&["--topic-prefix", "../x"]).unwrap().config().unwrap_err().to_string();
        assert!(error.contains("OPSTREAM_TOPIC_PREFIX"), "{error}");
    }

    #[test]
    fn operations_and_contents_wait_for_the_ingestors_and_for_nobody_else() {
        let readers = |arguments: &[&str]| -> Vec<String> {
            let config = parse(arguments).unwrap().config().unwrap();
            config.topics.into_iter().map(|plan| plan.reader.unwrap_or_default()).collect()
        };
        assert_eq!(readers(&["--topic-prefix", "team"]), ["team.ingestor", "team.ingestor.contents", "", "", ""]);
        assert_eq!(readers(&["--group", "readers"]), ["readers", "readers.contents", "", "", ""]);
    }

    #[test]
    fn partitions_outside_the_range_are_refused_before_anything_starts() {
        for partitions in ["0", "65", "-1", "many"] {
            assert!(parse(&["--partitions", partitions]).is_err(), "{partitions}");
        }
    }
}
