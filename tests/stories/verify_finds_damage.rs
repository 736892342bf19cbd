//! `opstream verify` is a proof only if it fails: each kind of damage to a real pipeline's state is found and named.

use std::path::Path;

use opstream_schemas::database::Database;

use crate::harness::backends::{Backends, each_combination};
use crate::harness::pipeline::Pipeline;

#[tokio::test]
async fn each_kind_of_damage_is_found() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        let demo = pipeline.run(&["demo", "--operations", "500", "--backfill", "1", "--seed", "7"]).await;
        assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
        pipeline.settle().await;
        pipeline.assert_verified().await;
        pipeline.stop().await;

        let database = pipeline.database().await;
        for (damage, repair) in DAMAGE {
            change(&database, damage).await;
            assert_found(&pipeline, damage).await;
            change(&database, repair).await;
        }
        let file = a_file(&database, &pipeline.lake()).await;
        let away = file.with_extension("away");
        std::fs::rename(&file, &away).unwrap();
        assert_found(&pipeline, "a deleted file").await;
        std::fs::rename(&away, &file).unwrap();
        pipeline.assert_verified().await;
        change(&database, "delete from operations where operation_id = (select operation_id from operations limit 1)")
            .await;
        assert_found(&pipeline, "a deleted row").await;
        database.close().await;
    })
    .await;
}

/// A damage and what undoes it.
const DAMAGE: [(&str, &str); 3] = [
    (
        "update windows set cost_nano_usd = cost_nano_usd + 1 where level = 3 and dimension_set = 1",
        "update windows set cost_nano_usd = cost_nano_usd - 1 where level = 3 and dimension_set = 1",
    ),
    (
        "update stream_partitions set next_offset = next_offset + 1 where next_offset > 0",
        "update stream_partitions set next_offset = next_offset - 1 where next_offset > 0",
    ),
    (
        "update operations set cost_nano_usd = coalesce(cost_nano_usd, 0) + 1 where cost_nano_usd is not null",
        "update operations set cost_nano_usd = cost_nano_usd - 1 where cost_nano_usd is not null",
    ),
];

async fn change(database: &Database, sql: &'static str) {
    let mut tx = database.begin().await.unwrap();
    assert!(tx.execute(sql, &[]).await.unwrap() > 0, "nothing was changed by {sql}");
    tx.commit().await.unwrap();
}

async fn assert_found(pipeline: &Pipeline<'_>, damage: &str) {
    let lake = pipeline.lake().display().to_string();
    let verified = pipeline.run(&["verify", "--database-url", &pipeline.database_url(), "--lake", &lake]).await;
    assert_eq!(
        verified.status.code(),
        Some(1),
        "verify missed: {damage}\n{}",
        String::from_utf8_lossy(&verified.stdout)
    );
}

async fn a_file(database: &Database, lake: &Path) -> std::path::PathBuf {
    let row = database
        .fetch_optional("select path from lake_files where kind = 'operations' and removed_at_ms is null limit 1", &[])
        .await
        .unwrap()
        .unwrap();
    lake.join(row.text("path").unwrap())
}
