//! With a spool: what an outage costs, and what it does not.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;
use crate::{RecordError, Spool, SpoolCounters, StartError};

/// A configuration with a spool in this folder.
pub(super) fn spooling(bootstrap: &str, folder: &Path) -> ProducerConfig {
    ProducerConfig { spool: Some(Spool::new(folder)), ..config(bootstrap) }
}

/// The segments in a folder of spools.
pub(super) fn segments(folder: &Path) -> Vec<PathBuf> {
    let own = folder.join(TOPIC).join("0");
    let files = fs::read_dir(own).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.file_name().unwrap() != "lock").collect()
}

pub(super) fn keys(messages: &[OwnedMessage]) -> BTreeSet<String> {
    messages.iter().map(key_text).collect()
}

pub(super) fn record_numbers(producer: &Producer, numbers: std::ops::Range<usize>) -> BTreeSet<String> {
    let sessions: Vec<String> = numbers.map(|number| format!("session-{number:05}")).collect();
    for session in &sessions {
        producer.record(operation(session));
    }
    sessions.into_iter().collect()
}

#[tokio::test]
async fn an_outage_goes_to_disk_and_everything_arrives_once_when_the_broker_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = cluster(1);
    let producer = start(spooling(&cluster.bootstrap_servers(), folder.path()));
    producer.record_acked(operation("before")).await.unwrap();
    cluster.broker_down(-1).unwrap();
    let mut expected = record_numbers(&producer, 0..500);
    let counters = eventually(&producer, |counters| counters.queued == 0).await;
    assert_eq!((counters.sent, counters.spooled, counters.spool.waiting), (1, 500, 500), "{counters:?}");
    assert!(counters.spool.bytes > 0 && !segments(folder.path()).is_empty());

    cluster.broker_up(-1).unwrap();
    let counters = eventually(&producer, |counters| counters.spool.bytes == 0).await;
    let spool = SpoolCounters { resent: 500, ..SpoolCounters::default() };
    assert_eq!(counters, Counters { sent: 1, spooled: 500, spool, ..Counters::default() });
    assert_eq!(segments(folder.path()), Vec::<PathBuf>::new());
    expected.insert("before".to_owned());
    let messages = read_topic(&cluster, 1, 501);
    assert_eq!(keys(&messages), expected);
}

#[tokio::test]
async fn new_operations_go_straight_to_a_broker_that_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = cluster(1);
    let producer = start(spooling(&cluster.bootstrap_servers(), folder.path()));
    cluster.broker_down(-1).unwrap();
    record_numbers(&producer, 0..50);
    eventually(&producer, |counters| counters.spooled == 50).await;
    cluster.broker_up(-1).unwrap();
    eventually(&producer, |counters| counters.spool.resent == 50).await;
    record_numbers(&producer, 50..60);
    let counters = eventually(&producer, |counters| counters.sent == 10).await;
    assert_eq!(counters.spooled, 50);
}

#[tokio::test]
async fn a_silent_broker_is_an_outage_although_it_is_connected() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = cluster(1);
    let producer = start(spooling(&cluster.bootstrap_servers(), folder.path()));
    producer.record_acked(operation("before")).await.unwrap();
    cluster.broker_round_trip_time(1, Duration::from_mins(10)).unwrap();
    record_numbers(&producer, 0..10);
    let counters = eventually(&producer, |counters| counters.spooled == 10).await;
    assert_eq!(counters.queued, 0);
}

#[tokio::test]
async fn a_full_spool_drops_the_oldest_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = spooling(&dead_address(), folder.path());
    config.spool = Some(Spool { bytes: 1 << 20, ..Spool::new(folder.path()) });
    let producer = start(config);
    let large =
        |number: u64| Operation { system_prompt: Some("x".repeat(10_000)), ..operation(&format!("{number:03}")) };
    (0..200).for_each(|number| producer.record(large(number)));
    let Counters { spooled, spool, .. } = eventually(&producer, |counters| counters.queued == 0).await;
    assert_eq!((spooled, spool.waiting + spool.discarded), (200, 200));
    assert!(spool.discarded > 0 && spool.waiting > 50 && spool.bytes <= 1 << 20, "{spool:?}");
    producer.close(PATIENCE).await;

    let cluster = cluster(1);
    let producer = start(spooling(&cluster.bootstrap_servers(), folder.path()));
    let counters = eventually(&producer, |counters| counters.spool.bytes == 0).await;
    let left = usize::try_from(counters.spool.resent).unwrap();
    let newest: BTreeSet<String> = (200 - left..200).map(|number| format!("{number:03}")).collect();
    assert_eq!(keys(&read_topic(&cluster, 1, left)), newest);
}

