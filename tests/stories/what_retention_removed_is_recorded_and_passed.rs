//! Kafka removes records before they were read, while the ingestor is down and while it stands still. The gap is a range of its own,
//! alarmed and passed; `opstream verify` is clean and tells it.
//!
//! Not on the embedded broker: it keeps for a week what its ingestors have not read, however large the topic grows.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::harness::backends::{Backends, Combination, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;

const DEADLINE: Duration = Duration::from_mins(1);
const OPERATIONS: u64 = 300;
const GAP: &str = "opstream_ingestor_retention_gap_operations_total";

#[tokio::test]
async fn a_gap_is_a_range_of_its_own_and_reading_goes_on_behind_it() {
    each_combination(async |backends: &Backends| {
        if backends.combination != Combination::KafkaPostgres {
            return;
        }
        let mut pipeline = Pipeline::start(backends).await;
        record(&pipeline).await;
        pipeline.settle().await;

        pipeline.stop_one("ingestor").await;
        record(&pipeline).await;
        let removed = remove_what_is_not_read(&pipeline).await;
        assert_eq!(removed, OPERATIONS, "everything that was sent while it was down");
        pipeline.start_one("ingestor");
        passed(&pipeline, removed).await;

        pipeline.process("ingestor").signal("STOP").await;
        record(&pipeline).await;
        let removed_later = remove_what_is_not_read(&pipeline).await;
        pipeline.process("ingestor").signal("CONT").await;
        // What the client holds already it may still store.
        let stored_all = async || stored(&pipeline).await + lost(&pipeline).await;
        eventually(DEADLINE, async || match stored_all().await {
            all if all == 3 * OPERATIONS => Ok(()),
            all => Err(format!("{all} of {} offsets are settled", 3 * OPERATIONS)),
        })
        .await;
        // More than its one question under way can have brought was sent after it stood still.
        let gaps = lost(&pipeline).await;
        assert!(removed < gaps && gaps <= removed + removed_later, "{gaps}: {removed} and up to {removed_later}");

        record(&pipeline).await;
        pipeline.settle().await;
        assert_eq!(stored_all().await, 4 * OPERATIONS);
        let lost = lost(&pipeline).await;
        let verified = verify(&pipeline).await;
        assert!(verified.contains(&format!("{lost} ")) && verified.contains("retention"), "{verified}");
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

/// Waits until a gap of so many offsets was passed and alarmed.
async fn passed(pipeline: &Pipeline<'_>, offsets: u64) {
    eventually(DEADLINE, async || match pipeline.metric("ingestor", GAP).await? {
        gap if gap >= offsets as f64 => Ok(()),
        gap => Err(format!("{GAP} is {gap}")),
    })
    .await;
    assert_eq!(lost(pipeline).await, offsets);
}

/// Offsets in ranges that say that retention removed them.
async fn lost(pipeline: &Pipeline<'_>) -> u64 {
    let sql = "select cast(coalesce(sum(to_offset - from_offset), 0) as bigint) as n from applied_ranges where reason = 'retention_gap'";
    number(pipeline, sql).await
}

async fn stored(pipeline: &Pipeline<'_>) -> u64 {
    number(pipeline, "select count(*) as n from operations").await
}

async fn number(pipeline: &Pipeline<'_>, sql: &'static str) -> u64 {
    let database = pipeline.database().await;
    let row = database.fetch_optional(sql, &[]).await.unwrap().unwrap();
    database.close().await;
    row.int("n").unwrap().unsigned_abs()
}

async fn verify(pipeline: &Pipeline<'_>) -> String {
    let lake = pipeline.lake().display().to_string();
    let verified = pipeline.run(&["verify", "--database-url", &pipeline.database_url(), "--lake", &lake]).await;
    String::from_utf8_lossy(&verified.stdout).into_owned()
}

/// Has Kafka remove all records of the topic. Returns how many of them were not applied.
async fn remove_what_is_not_read(pipeline: &Pipeline<'_>) -> u64 {
    let ends = pipeline.log_ends("operations").await;
    let mut all = TopicPartitionList::new();
    for (partition, end) in &ends {
        all.add_partition_offset(&pipeline.topic("operations"), *partition, Offset::Offset(*end)).unwrap();
    }
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", pipeline.bootstrap()).create().unwrap();
    admin.delete_records(&all, &AdminOptions::new()).await.unwrap();
    let end: i64 = ends.iter().map(|(_, end)| end).sum();
    (end - pipeline.committed().await).unsigned_abs()
}

async fn record(pipeline: &Pipeline<'_>) {
    let demo = pipeline.run(&["demo", "--operations", &OPERATIONS.to_string(), "--rate", "2000"]).await;
    assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
}
