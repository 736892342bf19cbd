//! Reads the topic on a thread of its own, because librdkafka's calls and its rebalance callback block.
//!
//! The thread speaks to the async side through two bounded channels: [`SourceEvent`]s and batches go out,
//! [`SourceCommand`]s come in. A partition is read only after it was *started* at the offset that the database names;
//! what the broker remembers is never asked. When nobody takes the batches (the database is away), partitions are
//! paused and polling goes on, so that the group does not lose its member and memory stays bounded: Kafka is the buffer.

mod collector;
mod context;
mod thread;

use std::sync::Arc;
use std::time::Duration;

use opstream_schemas::offsets::{Offset, Partition};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use tokio::sync::mpsc;

use crate::config::IngestorConfig;
use crate::record::RawBatch;

pub use context::SourceContext;

/// The consumer, shared with blocking look-ups of watermarks and ids.
pub type SharedConsumer = Arc<BaseConsumer<SourceContext>>;

/// What the group tells us.
#[derive(Debug, PartialEq, Eq)]
pub enum SourceEvent {
    /// These partitions are ours; reading starts when they are claimed.
    Assigned {
        /// Counts rebalances; a start for an older one is ignored.
        rebalance: u64,
        /// The additional partitions.
        partitions: Vec<Partition>,
    },
    /// These partitions are no longer ours.
    Revoked {
        /// The partitions taken away.
        partitions: Vec<Partition>,
    },
    /// The log no longer holds the next offset of this partition.
    OutOfRange {
        /// The partition.
        partition: Partition,
    },
    /// The client gave up; the process must end.
    Fatal {
        /// What librdkafka said.
        reason: String,
    },
}

/// What the pipeline asks of the thread.
#[derive(Debug)]
pub enum SourceCommand {
    /// Read this newly assigned partition from here.
    Start {
        /// The rebalance that assigned it.
        rebalance: u64,
        /// Where each partition continues, and the epoch that its records are marked with.
        partitions: Vec<StartAt>,
    },
    /// Read an already started partition again from here: its batches were dropped.
    Restart(StartAt),
    /// Stop reading this partition until an operator has decided.
    Halt(Partition),
    /// Leave the group and join it again: another owner has fenced us out.
    Rejoin,
    /// Tell the broker how far we are, as a hint for lag tools.
    CommitHint(Vec<(Partition, Offset)>),
}

/// Where to read a partition from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartAt {
    /// The partition.
    pub partition: Partition,
    /// First offset to read.
    pub offset: Offset,
    /// Marks the records that are read from now on.
    pub epoch: u64,
}

/// The async side of the source.
pub struct Source {
    /// Shared for blocking look-ups.
    pub consumer: SharedConsumer,
    /// Assignments, revocations and failures.
    pub events: mpsc::UnboundedReceiver<SourceEvent>,
    /// Batches that are due. Capacity 1: while one waits, the next is collected.
    pub batches: mpsc::Receiver<RawBatch>,
    /// Commands to the thread.
    pub commands: mpsc::UnboundedSender<SourceCommand>,
    thread: std::thread::JoinHandle<()>,
}

impl Source {
    /// Subscribes and starts the thread. The broker need not be there yet.
    ///
    /// # Errors
    /// When librdkafka refuses a setting.
    pub fn start(config: &IngestorConfig, stop: tokio_util::sync::CancellationToken) -> Result<Self, KafkaError> {
        // Unbounded is right for events and commands: both sides send a handful for each rebalance or batch, and a
        // bounded channel could dead-lock the callback against the pipeline.
        let (event_tx, events) = mpsc::unbounded_channel();
        let (commands, command_rx) = mpsc::unbounded_channel();
        let (batch_tx, batches) = mpsc::channel(1);
        let topic = config.topics.operations();
        let consumer: SharedConsumer =
            Arc::new(client_config(config).create_with_context(SourceContext::new(event_tx))?);
        consumer.subscribe(&[&topic])?;
        let reader = thread::Reader::new(
            consumer.clone(),
            topic,
            config.limits,
            thread::Channels { batches: batch_tx, commands: command_rx, stop },
        );
        let thread = std::thread::Builder::new()
            .name("opstream-source".to_owned())
            .spawn(move || reader.run())
            .expect("the operating system can start one more thread");
        Ok(Self { consumer, events, batches, commands, thread })
    }

    /// Waits until the thread has left the group. The token given to [`Source::start`] must be cancelled.
    pub async fn join(self) {
        let Self { thread, consumer, .. } = self;
        let joined = tokio::task::spawn_blocking(move || {
            let joined = thread.join();
            drop(consumer);
            joined
        })
        .await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the source thread panicked");
        }
    }
}

fn client_config(config: &IngestorConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &config.bootstrap)
        .set("group.id", &config.group)
        .set("client.id", "opstream-ingestor")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("check.crcs", "true")
        // Records come up to the broker's limit; a 5 MB prompt is legal.
        .set("fetch.message.max.bytes", "4194304")
        .set("fetch.wait.max.ms", "100")
        .set("receive.message.max.bytes", "100000000")
        // Prefetch is bounded in bytes over all partitions.
        .set("queued.max.messages.kbytes", "16384")
        .set("queued.min.messages", "50000")
        // Short is safe here: a member that is missed by mistake is fenced out by the database, not by the group.
        .set("session.timeout.ms", "10000")
        .set("max.poll.interval.ms", "300000")
        .set("topic.metadata.refresh.interval.ms", "30000")
        .set("allow.auto.create.topics", "false");
    if let Some(instance) = &config.instance {
        client.set("group.instance.id", instance);
    }
    for (name, value) in &config.properties {
        client.set(name, value);
    }
    client
}

/// How long one poll may block; also bounds how late a command or a due batch is noticed.
const POLL_TIMEOUT: Duration = Duration::from_millis(20);
/// How long a finished batch may wait for its taker before partitions are paused and polling goes on without them.
const PATIENCE: Duration = Duration::from_secs(5);
