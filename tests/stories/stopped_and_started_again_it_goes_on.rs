//! A termination signal drains: what was acknowledged is stored and windowed. The next start continues where it stopped.

use crate::harness::backends::{Backends, each_combination};
use crate::harness::pipeline::Pipeline;

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
