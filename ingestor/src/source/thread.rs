//! The polling loop: commands in, records collected, due batches out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use opstream_schemas::offsets::{Offset, Partition};
use opstream_schemas::time::UtcMillis;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers as _, Message};
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;

use super::collector::Collector;
use super::context::partitions_being_read;
use super::{PATIENCE, POLL_TIMEOUT, QUESTION_TIMEOUT, SharedConsumer, SourceCommand, SourceEvent, StartAt};
use crate::config::BatchLimits;
use crate::record::{Headers, IncomingRecord, RawBatch};

/// Stands for a header whose name is not UTF-8.
const UNREADABLE_NAME: &str = "opstream.unreadable-header";

pub(super) struct Channels {
    pub(super) batches: mpsc::Sender<RawBatch>,
    pub(super) commands: mpsc::UnboundedReceiver<SourceCommand>,
    pub(super) stop: CancellationToken,
}

pub(super) struct Reader {
    consumer: SharedConsumer,
    topic: String,
    collector: Collector,
    channels: Channels,
    waiting: Option<Waiting>,
}

/// A due batch that nobody has taken yet.
struct Waiting {
    batch: RawBatch,
    since: Instant,
    paused: bool,
}

impl Reader {
    pub(super) fn new(consumer: SharedConsumer, topic: String, limits: BatchLimits, channels: Channels) -> Self {
        Self { consumer, topic, collector: Collector::new(limits), channels, waiting: None }
    }

    /// Runs until the token is cancelled, then leaves the group.
    pub(super) fn run(mut self) {
        while !self.channels.stop.is_cancelled() {
            self.obey_commands();
            if self.waiting.is_some() {
                self.offer_waiting();
            } else {
                self.poll();
            }
        }
        self.hand_over_the_rest();
        self.close();
    }

    /// Leaves the group. Closing the consumer blocks, so it should happen here and not on a thread of the async side: waits for
    /// those who still ask the broker something.
    fn close(self) {
        let Self { consumer, channels, .. } = self;
        // The stages end when there can be no more batches, and with them whoever asks.
        drop(channels);
        consumer.unsubscribe();
        let asked_until = Instant::now() + QUESTION_TIMEOUT;
        while Arc::strong_count(&consumer) > 1 && Instant::now() < asked_until {
            drop(consumer.poll(POLL_TIMEOUT));
        }
    }

    /// Lets what was read already be stored; anything else is read again at the next start.
    fn hand_over_the_rest(&mut self) {
        let waiting = self.waiting.take().map(|waiting| waiting.batch);
        for batch in waiting.into_iter().chain([self.collector.take_batch()]) {
            if !batch.is_empty() && self.channels.batches.blocking_send(batch).is_err() {
                return;
            }
        }
    }

    fn obey_commands(&mut self) {
        while let Ok(command) = self.channels.commands.try_recv() {
            match command {
                SourceCommand::Start { rebalance, at } => self.start(rebalance, at),
                SourceCommand::Halt(partition) => self.halt(partition),
                SourceCommand::Rejoin => self.rejoin(),
                SourceCommand::CommitHint(offsets) => self.commit_hint(&offsets),
            }
        }
    }

    /// Reads the partition from here, whether it was being read or not. Taking it out of the assignment and adding it again is the
    /// one way that also works when the client has stopped fetching it, because its offset was out of range.
    fn start(&mut self, rebalance: u64, at: StartAt) {
        if !self.consumer.context().is_granted(at.partition, rebalance) {
            tracing::debug!(partition = at.partition.0, "the partition was taken away before it could be started");
            return;
        }
        self.drop_waiting(&[at.partition]);
        self.collector.start(at);
        let mut list = TopicPartitionList::new();
        self.add_offset(&mut list, at.partition, at.offset);
        let is_paused = self.waiting.as_ref().is_some_and(|waiting| waiting.paused);
        let started = self.stop_reading(at.partition).and_then(|()| self.consumer.incremental_assign(&list));
        // The client remembers a pause beyond the assignment.
        let started =
            started.and_then(|()| if is_paused { self.consumer.pause(&list) } else { self.consumer.resume(&list) });
        if let Err(error) = started {
            self.fail(&format!("cannot read partition {} from offset {}: {error}", at.partition, at.offset));
        }
    }

    fn halt(&mut self, partition: Partition) {
        self.collector.stop(&[partition]);
        self.drop_waiting(&[partition]);
        if let Err(error) = self.stop_reading(partition) {
            self.fail(&format!("cannot stop reading partition {partition}: {error}"));
        }
    }

    fn stop_reading(&self, partition: Partition) -> Result<(), KafkaError> {
        let read = partitions_being_read(&self.consumer, &[partition])?;
        if read.count() == 0 {
            return Ok(());
        }
        self.consumer.incremental_unassign(&read)
    }

    fn rejoin(&mut self) {
        self.consumer.unsubscribe();
        if let Err(error) = self.consumer.subscribe(&[&self.topic]) {
            self.fail(&format!("cannot join the group again: {error}"));
        }
    }

    fn commit_hint(&self, offsets: &[(Partition, Offset)]) {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in offsets {
            self.add_offset(&mut list, *partition, *offset);
        }
        if let Err(error) = self.consumer.commit(&list, CommitMode::Async) {
            tracing::debug!(%error, "the broker did not take the offset hint; the database's checkpoint is what counts");
        }
    }

