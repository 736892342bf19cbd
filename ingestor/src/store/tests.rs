//! The law against SQLite: who may store what, and that a refused batch leaves nothing behind.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};

use opstream_schemas::avro::encode_operation;
use opstream_schemas::database::DatabaseUrl;
use opstream_schemas::offsets::{Fence, OffsetRange};
use opstream_schemas::prices::{Catalogue, CostPolicy};
use opstream_schemas::validate::AcceptedTimes;
use opstream_schemas::{Operation, OperationId, UtcMicros};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::batch_files::{BatchFiles, WrittenFiles};
use crate::config::ContentPolicy;
use crate::decode::WriterSchemas;
use crate::duplicates::StoredIds;
use crate::lake_file::LakeFile;
use crate::prepare::{PreparedBatch, Preparer};
use crate::record::{IncomingRecord, RawBatch};
use opstream_pricing::Pricer;

const PARTITION: Partition = Partition(0);

struct Fixture {
    folder: TempDir,
    database: Database,
    stream: StreamId,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::connect(&DatabaseUrl::Sqlite(folder.path().join("opstream.db"))).await.unwrap();
        opstream_schemas::migrations::migrate(&database).await.unwrap();
        let key = StreamKey { cluster_id: "c".to_owned(), topic: "llm.operations".to_owned(), topic_id: String::new() };
        let stream = find_stream(&database, &key, UtcMillis::now()).await.unwrap();
        assert_eq!(find_stream(&database, &key, UtcMillis::now()).await.unwrap(), stream);
        Self { folder, database, stream }
    }

    async fn claim(&self) -> Checkpoint {
        claim_partition(&self.database, (self.stream, PARTITION), Uuid::new_v4(), Offset(0)).await.unwrap()
    }

    async fn store(&self, batch: &PreparedBatch, fence: Fence) -> Result<(), StoreError> {
        let files = BatchFiles::write(batch, self.folder.path()).unwrap();
        self.store_with(batch, &files, fence).await
    }

    async fn store_with(&self, batch: &PreparedBatch, files: &BatchFiles, fence: Fence) -> Result<(), StoreError> {
        let offsets = batch.ranges()[0].offsets;
        let outcomes = batch.outcomes(PARTITION);
        let range = AppliedRange {
            partition: PARTITION,
            fence,
            offsets,
            record_hash: batch.last_record_hash(PARTITION),
            rows: outcomes.rows,
            duplicates: outcomes.duplicates,
            dead: outcomes.dead,
            skipped: PreparedBatch::skipped(outcomes, offsets),
        };
        let commit = BatchCommit {
            stream: self.stream,
            ranges: &[range],
            operations: batch.operations.as_ref().zip(files.operations.as_ref()),
            contents: batch.contents.as_ref().zip(files.contents.as_ref()),
            content_in_sql: true,
            dead: &batch.dead,
        };
        commit.store(&self.database).await
    }

    async fn count(&self, table: &'static str) -> i64 {
        let sql = match table {
            "operations" => "select count(*) as n from operations",
            "lake_files" => "select count(*) as n from lake_files",
            "applied_ranges" => "select count(*) as n from applied_ranges",
            "dead_letters" => "select count(*) as n from dead_letters",
            _ => "select count(*) as n from operation_contents",
        };
        self.database.fetch_optional(sql, &[]).await.unwrap().unwrap().int("n").unwrap()
    }
}

fn operation(n: u8) -> Operation {
    let at = UtcMicros::now();
    Operation {
        operation_id: OperationId::mint(at.to_millis(), [n; 10]),
        input_tokens: Some(1000),
        output_tokens: Some(100),
        provider: Some("openai".to_owned()),
        model: Some("gpt-4o".to_owned()),
        system_prompt: (n == 1).then(|| "be kind".to_owned()),
        ..Operation::starting("chat", at)
    }
}

fn prepare(operations: &[Operation], first: i64) -> PreparedBatch {
    let mut raw = RawBatch::default();
    for (offset, operation) in (first..).zip(operations) {
        let mut bytes = Vec::new();
        encode_operation(operation, &mut bytes);
        let record = IncomingRecord {
            partition: PARTITION,
            offset: Offset(offset),
            timestamp: None,
            key: None,
            value: Some(&bytes),
            headers: Vec::new(),
        };
        raw.push(record, 1, Offset(offset));
    }
    let stored = Arc::new(Mutex::new(StoredIds::default()));
    let mut preparer = Preparer {
        schemas: WriterSchemas::default(),
        content: ContentPolicy::LakeAndSql,
        pricer: Pricer::new(Catalogue::embedded().clone(), CostPolicy::default()),
        stored,
    };
    let accepted = AcceptedTimes::at(UtcMillis::now(), DEFAULT_RETENTION_FLOOR);
    preparer.prepare(raw, StreamId(1), accepted)
}

