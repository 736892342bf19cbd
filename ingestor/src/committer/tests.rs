//! Parts of batches against SQLite: what is stored of them, and what is read again.

use opstream_schemas::UtcMillis;
use opstream_schemas::prices::{Catalogue, CostPolicy};
use opstream_schemas::validate::{AcceptedTimes, DEFAULT_RETENTION_FLOOR};
use uuid::Uuid;

use super::*;
use crate::decode::WriterSchemas;
use crate::prepare::Preparer;
use crate::record::{IncomingRecord, RawBatch};
use crate::store::{StreamKey, claim_partition, find_stream};
use crate::test_topic::{TestTopic, operation};
use opstream_pricing::Pricer;

const P0: Partition = Partition(0);
const P1: Partition = Partition(1);

struct Fixture {
    topic: TestTopic,
    committer: Committer,
    ownership: Ownership,
    stream: StreamId,
    /// Of the first claim of each partition.
    epochs: [u64; 2],
}

impl Fixture {
    async fn new() -> Self {
        let topic = TestTopic::new(1).await;
        let database = &topic.config.database;
        let key = StreamKey { cluster_id: "c".to_owned(), topic: "t".to_owned(), topic_id: String::new() };
        let stream = find_stream(database, &key, UtcMillis::now()).await.unwrap();
        let shutdown = CancellationToken::new();
        let mut ownership = Ownership::new(shutdown.clone());
        let mut epochs = [0; 2];
        for (partition, epoch) in [P0, P1].into_iter().zip(&mut epochs) {
            let claim = claim_partition(database, (stream, partition), Uuid::new_v4(), Offset(0)).await.unwrap();
            let ticket = ownership.assign(partition, 1);
            *epoch = ownership.admit(&ticket, claim.fence, claim.next_offset).unwrap().1.epoch;
        }
        let committer = Committer::new(&topic.config, stream, Arc::default(), shutdown);
        Self { topic, committer, ownership, stream, epochs }
    }

    /// Two operations of partition 0 and two of partition 1, both from offset 0.
    fn batch(&self) -> PreparedBatch {
        let mut raw = RawBatch::default();
        for (number, (partition, offset)) in (1..).zip([(P0, 0), (P1, 0), (P0, 1), (P1, 1)]) {
            let record = IncomingRecord {
                partition,
                offset: Offset(offset),
                timestamp: Some(UtcMillis::from_millis(1000 + offset)),
                key: None,
                value: Some(&operation(number)),
                headers: Vec::new(),
            };
            let epoch = self.epochs[usize::try_from(partition.0).unwrap()];
            raw.push(record, epoch, Offset(offset));
        }
        let mut preparer = Preparer {
            schemas: WriterSchemas::default(),
            content: ContentPolicy::Drop,
            pricer: Pricer::new(Catalogue::embedded().clone(), CostPolicy::default()),
            stored: self.committer.stored.clone(),
        };
        preparer.prepare(raw, self.stream, AcceptedTimes::at(UtcMillis::now(), DEFAULT_RETENTION_FLOOR))
    }

    async fn store(&mut self) -> Stored {
        let batch = self.batch();
        self.committer.store(batch, &self.ownership).await
    }

    /// Partition and offset of the stored operations.
    async fn stored(&self) -> Vec<(i64, i64)> {
        let sql = "select source_partition, source_offset from operations order by 1, 2";
        let rows = self.topic.config.database.fetch_all(sql, &[]).await.unwrap();
        rows.iter().map(|row| (row.int("source_partition").unwrap(), row.int("source_offset").unwrap())).collect()
    }
}

fn position(next: i64) -> Position {
    Position { next: Offset(next), last_record_at: Some(UtcMillis::from_millis(1000 + next - 1)) }
}

#[tokio::test]
async fn one_stale_range_costs_only_its_own_part_of_the_batch() {
    let mut fixture = Fixture::new().await;
    fixture.ownership.release(&[P1]);
    let committed = Committed { positions: vec![(P0, position(2))], reread: Vec::new() };
    assert_eq!(fixture.store().await, Stored::Committed(committed));
    assert_eq!(fixture.stored().await, [(0, 0), (0, 1)]);
}

#[tokio::test]
async fn a_checkpoint_that_is_elsewhere_costs_only_its_partition_which_is_read_again() {
    let mut fixture = Fixture::new().await;
    fixture.topic.execute("update stream_partitions set next_offset = 1 where partition = 0").await;
    let committed = Committed { positions: vec![(P1, position(2))], reread: vec![P0] };
    assert_eq!(fixture.store().await, Stored::Committed(committed));
    assert_eq!(fixture.stored().await, [(1, 0), (1, 1)]);
}

#[tokio::test]
async fn a_commit_whose_outcome_was_unknown_is_known_by_the_checkpoint() {
    let mut fixture = Fixture::new().await;
    let both =
        || Stored::Committed(Committed { positions: vec![(P0, position(2)), (P1, position(2))], reread: vec![] });
    assert_eq!(fixture.store().await, both());
    fixture.committer.forget_stored_ids();
    assert_eq!(fixture.store().await, both(), "our own commit, whose answer was lost");
    assert_eq!(fixture.stored().await.len(), 4);
}

#[tokio::test]
async fn a_batch_of_which_nothing_is_ours_any_more_stores_nothing() {
    let mut fixture = Fixture::new().await;
    fixture.ownership.release_all();
    assert_eq!(fixture.store().await, Stored::Committed(Committed::default()));
    assert!(fixture.stored().await.is_empty());
}

#[tokio::test]
async fn stored_ids_are_duplicates_until_they_are_forgotten() {
    let mut fixture = Fixture::new().await;
    fixture.store().await;
    assert!(fixture.batch().operations.is_none());
    fixture.committer.forget_stored_ids();
    assert_eq!(fixture.batch().ids().len(), 4, "the database may have lost them");
}

/// An outage is not poison.
#[tokio::test]
async fn a_database_that_does_not_do_its_work_is_waited_for_and_makes_no_dead_letter() {
    let mut fixture = Fixture::new().await;
    let batch = fixture.batch();
    let Fixture { topic, committer, ownership, .. } = &mut fixture;
    topic.execute("alter table stream_partitions rename to away").await;
    let mut condition = topic.config.reporter.watch();
    let mend = async {
        drop(condition.wait_for(|condition| condition.hindrances.contains_key("storing a batch")).await.unwrap());
        topic.execute("alter table away rename to stream_partitions").await;
    };
    let (stored, ()) = tokio::join!(committer.store(batch, ownership), mend);
    let committed = Committed { positions: vec![(P0, position(2)), (P1, position(2))], reread: Vec::new() };
    assert_eq!(stored, Stored::Committed(committed));
    assert_eq!(fixture.stored().await.len(), 4);
    let letters = fixture.topic.config.database.fetch_all("select 1 from dead_letters", &[]).await.unwrap();
    assert!(letters.is_empty());
}

#[test]
fn skipped_offsets_are_named_with_their_range() {
    let range = AppliedRange {
        partition: P1,
        fence: Fence(1),
        offsets: opstream_schemas::offsets::OffsetRange { from: Offset(5), to: Offset(12) },
        record_hash: None,
        rows: 4,
        duplicates: 0,
        dead: 0,
        skipped: 3,
    };
    assert_eq!(skipped_text(&range), "3 of partition 1 in [5, 12)");
}
