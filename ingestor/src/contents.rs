//! Content that came as log records: its topic to the table `span_contents`, beside the pipeline of operations and without its law.
//!
//! No row of it is counted, so no checkpoint has to agree with anything: records are stored first and their offsets committed to
//! the group afterwards. What is read again after a crash is already there by its id, and adds nothing.

mod insert;
mod record;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use opstream_schemas::condition::Reporter;
use opstream_schemas::database::Database;
use opstream_schemas::span_content::SpanContent;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use self::record::{Flaw, read};
use crate::backoff::Undertaking;
use crate::config::{IngestorConfig, contents_group};
use crate::metrics;

/// Oldest that a record may get before its batch is stored.
const AGE: Duration = Duration::from_millis(200);
const MOST_RECORDS: usize = 1000;
/// Bytes of texts after which a batch is stored; the last record may have 10 MB.
const MOST_BYTES: usize = 8 << 20;
/// How long a broker that has a problem is left alone.
const PAUSE: Duration = Duration::from_secs(2);
/// How long the client may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// What the condition says while it does not work.
const STORING: &str = "storing contents";

/// Stores until the token is cancelled. What is not stored then is read again at the next start.
pub async fn store_contents(config: IngestorConfig, stop: CancellationToken) {
    match Task::new(&config) {
        Ok(mut task) => {
            stop.run_until_cancelled(task.run(&stop)).await;
            // Leaving the group waits for the broker.
            let closing = tokio::task::spawn_blocking(move || drop(task));
            if timeout(CLOSE_TIMEOUT, closing).await.is_err() {
                tracing::error!("the Kafka client of contents does not close; ending without it");
            }
        }
        Err(error) => {
            let error = format!("{error:#}");
            tracing::error!(error, "cannot read the topic of contents; prompts that came as log records stay there");
        }
    }
}

struct Task {
    consumer: StreamConsumer,
    database: Database,
    topic: String,
    reporter: Reporter,
    /// Whether it was said that the topic is missing.
    is_missing: bool,
}

/// Records that are stored together.
#[derive(Default)]
struct Batch {
    contents: Vec<SpanContent>,
    bytes: usize,
    /// Where each partition goes on.
    next_offsets: BTreeMap<i32, i64>,
    /// A record behind the last one is of a newer version.
    meets_newer: bool,
}

impl Task {
    fn new(config: &IngestorConfig) -> anyhow::Result<Self> {
        let consumer: StreamConsumer = client_config(config).create().context("cannot make the client")?;
        let topic = config.topics.contents();
        consumer.subscribe(&[&topic]).context("cannot subscribe")?;
        Ok(Self {
            consumer,
            database: config.database.clone(),
            topic,
            reporter: config.reporter.clone(),
            is_missing: false,
        })
    }

    async fn run(&mut self, stop: &CancellationToken) {
        loop {
            let batch = match self.collect().await {
                Ok(batch) => batch,
                Err(error) => {
                    self.say(&error);
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            if !self.store(&batch, stop).await {
                return;
            }
            self.commit(&batch);
            if batch.meets_newer {
                self.wait_for_update().await;
            }
        }
    }

    /// The next records, at least one.
    async fn collect(&mut self) -> Result<Batch, KafkaError> {
        let mut batch = Batch::default();
        let first = self.consumer.recv().await?;
        self.is_missing = false;
        batch.take(&first);
        let due = Instant::now() + AGE;
        while !batch.is_full() {
            match timeout_at(due, self.consumer.recv()).await {
                Ok(Ok(message)) => batch.take(&message),
                // What there is comes first.
                Ok(Err(error)) => {
                    tracing::debug!(%error, "the topic of contents has a problem");
                    break;
                }
                Err(_) => break,
            }
        }
        Ok(batch)
    }

    /// Stores a batch, however long it takes; false when we stop before.
    async fn store(&self, batch: &Batch, stop: &CancellationToken) -> bool {
        let mut backoff = Undertaking::new(STORING, &self.reporter).begin();
        loop {
            match insert::insert(&self.database, &batch.contents).await {
                Ok(stored) => {
                    metrics::record_contents(stored);
                    return true;
                }
                Err(error) => {
                    tracing::warn!(%error, "contents were not stored; trying again");
                    if !backoff.wait(stop).await {
                        return false;
                    }
                }
            }
        }
    }

    /// A commit that is lost only means that records are read again.
    fn commit(&self, batch: &Batch) {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in &batch.next_offsets {
            if let Err(error) = list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset)) {
                tracing::debug!(%error, partition, "an offset was not committed");
            }
        }
        if let Err(error) = self.consumer.commit(&list, CommitMode::Async) {
            tracing::debug!(%error, "offsets of contents were not committed");
        }
    }

    /// The broker being away is said by readiness; a topic that is missing, here and once.
    fn say(&mut self, error: &KafkaError) {
        let is_missing = error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownTopicOrPartition);
        if !is_missing {
            tracing::debug!(%error, "the topic of contents has a problem");
        } else if !std::mem::replace(&mut self.is_missing, true) {
            tracing::warn!(
                topic = self.topic,
                "the topic is missing: prompts that are sent as log records are refused until `opstream topics` creates it"
            );
        }
    }

    /// Does nothing until the process is replaced. Others take over what it does not read.
    async fn wait_for_update(&self) {
        tracing::error!(topic = self.topic, "records are of a newer version; update this ingestor");
        self.reporter.hindered(STORING, "records are of a newer version; update this ingestor".to_owned());
        std::future::pending::<()>().await;
    }
}

impl Batch {
    fn take(&mut self, message: &BorrowedMessage<'_>) {
        if self.meets_newer {
            return;
        }
        match read(message.payload()) {
            Ok(content) => {
                self.bytes += content.bytes();
                self.contents.push(content);
            }
            Err(Flaw::Newer) => {
                self.meets_newer = true;
                return;
            }
            Err(flaw) => {
                // It stays on the topic as long as anything does.
                let (partition, offset) = (message.partition(), message.offset());
                tracing::error!(partition, offset, %flaw, "a record of the topic of contents is passed over");
                metrics::record_unreadable_content();
            }
        }
        self.next_offsets.insert(message.partition(), message.offset() + 1);
    }

    const fn is_full(&self) -> bool {
        self.meets_newer || self.contents.len() >= MOST_RECORDS || self.bytes >= MOST_BYTES
    }
}

fn client_config(config: &IngestorConfig) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &config.bootstrap)
        .set("group.id", contents_group(&config.group))
        .set("client.id", "opstream-contents")
        .set("check.crcs", "true")
        .set("queued.max.messages.kbytes", "8192")
        .set("receive.message.max.bytes", "100000000")
        .set("session.timeout.ms", "10000")
        .set("topic.metadata.refresh.interval.ms", "30000")
        .set("allow.auto.create.topics", "false");
    for (name, value) in &config.properties {
        client.set(name, value);
    }
    // Offsets are committed once their records are stored; a record that is read twice is stored once.
    client
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest");
    client
}
