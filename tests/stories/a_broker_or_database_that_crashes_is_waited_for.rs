//! The broker or the database is ended as by a power cut, stays away or stands still for a while, and comes back with what it had: the
//! roles say what is missing, go on by themselves, and each acknowledged operation is stored once.

use std::time::Duration;

use crate::harness::backends::{Backends, Combination, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::load::Load;
use crate::harness::pipeline::Pipeline;
use crate::harness::private_server::Kind;

const DEADLINE: Duration = Duration::from_mins(2);
const OPERATIONS_PER_SECOND: u32 = 2_000;
const BETWEEN_FAULTS: usize = 2_000;
const ROLES: [&str; 3] = ["ingestor", "aggregator", "api"];

#[tokio::test]
async fn the_embedded_broker_crashes_stays_away_and_stands_still() {
    each_combination(async |backends: &Backends| {
        if backends.combination != Combination::EmbeddedSqlite {
            return;
        }
        let mut pipeline = Pipeline::start_apart(backends, &[]).await;
        let load = Load::at_rate(&pipeline.url(), OPERATIONS_PER_SECOND);
        load.wait_for_more(BETWEEN_FAULTS).await;
        pipeline.kill_one("broker").await;
        pipeline.start_one("broker");
        goes_on(&pipeline, &load).await;

        pipeline.stop_one("broker").await;
        for role in ROLES {
            pipeline.says(role, "the broker did not answer").await;
        }
        pipeline.start_one("broker");
        goes_on(&pipeline, &load).await;

        pipeline.process("broker").signal("STOP").await;
        for role in ROLES {
            pipeline.says(role, "the broker did not answer").await;
        }
        pipeline.process("broker").signal("CONT").await;
        goes_on(&pipeline, &load).await;
        load.stop().await.assert_stored_once(&pipeline).await;
        pipeline.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_kafka_that_crashes_is_waited_for() {
    a_server_that_crashes_is_waited_for(Kind::Kafka, "the broker did not answer").await;
}

#[tokio::test]
async fn a_postgres_that_crashes_is_waited_for() {
    a_server_that_crashes_is_waited_for(Kind::Postgres, "the database").await;
}

/// Once it is back before anybody need say so, once after every role has said so in these words.
async fn a_server_that_crashes_is_waited_for(kind: Kind, words: &str) {
    let Some(backends) = Backends::with_own(kind).await else { return };
    let mut pipeline = Pipeline::start(&backends).await;
    let load = Load::at_rate(&pipeline.url(), OPERATIONS_PER_SECOND);
    for is_noticed in [false, true] {
        load.wait_for_more(BETWEEN_FAULTS).await;
        backends.own().crash().await;
        if is_noticed {
            for role in ROLES {
                pipeline.says(role, words).await;
            }
        }
        backends.own().start_again().await;
        goes_on(&pipeline, &load).await;
    }
    load.stop().await.assert_stored_once(&pipeline).await;
    pipeline.stop().await;
    backends.remove().await;
}

/// Waits until operations are acknowledged and stored again, and every role says that it can work.
async fn goes_on(pipeline: &Pipeline<'_>, load: &Load) {
    load.wait_for_more(BETWEEN_FAULTS).await;
    for role in ROLES {
        pipeline.can_work(role).await;
    }
    let before = pipeline.committed().await;
    eventually(DEADLINE, async || match pipeline.committed().await {
        now if now > before => Ok(()),
        now => Err(format!("{now} offsets are committed, as many as before")),
    })
    .await;
}
