//! With a spool: what the end of the application costs, orderly or not.

use std::fs;

use super::spooling::{keys, record_numbers, segments, spooling};
use super::*;

#[tokio::test]
async fn what_is_not_acknowledged_at_closing_is_sent_by_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let producer = start(spooling(&dead_address(), folder.path()));
    let expected = record_numbers(&producer, 0..200);
    let counters = producer.close(Duration::ZERO).await;
    assert_eq!((counters.spooled, counters.failed, counters.queued), (200, 0, 0));

    let cluster = cluster(1);
    let producer = start(spooling(&cluster.bootstrap_servers(), folder.path()));
    assert_eq!(producer.counters().spool.inherited, 200);
    let counters = eventually(&producer, |counters| counters.spool.bytes == 0).await;
    assert_eq!((counters.spool.resent, counters.spooled, counters.sent), (200, 0, 0));
    assert_eq!(keys(&read_topic(&cluster, 1, 200)), expected);
}

/// A copy of the folder while the producer runs is what a killed process leaves behind.
#[tokio::test]
async fn what_reached_the_disk_survives_a_kill_at_any_moment() {
    let [folder, copy] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let producer = start(spooling(&dead_address(), folder.path()));
    let expected = record_numbers(&producer, 0..300);
    eventually(&producer, |counters| counters.spooled == 300).await;
    let own = copy.path().join(TOPIC).join("0");
    fs::create_dir_all(&own).unwrap();
    for segment in segments(folder.path()) {
        fs::copy(&segment, own.join(segment.file_name().unwrap())).unwrap();
    }

    let cluster = cluster(1);
    let successor = start(spooling(&cluster.bootstrap_servers(), copy.path()));
    eventually(&successor, |counters| counters.spool.bytes == 0).await;
    assert_eq!(keys(&read_topic(&cluster, 1, 300)), expected);
    producer.close(Duration::ZERO).await;
}

#[tokio::test]
async fn closing_waits_for_the_disk_to_be_sent_while_the_broker_answers() {
    let folder = tempfile::tempdir().unwrap();
    let producer = start(spooling(&dead_address(), folder.path()));
    record_numbers(&producer, 0..100);
    producer.close(Duration::ZERO).await;
    let cluster = cluster(1);
    let producer = start(spooling(&cluster.bootstrap_servers(), folder.path()));
    let counters = producer.close(PATIENCE).await;
    assert_eq!((counters.spool.resent, counters.spool.waiting), (100, 0));
}

#[tokio::test]
async fn closing_in_an_outage_does_not_wait_for_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let producer = start(spooling(&dead_address(), folder.path()));
    record_numbers(&producer, 0..10);
    let closing = producer.close(Duration::from_hours(1));
    let counters = tokio::time::timeout(PATIENCE, closing).await.expect("nothing is gained by waiting");
    assert_eq!((counters.spooled, counters.spool.waiting, counters.failed), (10, 10, 0));
}

#[tokio::test]
async fn processes_share_a_folder_and_send_what_one_that_is_gone_has_left() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = [(); 2].map(|()| start(spooling(&dead_address(), folder.path())));
    let mut expected = record_numbers(&one, 0..10);
    expected.append(&mut record_numbers(&two, 10..30));
    one.close(Duration::ZERO).await;
    two.close(Duration::ZERO).await;

    let cluster = cluster(1);
    let only = start(spooling(&cluster.bootstrap_servers(), folder.path()));
    let counters = eventually(&only, |counters| counters.spool.resent == 30).await;
    assert_eq!(counters.spool.inherited, 30);
    assert_eq!(keys(&read_topic(&cluster, 1, 30)), expected);
}

#[tokio::test]
async fn a_damaged_segment_costs_only_the_damaged_operations() {
    let folder = tempfile::tempdir().unwrap();
    let producer = start(spooling(&dead_address(), folder.path()));
    let expected = record_numbers(&producer, 0..100);
    producer.close(Duration::ZERO).await;
    let [segment] = segments(folder.path()).try_into().unwrap();
    let mut bytes = fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xFF;
    fs::write(&segment, bytes).unwrap();

    let cluster = cluster(1);
    let producer = start(spooling(&cluster.bootstrap_servers(), folder.path()));
    let counters = eventually(&producer, |counters| counters.spool.bytes == 0).await;
    assert_eq!((counters.spool.resent, counters.spool.damaged, counters.spool.waiting), (99, 1, 0));
    assert!(keys(&read_topic(&cluster, 1, 99)).is_subset(&expected));
}

#[cfg(unix)]
#[tokio::test]
async fn the_spool_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let parent = folder.path().join("new");
    let producer = start(spooling(&dead_address(), &parent));
    record_numbers(&producer, 0..1);
    producer.close(Duration::ZERO).await;
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&parent), 0o700);
    assert!(segments(&parent).iter().all(|segment| mode(segment) == 0o600));
}
