//! The real code of one ingestor, without threads and without a broker: what its pipeline does, one step at a time. Beside every
//! action the reference takes the same one, and both must come to the same.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

use opstream_schemas::condition::Reporter;
use opstream_schemas::database::{Database, DatabaseUrl};
use opstream_schemas::offsets::{Offset, OffsetRange, Partition, StreamId};
use opstream_schemas::prices::{Catalogue, CostPolicy};
use opstream_schemas::topics::Topics;
use opstream_schemas::validate::{AcceptedTimes, DEFAULT_RETENTION_FLOOR};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::super::{Attempt, Committed, Stored, Work};
use super::records::{now, value_of};
use super::reference::{Applied, Batch, Reference};
use super::{INGESTORS, Lost, Sent, Step};
use crate::claiming::{ClaimError, Claimant, claim};
use crate::committer::Committer;
use crate::config::{BatchLimits, ContentPolicy, IngestorConfig, embedded_prices};
use crate::decode::WriterSchemas;
use crate::ownership::{Ownership, Ticket};
use crate::prepare::{PreparedBatch, Preparer};
use crate::record::{IncomingRecord, RawBatch};
use crate::store::{StoreError, StreamKey, find_stream};
use opstream_pricing::Pricer;

/// Everything there is: the tables, the lake, the ingestors, and what the reference says about them.
pub(super) struct World {
    pub(super) config: IngestorConfig,
    pub(super) reference: Reference,
    stream: StreamId,
    ingestors: Vec<Ingestor>,
    _folder: TempDir,
}

/// One process.
struct Ingestor {
    id: Uuid,
    ownership: Ownership,
    committer: Committer,
    preparer: Preparer,
    prepared: VecDeque<(PreparedBatch, Batch)>,
    /// What it reads: for each partition the epoch, the fence and the next offset.
    reading: BTreeMap<usize, (u64, i64, i64)>,
    /// Operations that it knows to be stored, for the reference.
    remembered: BTreeMap<u8, bool>,
}

impl World {
    pub(super) async fn new() -> Self {
        let folder = folder();
        let file = folder.path().join("opstream.db");
        std::fs::copy(&*EMPTY_DATABASE, &file).unwrap();
        let config = IngestorConfig {
            registry: None,
            prices: embedded_prices(),
            cost_policy: CostPolicy::default(),
            database: Database::connect(&DatabaseUrl::Sqlite(file)).await.unwrap(),
            lake: folder.path().join("lake"),
            bootstrap: String::new(),
            topics: Topics::default(),
            group: String::new(),
            instance: None,
            properties: BTreeMap::new(),
            limits: BatchLimits::default(),
            content: ContentPolicy::Drop,
            poison_hold: std::time::Duration::ZERO,
            reporter: Reporter::default(),
        };
        let key = StreamKey { cluster_id: "c".to_owned(), topic: "t".to_owned(), topic_id: String::new() };
        let stream = find_stream(&config.database, &key, now().to_millis()).await.unwrap();
        let ingestors = (0..INGESTORS).map(|_| Ingestor::new(&config, stream)).collect();
        Self { config, reference: Reference::default(), stream, ingestors, _folder: folder }
    }

    pub(super) async fn take(&mut self, step: Step) {
        match step {
            Step::Produce { partition, records } => self.reference.partitions[partition].log.extend(records),
            Step::Expire { partition, offsets } => {
                let topic = &mut self.reference.partitions[partition];
                topic.log_start = (topic.log_start + offsets).min(topic.end());
            }
            Step::Assign { ingestor, partition } => self.assign(ingestor, partition).await,
            Step::Revoke { ingestor, partition } => {
                let ingestor = &mut self.ingestors[ingestor];
                ingestor.ownership.release(&[topic_partition(partition)]);
                ingestor.reading.remove(&partition);
            }
            Step::Read { nth, offsets } => {
                if let Some(ingestor) = self.nth(nth, |ingestor| !ingestor.reading.is_empty()) {
                    self.read(ingestor, offsets).await;
                }
            }
            Step::Store { nth, lost } => {
                if let Some(ingestor) = self.nth(nth, |ingestor| !ingestor.prepared.is_empty()) {
                    self.store(ingestor, &lost).await;
                }
            }
            Step::Crash { ingestor } => {
                let crashed = &mut self.ingestors[ingestor];
                if let Some((batch, _)) = crashed.prepared.front_mut() {
                    batch.write_ahead(&self.config.lake);
                }
                self.ingestors[ingestor] = Ingestor::new(&self.config, self.stream);
            }
        }
    }

