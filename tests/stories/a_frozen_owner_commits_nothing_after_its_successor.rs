//! An ingestor and an aggregator are frozen inside their transactions, for longer than the group and the lease wait for them.
//! Others take over and commit. When the frozen ones go on, they commit nothing, notice it and take part again.
//!
//! On Kafka and Postgres: SQLite is for one `opstream up`, whose roles are frozen together.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use opstream_schemas::database::Database;

use crate::harness::backends::{Backends, Combination, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::load::Load;
use crate::harness::pipeline::Pipeline;
use crate::harness::process::Process;
use crate::harness::windows_topic::assert_published;

/// Above the 10 s after which the group and the lease give a silent holder up, and above the 30 s after which Postgres ends a
/// session that stands still in a transaction.
const DEADLINE: Duration = Duration::from_secs(90);
const OPERATIONS_PER_SECOND: u32 = 2_000;

#[tokio::test]
async fn an_ingestor_that_was_frozen_in_its_copy_leaves_an_orphan_and_joins_again() {
    each_combination(async |backends: &Backends| {
        if backends.combination != Combination::KafkaPostgres {
            return;
        }
        let mut pipeline = Pipeline::start(backends).await;
        let database = pipeline.database().await;
        let load = Load::at_rate(&pipeline.url(), OPERATIONS_PER_SECOND);
        let [first] = owners_are(&database).await;
        let arguments = ["ingestor", "--content", "lake", "--instance", "ingestor-2"];
        let mut zombie =
            pipeline.start_role_with(&arguments, &[("OPSTREAM_FAILPOINTS", "commit.rows_sending=stall:5000@4")]);
        let both: [String; 2] = owners_are(&database).await;
        reached(&zombie, "commit.rows_sending").await;
        zombie.signal("STOP").await;

        let [survivor] = owners_are(&database).await;
        assert_eq!(survivor, first, "the frozen one gave its partitions up");
        let taken_over = pipeline.committed().await;
        eventually(DEADLINE, async || match pipeline.committed().await {
            now if now > taken_over => Ok(()),
            now => Err(format!("{now} offsets are committed, as many as before")),
        })
        .await;
        zombie.signal("CONT").await;
        assert_eq!(owners_are(&database).await, both, "the one that was frozen takes part again");

        load.stop().await.assert_stored_once(&pipeline).await;
        let orphans = unlisted_files(&database, &pipeline.lake()).await;
        assert!(!orphans.is_empty(), "the file of the batch that was never committed is there and not listed");
        database.close().await;
        assert!(zombie.stop(DEADLINE).await.success());
        pipeline.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_aggregator_that_was_frozen_in_its_transaction_adds_nothing_and_stands_by() {
    each_combination(async |backends: &Backends| {
        if backends.combination != Combination::KafkaPostgres {
            return;
        }
        let mut pipeline = Pipeline::start(backends).await;
        let database = pipeline.database().await;
        let load = Load::at_rate(&pipeline.url(), OPERATIONS_PER_SECOND);
        load.wait_for_more(1).await;
        // In order, so that it gives the lease back.
        pipeline.stop_one("aggregator").await;
        let plan = [("OPSTREAM_FAILPOINTS", "aggregation.windows_written=stall:5000@4")];
        let mut zombie = pipeline.start_role_with(&["aggregator"], &plan);
        reached(&zombie, "aggregation.windows_written").await;
        zombie.signal("STOP").await;
        let frozen = lease_fence(&database).await;
        let windowed = windowed_files(&database).await;

        pipeline.start_one("aggregator");
        eventually(DEADLINE, async || match (lease_fence(&database).await, windowed_files(&database).await) {
            (fence, files) if fence > frozen && files > windowed => Ok(()),
            seen => Err(format!("lease and files {seen:?}, at the freeze {:?}", (frozen, windowed))),
        })
        .await;
        zombie.signal("CONT").await;
        eventually(DEADLINE, async || {
            if zombie.log().contains("was replaced by another holder") { Ok(()) } else { Err("it noticed nothing") }
        })
        .await;

        load.stop().await.assert_stored_once(&pipeline).await;
        assert_published(&pipeline).await;
        // It can still take its turn.
        pipeline.stop_one("aggregator").await;
        let load = Load::at_rate(&pipeline.url(), OPERATIONS_PER_SECOND);
        let before = windowed_files(&database).await;
        eventually(DEADLINE, async || match windowed_files(&database).await {
            files if files > before => Ok(()),
            files => Err(format!("{files} files are windowed, as many as before")),
        })
        .await;
        drop(load);
        database.close().await;
        assert!(zombie.stop(DEADLINE).await.success());
        pipeline.stop().await;
    })
    .await;
}

async fn reached(process: &Process, step: &str) {
    let line = format!("step=\"{step}\"");
    eventually(DEADLINE, async || if process.log().contains(&line) { Ok(()) } else { Err(format!("no {line}")) }).await;
}

/// Waits until so many ingestors own all partitions.
async fn owners_are<const N: usize>(database: &Database) -> [String; N] {
    eventually(DEADLINE, async || {
        let sql = "select owner from stream_partitions";
        let rows = database.fetch_all(sql, &[]).await.map_err(|error| error.to_string())?;
        let owners: BTreeSet<String> = rows.iter().map(|row| row.text("owner").unwrap()).collect();
        <[String; N]>::try_from(Vec::from_iter(owners)).map_err(|owners| format!("owners: {owners:?}"))
    })
    .await
}

async fn unlisted_files(database: &Database, lake: &Path) -> BTreeSet<String> {
    let rows = database.fetch_all("select path from lake_files", &[]).await.unwrap();
    let listed: BTreeSet<String> = rows.iter().map(|row| row.text("path").unwrap()).collect();
    let mut files = BTreeSet::new();
    let mut folders = vec![lake.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else {
                files.insert(entry.strip_prefix(lake).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    files.difference(&listed).cloned().collect()
}

async fn lease_fence(database: &Database) -> i64 {
    number(database, "select fence as n from aggregator_lease where lease = 1").await
}

async fn windowed_files(database: &Database) -> i64 {
    number(database, "select count(*) as n from windowed_files").await
}

async fn number(database: &Database, sql: &'static str) -> i64 {
    database.fetch_optional(sql, &[]).await.unwrap().unwrap().int("n").unwrap()
}
