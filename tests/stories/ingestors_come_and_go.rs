//! Ingestors join and leave a group under load, in order and by `kill -9`: each operation is stored once, and every partition has
//! an owner again. On Kafka and Postgres: the embedded broker with SQLite is for one `opstream up`.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::harness::backends::{Backends, Combination, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::load::Load;
use crate::harness::pipeline::Pipeline;

const DEADLINE: Duration = Duration::from_mins(1);
const OPERATIONS_PER_SECOND: u32 = 2_000;
const WITH_EACH_GROUP: usize = 2_000;

#[tokio::test]
async fn each_operation_is_stored_once_however_partitions_wander() {
    each_combination(async |backends: &Backends| {
        if backends.combination != Combination::KafkaPostgres {
            return;
        }
        let mut pipeline = Pipeline::start(backends).await;
        let load = Load::at_rate(&pipeline.url(), OPERATIONS_PER_SECOND);
        work_as(&pipeline, &load, 1).await;
        // Without a lasting name, a member that stops is missed at once.
        let mut second = pipeline.start_role(&["ingestor", "--content", "lake"]);
        work_as(&pipeline, &load, 2).await;
        let mut third = pipeline.start_role(&["ingestor", "--content", "lake", "--instance", "ingestor-3"]);
        work_as(&pipeline, &load, 3).await;
        assert!(second.stop(DEADLINE).await.success());
        work_as(&pipeline, &load, 2).await;
        let mut again = pipeline.start_role(&["ingestor", "--content", "lake"]);
        work_as(&pipeline, &load, 3).await;
        third.kill().await;
        work_as(&pipeline, &load, 2).await;
        pipeline.kill_one("ingestor").await;
        work_as(&pipeline, &load, 1).await;
        load.stop().await.assert_stored_once(&pipeline).await;
        assert!(again.stop(DEADLINE).await.success());
        pipeline.stop().await;
    })
    .await;
}

/// Waits until so many ingestors own the three partitions and have stored something.
async fn work_as(pipeline: &Pipeline<'_>, load: &Load, ingestors: usize) {
    let database = pipeline.database().await;
    eventually(DEADLINE, async || {
        let rows = database.fetch_all("select owner from stream_partitions", &[]).await;
        let rows = rows.map_err(|error| error.to_string())?;
        let owners: BTreeSet<String> = rows.iter().map(|row| row.text("owner").unwrap()).collect();
        if owners.len() == ingestors && rows.len() == 3 {
            Ok(())
        } else {
            Err(format!("{} own {} partitions", owners.len(), rows.len()))
        }
    })
    .await;
    database.close().await;
    let before = pipeline.committed().await;
    load.wait_for_more(WITH_EACH_GROUP).await;
    eventually(DEADLINE, async || match pipeline.committed().await {
        now if now > before => Ok(()),
        now => Err(format!("{now} offsets are committed, as many as before")),
    })
    .await;
}
