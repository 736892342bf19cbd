//! Manifest numbers carry no order: of two ingest transactions, the one with the lower number commits last, and the windows
//! have both. Only Postgres can do that; SQLite has one writer.

use std::time::Duration;

use opstream_schemas::avro::encode_operation;
use opstream_schemas::database::{Database, Transaction};
use opstream_schemas::{Operation, UtcMicros};
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::harness::backends::{Backends, Combination, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;

const DEADLINE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn the_lower_number_that_commits_last_is_windowed_too() {
    each_combination(async |backends: &Backends| {
        if backends.combination != Combination::KafkaPostgres {
            return;
        }
        let mut pipeline = Pipeline::start(backends).await;
        let mut second = pipeline.start_role(&["ingestor", "--instance", "ingestor-2"]);
        let database = pipeline.database().await;
        let [slow, fast] = partitions_of_two_owners(&database).await;

        let blocker = block_last_statement(&database, slow).await;
        send(&pipeline, slow).await;
        someone_waits_for_a_lock(&database).await;
        send(&pipeline, fast).await;
        operations_in_windows(&pipeline, 1).await;
        blocker.rollback().await.unwrap();
        operations_in_windows(&pipeline, 2).await;

        let rows = database
            .fetch_all(
                "select partition::bigint as partition from applied_ranges where rows > 0 order by file_number",
                &[],
            )
            .await
            .unwrap();
        let order: Vec<i64> = rows.iter().map(|row| row.int("partition").unwrap()).collect();
        assert_eq!(order, [slow, fast], "the transaction that waited has the lower number");
        database.close().await;
        pipeline.assert_verified().await;
        assert!(second.stop(DEADLINE).await.success());
        pipeline.stop().await;
    })
    .await;
}

/// A partition of each ingestor, once both have some.
async fn partitions_of_two_owners(database: &Database) -> [i64; 2] {
    let sql = "select owner, min(partition)::bigint as partition from stream_partitions group by owner order by 1";
    eventually(DEADLINE, async || {
        let rows = database.fetch_all(sql, &[]).await.map_err(|error| error.to_string())?;
        let partitions: Vec<i64> = rows.iter().map(|row| row.int("partition").unwrap()).collect();
        <[i64; 2]>::try_from(partitions).map_err(|owners| format!("partitions by owner: {owners:?}"))
    })
    .await
}

/// Holds the row that the partition's next transaction inserts last, so that it waits there with its number taken.
async fn block_last_statement(database: &Database, partition: i64) -> Transaction {
    let mut tx = database.begin().await.unwrap();
    let sql = "insert into applied_ranges (stream_id, partition, from_offset, to_offset, reason, rows, duplicates, dead, \
               skipped, applied_at_ms) select stream_id, partition, next_offset, next_offset + 1, 'batch', 1, 0, 0, 0, 0 \
               from stream_partitions where partition = $1";
    assert_eq!(tx.execute(sql, &[partition.into()]).await.unwrap(), 1);
    tx
}

async fn someone_waits_for_a_lock(database: &Database) {
    let sql = "select count(*) as waiting from pg_locks as held join pg_database as here on here.oid = held.database or held.database is null \
               where not held.granted and here.datname = current_database() and held.locktype = 'transactionid'";
    eventually(DEADLINE, async || {
        let row = database.fetch_optional(sql, &[]).await.map_err(|error| error.to_string())?.ok_or("no answer")?;
        if row.int("waiting").map_err(|error| error.to_string())? > 0 { Ok(()) } else { Err("nobody waits".to_owned()) }
    })
    .await;
}

async fn send(pipeline: &Pipeline<'_>, partition: i64) {
    let producer: FutureProducer = ClientConfig::new().set("bootstrap.servers", pipeline.bootstrap()).create().unwrap();
    let mut value = Vec::new();
    encode_operation(&Operation::starting("chat", UtcMicros::now()), &mut value);
    let topic = pipeline.topic("operations");
    let record: FutureRecord<'_, (), _> =
        FutureRecord::to(&topic).partition(i32::try_from(partition).unwrap()).payload(&value);
    producer.send(record, Duration::from_secs(30)).await.map_err(|(error, _)| error).unwrap();
}

async fn operations_in_windows(pipeline: &Pipeline<'_>, expected: i64) {
    eventually(DEADLINE, async || {
        let totals = pipeline.get("/v1/totals").await?;
        if totals["operations"].as_i64() == Some(expected) { Ok(()) } else { Err(totals.to_string()) }
    })
    .await;
}