#[tokio::test]
async fn a_batch_is_stored_with_its_price_content_and_manifest() {
    let fixture = Fixture::new().await;
    let claim = fixture.claim().await;
    let mut negative = operation(3);
    negative.cache_read_tokens = -1;
    let batch = prepare(&[operation(1), operation(2), negative, operation(1)], 0);
    fixture.store(&batch, claim.fence).await.unwrap();

    assert_eq!(fixture.count("operations").await, 2);
    assert_eq!(fixture.count("operation_contents").await, 1);
    assert_eq!(fixture.count("dead_letters").await, 1);
    assert_eq!(fixture.count("lake_files").await, 2);
    let row = fixture.database.fetch_optional("select * from applied_ranges", &[]).await.unwrap().unwrap();
    let counts = ["rows", "duplicates", "dead", "skipped"].map(|name| row.int(name).unwrap());
    assert_eq!(counts, [2, 1, 1, 0]);
    let row = fixture.database.fetch_optional("select * from operations limit 1", &[]).await.unwrap().unwrap();
    // 1000 input tokens at 2.50 and 100 output tokens at 10 USD per million.
    assert_eq!((row.int("cost_nano_usd").unwrap(), row.text("cost_status").unwrap()), (3_500_000, "priced".to_owned()));
}

#[tokio::test]
async fn a_zombie_stores_nothing() {
    let fixture = Fixture::new().await;
    let zombie = fixture.claim().await;
    let owner = fixture.claim().await;
    assert!(owner.fence > zombie.fence);
    let refused = fixture.store(&prepare(&[operation(1)], 0), zombie.fence).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");
    assert_eq!((fixture.count("operations").await, fixture.count("lake_files").await), (0, 0));
    fixture.store(&prepare(&[operation(1)], 0), owner.fence).await.unwrap();
}

#[tokio::test]
async fn a_batch_that_is_applied_already_is_refused_and_so_is_one_that_leaves_a_hole() {
    let fixture = Fixture::new().await;
    let claim = fixture.claim().await;
    fixture.store(&prepare(&[operation(1)], 0), claim.fence).await.unwrap();
    for first in [0, 2] {
        let refused = fixture.store(&prepare(&[operation(2)], first), claim.fence).await;
        assert!(matches!(refused, Err(StoreError::CheckpointMoved { .. })), "{first}: {refused:?}");
    }
    assert_eq!(fixture.count("applied_ranges").await, 1);
}

#[tokio::test]
async fn an_id_of_long_ago_is_a_duplicate_and_one_of_another_workspace_a_dead_letter() {
    let fixture = Fixture::new().await;
    let claim = fixture.claim().await;
    let (first, second) = (operation(1), operation(2));
    fixture.store(&prepare(&[first.clone(), second.clone()], 0), claim.fence).await.unwrap();
    let foreign = Operation { workspace: "lab".to_owned(), ..second };
    let mut batch = prepare(&[first, foreign, operation(3)], 2);
    let refused = fixture.store(&batch, claim.fence).await;
    assert!(matches!(refused, Err(StoreError::DuplicateIds(_))), "{refused:?}");
    let existing: HashMap<OperationId, String> = find_existing(&fixture.database, &batch.ids()).await.unwrap();
    batch.remove_existing(&existing);
    fixture.store(&batch, claim.fence).await.unwrap();

    assert_eq!(fixture.count("operations").await, 3);
    let sql = "select * from applied_ranges where from_offset = 2";
    let row = fixture.database.fetch_optional(sql, &[]).await.unwrap().unwrap();
    assert_eq!(["rows", "duplicates", "dead"].map(|name| row.int(name).unwrap()), [1, 1, 1]);
    let row = fixture.database.fetch_optional("select reason_code from dead_letters", &[]).await.unwrap().unwrap();
    assert_eq!(row.text("reason_code").unwrap(), "id_of_another_workspace");
}

#[tokio::test]
async fn a_file_that_waited_too_long_is_refused_by_the_databases_clock() {
    let fixture = Fixture::new().await;
    let claim = fixture.claim().await;
    let batch = prepare(&[operation(2)], 0);
    let mut files = BatchFiles::write(&batch, fixture.folder.path()).unwrap();
    if let Some(file) = &mut files.operations {
        file.named_at = file.named_at.plus_millis(-3_600_001);
    }
    let refused = fixture.store_with(&batch, &files, claim.fence).await;
    assert!(matches!(refused, Err(StoreError::StaleFile)), "{refused:?}");
    assert_eq!(fixture.count("applied_ranges").await, 0);
}

#[tokio::test]
async fn operations_below_a_floor_that_has_moved_are_refused() {
    let fixture = Fixture::new().await;
    let claim = fixture.claim().await;
    let batch = prepare(&[operation(2)], 0);
    let mut tx = fixture.database.begin().await.unwrap();
    let floor = UtcMillis::now().plus_millis(60_000).millis();
    tx.execute("update settings set value = $1 where name = 'retention_floor_ms'", &[floor.into()]).await.unwrap();
    tx.commit().await.unwrap();
    let refused = fixture.store(&batch, claim.fence).await;
    assert!(matches!(refused, Err(StoreError::FloorMoved)), "{refused:?}");
}

