//! The broker through librdkafka, as every part of the pipeline uses it.

use std::collections::BTreeSet;
use std::time::Instant;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};

use super::*;

mod bad_clients;

const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);

async fn start(folder: &Path) -> EmbeddedBroker {
    let plan =
        |name: &str, partitions, compacted| TopicPlan { name: name.to_owned(), partitions, compacted, reader: None };
    EmbeddedBroker::start(EmbeddedBrokerConfig {
        folder: folder.to_owned(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        topics: vec![plan("operations", 2, false), plan("windows", 1, true)],
    })
    .await
    .unwrap()
}

fn client(broker: &EmbeddedBroker) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address().to_string());
    config
}

fn producer(broker: &EmbeddedBroker) -> FutureProducer {
    client(broker)
        .set("enable.idempotence", "true")
        .set("compression.type", "lz4")
        .set("partitioner", "murmur2_random")
        .set("message.max.bytes", "12000000")
        .create()
        .unwrap()
}

async fn produce(producer: &FutureProducer, partition: i32, value: &[u8]) -> i64 {
    let record = FutureRecord::<(), [u8]>::to("operations").partition(partition).payload(value);
    producer.send(record, PATIENCE).await.map_err(|(error, _)| error).unwrap().offset
}

fn consumer(broker: &EmbeddedBroker) -> BaseConsumer {
    client(broker)
        .set("group.id", "test")
        .set("auto.offset.reset", "error")
        .set("enable.auto.commit", "false")
        .set("fetch.message.max.bytes", "12000000")
        .create()
        .unwrap()
}

fn assign(consumer: &BaseConsumer, partition: i32, offset: i64) {
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset("operations", partition, Offset::Offset(offset)).unwrap();
    consumer.assign(&assignment).unwrap();
}

/// The next `n` messages: offset and value.
fn consume(consumer: &BaseConsumer, n: usize) -> Vec<(i64, Vec<u8>)> {
    let deadline = Instant::now() + PATIENCE;
    let mut messages = Vec::new();
    while messages.len() < n {
        assert!(Instant::now() < deadline, "{} of {n} messages after {PATIENCE:?}", messages.len());
        if let Some(message) = consumer.poll(POLL) {
            let message = message.unwrap();
            messages.push((message.offset(), message.payload().unwrap_or_default().to_vec()));
        }
    }
    messages
}

