//! The law of the ingestor, on one screen.
//!
//! Order is always: **Parquet file → one SQL transaction (checkpoint, rows, dead letters, manifest) → broker commit.**
//! The database is the only authority on which offsets are applied, who may apply them and which files exist; what the
//! broker remembers is a hint for lag tools. A crash between two steps repeats work and never loses or doubles an
//! operation: before the transaction nothing counts, after it the checkpoint has moved.
//!
//! Two stages run at once: one prepares a batch (decode, check, price) while the other stores the batch before it. A
//! batch whose place in its partition is not exactly the checkpoint is dropped and read again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use opstream_schemas::UtcMillis;
use opstream_schemas::condition::Reporter;
use opstream_schemas::offsets::Partition;
use opstream_schemas::prices::Catalogue;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::breaker::Breaker;
use crate::committer::{Committer, Stored};
use crate::config::IngestorConfig;
use crate::dead_letter::Poison;
use crate::duplicates::StoredIds;
use crate::lake_file::open_lake;
use crate::outbox;
use crate::ownership::{ClaimError, Ownership};
use crate::patience::Patience;
use crate::prepare::{PreparedBatch, Preparer};
use crate::preparing::{Preparing, prepare_batches};
use crate::price::Pricer;
use crate::source::{Source, SourceCommand, SourceEvent};
use crate::store::{StoreError, remember_marks, retention_floor};
use crate::sweeper::sweep_lake;

/// How often the ends of the logs are remembered; bounds how exact "complete to T" is.
const MARK_INTERVAL: Duration = Duration::from_secs(1);
/// What the condition says of a held flood of poison.
const POISON: &str = "taking records";
/// What the condition says of partitions that cannot go on.
const HALTED: &str = "reading partitions";

