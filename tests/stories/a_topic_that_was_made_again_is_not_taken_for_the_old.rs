//! The topic of operations is deleted and made again, under the running pipeline and while it is down. Its partitions stop,
//! readiness and the log say why, and nothing is counted twice. The way out of docs/topics.md has the new topic read from its
//! beginning.

use std::time::Duration;

use opstream_schemas::avro::encode_operation;
use opstream_schemas::{Operation, UtcMicros};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::harness::backends::{Backends, Combination, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;

const DEADLINE: Duration = Duration::from_mins(2);
/// In each partition.
const BEFORE: u64 = 30;
/// Fewer than before: the new log ends before the checkpoint.
const FEWER: u64 = 5;
/// The new log has grown past the checkpoint before anybody looks.
const MORE: u64 = 40;

/// When the topic is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    Running { records: u64 },
    Down { records: u64 },
}

#[tokio::test]
async fn it_stops_says_why_and_is_read_from_its_beginning_when_somebody_decides_so() {
    each_combination(async |backends: &Backends| {
        let all = [FEWER, MORE].map(|records| [Meanwhile::Running { records }, Meanwhile::Down { records }]);
        for meanwhile in all.into_iter().flatten() {
            // The embedded broker is down with its pipeline, so that nobody could write to the new topic.
            if backends.kafka_bootstrap.is_some() || meanwhile != (Meanwhile::Down { records: MORE }) {
                story(backends, meanwhile).await;
            }
        }
    })
    .await;
}

async fn story(backends: &Backends, meanwhile: Meanwhile) {
    let mut pipeline = Pipeline::start(backends).await;
    let counted = pipeline.operations().await;
    record(&pipeline, BEFORE).await;
    pipeline.settle().await;
    let after = match (meanwhile, backends.combination) {
        (Meanwhile::Running { records }, _) => {
            make_again(&pipeline).await;
            // Not within the second in which nobody looks.
            pipeline.says("ingestor", "wait for an operator").await;
            record(&pipeline, records).await;
            records
        }
        (Meanwhile::Down { records }, Combination::KafkaPostgres) => {
            pipeline.stop().await;
            make_again(&pipeline).await;
            record(&pipeline, records).await;
            pipeline.start_processes().await;
            records
        }
        (Meanwhile::Down { records }, Combination::EmbeddedSqlite) => {
            // Only its own broker can delete the topic, and after the start nobody waits for readiness, which does not come.
            make_again(&pipeline).await;
            pipeline.kill_one("up").await;
            pipeline.start_one("up");
            record(&pipeline, records).await;
            records
        }
    };
    pipeline.says("ingestor", "wait for an operator").await;
    assert_eq!(pipeline.operations().await, counted + 3 * BEFORE, "something was counted");
    pipeline.assert_verified().await;

    pipeline.stop().await;
    let log = pipeline.process(if backends.kafka_bootstrap.is_some() { "ingestor" } else { "up" }).log();
    assert!(log.contains("the topic was recreated or restored"), "{log}");
    read_it_as_a_new_one(&pipeline).await;
    pipeline.start_processes().await;
    eventually(DEADLINE, async || match pipeline.operations().await {
        all if all == counted + 3 * (BEFORE + after) => Ok(()),
        all => Err(format!("{all} operations, {counted} of them from before")),
    })
    .await;
    pipeline.can_work("ingestor").await;
    pipeline.assert_verified().await;
    pipeline.stop().await;
}

/// The statement of docs/topics.md.
async fn read_it_as_a_new_one(pipeline: &Pipeline<'_>) {
    let database = pipeline.database().await;
    let mut tx = database.begin().await.unwrap();
    let set_aside = "update streams set topic_id = 'until ' || stream_id where topic = $1 and topic_id = ''";
    assert_eq!(tx.execute(set_aside, &[pipeline.topic("operations").into()]).await.unwrap(), 1);
    tx.commit().await.unwrap();
    database.close().await;
}

async fn make_again(pipeline: &Pipeline<'_>) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", pipeline.bootstrap()).create().unwrap();
    let topic = pipeline.topic("operations");
    let deleted = admin.delete_topics(&[&topic], &AdminOptions::new()).await.unwrap();
    deleted.into_iter().next().unwrap().unwrap();
    // Kafka deletes in the background, and refuses the name meanwhile.
    eventually(DEADLINE, async || {
        let wanted = [NewTopic::new(&topic, 3, TopicReplication::Fixed(1))];
        let made = admin.create_topics(&wanted, &AdminOptions::new()).await.map_err(|error| error.to_string())?;
        made.into_iter().next().unwrap().map_err(|(topic, error)| format!("{topic}: {error}"))
    })
    .await;
}

/// Sends so many operations to each of the three partitions.
async fn record(pipeline: &Pipeline<'_>, operations: u64) {
    let producer: FutureProducer = ClientConfig::new().set("bootstrap.servers", pipeline.bootstrap()).create().unwrap();
    let topic = pipeline.topic("operations");
    let mut value = Vec::new();
    for _ in 0..operations {
        let deliveries = (0..3).map(|partition| {
            value.clear();
            encode_operation(&Operation::starting("chat", UtcMicros::now()), &mut value);
            let record: FutureRecord<'_, (), _> = FutureRecord::to(&topic).partition(partition).payload(&value);
            producer.send_result(record).map_err(|(error, _)| error).unwrap()
        });
        for delivery in deliveries.collect::<Vec<_>>() {
            tokio::time::timeout(DEADLINE, delivery).await.unwrap().unwrap().unwrap();
        }
    }
}
