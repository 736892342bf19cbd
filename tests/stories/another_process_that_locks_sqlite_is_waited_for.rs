//! Somebody else holds SQLite's one writer for longer than anybody waits for it, such as a shell with an open transaction: the
//! roles try again and say so, the broker keeps what comes, and everything is stored once when the lock is gone.

use std::time::Duration;

use crate::harness::backends::{Backends, Combination, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::load::Load;
use crate::harness::pipeline::Pipeline;

const DEADLINE: Duration = Duration::from_mins(1);
const OPERATIONS_PER_SECOND: u32 = 2_000;
const DURING_LOCK: usize = 2_000;

#[tokio::test]
async fn the_lock_delays_operations_and_loses_none() {
    each_combination(async |backends: &Backends| {
        if backends.combination != Combination::EmbeddedSqlite {
            return;
        }
        let mut pipeline = Pipeline::start(backends).await;
        let load = Load::at_rate(&pipeline.url(), OPERATIONS_PER_SECOND);
        load.wait_for_more(DURING_LOCK).await;
        let database = pipeline.database().await;
        let lock = database.begin().await.unwrap();
        pipeline.says("up", "windows: fails and is tried again").await;
        let before = pipeline.committed().await;
        load.wait_for_more(DURING_LOCK).await;
        assert_eq!(pipeline.committed().await, before, "something was stored past the lock");
        lock.rollback().await.unwrap();
        database.close().await;
        pipeline.can_work("up").await;
        eventually(DEADLINE, async || match pipeline.committed().await {
            now if now > before => Ok(()),
            now => Err(format!("{now} offsets are committed, as many as before")),
        })
        .await;
        load.stop().await.assert_stored_once(&pipeline).await;
        pipeline.stop().await;
    })
    .await;
}
