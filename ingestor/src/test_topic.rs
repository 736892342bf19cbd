//! A topic on librdkafka's own mock of a broker, an empty SQLite database and a lake, for tests of the whole ingestor.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use opstream_schemas::avro::encode_operation;
use opstream_schemas::condition::Reporter;
use opstream_schemas::database::{Database, DatabaseUrl};
use opstream_schemas::prices::CostPolicy;
use opstream_schemas::topics::Topics;
use opstream_schemas::{Operation, OperationId, UtcMicros, UtcMillis};
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{BatchLimits, ContentPolicy, IngestorConfig, embedded_prices};

/// Longer than anything takes, unless it never happens.
const DEADLINE: Duration = Duration::from_secs(30);

/// The mock lets a rebalance take the session's time less a second, and the first one three.
const GROUP: [(&str, &str); 2] = [("session.timeout.ms", "4500"), ("heartbeat.interval.ms", "200")];

pub(crate) struct TestTopic {
    pub(crate) cluster: MockCluster<'static, DefaultProducerContext>,
    pub(crate) config: IngestorConfig,
    producer: BaseProducer,
    _folder: TempDir,
}

/// An ingestor that runs beside the test.
pub(crate) struct Running {
    task: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
}

impl TestTopic {
    pub(crate) async fn new(partitions: i32) -> Self {
        let topics = Topics::default();
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(&topics.operations(), partitions, 1).unwrap();
        let bootstrap = cluster.bootstrap_servers();
        let folder = tempfile::tempdir().unwrap();
        let database = Database::connect(&DatabaseUrl::Sqlite(folder.path().join("opstream.db"))).await.unwrap();
        opstream_schemas::migrations::migrate(&database).await.unwrap();
        let mut producer = ClientConfig::new();
        producer.set("bootstrap.servers", &bootstrap).set("linger.ms", "0").set("message.max.bytes", "10000000");
        let config = IngestorConfig {
            registry: None,
            prices: embedded_prices(),
            cost_policy: CostPolicy::default(),
            database,
            lake: folder.path().join("lake"),
            bootstrap,
            topics,
            group: "test".to_owned(),
            instance: None,
            properties: GROUP.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            limits: BatchLimits { age: Duration::from_millis(20), ..BatchLimits::default() },
            content: ContentPolicy::Drop,
            poison_hold: Duration::ZERO,
            reporter: Reporter::default(),
        };
        Self { cluster, config, producer: producer.create().unwrap(), _folder: folder }
    }

    /// Sends values to a partition and waits until the broker has them.
    pub(crate) fn produce(&self, partition: i32, values: &[Vec<u8>]) {
        let topic = self.config.topics.operations();
        for value in values {
            let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&topic).partition(partition).payload(value);
            self.producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        self.producer.flush(DEADLINE).unwrap();
    }

    /// Sends one value with a header of this name, any bytes, which the client would not do.
    pub(crate) fn produce_with_header(&self, partition: i32, name: &[u8], value: &[u8]) {
        let request = produce_request(&self.config.topics.operations(), partition, &record_batch(name, value));
        let mut broker = TcpStream::connect(&self.config.bootstrap).unwrap();
        broker.write_all(&request).unwrap();
        let mut size = [0; 4];
        broker.read_exact(&mut size).unwrap();
        let mut answer = vec![0; usize::try_from(u32::from_be_bytes(size)).unwrap()];
        broker.read_exact(&mut answer).unwrap();
        // Behind the correlation id, a topic with its name and a partition with its number.
        let place = 4 + 4 + 2 + self.config.topics.operations().len() + 4 + 4;
        assert_eq!(answer[place..place + 2], [0, 0], "the broker refused the record");
    }

    pub(crate) fn start(&self) -> Running {
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(crate::run(self.config.clone(), stop.clone()));
        Running { task, stop }
    }

    pub(crate) async fn execute(&self, sql: &'static str) {
        let mut tx = self.config.database.begin().await.unwrap();
        tx.execute(sql, &[]).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// What retention does to the floor.
    pub(crate) async fn move_floor(&self, floor: UtcMillis) {
        let mut tx = self.config.database.begin().await.unwrap();
        tx.execute("update settings set value = $1 where name = 'retention_floor_ms'", &[floor.into()]).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Waits until the query answers this number.
    pub(crate) async fn eventually(&self, sql: &'static str, expected: i64) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let row = self.config.database.fetch_optional(sql, &[]).await.unwrap();
            let found = row.map(|row| row.int("n").unwrap());
            if found == Some(expected) {
                return;
            }
            assert!(Instant::now() < deadline, "{sql}: {found:?} instead of {expected}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the role's condition names this undertaking, or does not any more.
    pub(crate) async fn until_hindered(&self, undertaking: &'static str) {
        let mut watch = self.config.reporter.watch();
        let hindered = watch.wait_for(|condition| condition.hindrances.contains_key(undertaking));
        tokio::time::timeout(DEADLINE, hindered).await.expect("nothing is hindered").unwrap();
    }
}

impl Running {
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(DEADLINE, self.task.join_next()).await.expect("the ingestor has not ended");
        ended.expect("one task was spawned").unwrap().unwrap();
    }
}

/// An operation as it is on the topic; the same number gives the same id.
pub(crate) fn operation(number: u8) -> Vec<u8> {
    let started_at = UtcMicros::from_micros(1_700_000_000_000_000);
    let operation = Operation {
        operation_id: OperationId::mint(started_at.to_millis(), [number; 10]),
        ..Operation::starting("chat", started_at)
    };
    let mut bytes = Vec::new();
    encode_operation(&operation, &mut bytes);
    bytes
}

fn produce_request(topic: &str, partition: i32, batch: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    // Produce, version 3, correlation id, no client id; no transaction, acks of all, time limit.
    body.extend([0, 0, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0x27, 0x10]);
    body.extend(1_i32.to_be_bytes());
    body.extend(u16::try_from(topic.len()).unwrap().to_be_bytes());
    body.extend(topic.as_bytes());
    body.extend(1_i32.to_be_bytes());
    body.extend(partition.to_be_bytes());
    body.extend(length(batch));
    body.extend(batch);
    [&length(&body), &body[..]].concat()
}

fn record_batch(header_name: &[u8], value: &[u8]) -> Vec<u8> {
    // Attributes, time, offset, no key.
    let mut record = vec![0, 0, 0, 1];
    push_bytes(&mut record, value);
    push_varint(&mut record, 1);
    push_bytes(&mut record, header_name);
    push_bytes(&mut record, b"header");
    // Attributes, last offset, two times, no producer id, epoch and sequence, one record.
    let mut checked = vec![0; 6 + 16];
    checked.extend([0xff; 14]);
    checked.extend(1_i32.to_be_bytes());
    push_bytes(&mut checked, &record);
    // Leader epoch, magic, checksum.
    let mut rest = vec![0, 0, 0, 0, 2];
    rest.extend(crc32c(&checked).to_be_bytes());
    rest.extend(checked);
    [&[0; 8][..], &length(&rest), &rest].concat()
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap().to_be_bytes()
}

fn push_bytes(target: &mut Vec<u8>, bytes: &[u8]) {
    push_varint(target, bytes.len());
    target.extend(bytes);
}

/// Zigzag, for numbers that are not negative.
fn push_varint(target: &mut Vec<u8>, number: usize) {
    let mut rest = number * 2;
    while rest > 0x7f {
        target.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    target.push(u8::try_from(rest).unwrap());
}

fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}
