//! A termination signal drains: what was acknowledged is stored and windowed. The next start continues where it stopped.

use std::time::Duration;

use tokio::net::TcpListener;

use crate::harness::backends::{Backends, each_combination};
use crate::harness::pipeline::Pipeline;
use crate::harness::process::Process;

#[tokio::test]
async fn each_start_adds_to_the_last() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        for start in 1..=3_u32 {
            let demo =
                pipeline.run(&["demo", "--operations", "200", "--rate", "2000", "--seed", &start.to_string()]).await;
            assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
            pipeline.stop().await;
            pipeline.start_processes().await;
            pipeline.settle().await;
            let totals = pipeline.get("/v1/totals").await.unwrap();
            assert_eq!(totals["operations"].as_u64(), Some(u64::from(start) * 200), "{totals}");
        }
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_signal_ends_the_wait_for_a_database_that_does_not_answer() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://me@{}/d", silent.local_addr().unwrap());
    for role in ["ingestor", "api"] {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Process::start_with(folder.path(), &[role], &[("OPSTREAM_DATABASE_URL", &url)]);
        // Held open, so that the role waits for a first word.
        let _connection = silent.accept().await.unwrap();
        assert!(process.stop(Duration::from_secs(9)).await.success(), "{role}: {}", process.log());
    }
}
