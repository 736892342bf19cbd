//! Postgres refuses, falls silent or answers as through a bad line: the roles wait and say why, Kafka keeps what comes, the lag
//! is told, memory stays bounded, and afterwards everything is stored once, by itself.

use std::time::Duration;

use crate::harness::backends::{Backends, Combination, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::fault_proxy::{FaultProxy, Traffic};
use crate::harness::load::Load;
use crate::harness::pipeline::Pipeline;

/// Acknowledged operations while the fault lasts and is known; about two seconds.
const DURING_FAULT: usize = 8_000;
const OPERATIONS_PER_SECOND: u32 = 4_000;
const DEADLINE: Duration = Duration::from_mins(1);
/// Most memory of an ingestor or an aggregator, however long the outage: the client's 16 MiB of prefetched records and six
/// batches, in each of their forms.
const MOST_MEMORY: u64 = 400 << 20;
const LAG: &str = "opstream_ingestor_lag_operations";

#[tokio::test]
async fn nothing_is_lost_and_everybody_says_why_it_waits() {
    each_combination(async |backends: &Backends| {
        if backends.combination != Combination::KafkaPostgres {
            return;
        }
        let (proxy, url) = FaultProxy::before(&backends.database_url).await;
        let mut pipeline = Pipeline::start_behind(backends, [url.clone(), url]).await;
        let load = Load::at_rate(&pipeline.url(), OPERATIONS_PER_SECOND);
        load.wait_for_more(DURING_FAULT).await;
        for traffic in [Traffic::Refused, Traffic::Silent] {
            proxy.set(traffic);
            for role in ["ingestor", "aggregator"] {
                pipeline.says(role, "the database").await;
            }
            let before = pipeline.committed().await;
            load.wait_for_more(DURING_FAULT).await;
            assert_eq!(pipeline.committed().await, before, "something was stored through {traffic:?}");
            assert_lag_is_told(&pipeline, DURING_FAULT).await;
            assert_memory_is_bounded(&mut pipeline);
            proxy.set(Traffic::Passes);
            assert_recovers(&pipeline, before).await;
        }
        for traffic in [Traffic::Slow(10_000), Traffic::Late(Duration::from_millis(100))] {
            proxy.set(traffic);
            load.wait_for_more(DURING_FAULT).await;
            assert_memory_is_bounded(&mut pipeline);
            let before = pipeline.committed().await;
            proxy.set(Traffic::Passes);
            assert_recovers(&pipeline, before).await;
        }
        load.stop().await.assert_stored_once(&pipeline).await;
        pipeline.stop().await;
    })
    .await;
}

async fn assert_lag_is_told(pipeline: &Pipeline<'_>, at_least: usize) {
    eventually(DEADLINE, async || match pipeline.metric("ingestor", LAG).await? {
        lag if lag >= at_least as f64 => Ok(()),
        lag => Err(format!("{LAG} is {lag}")),
    })
    .await;
}

fn assert_memory_is_bounded(pipeline: &mut Pipeline<'_>) {
    for role in ["ingestor", "aggregator"] {
        let resident = pipeline.process(role).resident_bytes().unwrap_or_default();
        assert!(resident < MOST_MEMORY, "the {role} has {resident} bytes in memory");
    }
}

async fn assert_recovers(pipeline: &Pipeline<'_>, committed: i64) {
    for role in ["ingestor", "aggregator"] {
        pipeline.can_work(role).await;
    }
    eventually(DEADLINE, async || match pipeline.committed().await {
        now if now > committed => Ok(()),
        now => Err(format!("{now} offsets are committed, as many as before")),
    })
    .await;
}