#[tokio::test]
async fn a_disk_that_refuses_leaves_operations_in_memory_until_it_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = spooling(&dead_address(), folder.path());
    config.queue_operations = 100;
    // A full queue takes nothing that would make the producer try the disk, but its client gives back what times out.
    config.properties.insert("message.timeout.ms".to_owned(), "300".to_owned());
    let producer = start(config);
    let own = folder.path().join(TOPIC).join("0");
    fs::remove_dir_all(&own).unwrap();
    fs::write(&own, "in the way").unwrap();
    record_numbers(&producer, 0..150);
    let tried = || producer.inner.shared.disk_trouble.is_present();
    eventually(&producer, |_| tried()).await;
    assert_eq!(producer.counters(), Counters { dropped: 50, queued: 100, ..Counters::default() });

    fs::remove_file(&own).unwrap();
    let counters = eventually(&producer, |counters| counters.queued == 0).await;
    assert_eq!((counters.spooled, counters.spool.waiting), (100, 100), "{counters:?}");
    assert!(!tried());
}

#[tokio::test]
async fn what_times_out_because_one_of_several_brokers_is_away_goes_to_disk() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = MockCluster::new(2).unwrap();
    cluster.create_topic(TOPIC, 2, 1).unwrap();
    for (partition, leader) in [(0, 1), (1, 2)] {
        cluster.partition_leader(TOPIC, partition, Some(leader)).unwrap();
    }
    let mut config = spooling(&cluster.bootstrap_servers(), folder.path());
    config.properties.insert("message.timeout.ms".to_owned(), "300".to_owned());
    let producer = start(config);
    let mut expected = record_numbers(&producer, 0..20);
    // On a busy machine even these may time out, and come to the topic twice.
    let delivered = |counters: &Counters| counters.sent + counters.spool.resent;
    eventually(&producer, |counters| delivered(&counters) == 20).await;
    cluster.broker_down(2).unwrap();
    expected.append(&mut record_numbers(&producer, 20..60));
    let counters = eventually(&producer, |counters| counters.queued == 0).await;
    assert!(counters.failed == 0 && counters.spooled > 0 && delivered(&counters) > 20, "{counters:?}");
    cluster.broker_up(2).unwrap();
    eventually(&producer, |counters| counters.spool.waiting == 0).await;
    let messages = read_until(&cluster, 2, |messages| keys(messages).len() >= expected.len());
    assert_eq!(keys(&messages), expected);
}

#[tokio::test]
async fn what_the_broker_refuses_for_now_waits_on_disk_and_what_it_refuses_for_good_fails() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = cluster(1);
    let producer = start(spooling(&cluster.bootstrap_servers(), folder.path()));
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
    producer.record(operation("forbidden for now"));
    let counters = eventually(&producer, |counters| counters.spool.resent == 1).await;
    assert_eq!((counters.spooled, counters.failed), (1, 0));
    cluster.request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    producer.record(operation("too large"));
    eventually(&producer, |counters| counters.failed == 1).await;
}

#[tokio::test]
async fn an_operation_whose_caller_waits_is_never_spooled() {
    let folder = tempfile::tempdir().unwrap();
    let producer = start(spooling(&dead_address(), folder.path()));
    let waiting = producer.clone();
    let (answer, counters) = tokio::join!(waiting.record_acked(operation("watched")), async {
        eventually(&producer, |counters| counters.queued == 1).await;
        producer.record(operation("unwatched"));
        eventually(&producer, |counters| counters.spooled == 1).await;
        producer.close(Duration::from_millis(50)).await
    });
    assert!(matches!(answer, Err(RecordError::Unavailable { .. })), "{answer:?}");
    assert_eq!((counters.spooled, counters.failed), (1, 1));
}

#[tokio::test]
async fn more_than_half_a_queue_goes_to_disk_and_nothing_is_dropped() {
    const RECORDED: usize = 1_500;
    let folder = tempfile::tempdir().unwrap();
    let cluster = cluster(1);
    cluster.broker_round_trip_time(1, Duration::from_millis(100)).unwrap();
    let mut config = spooling(&cluster.bootstrap_servers(), folder.path());
    config.queue_operations = 400;
    let producer = start(config);
    let mut expected = BTreeSet::new();
    for from in (0..RECORDED).step_by(100) {
        expected.append(&mut record_numbers(&producer, from..from + 100));
        eventually(&producer, |counters| counters.queued <= 250).await;
    }
    let counters = eventually(&producer, |counters| counters.queued == 0 && counters.spool.waiting == 0).await;
    assert_eq!((counters.dropped, counters.failed, total(counters)), (0, 0, 1_500));
    assert!(counters.spooled > 0, "{counters:?}");
    assert_eq!(keys(&read_topic(&cluster, 1, RECORDED)), expected);
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = Producer::start(Sink::Kafka(spooling(&dead_address(), &file))).unwrap_err();
    assert!(matches!(&refused, StartError::Spool { path, .. } if *path == file), "{refused}");
}
