//! `opstream aggregator --rebuild`, asked of a running pipeline, makes the same windows again from the files.

use std::collections::BTreeMap;

use opstream_schemas::window::SUM_COLUMNS;

use crate::harness::backends::{Backends, each_combination};
use crate::harness::pipeline::Pipeline;

#[tokio::test]
async fn rebuilt_windows_equal_those_they_replace() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        let demo = pipeline.run(&["demo", "--operations", "300", "--backfill", "3", "--seed", "5"]).await;
        assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
        pipeline.settle().await;
        let (first, before) = windows(&pipeline).await;
        assert!(!before.is_empty());

        let rebuilt = pipeline.run(&["aggregator", "--rebuild"]).await;
        let said = String::from_utf8_lossy(&rebuilt.stdout);
        assert!(rebuilt.status.success(), "{said}{}", String::from_utf8_lossy(&rebuilt.stderr));
        assert!(said.contains(&format!("{} windows", before.len())), "{said}");

        let (second, after) = windows(&pipeline).await;
        assert_eq!(second, first + 1, "readers take the new generation");
        assert_eq!(after, before);
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

/// The generation that readers take, and its windows: everything but who wrote them and how often.
async fn windows(pipeline: &Pipeline<'_>) -> (i64, BTreeMap<[i64; 4], (Vec<i64>, Vec<Vec<u8>>)>) {
    let database = pipeline.database().await;
    let sql = format!(
        "select generation, cast(dimension_set as bigint) as dimension_set, cast(level as bigint) as level, \
         window_start_ms, dimension_id, {}, latency_sketch, ttft_sketch \
         from windows where generation = (select value from settings where name = 'window_generation')",
        SUM_COLUMNS.join(", ")
    );
    let rows = database.fetch_all(sqlx::AssertSqlSafe(sql), &[]).await.unwrap();
    database.close().await;
    let generation = rows.first().map_or(0, |row| row.int("generation").unwrap());
    let windows = rows.iter().map(|row| {
        let key = ["dimension_set", "level", "window_start_ms", "dimension_id"].map(|name| row.int(name).unwrap());
        let sums = SUM_COLUMNS.iter().map(|name| row.int(name).unwrap()).collect();
        let sketches = ["latency_sketch", "ttft_sketch"].map(|name| row.bytes(name).unwrap());
        (key, (sums, sketches.to_vec()))
    });
    (generation, windows.collect())
}
