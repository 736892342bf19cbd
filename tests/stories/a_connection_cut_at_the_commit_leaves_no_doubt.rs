//! The connection to Postgres is cut again and again in the middle of a commit, before and after the server has it, and in
//! the middle of the rows. The client cannot tell which; the checkpoint can, and each operation is stored once. SQLite has
//! no connection.

use std::time::Duration;

use crate::harness::backends::{Backends, Combination, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::fault_proxy::{Cut, FaultProxy};
use crate::harness::load::Load;
use crate::harness::pipeline::Pipeline;

/// Cuts of each kind, for each of the two roles that write.
const CUTS: usize = 3;
const DEADLINE: Duration = Duration::from_mins(1);
/// Slow enough for a debug build to keep up.
const OPERATIONS_PER_SECOND: u32 = 4_000;

#[tokio::test]
async fn each_operation_is_stored_once_on_whichever_side_of_the_commit_the_cut_is() {
    each_combination(async |backends: &Backends| {
        if backends.combination != Combination::KafkaPostgres {
            return;
        }
        let (ingestors, ingestors_url) = FaultProxy::before(&backends.database_url).await;
        let (aggregators, aggregators_url) = FaultProxy::before(&backends.database_url).await;
        let mut pipeline = Pipeline::start_behind(backends, [ingestors_url, aggregators_url]).await;
        let load = Load::at_rate(&pipeline.url(), OPERATIONS_PER_SECOND);
        for _ in 0..CUTS {
            for cut in [Cut::Before(b"COMMIT"), Cut::After(b"COMMIT"), Cut::AtByte(100_000)] {
                let before = pipeline.committed().await;
                tokio::join!(cut_once(&ingestors, &cut), cut_once(&aggregators, &cut));
                eventually(DEADLINE, async || match pipeline.committed().await {
                    now if now > before => Ok(()),
                    now => Err(format!("{now} offsets are committed, as many as before {cut:?}")),
                })
                .await;
            }
        }
        load.stop().await.assert_stored_once(&pipeline).await;
        pipeline.can_work("ingestor").await;
        pipeline.can_work("aggregator").await;
        pipeline.stop().await;
    })
    .await;
}

async fn cut_once(proxy: &FaultProxy, cut: &Cut) {
    let cuts = proxy.cuts();
    proxy.cut_one(cut.clone());
    eventually(DEADLINE, async || match proxy.cuts() {
        now if now > cuts => Ok(()),
        _ => Err(format!("nothing came past {cut:?}")),
    })
    .await;
}