#[tokio::test(flavor = "multi_thread")]
async fn records_offsets_and_identity_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let (cluster_id, topic_id) = (broker.cluster_id(), broker.topic_id("operations"));
    let sender = producer(&broker);
    for nth in 0..5u8 {
        assert_eq!(produce(&sender, 1, &[nth]).await, i64::from(nth));
    }
    let reader = consumer(&broker);
    assign(&reader, 1, 2);
    assert_eq!(consume(&reader, 3), [(2, vec![2]), (3, vec![3]), (4, vec![4])]);
    assert_eq!(reader.fetch_watermarks("operations", 1, PATIENCE).unwrap(), (0, 5));
    assert_eq!(reader.client().fetch_cluster_id(PATIENCE), Some(cluster_id.clone()));
    let mut committed = TopicPartitionList::new();
    committed.add_partition_offset("operations", 1, Offset::Offset(3)).unwrap();
    reader.commit(&committed, rdkafka::consumer::CommitMode::Sync).unwrap();
    drop((sender, reader));
    broker.stop().await.unwrap();

    let broker = start(folder.path()).await;
    assert_eq!((broker.cluster_id(), broker.topic_id("operations")), (cluster_id, topic_id));
    let reader = consumer(&broker);
    assert_eq!(reader.fetch_watermarks("operations", 1, PATIENCE).unwrap(), (0, 5));
    let mut asked = TopicPartitionList::new();
    asked.add_partition("operations", 1);
    let committed = reader.committed_offsets(asked, PATIENCE).unwrap();
    assert_eq!(committed.find_partition("operations", 1).unwrap().offset(), Offset::Offset(3));
    assign(&reader, 1, 0);
    assert_eq!(consume(&reader, 5).len(), 5);
    assert_eq!(produce(&producer(&broker), 1, b"more").await, 5);
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_may_begin_in_the_middle_of_a_batch() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let sender: FutureProducer =
        client(&broker).set("linger.ms", "200").set("compression.type", "lz4").create().unwrap();
    let sends = (0..50u8).map(|nth| {
        let sender = sender.clone();
        async move { produce(&sender, 0, &[nth]).await }
    });
    futures_util::future::join_all(sends).await;
    let reader = consumer(&broker);
    assign(&reader, 0, 20);
    let messages = consume(&reader, 30);
    assert_eq!(messages.first(), Some(&(20, vec![20])));
    assert_eq!(messages.last(), Some(&(49, vec![49])));
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_beyond_the_log_is_an_error_and_not_a_wait() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    produce(&producer(&broker), 0, b"only").await;
    let reader = consumer(&broker);
    assign(&reader, 0, 2);
    let deadline = Instant::now() + PATIENCE;
    let error = loop {
        assert!(Instant::now() < deadline);
        if let Some(Err(error)) = reader.poll(POLL) {
            break error;
        }
    };
    assert!(matches!(error, KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset)), "{error:?}");
    drop(reader);
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_eight_megabytes_arrives_whole_and_one_of_twenty_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let large: Vec<u8> = (0..8_000_000u32).map(|nth| nth.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let sender: FutureProducer = client(&broker).set("message.max.bytes", "30000000").create().unwrap();
    assert_eq!(produce(&sender, 0, &large).await, 0);
    assert_eq!(produce(&sender, 0, b"small").await, 1);
    let reader = consumer(&broker);
    assign(&reader, 0, 0);
    assert!(consume(&reader, 2)[0].1 == large);
    let too_large = vec![7; 20_000_000];
    let record = FutureRecord::<(), [u8]>::to("operations").partition(0).payload(&too_large);
    let (error, _) = sender.send(record, PATIENCE).await.unwrap_err();
    assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::MessageSizeTooLarge));
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_members_of_a_group_share_the_partitions_and_one_takes_over() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let join = || -> BaseConsumer {
        let consumer: BaseConsumer = client(&broker)
            .set("group.id", "shared")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("auto.offset.reset", "earliest")
            .set("heartbeat.interval.ms", "100")
            .create()
            .unwrap();
        consumer.subscribe(&["operations"]).unwrap();
        consumer
    };
    let assigned = |consumer: &BaseConsumer| -> BTreeSet<i32> {
        drop(consumer.poll(Duration::from_millis(20)));
        consumer.assignment().unwrap().elements().iter().map(TopicPartitionListElem::partition).collect()
    };
    let (first, second) = (join(), join());
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (of_first, of_second) = (assigned(&first), assigned(&second));
        if of_first.len() == 1 && of_second.len() == 1 && of_first != of_second {
            break;
        }
        assert!(Instant::now() < deadline, "{of_first:?} and {of_second:?}");
    }
    drop(first);
    while assigned(&second).len() < 2 {
        assert!(Instant::now() < deadline, "the second member did not take over");
    }
    drop(second);
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_clients_with_one_instance_id_the_younger_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let join = || -> BaseConsumer {
        let consumer: BaseConsumer = client(&broker)
            .set("group.id", "shared")
            .set("group.instance.id", "pod-1")
            .set("heartbeat.interval.ms", "100")
            .create()
            .unwrap();
        consumer.subscribe(&["operations"]).unwrap();
        consumer
    };
    let deadline = Instant::now() + PATIENCE;
    let is_assigned = |consumer: &BaseConsumer| {
        drop(consumer.poll(Duration::from_millis(20)));
        consumer.assignment().unwrap().count() == 2
    };
    let older = join();
    while !is_assigned(&older) {
        assert!(Instant::now() < deadline, "the first one got no partitions");
    }
    let younger = join();
    let mut is_fenced = false;
    while !(is_fenced && is_assigned(&younger)) {
        assert!(Instant::now() < deadline, "fenced: {is_fenced}");
        drop(older.poll(Duration::from_millis(20)));
        is_fenced |= older.client().fatal_error().is_some_and(|(code, _)| code == RDKafkaErrorCode::FencedInstanceId);
    }
    drop((older, younger));
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_created_again_is_another_topic() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    produce(&producer(&broker), 0, b"old").await;
    let before = broker.topic_id("operations");
    let admin: AdminClient<DefaultClientContext> = client(&broker).create().unwrap();
    let options = AdminOptions::new();
    let deleted = admin.delete_topics(&["operations"], &options).await.unwrap();
    assert_eq!(deleted, [Ok("operations".to_owned())]);
    assert_eq!(broker.topic_id("operations"), None);
    let again = NewTopic::new("operations", 3, TopicReplication::Fixed(1));
    assert_eq!(admin.create_topics([&again], &options).await.unwrap(), [Ok("operations".to_owned())]);
    let exists = admin.create_topics([&again], &options).await.unwrap();
    assert_eq!(exists, [Err(("operations".to_owned(), RDKafkaErrorCode::TopicAlreadyExists))]);
    let escaping = NewTopic::new("../../outside", 1, TopicReplication::Fixed(1));
    assert!(admin.create_topics([&escaping], &options).await.unwrap()[0].is_err());
    assert_ne!(broker.topic_id("operations"), before);
    let reader = consumer(&broker);
    let metadata = reader.fetch_metadata(Some("operations"), PATIENCE).unwrap();
    assert_eq!(metadata.topics()[0].partitions().len(), 3);
    assert_eq!(reader.fetch_watermarks("operations", 0, PATIENCE).unwrap(), (0, 0));
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_or_address_in_use_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let config = |folder: &Path, listen| EmbeddedBrokerConfig { folder: folder.to_owned(), listen, topics: Vec::new() };
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let error = EmbeddedBroker::start(config(folder.path(), free)).await.unwrap_err().to_string();
    assert!(error.contains("in use by another opstream process") && error.contains("--data"), "{error}");
    let other = tempfile::tempdir().unwrap();
    let error = EmbeddedBroker::start(config(other.path(), broker.address())).await.unwrap_err().to_string();
    assert!(error.contains(&broker.address().to_string()) && error.contains("--broker-listen"), "{error}");
    broker.stop().await.unwrap();
    start(folder.path()).await.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_asks_for_more_than_one_response_carries_need_not_wait() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let sender: FutureProducer = client(&broker).create().unwrap();
    for _ in 0..6 {
        produce(&sender, 0, &vec![7; 900_000]).await;
    }
    let reader: BaseConsumer = client(&broker)
        .set("group.id", "test")
        .set("fetch.min.bytes", "8000000")
        .set("fetch.message.max.bytes", "12000000")
        .set("fetch.wait.max.ms", "30000")
        .set("socket.timeout.ms", "60000")
        .create()
        .unwrap();
    assign(&reader, 0, 0);
    assert_eq!(consume(&reader, 3).len(), 3, "before the 30 seconds are over");
    drop((sender, reader));
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compacted_topic_takes_only_records_with_keys() {
    let folder = tempfile::tempdir().unwrap();
    let broker = start(folder.path()).await;
    let sender = producer(&broker);
    let with_key = FutureRecord::to("windows").key("key").payload("value");
    assert_eq!(sender.send(with_key, PATIENCE).await.map_err(|(error, _)| error).unwrap().offset, 0);
    let without = FutureRecord::<(), str>::to("windows").payload("value");
    let (error, _) = sender.send(without, PATIENCE).await.unwrap_err();
    assert_eq!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::InvalidRecord));
    broker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_with_a_broken_partition_has_failed() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = start(folder.path()).await;
    let partition = broker.broker.topics.partition("operations", 0).unwrap();
    for _ in 0..2 {
        let partition = Arc::clone(&partition);
        let panicked = std::thread::spawn(move || {
            let _log = partition.log();
            panic!("the first time as if a defect had half changed the log");
        });
        assert!(panicked.join().is_err());
    }
    let error = tokio::time::timeout(PATIENCE, broker.failed()).await.unwrap().to_string();
    assert!(error.contains("start again"), "{error}");
    drop(partition);
    broker.stop().await.unwrap();
}
