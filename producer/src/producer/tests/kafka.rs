//! With a broker that answers: what arrives, where, and what a refusal says.

use opstream_schemas::avro::encode_operation;
use opstream_schemas::offsets::{Offset, Partition};
use rdkafka::message::{Message, Timestamp};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;
use crate::{Acknowledged, RecordError, StartError};

#[tokio::test]
async fn an_acknowledged_operation_is_at_the_offset_it_names() {
    let cluster = cluster(1);
    let producer = start(config(&cluster.bootstrap_servers()));
    let operations: Vec<_> = (0..3).map(|number| operation(&format!("session-{number}"))).collect();
    for (operation, number) in operations.iter().zip(0..) {
        let place = producer.record_acked(operation.clone()).await.unwrap();
        assert_eq!(place, Acknowledged { partition: Partition(0), offset: Some(Offset(number)) });
    }
    let messages = read_topic(&cluster, 1, 3);
    for ((operation, message), number) in operations.into_iter().zip(&messages).zip(0..) {
        let started_at = operation.operation_id.time().into();
        let producer_id = Some("test".to_owned());
        let complete = Operation { started_at, producer_id, producer_seq: None, ..operation };
        let mut bytes = Vec::new();
        encode_operation(&complete, &mut bytes);
        assert_eq!((message.offset(), message.payload()), (number, Some(bytes.as_slice())));
    }
}

#[tokio::test]
async fn the_records_own_time_is_that_of_sending() {
    let cluster = cluster(1);
    let producer = start(config(&cluster.bootstrap_servers()));
    let long_ago = Operation { operation_id: OperationId::generate(UtcMillis::from_millis(1_000)), ..operation("s") };
    let before = UtcMillis::now().millis();
    producer.record_acked(long_ago).await.unwrap();
    let message = read_topic(&cluster, 1, 1).remove(0);
    let Timestamp::CreateTime(millis) = message.timestamp() else { panic!("{:?}", message.timestamp()) };
    assert!((before..=UtcMillis::now().millis()).contains(&millis));
}

#[tokio::test]
async fn everything_recorded_arrives_once_and_in_order() {
    let cluster = cluster(1);
    let producer = start(config(&cluster.bootstrap_servers()));
    for number in 0..500 {
        producer.record(operation(&format!("session-{number}")));
    }
    let counters = producer.close(PATIENCE).await;
    assert_eq!(counters, Counters { sent: 500, ..Counters::default() });
    let keys: Vec<_> = read_topic(&cluster, 1, 500).iter().map(key_text).collect();
    let expected: Vec<_> = (0..500).map(|number| format!("session-{number}")).collect();
    assert_eq!(keys, expected);
}

/// The hashes are those of Kafka's own test of its murmur2 (`UtilsTest.testMurmur2`); Java takes them without their sign
/// modulo the number of partitions.
#[tokio::test]
async fn a_session_lies_in_the_partition_where_java_puts_it() {
    const PARTITIONS: i32 = 7;
    let known: [(&str, i32); 6] = [
        ("21", -973_932_308),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ("abc", 479_470_107),
    ];
    let cluster = cluster(PARTITIONS);
    let producer = start(config(&cluster.bootstrap_servers()));
    for (session, hash) in known {
        let place = producer.record_acked(operation(session)).await.unwrap();
        assert_eq!(place.partition, Partition((hash & 0x7fff_ffff) % PARTITIONS), "{session}");
    }
}

#[tokio::test]
async fn without_a_session_the_key_is_the_id() {
    let cluster = cluster(1);
    let producer = start(config(&cluster.bootstrap_servers()));
    let operation = Operation { session_id: None, ..operation("") };
    producer.record_acked(operation.clone()).await.unwrap();
    assert_eq!(key_text(&read_topic(&cluster, 1, 1)[0]), operation.operation_id.to_string());
}

