//! The law of the ingestor, on one screen.
//!
//! Order is always: **Parquet file → one SQL transaction (checkpoint, rows, dead letters, manifest) → broker commit.**
//! The database is the only authority on which offsets are applied, who may apply them and which files exist; what the
//! broker remembers is a hint for lag tools. A crash between two steps repeats work and never loses or doubles an
//! operation: before the transaction nothing counts, after it the checkpoint has moved.
//!
//! Two stages run at once: one prepares a batch (decode, check, price, write its file) while the other runs the transaction of the
//! batch before it. What a batch
//! holds of a partition whose checkpoint is elsewhere, or which is not ours any more, is dropped; the rest of it is stored.
//! Nothing here waits for the broker: claims and marks are tasks of their own.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use opstream_schemas::UtcMillis;
use opstream_schemas::condition::Reporter;
use opstream_schemas::failpoint::{self, Step};
use opstream_schemas::offsets::{Partition, StreamId};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::backoff::Undertaking;
use crate::breaker::Breaker;
use crate::claiming::{ClaimError, Claimed, Claims};
use crate::committer::{Committed, Committer, Stored};
use crate::config::{ContentPolicy, IngestorConfig};
use crate::contents::store_contents;
use crate::decode::WriterSchemas;
use crate::duplicates::StoredIds;
use crate::hold::Hold;
use crate::lake_file::open_lake;
use crate::marks::MarkTask;
use crate::outbox;
use crate::ownership::{Ownership, Ticket};
use crate::prepare::{PreparedBatch, Preparer};
use crate::prepare_stage::PrepareStage;
use crate::schema_lookup::SchemaLookup;
use crate::source::{Source, SourceCommand, SourceEvent, reader_config};
use crate::store::{Checkpoint, StoreError, retention_floor};
use crate::sweeper::sweep_lake;
use crate::topic_log::TopicLog;
use opstream_pricing::Pricer;

/// How often the loop says that it turns when nothing else happens.
const TURN_INTERVAL: Duration = Duration::from_secs(1);
/// What the condition says of partitions that cannot go on.
const HALTED: &str = "reading partitions";

/// Runs until the token is cancelled, then stores what has been read.
///
/// # Errors
/// When a setting is refused, the client gave up or a stage crashed; outages are waited out.
pub async fn run(config: IngestorConfig, shutdown: CancellationToken) -> anyhow::Result<()> {
    open_lake(&config.lake).with_context(|| format!("cannot write the lake {}", config.lake.display()))?;
    // Ends the stages, also when we end by ourselves.
    let stop = shutdown.child_token();
    let source = Source::start(&config, stop.clone()).context("cannot start reading the topic")?;
    let Source { consumer, events, batches, commands, thread } = source;
    let log = TopicLog::new(consumer, config.topics.operations(), reader_config(&config));
    let mut tasks = JoinSet::new();
    let outcome = match register(&config, &log, &stop).await {
        None => {
            drop((log, batches));
            Ok(())
        }
        Some((stream, floor)) => {
            let stored = Arc::new(Mutex::new(StoredIds::default()));
            let lookup = config.registry.clone();
            let lookup = lookup.map(|registry| SchemaLookup::new(registry, &config.reporter, stop.clone()));
            let preparer = Preparer {
                content: config.content,
                schemas: WriterSchemas::default(),
                pricer: Pricer::new(config.prices.borrow().clone(), config.cost_policy),
                stored: stored.clone(),
            };
            let (finished, prepared) = mpsc::channel(1);
            let (floor_tx, floor) = watch::channel(floor);
            let ownership = Ownership::new(stop.clone());
            let (database, positions) = (config.database.clone(), ownership.positions());
            let (lake, prices) = (config.lake.clone(), config.prices.clone());
            tasks.spawn(
                PrepareStage { batches, prepared: finished, lookup, preparer, prices, lake, stream, floor }.run(),
            );
            tasks.spawn(MarkTask { database: database.clone(), stream, log: log.clone(), positions }.run(stop.clone()));
            tasks.spawn(outbox::publish_dead_letters(config.clone(), stop.clone()));
            if config.content != ContentPolicy::Drop {
                tasks.spawn(store_contents(config.clone(), stop.clone()));
            }
            tasks.spawn(sweep_lake(database.clone(), config.lake.clone(), stop.clone()));
            let pipeline = Pipeline {
                committer: Committer::new(&config, stream, stored, stop.clone()),
                claims: Claims::new(database, stream, log, &config.reporter),
                ownership,
                commands,
                hold: Hold::new(Breaker::new(config.poison_hold), config.reporter.clone()),
                floor: floor_tx,
                reporter: config.reporter.clone(),
                shutdown: stop.clone(),
            };
            pipeline.work(Inputs { events, prepared, tasks: &mut tasks }).await
        }
    };
    stop.cancel();
    // Nobody takes batches any more, so the stages end, and then nobody but the thread holds the consumer.
    while tasks.join_next().await.is_some() {}
    thread.join().await;
    outcome
}