    /// One of the ingestors that can do it.
    fn nth(&self, nth: usize, can: impl Fn(&Ingestor) -> bool) -> Option<usize> {
        let able: Vec<usize> = (0..INGESTORS).filter(|ingestor| can(&self.ingestors[*ingestor])).collect();
        able.get(nth % able.len().max(1)).copied()
    }

    /// A new ingestor takes everything over and reads to the end.
    pub(super) async fn store_what_is_left(&mut self) {
        self.ingestors[0] = Ingestor::new(&self.config, self.stream);
        for partition in 0..super::PARTITIONS {
            self.assign(0, partition).await;
        }
        self.read(0, i64::MAX).await;
        self.store(0, &[]).await;
    }

    async fn assign(&mut self, ingestor: usize, partition: usize) {
        let ticket = self.ingestors[ingestor].ownership.assign(topic_partition(partition), 1);
        self.begin_reading(ingestor, &ticket).await;
    }

    /// Reads partitions again whose part of a batch was dropped.
    async fn read_again(&mut self, ingestor: usize, partitions: Vec<usize>) {
        for partition in partitions {
            if let Some(ticket) = self.ingestors[ingestor].ownership.reread(topic_partition(partition)) {
                self.begin_reading(ingestor, &ticket).await;
            }
        }
    }

    async fn begin_reading(&mut self, ingestor: usize, ticket: &Ticket) {
        let partition = usize::try_from(ticket.partition.0).unwrap();
        let topic = &self.reference.partitions[partition];
        let log = OffsetRange { from: Offset(topic.log_start), to: Offset(topic.end()) };
        let of = &mut self.ingestors[ingestor];
        let claimant = Claimant { owner: of.id, fence: ticket.fence };
        let claimed = claim(&self.config.database, (self.stream, ticket.partition), claimant, log).await;
        let is_taken = ticket.fence.is_some_and(|ours| ours.0 != topic.fence);
        let claim = match claimed {
            Err(ClaimError::Store(StoreError::Fenced { .. })) => {
                assert!(is_taken, "a holder is fenced out");
                of.leave();
                return;
            }
            claimed => claimed.unwrap(),
        };
        assert!(!is_taken, "a fenced ingestor goes on reading");
        let expected = match ticket.fence {
            None => self.reference.claim(partition),
            Some(fence) => (fence.0, self.reference.read_again(partition)),
        };
        assert_eq!((claim.fence.0, claim.next_offset.0), expected);
        // As the pipeline does before it reads from a checkpoint.
        of.committer.forget_stored_ids();
        of.remembered.clear();
        let (_, start) = of.ownership.admit(ticket, claim.fence, claim.next_offset).unwrap();
        of.reading.insert(partition, (start.epoch, claim.fence.0, start.offset.0));
    }

