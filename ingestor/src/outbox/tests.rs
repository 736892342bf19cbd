//! The outbox against SQLite and the Kafka client's mock cluster.

use std::collections::BTreeMap;

use opstream_schemas::database::DatabaseUrl;
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Headers as _;
use rdkafka::mocking::MockCluster;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::*;

const TOPIC: &str = "llm.operations.dead";

struct Fixture {
    _folder: tempfile::TempDir,
    database: Database,
    bootstrap: String,
    _cluster: MockCluster<'static, rdkafka::producer::DefaultProducerContext>,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::connect(&DatabaseUrl::Sqlite(folder.path().join("opstream.db"))).await.unwrap();
        opstream_schemas::migrations::migrate(&database).await.unwrap();
        let mut tx = database.begin().await.unwrap();
        let stream =
            "insert into streams (cluster_id, topic, topic_id, first_seen_ms) values ('c', 'llm.operations', '', 0)";
        tx.execute(stream, &[]).await.unwrap();
        tx.commit().await.unwrap();
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, 1, 1).unwrap();
        Self { _folder: folder, database, bootstrap: cluster.bootstrap_servers(), _cluster: cluster }
    }

    async fn add(&self, offset: i64, value: Vec<u8>) {
        let sql = "insert into dead_letters (stream_id, partition, source_offset, reason_code, reason, record_key, record_value, record_headers, stored_at_ms) \
                   values (1, 3, $1, 'undecodable', 'why', $2, $3, '[[\"app\",\"6869\"]]', $1)";
        let mut tx = self.database.begin().await.unwrap();
        tx.execute(sql, &[offset.into(), b"key".to_vec().into(), value.into()]).await.unwrap();
        tx.commit().await.unwrap();
    }

    fn producer(&self) -> FutureProducer {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.bootstrap).set("message.max.bytes", MAX_RECORD_BYTES);
        client.create().unwrap()
    }

    async fn waiting(&self) -> i64 {
        let sql = "select count(*) as n from dead_letters where published_at_ms is null";
        self.database.fetch_optional(sql, &[]).await.unwrap().unwrap().int("n").unwrap()
    }

    /// Length of the value and the headers of each copy on the topic.
    fn copies(&self, expected: usize) -> Vec<(Option<usize>, BTreeMap<String, String>)> {
        let consumer: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", &self.bootstrap).set("group.id", "test").create().unwrap();
        let mut start = TopicPartitionList::new();
        start.add_partition_offset(TOPIC, 0, Offset::Beginning).unwrap();
        consumer.assign(&start).unwrap();
        let mut copies = Vec::new();
        while copies.len() < expected {
            let message = consumer.poll(Duration::from_secs(30)).expect("a copy is missing").unwrap();
            let headers = message.headers().unwrap().iter().map(|header| {
                (header.key.to_owned(), String::from_utf8(header.value.unwrap_or_default().to_vec()).unwrap())
            });
            copies.push((message.payload().map(<[u8]>::len), headers.collect()));
        }
        copies
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_is_too_large_does_not_hold_up_the_others() {
    let fixture = Fixture::new().await;
    fixture.add(0, vec![7; 11 << 20]).await;
    for offset in 1..4 {
        fixture.add(offset, b"{}".to_vec()).await;
    }
    // The large one fills its round alone.
    let producer = fixture.producer();
    publish_some(&fixture.database, &producer, TOPIC).await.unwrap();
    assert_eq!(fixture.waiting().await, 3);
    publish_some(&fixture.database, &producer, TOPIC).await.unwrap();
    assert_eq!(fixture.waiting().await, 0);
    publish_some(&fixture.database, &producer, TOPIC).await.unwrap();

    let copies = fixture.copies(4);
    let lengths: Vec<_> = copies.iter().map(|(length, _)| *length).collect();
    assert_eq!(lengths, [None, Some(2), Some(2), Some(2)], "each once, the large one as a notice");
    assert_eq!(copies[0].1["opstream.value_bytes_left_in_dead_letters"], (11 << 20).to_string());
    assert_eq!(copies[0].1["__connect.errors.offset"], "0");
    let headers: Vec<_> = copies[1].1.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = [
        ("__connect.errors.connector.name", "opstream-ingestor"),
        ("__connect.errors.exception.class.name", "undecodable"),
        ("__connect.errors.exception.message", "why"),
        ("__connect.errors.offset", "1"),
        ("__connect.errors.partition", "3"),
        ("__connect.errors.stage", "VALUE_CONVERTER"),
        ("__connect.errors.topic", "llm.operations"),
        ("app", "hi"),
        ("opstream.first_failure_ms", "1"),
    ];
    assert_eq!(headers, expected, "the record's own and those that docs/topics.md promises");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_broker_that_is_away() {
    let fixture = Fixture::new().await;
    fixture.add(0, b"{}".to_vec()).await;
    let mut client = ClientConfig::new();
    // Nobody listens on the port of discard.
    client.set("bootstrap.servers", "127.0.0.1:9").set("message.timeout.ms", "300000");
    let producer: FutureProducer = client.create().unwrap();
    let shutdown = CancellationToken::new();
    let publishing = publish_in_rounds(&fixture.database, &producer, TOPIC, &shutdown);
    let stopping = async {
        // The letter is on its way once the client has it.
        while rdkafka::producer::Producer::in_flight_count(&producer) == 0 {
            tokio::task::yield_now().await;
        }
        shutdown.cancel();
    };
    tokio::time::timeout(Duration::from_mins(1), async { tokio::join!(publishing, stopping) }).await.unwrap();
    assert_eq!(fixture.waiting().await, 1);
}
