//! The disk of the lake is full or cannot be written, then the disk of everything: nothing is lost, readiness says why, and work goes
//! on by itself when there is space.

use std::time::Duration;

use crate::harness::backends::{Backends, Combination, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::load::Load;
use crate::harness::pipeline::Pipeline;
use crate::harness::small_disk::SmallDisk;

const DEADLINE: Duration = Duration::from_mins(1);
const OPERATIONS_PER_SECOND: u32 = 2_000;
const AT_A_TIME: usize = 2_000;

#[tokio::test]
async fn a_lake_that_cannot_be_written_holds_storing_up_and_nothing_else() {
    each_combination(async |backends: &Backends| {
        let lake = backends.folder.path().join("data").join("lake");
        let Some(disk) = SmallDisk::mount(&lake, 64) else { return };
        let mut pipeline = Pipeline::start(backends).await;
        let load = Load::at_rate(&pipeline.url(), OPERATIONS_PER_SECOND);
        stores(&pipeline, &load).await;

        disk.fill();
        pipeline.says("ingestor", "storing a batch").await;
        load.wait_for_more(AT_A_TIME).await;
        disk.empty();
        pipeline.can_work("ingestor").await;
        stores(&pipeline, &load).await;

        eventually(DEADLINE, async || if disk.protect() { Ok(()) } else { Err("a file is being written") }).await;
        pipeline.says("ingestor", "storing a batch").await;
        load.wait_for_more(AT_A_TIME).await;
        disk.unprotect();
        pipeline.can_work("ingestor").await;
        stores(&pipeline, &load).await;

        load.stop().await.assert_stored_once(&pipeline).await;
        pipeline.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_full_disk_under_broker_database_and_lake_refuses_operations_and_loses_none() {
    each_combination(async |backends: &Backends| {
        if backends.combination != Combination::EmbeddedSqlite {
            return;
        }
        let Some(disk) = SmallDisk::mount(&backends.folder.path().join("data"), 256) else { return };
        let mut pipeline = Pipeline::start(backends).await;
        let load = Load::at_rate(&pipeline.url(), OPERATIONS_PER_SECOND);
        for _ in 0..3 {
            stores(&pipeline, &load).await;
            disk.fill();
            eventually(DEADLINE, async || match pipeline.hindrance("up").await? {
                Some(_) => Ok(()),
                None => Err("everything works, it says".to_owned()),
            })
            .await;
            disk.empty();
            pipeline.can_work("up").await;
        }
        stores(&pipeline, &load).await;
        load.stop().await.assert_stored_once(&pipeline).await;
        pipeline.stop().await;
    })
    .await;
}

async fn stores(pipeline: &Pipeline<'_>, load: &Load) {
    let before = pipeline.committed().await;
    load.wait_for_more(AT_A_TIME).await;
    eventually(DEADLINE, async || match pipeline.committed().await {
        now if now > before => Ok(()),
        now => Err(format!("{now} offsets are committed, as many as before")),
    })
    .await;
}
