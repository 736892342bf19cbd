//! Nobody else can stop an ingestor: not a producer whose ids are of hundreds of days, each of which is a table in
//! Postgres, and not an ingestor that was frozen while it created one of them.

use std::time::Duration;

use opstream_schemas::avro::encode_operation;
use opstream_schemas::time::DAY_MILLIS;
use opstream_schemas::{Operation, OperationId, UtcMicros, UtcMillis};
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};

use crate::harness::backends::{Backends, Combination, each_combination};
use crate::harness::pipeline::Pipeline;

const DAYS: i64 = 200;

#[tokio::test]
async fn a_batch_of_many_days_is_stored_past_a_frozen_neighbour() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        let frozen = match backends.combination {
            Combination::KafkaPostgres => Some(frozen_in_the_creation_of_a_table(&pipeline.database_url()).await),
            Combination::EmbeddedSqlite => None,
        };
        send_one_operation_of_each_day(&pipeline).await;
        pipeline.settle().await;
        assert_eq!(pipeline.get("/v1/totals").await.unwrap()["operations"].as_i64(), Some(DAYS));
        pipeline.assert_verified().await;
        pipeline.stop().await;
        drop(frozen);
    })
    .await;
}

/// A session as a stopped ingestor leaves it: in a transaction, with the lock of the day tables.
async fn frozen_in_the_creation_of_a_table(url: &str) -> PgConnection {
    let options: PgConnectOptions = url.parse().unwrap();
    let mut connection = options.application_name("opstream").connect().await.unwrap();
    sqlx::raw_sql("begin; select pg_advisory_xact_lock(7302201)").execute(&mut connection).await.unwrap();
    connection
}

/// All under one key, so that they are in one partition and mostly in one batch.
async fn send_one_operation_of_each_day(pipeline: &Pipeline<'_>) {
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", pipeline.bootstrap()).set("linger.ms", "100").create().unwrap();
    let topic = pipeline.topic("operations");
    let now = UtcMillis::now();
    let mut deliveries = Vec::new();
    for day in 0..DAYS {
        let at = now.plus_millis(-day * DAY_MILLIS);
        let operation =
            Operation { operation_id: OperationId::generate(at), ..Operation::starting("chat", UtcMicros::from(at)) };
        let mut bytes = Vec::new();
        encode_operation(&operation, &mut bytes);
        let record = FutureRecord::to(&topic).key("s").payload(&bytes);
        deliveries.push(producer.send_result(record).map_err(|(error, _)| error).unwrap());
    }
    for delivery in deliveries {
        tokio::time::timeout(Duration::from_secs(30), delivery).await.unwrap().unwrap().unwrap();
    }
}
