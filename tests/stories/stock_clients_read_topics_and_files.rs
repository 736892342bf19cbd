//! Other teams' tools read what we publish: Python's Confluent client with its Avro deserializer both topics, DuckDB the
//! files that the manifest lists, and all of them see the same sums.

use serde_json::Value;

use crate::harness::backends::{Backends, each_combination};
use crate::harness::data::python;
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;

#[tokio::test]
async fn a_stock_consumer_and_duckdb_see_the_sums_of_sql() {
    let Some(python) = python() else { return };
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        let demo = pipeline.run(&["demo", "--operations", "400", "--backfill", "2", "--seed", "11"]).await;
        assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
        pipeline.settle().await;
        all_windows_published(&pipeline).await;

        let seen = run_client(&pipeline, &python).await;
        let expected = sums(&pipeline).await;
        for name in ["operations", "window_operations", "file_rows"] {
            assert_eq!(seen[name].as_i64(), Some(expected[0]), "{name} in {seen}");
        }
        for name in ["operations_input_tokens", "window_input_tokens", "file_input_tokens"] {
            assert_eq!(seen[name].as_i64(), Some(expected[1]), "{name} in {seen}");
        }
        for name in ["window_cost_nano_usd", "file_cost_nano_usd"] {
            assert_eq!(seen[name].as_i64(), Some(expected[2]), "{name} in {seen}");
        }
        assert_eq!(
            seen["windows"].as_i64(),
            Some(expected[3]),
            "the latest values on the topic are the windows in SQL: {seen}"
        );
        pipeline.stop().await;
    })
    .await;
}

async fn run_client(pipeline: &Pipeline<'_>, python: &str) -> Value {
    let database = pipeline.database().await;
    let files = database
        .fetch_all("select path from lake_files where kind = 'operations' and removed_at_ms is null", &[])
        .await
        .unwrap();
    database.close().await;
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories/stock_client.py");
    let client = tokio::process::Command::new(python)
        .arg(script)
        .args([
            pipeline.bootstrap(),
            format!("{}/registry", pipeline.url()),
            pipeline.topic("operations"),
            pipeline.topic("windows"),
        ])
        .arg(pipeline.lake())
        .args(files.iter().map(|row| row.text("path").unwrap()))
        .output()
        .await
        .expect("the interpreter that was named can be started");
    assert!(client.status.success(), "{}", String::from_utf8_lossy(&client.stderr));
    serde_json::from_slice(&client.stdout).unwrap()
}

/// Operations, input tokens and cost of the rows, and the number of windows.
async fn sums(pipeline: &Pipeline<'_>) -> [i64; 4] {
    let database = pipeline.database().await;
    let sql = "select count(*) as operations, cast(sum(input_tokens) as bigint) as tokens, cast(sum(cost_nano_usd) as bigint) as cost, \
               (select count(*) from windows) as windows from operations";
    let row = database.fetch_optional(sql, &[]).await.unwrap().unwrap();
    let sums = ["operations", "tokens", "cost", "windows"].map(|name| row.int(name).unwrap());
    database.close().await;
    sums
}

async fn all_windows_published(pipeline: &Pipeline<'_>) {
    let database = pipeline.database().await;
    eventually(std::time::Duration::from_mins(1), async || {
        let sql = "select count(*) as waiting from windows where revision <> published_revision";
        let row = database.fetch_optional(sql, &[]).await.map_err(|error| error.to_string())?.ok_or("no answer")?;
        match row.int("waiting").map_err(|error| error.to_string())? {
            0 => Ok(()),
            waiting => Err(format!("{waiting} windows are not published")),
        }
    })
    .await;
    database.close().await;
}