    async fn read(&mut self, ingestor: usize, offsets: i64) {
        let is_overtaken = |(partition, (_, _, next)): (&usize, &(u64, i64, i64))| {
            (*next < self.reference.partitions[*partition].log_start).then_some(*partition)
        };
        let overtaken = self.ingestors[ingestor].reading.iter().filter_map(is_overtaken).collect();
        self.read_again(ingestor, overtaken).await;
        let of = &mut self.ingestors[ingestor];
        let (mut raw, mut batch, mut read) = (RawBatch::default(), Batch::default(), Vec::new());
        for (partition, (epoch, fence, next)) in &mut of.reading {
            let from = *next;
            let log = &self.reference.partitions[*partition].log;
            let until = from.saturating_add(offsets).min(self.reference.partitions[*partition].end());
            for offset in from..until {
                let sent = log[usize::try_from(offset).unwrap()];
                let Some(value) = value_of(sent) else { continue };
                let record = IncomingRecord {
                    partition: topic_partition(*partition),
                    offset: Offset(offset),
                    timestamp: None,
                    key: None,
                    value: Some(&value),
                    headers: Vec::new(),
                };
                raw.push(record, *epoch, Offset(*next));
                *next = offset + 1;
                read.push(((*partition, offset), sent));
            }
            if *next > from {
                batch.parts.push((*partition, *fence, from, *next));
                batch.epochs.push(*epoch);
            }
        }
        if raw.is_empty() {
            return;
        }
        batch.records = Reference::prepare(read, &of.remembered);
        let accepted = AcceptedTimes::at(now().to_millis(), DEFAULT_RETENTION_FLOOR);
        of.prepared.push_back((of.preparer.prepare(raw, self.stream, accepted), batch));
    }

    async fn store(&mut self, ingestor: usize, lost: &[Lost]) {
        let Some((prepared, mut batch)) = self.ingestors[ingestor].prepared.pop_front() else { return };
        batch.keep_parts(&self.ingestors[ingestor].reading);
        let work = {
            let of = &self.ingestors[ingestor];
            of.committer.begin(prepared, &of.ownership).await
        };
        let (stored, applied) = Box::pin(self.store_work(ingestor, work, (&batch, lost))).await;
        let of = &mut self.ingestors[ingestor];
        match stored {
            Stored::Committed(committed) => {
                let mut positions: Vec<_> = committed.positions.iter().map(|(p, at)| (p.0, at.next.0)).collect();
                positions.sort_unstable();
                let expected: Vec<_> =
                    applied.positions.iter().map(|(p, next)| (topic_partition(*p).0, *next)).collect();
                assert_eq!(positions, expected);
                let moved: Vec<_> = committed.reread.iter().map(|p| usize::try_from(p.0).unwrap()).collect();
                assert_eq!(moved, applied.moved);
                for (partition, position) in committed.positions {
                    of.ownership.advance(partition, position);
                }
                of.remember(&batch, &applied, &self.reference);
                self.read_again(ingestor, moved).await;
            }
            Stored::Fenced => {
                let is_raced = lost.iter().any(|lost| matches!(lost, Lost::AnswerAndPartition { .. }));
                assert!(applied.is_fenced || is_raced, "a holder is fenced out");
                of.leave();
            }
            other => panic!("{other:?}"),
        }
    }

    /// As `Committer::store_work`, except that the first answers are lost.
    async fn store_work(
        &mut self,
        ingestor: usize,
        mut work: Work,
        (batch, lost): (&Batch, &[Lost]),
    ) -> (Stored, Applied) {
        let unknown = || StoreError::Unavailable(sqlx::Error::PoolTimedOut);
        let mut applied = None;
        for lost in lost {
            if work.batch.is_empty() {
                break;
            }
            let ranges = work.applied_ranges();
            let committer = &mut self.ingestors[ingestor].committer;
            let files = work.files.of(&work.batch).await.unwrap();
            let mut error = unknown();
            if *lost != Lost::Transaction {
                match committer.transaction(&work.batch, &files, &ranges).await {
                    Ok(()) => {
                        applied = Some(self.reference.store(batch));
                        self.take_partition(ingestor, *lost).await;
                    }
                    Err(refusal) => error = refusal,
                }
            }
            if *lost == Lost::AnswerAndCheckpoint {
                // It tries again without knowing.
                work.files.doubt();
                continue;
            }
            let committer = &mut self.ingestors[ingestor].committer;
            if let Attempt::Done(stored) = committer.decide(error, &mut work, &ranges).await {
                if matches!(stored, Stored::Committed(_)) {
                    committer.remember_ids(&work).await;
                }
                return (stored, applied.unwrap_or_else(|| self.reference.store(batch)));
            }
        }
        let committer = &mut self.ingestors[ingestor].committer;
        if lost.is_empty() {
            let stored = Box::pin(committer.store_work(work)).await;
            return (stored, self.reference.store(batch));
        }
        let stored = Box::pin(attempt_until_done(committer, work)).await;
        (stored, applied.unwrap_or_else(|| self.reference.store(batch)))
    }
}

