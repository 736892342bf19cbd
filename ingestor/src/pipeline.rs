//! The law of the ingestor, on one screen.
//!
//! Order is always: **Parquet file → one SQL transaction (checkpoint, rows, dead letters, manifest) → broker commit.**
//! The database is the only authority on which offsets are applied, who may apply them and which files exist; what the
//! broker remembers is a hint for lag tools. A crash between two steps repeats work and never loses or doubles an
//! operation: before the transaction nothing counts, after it the checkpoint has moved.
//!
//! Two stages run at once: one prepares a batch (decode, check, price) while the other stores the batch before it. A
//! batch whose place in its partition is not exactly the checkpoint is dropped and read again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use opstream_schemas::offsets::Partition;
use opstream_schemas::prices::Catalogue;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::committer::{Committer, Stored};
use crate::config::IngestorConfig;
use crate::duplicates::StoredIds;
use crate::outbox;
use crate::ownership::{ClaimError, Ownership};
use crate::patience::Patience;
use crate::prepare::Preparer;
use crate::preparing::{Preparing, prepare_batches};
use crate::price::Pricer;
use crate::source::{Source, SourceCommand, SourceEvent};
use crate::store::{StoreError, remember_marks, retention_floor};

/// How often the ends of the logs are remembered; bounds how exact "complete to T" is.
const MARK_INTERVAL: Duration = Duration::from_secs(1);

/// Runs until the token is cancelled, then stores what has been read.
///
/// # Errors
/// When a setting is refused or the client gave up; outages are waited out.
pub async fn run(config: IngestorConfig, shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut source = Source::start(&config, shutdown.clone()).context("cannot start reading the topic")?;
    let stored = Arc::new(Mutex::new(StoredIds::default()));
    let mut ownership = Ownership::new(config.database.clone(), source.consumer.clone(), config.topics.operations());
    let (floor_tx, floor) = tokio::sync::watch::channel(retention_floor(&config.database).await?);
    let stream = wait_for_stream(&mut ownership, &shutdown).await?;
    let batches = std::mem::replace(&mut source.batches, tokio::sync::mpsc::channel(1).1);
    let preparer =
        Preparer { content: config.content, pricer: Pricer::new(Catalogue::embedded()), stored: stored.clone() };
    let (finished, mut prepared) = tokio::sync::mpsc::channel(1);
    let mut tasks = JoinSet::new();
    tasks.spawn(prepare_batches(Preparing { batches, prepared: finished, preparer, stream, floor }));
    tasks.spawn(outbox::publish_dead_letters(config.clone(), shutdown.clone()));
    let mut pipeline = Pipeline {
        committer: Committer::new(&config, stream, stored, shutdown.clone()),
        ownership,
        commands: source.commands.clone(),
        halted: 0,
        shutdown: shutdown.clone(),
    };
    let mut marks = interval(MARK_INTERVAL);
    marks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let outcome = loop {
        tokio::select! {
            biased;
            event = source.events.recv() => match event {
                Some(SourceEvent::Fatal { reason }) => break Err(anyhow::anyhow!("the Kafka client gave up: {reason}")),
                Some(event) => pipeline.heed(event).await,
                None => break Ok(()),
            },
            batch = prepared.recv() => match batch {
                Some(batch) => {
                    let stored = pipeline.committer.store(batch, &pipeline.ownership).await;
                    pipeline.react(stored, &floor_tx).await;
                }
                None => break Ok(()),
            },
            _ = marks.tick(), if !shutdown.is_cancelled() => {
                let marks = pipeline.ownership.marks().await;
                if let Err(error) = remember_marks(&config.database, stream, &marks).await {
                    tracing::debug!(%error, "the ends of the logs were not remembered");
                }
            }
        }
    };
    shutdown.cancel();
    // The last holder of the consumer leaves the group, which blocks: `join` does that on a thread for it.
    drop(pipeline);
    source.join().await;
    while tasks.join_next().await.is_some() {}
    outcome
}