/// Runs until the token is cancelled, then stores what has been read.
///
/// # Errors
/// When a setting is refused or the client gave up; outages are waited out.
pub async fn run(config: IngestorConfig, shutdown: CancellationToken) -> anyhow::Result<()> {
    open_lake(&config.lake).with_context(|| format!("cannot write the lake {}", config.lake.display()))?;
    let mut source = Source::start(&config, shutdown.clone()).context("cannot start reading the topic")?;
    let stored = Arc::new(Mutex::new(StoredIds::default()));
    let mut ownership = Ownership::new(config.database.clone(), source.consumer.clone(), config.topics.operations());
    let (floor_tx, floor) = watch::channel(retention_floor(&config.database).await?);
    let stream = wait_for_stream(&mut ownership, (&config.reporter, &shutdown)).await?;
    let batches = std::mem::replace(&mut source.batches, tokio::sync::mpsc::channel(1).1);
    let preparer =
        Preparer { content: config.content, pricer: Pricer::new(Catalogue::embedded()), stored: stored.clone() };
    let (finished, mut prepared) = tokio::sync::mpsc::channel(1);
    let mut tasks = JoinSet::new();
    tasks.spawn(prepare_batches(Preparing { batches, prepared: finished, preparer, stream, floor }));
    tasks.spawn(outbox::publish_dead_letters(config.clone(), shutdown.clone()));
    tasks.spawn(sweep_lake(config.database.clone(), config.lake.clone(), shutdown.clone()));
    let mut pipeline = Pipeline {
        committer: Committer::new(&config, stream, stored, shutdown.clone()),
        ownership,
        commands: source.commands.clone(),
        breaker: Breaker::new(config.poison_hold),
        held: None,
        halted: BTreeSet::new(),
        floor: floor_tx,
        reporter: config.reporter.clone(),
        shutdown: shutdown.clone(),
    };
    let mut marks = interval(MARK_INTERVAL);
    marks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let outcome = loop {
        pipeline.reporter.turned();
        tokio::select! {
            biased;
            event = source.events.recv() => match event {
                Some(SourceEvent::Fatal { reason }) => break Err(anyhow::anyhow!("the Kafka client gave up: {reason}")),
                Some(event) => pipeline.heed(event).await,
                None => break Ok(()),
            },
            () = end_of_hold(pipeline.held.as_ref(), &shutdown), if pipeline.held.is_some() => pipeline.end_hold().await,
            batch = prepared.recv(), if pipeline.held.is_none() => match batch {
                Some(batch) => pipeline.take(batch).await,
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
    (reporter, shutdown): (&Reporter, &CancellationToken),
) -> anyhow::Result<opstream_schemas::offsets::StreamId> {
    let mut patience = Patience::new("registering the topic", reporter);
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

/// A batch with a flood of poison. While it is held, no other is taken: the source pauses and Kafka keeps what comes.
struct Held {
    batch: PreparedBatch,
    until: Instant,
}

/// Returns when the held batch need not wait any longer, because its time has come or because we stop.
async fn end_of_hold(held: Option<&Held>, shutdown: &CancellationToken) {
    let Some(held) = held else { return };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = tokio::time::sleep_until(held.until.into()) => {}
    }
}

struct Pipeline {
    committer: Committer,
    ownership: Ownership,
    commands: UnboundedSender<SourceCommand>,
    breaker: Breaker,
    held: Option<Held>,
    halted: BTreeSet<Partition>,
    floor: watch::Sender<UtcMillis>,
    reporter: Reporter,
    shutdown: CancellationToken,
}

impl Pipeline {
    async fn take(&mut self, batch: PreparedBatch) {
        let newer = batch.dead.iter().filter(|letter| matches!(letter.poison, Poison::NewerSchema { .. })).count();
        match self.breaker.judge(batch.len(), batch.dead.len(), newer, Instant::now()) {
            None => self.store(batch).await,
            Some(until) => self.hold(batch, until),
        }
    }

    async fn store(&mut self, batch: PreparedBatch) {
        let stored = self.committer.store(batch, &self.ownership).await;
        self.react(stored).await;
    }

    fn hold(&mut self, batch: PreparedBatch, until: Instant) {
        let seconds = until.saturating_duration_since(Instant::now()).as_secs();
        tracing::error!(
            batch_records = batch.len(),
            dead = batch.dead.len(),
            reasons = ?batch.dead_by_reason(),
            "unusually many records cannot be operations; reading waits {seconds} s for somebody to stop a wrong producer or \
             to update the ingestor, then they become dead letters"
        );
        let reason = format!(
            "{} of {} records cannot be operations; reading waits up to {seconds} s before they become dead letters",
            batch.dead.len(),
            batch.len()
        );
        self.reporter.hindered(POISON, reason);
        crate::metrics::record_held(true);
        self.held = Some(Held { batch, until });
    }

    /// Stores what was held; when we stop, it is left to the next start instead, which looks at it anew.
    async fn end_hold(&mut self) {
        crate::metrics::record_held(false);
        self.reporter.cleared(POISON);
        if let Some(Held { batch, .. }) = self.held.take()
            && !self.shutdown.is_cancelled()
        {
            self.store(batch).await;
        }
    }

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
                self.halted.retain(|halted| !partitions.contains(halted));
                self.report_halted();
            }
            SourceEvent::OutOfRange { partition } => self.restart(&[partition]).await,
            SourceEvent::Fatal { .. } => {}
        }
    }

    /// Claims until it works, an operator is needed or we stop.
    async fn claim_patiently(&mut self, partition: Partition) -> Option<crate::source::StartAt> {
        let mut patience = Patience::new("claiming partitions", &self.reporter);
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

    async fn react(&mut self, stored: Stored) {
        match stored {
            Stored::Committed(hints) => self.command(SourceCommand::CommitHint(hints)),
            Stored::Dropped(partitions) => self.restart(&partitions).await,
            Stored::FloorMoved(partitions) => {
                if let Ok(moved) = retention_floor(self.committer.database()).await {
                    self.floor.send_replace(moved);
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
            let mut patience = Patience::new("reading partitions again", &self.reporter);
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
        self.halted.insert(partition);
        self.report_halted();
        self.command(SourceCommand::Halt(partition));
    }

    fn report_halted(&self) {
        crate::metrics::record_halted(self.halted.len());
        if self.halted.is_empty() {
            return self.reporter.cleared(HALTED);
        }
        let partitions: Vec<String> = self.halted.iter().map(ToString::to_string).collect();
        let reason = format!("partitions {} wait for an operator; the log says why", partitions.join(", "));
        self.reporter.hindered(HALTED, reason);
    }

    fn command(&self, command: SourceCommand) {
        if self.commands.send(command).is_err() {
            tracing::debug!("the source has stopped; the command is not needed any more");
        }
    }
}
