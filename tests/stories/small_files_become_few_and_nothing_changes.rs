//! Small files become few while the pipeline works: no number changes, `opstream verify` finds nothing at any time, and an hour
//! later what was merged is gone.

use std::time::Duration;

use opstream_schemas::database::Database;
use opstream_schemas::lake::FileKind;
use serde_json::Value;

use crate::harness::backends::{Backends, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;
use crate::harness::removed_files::age_removed_files;

/// Batches so small that each is a few operations.
const SETTINGS: &[(&str, &str)] = &[("OPSTREAM_BATCH_AGE_MS", "20")];
const LIVE: &str = "select count(*) as n from lake_files where kind = 'operations' and removed_at_ms is null";
/// Files that no rule merges any more: of an hour that still runs fewer than eight new ones and some merged ones, and it may be two.
const FEW: i64 = 20;
const COMPACTED_WITHIN: Duration = Duration::from_mins(2);

#[tokio::test]
async fn totals_rows_contents_and_windows_stay_as_they_were() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start_with(backends, SETTINGS).await;
        let demo = pipeline.run(&["demo", "--operations", "1500", "--rate", "150", "--seed", "5"]).await;
        assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
        pipeline.settle().await;
        let before = seen(&pipeline).await;
        pipeline.assert_verified().await;

        let database = pipeline.database().await;
        let ingested = "select count(*) as n from lake_files where kind = 'operations' and merges = 0";
        let ingested = int(&database, ingested).await;
        assert!(ingested > FEW, "only {ingested} files were there to be merged");
        eventually(COMPACTED_WITHIN, async || {
            let live = int(&database, LIVE).await;
            if live <= FEW { Ok(()) } else { Err(format!("{live} live files")) }
        })
        .await;
        assert_eq!(seen(&pipeline).await, before);
        pipeline.assert_verified().await;

        // Also for what is merged only now.
        eventually(COMPACTED_WITHIN, async || {
            age_removed_files(&database).await?;
            let removed = int(&database, "select count(*) as n from lake_files where removed_at_ms is not null").await;
            if removed == 0 { Ok(()) } else { Err(format!("{removed} files are still listed")) }
        })
        .await;
        eventually(COMPACTED_WITHIN, async || {
            let listed = int(&database, "select count(*) as n from lake_files").await;
            let on_disk = files_on_disk(&pipeline);
            if on_disk == listed { Ok(()) } else { Err(format!("{on_disk} files on disk, {listed} listed")) }
        })
        .await;
        assert_eq!(seen(&pipeline).await, before);
        pipeline.assert_verified().await;

        pipeline.kill().await;
        pipeline.start_processes().await;
        pipeline.settle().await;
        assert_eq!(seen(&pipeline).await, before);
        pipeline.assert_verified().await;
        database.close().await;
        pipeline.stop().await;
    })
    .await;
}

/// What people see: totals, sums by model, and single operations with their content.
async fn seen(pipeline: &Pipeline<'_>) -> Vec<Value> {
    let totals = pipeline.get("/v1/totals").await.unwrap();
    let sums = ["operations", "failures", "input_tokens", "output_tokens", "cost_usd"].map(|name| totals[name].clone());
    let models = pipeline.get("/v1/breakdown?by=model").await.unwrap();
    let mut seen = Vec::from(sums);
    seen.push(models["rows"].clone());
    let list = pipeline.get("/v1/operations?limit=20").await.unwrap();
    for operation in list["operations"].as_array().expect("the answer has a list") {
        let id = operation["operation_id"].as_str().expect("an operation has an id");
        seen.push(pipeline.get(&format!("/v1/operations/{id}")).await.unwrap());
    }
    seen
}

async fn int(database: &Database, sql: &'static str) -> i64 {
    database.fetch_optional(sql, &[]).await.unwrap().unwrap().int("n").unwrap()
}

fn files_on_disk(pipeline: &Pipeline<'_>) -> i64 {
    let mut files = 0;
    for kind in [FileKind::Operations, FileKind::Contents] {
        for day in std::fs::read_dir(pipeline.lake().join(kind.name())).into_iter().flatten() {
            files += std::fs::read_dir(day.unwrap().path()).unwrap().count();
        }
    }
    i64::try_from(files).unwrap()
}