#[tokio::test]
async fn a_batch_is_answered_in_its_order_and_a_large_operation_refused_by_size() {
    let cluster = cluster(1);
    let mut config = config(&cluster.bootstrap_servers());
    config.properties.insert("message.max.bytes".to_owned(), "5000".to_owned());
    let producer = start(config);
    let large = Operation { system_prompt: Some("x".repeat(5_000)), ..operation("large") };
    let answers = producer.record_all_acked(vec![operation("a"), large, operation("b")]).await;
    assert_eq!(answers[0].as_ref().unwrap().offset, Some(Offset(0)));
    assert_eq!(answers[2].as_ref().unwrap().offset, Some(Offset(1)));
    let Err(RecordError::TooLarge { bytes, limit: Some(limit) }) = answers[1] else { panic!("{answers:?}") };
    assert!(bytes > 5_000 && limit < 5_000);
    assert_eq!(producer.counters(), Counters { sent: 2, dropped: 1, ..Counters::default() });
}

/// librdkafka compares with an overhead of its own: what the producer's limit lets through must be within it.
#[tokio::test]
async fn the_largest_operation_that_is_taken_is_also_delivered() {
    let cluster = cluster(1);
    let mut config = config(&cluster.bootstrap_servers());
    config.properties.insert("message.max.bytes".to_owned(), "50000".to_owned());
    let producer = start(config);
    let of_size = |bytes: usize| Operation { system_prompt: Some("x".repeat(bytes)), ..operation("large") };
    let Err(RecordError::TooLarge { bytes, limit: Some(limit) }) = producer.record_acked(of_size(60_000)).await else {
        panic!("60,000 bytes of content fit into 50,000");
    };
    let largest = of_size(60_000 - (bytes - limit));
    producer.record_acked(largest).await.unwrap();
}

#[tokio::test]
async fn what_the_broker_refuses_says_so() {
    let refusals = [
        (RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "authorization"),
        (RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "too large for the broker"),
    ];
    for (error, expected) in refusals {
        let cluster = cluster(1);
        let producer = start(config(&cluster.bootstrap_servers()));
        cluster.request_errors(RDKafkaApiKey::Produce, &[error]);
        let refused = producer.record_acked(operation("s")).await.unwrap_err();
        let retry_helps = matches!(refused, RecordError::QueueFull { .. } | RecordError::Unavailable { .. });
        assert!(!retry_helps && refused.to_string().contains(expected), "{refused:?}");
        assert_eq!(producer.counters(), Counters { failed: 1, ..Counters::default() });
    }
}

#[tokio::test]
async fn a_broken_idempotent_session_loses_nothing() {
    let cluster = cluster(1);
    let producer = start(config(&cluster.bootstrap_servers()));
    producer.record_acked(operation("before")).await.unwrap();
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER]);
    producer.record_acked(operation("during")).await.unwrap();
    producer.record(operation("after"));
    let counters = producer.close(PATIENCE).await;
    assert_eq!(counters, Counters { sent: 3, ..Counters::default() });
    let keys: Vec<_> = read_topic(&cluster, 1, 3).iter().map(key_text).collect();
    assert_eq!(keys, ["before", "during", "after"]);
}

#[tokio::test]
async fn a_topic_that_does_not_exist_is_refused_and_not_made() {
    let cluster = MockCluster::new(1).unwrap();
    let mut config = config(&cluster.bootstrap_servers());
    config.properties.insert("topic.metadata.propagation.max.ms".to_owned(), "0".to_owned());
    let refused = start(config).record_acked(operation("s")).await.unwrap_err();
    assert!(matches!(&refused, RecordError::Refused { reason } if reason.contains(TOPIC)), "{refused}");
}

#[test]
fn a_property_that_librdkafka_does_not_take_is_refused_by_name() {
    for (name, value) in [("no.such.thing", "1"), ("message.timeout.ms", "soon"), ("message.max.bytes", "many")] {
        let mut config = config("127.0.0.1:9092");
        config.properties.insert(name.to_owned(), value.to_owned());
        let refused = Producer::start(Sink::Kafka(config)).unwrap_err();
        assert!(matches!(&refused, StartError::Property { name: at, .. } if at == name), "{refused}");
    }
}