impl World {
    /// What happens between a commit whose answer is lost and the question to the checkpoint.
    async fn take_partition(&mut self, from: usize, lost: Lost) {
        if let Lost::AnswerAndPartition { by, partition } = lost
            && by != from
        {
            self.assign(by, partition).await;
        }
    }
}

/// As `Committer::store_work`, without pauses: nothing is lost any more, so nothing has to be waited for.
async fn attempt_until_done(committer: &mut Committer, mut work: Work) -> Stored {
    loop {
        if work.batch.is_empty() {
            return Stored::Committed(Committed { positions: Vec::new(), reread: work.reread });
        }
        let ranges = work.applied_ranges();
        match committer.attempt(&mut work, &ranges).await {
            Attempt::Done(stored) => {
                if matches!(stored, Stored::Committed(_)) {
                    committer.remember_ids(&work).await;
                }
                return stored;
            }
            Attempt::Rest => {}
            Attempt::Again(reason) => panic!("the database works, and yet: {reason}"),
        }
    }
}

impl Ingestor {
    fn new(config: &IngestorConfig, stream: StreamId) -> Self {
        let stored = Arc::new(Mutex::default());
        let stop = CancellationToken::new();
        Self {
            id: Uuid::new_v4(),
            ownership: Ownership::new(stop.clone()),
            committer: Committer::new(config, stream, Arc::clone(&stored), stop),
            preparer: Preparer {
                schemas: WriterSchemas::default(),
                content: config.content,
                pricer: Pricer::new(Catalogue::embedded().clone(), CostPolicy::default()),
                stored,
            },
            prepared: VecDeque::new(),
            reading: BTreeMap::new(),
            remembered: BTreeMap::new(),
        }
    }

    /// Leaves the group, which gives it partitions again later.
    fn leave(&mut self) {
        self.ownership.release_all();
        self.reading.clear();
    }

    fn remember(&mut self, batch: &Batch, applied: &Applied, reference: &Reference) {
        for (place, sent, _) in &batch.records {
            let Sent::Operation { number, in_lab } = *sent else { continue };
            let is_applied = applied.positions.iter().any(|(partition, _)| *partition == place.0);
            if is_applied && reference.rows.get(&number) == Some(&(*place, in_lab)) {
                self.remembered.insert(number, in_lab);
            }
        }
    }
}

fn topic_partition(partition: usize) -> Partition {
    Partition(i32::try_from(partition).unwrap())
}

/// In memory where there is such a folder: the model is not about the disk.
fn folder() -> TempDir {
    let memory = PathBuf::from("/dev/shm");
    tempfile::tempdir_in(if memory.is_dir() { memory } else { std::env::temp_dir() }).unwrap()
}

/// A migrated database to copy from, which takes less time than to migrate one for each history.
static EMPTY_DATABASE: LazyLock<PathBuf> = LazyLock::new(|| {
    static FOLDER: LazyLock<TempDir> = LazyLock::new(folder);
    let file = FOLDER.path().join("empty.db");
    let url = DatabaseUrl::Sqlite(file.clone());
    // Beside the runtime that asks for it.
    let migrating = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let database = Database::connect(&url).await.unwrap();
            opstream_schemas::migrations::migrate(&database).await.unwrap();
            // What is in the write-ahead log goes into the file.
            database.close().await;
        });
    });
    migrating.join().unwrap();
    file
});
