//! `kill -9` with operations in flight, ten times over: the rows are the acknowledged operations, each once.

use std::time::Duration;

use crate::harness::backends::{Backends, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::load::Load;
use crate::harness::pipeline::Pipeline;

const KILLS: usize = 10;
/// Acknowledged operations between two kills; enough for several batches to be in flight.
const BETWEEN_KILLS: usize = 2_000;

#[tokio::test]
async fn rows_are_exactly_what_was_acknowledged() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        let load = Load::start(&pipeline.url());
        for _ in 0..KILLS {
            let before = pipeline.committed().await;
            load.wait_for_more(BETWEEN_KILLS).await;
            // The ingestor must be at work too, or the kill would only prove the front door.
            eventually(Duration::from_mins(2), async || match pipeline.committed().await {
                now if now > before => Ok(()),
                now => Err(format!("{now} offsets are committed, as many as before")),
            })
            .await;
            pipeline.kill().await;
            pipeline.start_processes().await;
        }
        load.wait_for_more(BETWEEN_KILLS).await;
        load.stop().await.assert_stored_once(&pipeline).await;
        pipeline.stop().await;
    })
    .await;
}