/// Finds the topic's row and the retention floor; none when we stop before that works.
async fn register(config: &IngestorConfig, log: &TopicLog, stop: &CancellationToken) -> Option<(StreamId, UtcMillis)> {
    let mut backoff = Undertaking::new("registering the topic", &config.reporter).begin();
    loop {
        let error = match log.register(&config.database).await {
            Ok(stream) => match retention_floor(&config.database).await {
                Ok(floor) => return Some((stream, floor)),
                Err(error) => anyhow::Error::new(error),
            },
            Err(error) => anyhow::Error::new(error),
        };
        tracing::warn!(error = format!("{error:#}"), "cannot register the topic; trying again");
        if !backoff.wait(stop).await {
            return None;
        }
    }
}

/// What the loop waits for.
struct Inputs<'a> {
    events: UnboundedReceiver<SourceEvent>,
    prepared: mpsc::Receiver<PreparedBatch>,
    tasks: &'a mut JoinSet<()>,
}

struct Pipeline {
    committer: Committer,
    claims: Claims,
    ownership: Ownership,
    commands: UnboundedSender<SourceCommand>,
    hold: Hold,
    floor: watch::Sender<UtcMillis>,
    reporter: Reporter,
    shutdown: CancellationToken,
}

impl Pipeline {
    async fn work(mut self, mut inputs: Inputs<'_>) -> anyhow::Result<()> {
        let mut turns = interval(TURN_INTERVAL);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.reporter.turned();
            tokio::select! {
                biased;
                Some(event) = inputs.events.recv() => match event {
                    SourceEvent::Fatal { reason } => anyhow::bail!("the Kafka client gave up: {reason}"),
                    event => self.handle_event(event).await?,
                },
                Some(claimed) = self.claims.next() => self.settle_claim(claimed.context("a claim crashed")?),
                Some(ended) = inputs.tasks.join_next() => ended.context("a task of the ingestor crashed")?,
                batch = self.hold.end(&self.shutdown) => if let Some(batch) = batch { self.store(batch).await? },
                batch = inputs.prepared.recv(), if !self.hold.is_holding() => match batch {
                    Some(batch) => self.take(batch).await?,
                    None if self.shutdown.is_cancelled() => return Ok(()),
                    None => anyhow::bail!("a stage of the ingestor ended by itself; the log says why"),
                },
                _ = turns.tick() => {}
            }
        }
    }

    async fn take(&mut self, batch: PreparedBatch) -> anyhow::Result<()> {
        match self.hold.admit(batch, Instant::now()) {
            Some(batch) => self.store(batch).await,
            None => Ok(()),
        }
    }

    async fn store(&mut self, batch: PreparedBatch) -> anyhow::Result<()> {
        match self.committer.store(batch, &self.ownership).await {
            Stored::Committed(Committed { positions, reread }) => {
                for (partition, position) in &positions {
                    self.ownership.advance(*partition, *position);
                }
                let hints = positions.iter().map(|(partition, position)| (*partition, position.next)).collect();
                self.command(SourceCommand::CommitHint(hints));
                // An error has no meaning here: nobody waits for the hint.
                failpoint::reach(Step::BrokerHinted).await.ok();
                self.reread(&reread);
            }
            Stored::FloorMoved(partitions) => {
                if let Ok(moved) = retention_floor(self.committer.database()).await {
                    self.floor.send_replace(moved);
                }
                self.reread(&partitions);
            }
            Stored::Fenced => self.rejoin(),
            Stored::Stopped => {}
            Stored::Failed(reason) => anyhow::bail!(reason),
        }
        Ok(())
    }

    async fn handle_event(&mut self, event: SourceEvent) -> anyhow::Result<()> {
        match event {
            SourceEvent::Assigned { rebalance, partitions } => {
                tracing::info!(partitions = partitions.len(), "claiming partitions that the group has assigned");
                for partition in partitions {
                    let ticket = self.ownership.assign(partition, rebalance);
                    self.claims.begin(ticket);
                }
            }
            SourceEvent::Revoked { partitions } => {
                tracing::info!(partitions = partitions.len(), "gave partitions up");
                self.ownership.release(&partitions);
                self.report_halted();
                if let Some(batch) = self.hold.drop_partitions(&partitions) {
                    self.store(batch).await?;
                }
            }
            SourceEvent::LogChanged { partition } => self.reread(&[partition]),
            SourceEvent::Fatal { .. } => {}
        }
        Ok(())
    }

    /// Reads these partitions again from their checkpoints.
    fn reread(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            if let Some(ticket) = self.ownership.reread(*partition) {
                self.claims.begin(ticket);
            }
        }
    }

    fn settle_claim(&mut self, claimed: Claimed) {
        let Claimed { ticket, outcome } = claimed;
        match outcome {
            Some(Ok(Checkpoint { fence, next_offset, .. })) => {
                let Some((rebalance, at)) = self.ownership.admit(&ticket, fence, next_offset) else { return };
                self.committer.forget_stored_ids();
                tracing::info!(partition = at.partition.0, offset = at.offset.0, "reading the partition");
                self.command(SourceCommand::Start { rebalance, at });
            }
            Some(Err(error @ (ClaimError::BeyondEnd { .. } | ClaimError::OtherLog { .. }))) => {
                self.halt(&ticket, &error);
            }
            Some(Err(ClaimError::Store(StoreError::Fenced { .. }))) => self.rejoin(),
            // The claim is not wanted any more; any other failure is tried again by the task.
            Some(Err(_)) | None => {}
        }
    }

    fn rejoin(&mut self) {
        tracing::warn!("another ingestor has taken over; joining the group again");
        self.ownership.release_all();
        self.report_halted();
        self.command(SourceCommand::Rejoin);
    }

    fn halt(&mut self, ticket: &Ticket, reason: &ClaimError) {
        if !self.ownership.halt(ticket) {
            return;
        }
        let partition = ticket.partition;
        tracing::error!(partition = partition.0, %reason, "reading of the partition has stopped until an operator decides");
        self.report_halted();
        self.command(SourceCommand::Halt(partition));
    }

    fn report_halted(&self) {
        let halted = self.ownership.halted();
        crate::metrics::record_halted(halted.len());
        if halted.is_empty() {
            return self.reporter.cleared(HALTED);
        }
        let partitions: Vec<String> = halted.iter().map(ToString::to_string).collect();
        let reason = format!("partitions {} wait for an operator; the log says why", partitions.join(", "));
        self.reporter.hindered(HALTED, reason);
    }

    fn command(&self, command: SourceCommand) {
        if self.commands.send(command).is_err() {
            tracing::debug!("the source has stopped; the command is not needed any more");
        }
    }
}

#[cfg(test)]
mod tests;
