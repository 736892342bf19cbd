//! Reads the topic on a thread of its own, because librdkafka's calls and its rebalance callback block.
//!
//! The thread speaks to the async side: [`SourceEvent`]s and batches go out, [`SourceCommand`]s come in. A partition is read
//! only after it was *started* at the offset that the database names; what the broker remembers is never asked. So the
//! client's assignment is exactly what is being read: the group may have given us more, which is being claimed or halted. When
//! nobody takes the batches (the database is away), partitions are paused and polling goes on, so that the group does not lose
//! its member and memory stays bounded: Kafka is the buffer.

mod collector;
mod context;
mod thread;

use std::sync::Arc;
use std::time::Duration;

use opstream_schemas::offsets::{Offset, Partition};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use tokio::sync::{mpsc, oneshot};

use crate::config::IngestorConfig;
use crate::record::RawBatch;

pub use context::SourceContext;

/// The consumer, shared with blocking look-ups of watermarks and ids.
pub type SharedConsumer = Arc<BaseConsumer<SourceContext>>;

/// What the group tells us.
#[derive(Debug, PartialEq, Eq)]
pub enum SourceEvent {
    /// The group gives us these partitions; reading starts when they are claimed.
    Assigned {
        /// Counts rebalances; a start of a partition that another one has assigned since is ignored.
        rebalance: u64,
        /// The additional partitions.
        partitions: Vec<Partition>,
    },
    /// These partitions are no longer ours.
    Revoked {
        /// The partitions taken away.
        partitions: Vec<Partition>,
    },
    /// The log of this partition does not hold its next offset, or may be another log than before.
    LogChanged {
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
    /// Read this partition from here, for the first time or again.
    Start {
        /// The rebalance that assigned it.
        rebalance: u64,
        /// Where it continues, and the epoch that its records are marked with.
        at: StartAt,
    },
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
    /// To be joined at the end.
    pub thread: SourceThread,
}

/// The thread that polls. Its half of the channel closes when the thread has ended, in whatever way.
pub struct SourceThread(oneshot::Receiver<()>);

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
        let (running, ended) = oneshot::channel();
        std::thread::Builder::new()
            .name("opstream-source".to_owned())
            .spawn(move || {
                let _running = running;
                reader.run();
            })
            .expect("the operating system can start one more thread");
        Ok(Self { consumer, events, batches, commands, thread: SourceThread(ended) })
    }
}

impl SourceThread {
    /// Waits until the thread has left the group and ended. The token given to [`Source::start`] must be cancelled, and whoever
    /// could take batches must take them or be gone. Not for ever: a client that gave up may never close, and the process must
    /// end all the same.
    pub async fn join(self) {
        if tokio::time::timeout(CLOSE_TIMEOUT, self.0).await.is_err() {
            tracing::error!("the Kafka client does not close; ending without it");
        }
    }
}

fn client_config(config: &IngestorConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &config.bootstrap)
        .set("group.id", &config.group)
        .set("client.id", "opstream-ingestor")
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
    // The law rests on these: where reading starts is the database's to say, and partitions come and go one by one.
    client
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error");
    client
}

/// Settings of a consumer that reads a single record, in no group and as little of the log as the broker sends.
pub fn reader_config(config: &IngestorConfig) -> ClientConfig {
    let mut client = client_config(config);
    client
        .set("enable.partition.eof", "true")
        .set("fetch.message.max.bytes", "65536")
        .set("queued.min.messages", "1")
        .remove("group.instance.id");
    client
}

/// How long one poll may block; also bounds how late a command or a due batch is noticed.
const POLL_TIMEOUT: Duration = Duration::from_millis(20);
/// How long a finished batch may wait for its taker before partitions are paused and polling goes on without them.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the broker may take to answer a question that is asked through the consumer.
pub const QUESTION_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the consumer may take to close once it was told to.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests;