async fn wait_for_stream(
    ownership: &mut Ownership,
    shutdown: &CancellationToken,
) -> anyhow::Result<opstream_schemas::offsets::StreamId> {
    let mut patience = Patience::default();
    loop {
        match ownership.stream().await {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                tracing::warn!(%error, "cannot register the topic; trying again");
                anyhow::ensure!(patience.wait(shutdown).await, "stopped before the topic could be registered");
            }
        }
    }
}

struct Pipeline {
    committer: Committer,
    ownership: Ownership,
    commands: tokio::sync::mpsc::UnboundedSender<SourceCommand>,
    halted: usize,
    shutdown: CancellationToken,
}

impl Pipeline {
    async fn heed(&mut self, event: SourceEvent) {
        match event {
            SourceEvent::Assigned { rebalance, partitions } => {
                let mut starts = Vec::new();
                for partition in partitions {
                    if let Some(start) = self.claim_patiently(partition).await {
                        starts.push(start);
                    }
                }
                tracing::info!(partitions = starts.len(), "claimed partitions");
                self.command(SourceCommand::Start { rebalance, partitions: starts });
            }
            SourceEvent::Revoked { partitions } => {
                tracing::info!(partitions = partitions.len(), "gave partitions up");
                self.ownership.release(&partitions);
            }
            SourceEvent::OutOfRange { partition } => self.restart(&[partition]).await,
            SourceEvent::Fatal { .. } => {}
        }
    }

    /// Claims until it works, an operator is needed or we stop.
    async fn claim_patiently(&mut self, partition: Partition) -> Option<crate::source::StartAt> {
        let mut patience = Patience::default();
        loop {
            match self.ownership.claim(partition).await {
                Ok(start) => return Some(start),
                Err(error @ ClaimError::BeyondEnd { .. }) => {
                    self.halt(partition, &error);
                    return None;
                }
                Err(error) => {
                    tracing::warn!(
                        partition = partition.0,
                        error = format!("{error:#}"),
                        "cannot claim the partition; trying again"
                    );
                    if !patience.wait(&self.shutdown).await {
                        return None;
                    }
                }
            }
        }
    }

    async fn react(&mut self, stored: Stored, floor: &tokio::sync::watch::Sender<opstream_schemas::UtcMillis>) {
        match stored {
            Stored::Committed(hints) => self.command(SourceCommand::CommitHint(hints)),
            Stored::Dropped(partitions) => self.restart(&partitions).await,
            Stored::FloorMoved(partitions) => {
                if let Ok(moved) = retention_floor(self.committer.database()).await {
                    floor.send_replace(moved);
                }
                self.restart(&partitions).await;
            }
            Stored::Fenced => {
                tracing::warn!("another ingestor has taken over; joining the group again");
                self.ownership.release_all();
                self.command(SourceCommand::Rejoin);
            }
            Stored::Stopped => {}
        }
    }

    /// Reads these partitions again from their checkpoints.
    async fn restart(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            let mut patience = Patience::default();
            loop {
                match self.ownership.restart(*partition).await {
                    Ok(Some(start)) => break self.command(SourceCommand::Restart(start)),
                    Ok(None) => break,
                    Err(ClaimError::Store(StoreError::Fenced { .. })) => {
                        self.ownership.release_all();
                        break self.command(SourceCommand::Rejoin);
                    }
                    Err(error @ ClaimError::BeyondEnd { .. }) => break self.halt(*partition, &error),
                    Err(error) => {
                        tracing::warn!(
                            partition = partition.0,
                            error = format!("{error:#}"),
                            "cannot restart the partition; trying again"
                        );
                        if !patience.wait(&self.shutdown).await {
                            break;
                        }
                    }
                }
            }
        }
    }

    fn halt(&mut self, partition: Partition, reason: &ClaimError) {
        tracing::error!(partition = partition.0, %reason, "reading of the partition has stopped until an operator decides");
        self.halted += 1;
        crate::metrics::record_halted(self.halted);
        self.command(SourceCommand::Halt(partition));
    }

    fn command(&self, command: SourceCommand) {
        if self.commands.send(command).is_err() {
            tracing::debug!("the source has stopped; the command is not needed any more");
        }
    }
}