    fn add_offset(&self, list: &mut TopicPartitionList, partition: Partition, offset: Offset) {
        list.add_partition_offset(&self.topic, partition.0, KafkaOffset::Offset(offset.0))
            .expect("an offset of 0 or more is a valid position");
    }

    fn poll(&mut self) {
        let consumer = self.consumer.clone();
        // Take what is there without waiting again; the batch is handed over as soon as it is due.
        let mut timeout = POLL_TIMEOUT;
        while let Some(polled) = consumer.poll(timeout) {
            match polled {
                Ok(message) => self.collector.take(incoming(&message), Instant::now()),
                Err(error) => self.note_error(&error),
            }
            if self.collector.is_full() {
                break;
            }
            timeout = Duration::ZERO;
        }
        self.forget_revoked();
        if self.collector.is_due(Instant::now()) {
            let batch = self.collector.take_batch();
            self.waiting = Some(Waiting { batch, since: Instant::now(), paused: false });
            self.offer_waiting();
        }
    }

    /// Revocations are noticed by the callback inside `poll`; what was collected of them must not go out.
    fn forget_revoked(&mut self) {
        let revoked = self.consumer.context().take_revoked();
        if !revoked.is_empty() {
            self.collector.stop(&revoked);
            self.drop_waiting(&revoked);
        }
    }

    fn offer_waiting(&mut self) {
        let Some(mut waiting) = self.waiting.take() else { return };
        if waiting.batch.is_empty() {
            self.resume(waiting.paused);
            return;
        }
        match self.channels.batches.try_send(waiting.batch) {
            Ok(()) => self.resume(waiting.paused),
            Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(batch)) => {
                waiting.batch = batch;
                if !waiting.paused && waiting.since.elapsed() >= PATIENCE {
                    waiting.paused = true;
                    self.pause();
                }
                let paused = waiting.paused;
                self.waiting = Some(waiting);
                if paused {
                    self.poll_while_paused();
                } else {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
    }

    /// Keeps the membership alive while everything is paused. Nothing should come: a pause discards what was fetched, and it is
    /// read again later.
    fn poll_while_paused(&mut self) {
        match self.consumer.clone().poll(POLL_TIMEOUT) {
            Some(Ok(message)) => self.collector.take(incoming(&message), Instant::now()),
            Some(Err(error)) => self.note_error(&error),
            None => {}
        }
        self.forget_revoked();
    }

    fn pause(&self) {
        tracing::warn!("batches are not being stored; reading is paused and the topic keeps what comes");
        let paused = self.consumer.assignment().and_then(|list| self.consumer.pause(&list));
        if let Err(error) = paused {
            tracing::warn!(%error, "cannot pause reading");
        }
    }

    fn resume(&self, was_paused: bool) {
        if !was_paused {
            return;
        }
        let resumed = self.consumer.assignment().and_then(|list| self.consumer.resume(&list));
        match resumed {
            Ok(()) => tracing::info!("batches are being stored again; reading goes on"),
            Err(error) => self.fail(&format!("cannot resume reading: {error}")),
        }
    }

    fn drop_waiting(&mut self, partitions: &[Partition]) {
        if let Some(waiting) = &mut self.waiting {
            waiting.batch.drop_partitions(partitions);
        }
    }

    fn note_error(&self, error: &KafkaError) {
        match error {
            KafkaError::MessageConsumption(
                RDKafkaErrorCode::AutoOffsetReset
                | RDKafkaErrorCode::OffsetOutOfRange
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopicId,
            ) => {
                // librdkafka does not say which partition it was: every one is checked against its log.
                for element in self.consumer.assignment().iter().flat_map(TopicPartitionList::elements) {
                    let partition = Partition(element.partition());
                    self.consumer.context().send(SourceEvent::LogChanged { partition });
                }
            }
            KafkaError::MessageConsumptionFatal(_) => self.fail(&error.to_string()),
            _ => tracing::warn!(%error, "reading the topic failed; the client tries again"),
        }
    }

    fn fail(&self, reason: &str) {
        self.consumer.context().send(SourceEvent::Fatal { reason: reason.to_owned() });
    }
}

fn incoming<'a>(message: &'a BorrowedMessage<'_>) -> IncomingRecord<'a> {
    IncomingRecord {
        partition: Partition(message.partition()),
        offset: Offset(message.offset()),
        timestamp: message.timestamp().to_millis().map(UtcMillis::from_millis),
        key: message.key(),
        value: message.payload(),
        headers: message.headers().map_or_else(Headers::new, headers_of),
    }
}

/// The client's binding panics at a name that is not UTF-8. Such a header keeps its place, and the record is taken all the same:
/// one hostile record must not stop the topic.
fn headers_of(headers: &BorrowedHeaders) -> Headers {
    let read = |index| {
        let header = headers.try_get(index)?;
        Some((header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
    };
    let unreadable = || Some((UNREADABLE_NAME.to_owned(), None));
    (0..headers.count())
        .filter_map(|index| catch_unwind(AssertUnwindSafe(|| read(index))).unwrap_or_else(|_| unreadable()))
        .collect()
}