#[tokio::test]
async fn a_hash_of_another_offset_than_the_last_says_nothing() {
    let fixture = Fixture::new().await;
    let claim = fixture.claim().await;
    let batch = prepare(&[operation(1)], 0);
    fixture.store(&batch, claim.fence).await.unwrap();
    assert_eq!(fixture.claim().await.record_hash, batch.last_record_hash(PARTITION));
    let mut tx = fixture.database.begin().await.unwrap();
    tx.execute("update stream_partitions set next_offset = next_offset + 5", &[]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(fixture.claim().await.record_hash, None, "an earlier version has moved the checkpoint");
}

#[tokio::test]
async fn a_retention_gap_is_its_own_range_and_the_next_batch_follows_it() {
    let fixture = Fixture::new().await;
    let claim = fixture.claim().await;
    let gap = OffsetRange { from: Offset(0), to: Offset(5) };
    record_retention_gap(&fixture.database, (fixture.stream, PARTITION), claim.fence, gap).await.unwrap();
    let batch = prepare(&[operation(1)], 5);
    fixture.store(&batch, claim.fence).await.unwrap();
    let again = record_retention_gap(&fixture.database, (fixture.stream, PARTITION), claim.fence, gap).await;
    assert!(matches!(again, Err(StoreError::CheckpointMoved { .. })));
    assert_eq!(
        read_checkpoint(&fixture.database, fixture.stream, PARTITION).await.unwrap(),
        Checkpoint { fence: claim.fence, next_offset: Offset(6), record_hash: batch.last_record_hash(PARTITION) }
    );
    let next = OffsetRange { from: Offset(6), to: Offset(9) };
    record_retention_gap(&fixture.database, (fixture.stream, PARTITION), claim.fence, next).await.unwrap();
    assert_eq!(fixture.claim().await.record_hash, None, "the record before the checkpoint is gone");
}

#[tokio::test]
async fn a_row_that_is_left_of_an_erased_operation_is_no_duplicate() {
    let fixture = Fixture::new().await;
    let claim = fixture.claim().await;
    let erased = operation(1);
    let mut tx = fixture.database.begin().await.unwrap();
    let left = "insert into operation_contents (operation_id, system_prompt) values ($1, 'left behind')";
    tx.execute(left, &[erased.operation_id.into()]).await.unwrap();
    tx.commit().await.unwrap();
    let refused = fixture.store(&prepare(&[erased], 0), claim.fence).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    assert_eq!(fixture.count("operations").await, 0);
}

#[tokio::test]
async fn an_answer_that_never_comes_leaves_the_outcome_unknown() {
    let never = std::future::pending::<Result<(), StoreError>>();
    let answer = within(Duration::from_millis(1), never).await;
    assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
}

fn files_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files_below(&path) } else { 1 }).sum()
}

#[tokio::test]
async fn what_was_written_ahead_does_not_outlive_a_change_of_the_rows() {
    let lake = tempfile::tempdir().unwrap();
    let mut batch = prepare(&[operation(1)], 0);
    batch.write_ahead(lake.path());
    batch.drop_partitions(&BTreeSet::from([Partition(7)]));
    assert!(batch.take_written().is_none());
    // A lake that refuses is for the stage that stores the batch to report.
    batch.write_ahead(&lake.path().join("file\0name"));
    assert!(batch.take_written().is_none());
}

#[tokio::test]
async fn attempts_share_their_files_and_abandoned_ones_are_removed() {
    let lake = tempfile::tempdir().unwrap();
    let mut batch = prepare(&[operation(1)], 0);
    batch.write_ahead(lake.path());
    let mut written = WrittenFiles::new(lake.path().to_owned(), batch.take_written());
    let batch = Arc::new(batch);
    let is_there = |file: &Option<LakeFile>| lake.path().join(&file.as_ref().unwrap().path).is_file();

    let first = written.of(&batch).await.unwrap();
    assert!(is_there(&first.operations) && is_there(&first.contents));
    assert_eq!(files_below(lake.path()), 2, "they were written ahead");
    assert_eq!(written.of(&batch).await.unwrap(), first, "an outage does not write them again");

    written.discard().await;
    assert!(!is_there(&first.operations) && !is_there(&first.contents));

    let second = written.of(&batch).await.unwrap();
    assert_ne!(second, first);
    written.doubt();
    written.discard().await;
    assert!(is_there(&second.operations), "a transaction may have listed it");

    let third = written.of(&batch).await.unwrap();
    written.discard().await;
    assert!(!is_there(&third.operations), "the doubt was about the files before");
}
