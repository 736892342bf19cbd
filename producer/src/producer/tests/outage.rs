//! Without a broker: applications do not notice, and every operation is accounted for.

use std::time::Instant;

use super::*;
use crate::RecordError;

#[tokio::test]
async fn recording_returns_at_once_when_nobody_listens_and_everything_is_counted() {
    const RECORDED: u64 = 20_000;
    let mut config = config(&dead_address());
    config.queue_operations = 500;
    let producer = start(config);
    let before = Instant::now();
    for _ in 0..RECORDED {
        producer.record(operation("s"));
    }
    // A millisecond each, a thousand times the budget of an optimised build: only waiting for the broker takes longer.
    assert!(before.elapsed() < PATIENCE, "{:?}", before.elapsed());
    let counters = producer.counters();
    assert_eq!(counters, Counters { dropped: RECORDED - 500, queued: 500, ..Counters::default() });
    let refused = producer.record_acked(operation("s")).await.unwrap_err();
    assert!(matches!(refused, RecordError::QueueFull { operations: 500, .. }), "{refused}");

    let closed = producer.close(Duration::from_millis(50)).await;
    assert_eq!(closed, Counters { dropped: RECORDED - 500 + 1, failed: 500, ..Counters::default() });
}

#[tokio::test]
async fn many_threads_share_the_queue_and_no_operation_escapes_the_books() {
    let cluster = cluster(1);
    let mut config = config(&cluster.bootstrap_servers());
    config.queue_operations = 300;
    let producer = start(config);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let producer = producer.clone();
            scope.spawn(move || (0..1_000).for_each(|_| producer.record(operation("s"))));
        }
    });
    let counters = producer.close(PATIENCE).await;
    assert_eq!((total(counters), counters.queued, counters.failed), (4_000, 0, 0));
    assert!(counters.sent > 0, "{counters:?}");
    read_topic(&cluster, 1, usize::try_from(counters.sent).unwrap());
}

#[tokio::test]
async fn bytes_bound_the_queue_too() {
    let mut config = config(&dead_address());
    config.queue_bytes = 100_000;
    let producer = start(config);
    let large = || Operation { system_prompt: Some("x".repeat(40_000)), ..operation("s") };
    for _ in 0..5 {
        producer.record(large());
    }
    assert_eq!(producer.counters(), Counters { dropped: 3, queued: 2, ..Counters::default() });
    let never = Operation { system_prompt: Some("x".repeat(100_000)), ..operation("s") };
    assert!(matches!(producer.record_acked(never).await, Err(RecordError::TooLarge { .. })));
    producer.close(Duration::ZERO).await;
}

#[tokio::test]
async fn operations_of_an_outage_arrive_when_the_broker_is_back() {
    let cluster = cluster(1);
    let producer = start(config(&cluster.bootstrap_servers()));
    producer.record_acked(operation("before")).await.unwrap();
    cluster.broker_down(-1).unwrap();
    for _ in 0..50 {
        producer.record(operation("during"));
    }
    assert_eq!(producer.counters(), Counters { sent: 1, queued: 50, ..Counters::default() });
    cluster.broker_up(-1).unwrap();
    let counters = eventually(&producer, |counters| counters.queued == 0).await;
    assert_eq!(counters, Counters { sent: 51, ..Counters::default() });
    assert_eq!(read_topic(&cluster, 1, 51).len(), 51);
}

#[tokio::test]
async fn an_operation_that_cannot_be_delivered_in_time_fails_and_says_why() {
    let address = dead_address();
    let mut config = config(&address);
    config.properties.insert("message.timeout.ms".to_owned(), "300".to_owned());
    let producer = start(config);
    producer.record(operation("unwatched"));
    let failed = producer.record_acked(operation("watched")).await.unwrap_err();
    let text = failed.to_string();
    assert!(matches!(failed, RecordError::Unavailable { .. }), "{text}");
    assert!(text.contains(&address) && text.contains("same operation_id"), "{text}");
    let counters = eventually(&producer, |counters| counters.queued == 0).await;
    assert_eq!(counters, Counters { failed: 2, ..Counters::default() });
}

#[tokio::test]
async fn waiting_for_an_acknowledgement_ends_before_the_operation_does() {
    let mut config = config(&dead_address());
    config.acknowledge_within = Duration::from_millis(50);
    let producer = start(config);
    let unanswered = producer.record_acked(operation("s")).await.unwrap_err();
    assert!(matches!(unanswered, RecordError::Unavailable { .. }), "{unanswered}");
    assert_eq!(producer.counters(), Counters { queued: 1, ..Counters::default() });
    assert_eq!(producer.close(Duration::ZERO).await, Counters { failed: 1, ..Counters::default() });
}

#[tokio::test]
async fn closing_without_a_broker_keeps_its_deadline_and_tells_those_who_wait() {
    let producer = start(config(&dead_address()));
    let waiting = producer.clone();
    let (answer, counters) = tokio::join!(waiting.record_acked(operation("s")), async {
        eventually(&producer, |counters| counters.queued == 1).await;
        producer.close(Duration::from_millis(50)).await
    });
    assert!(matches!(answer, Err(RecordError::Unavailable { .. })), "{answer:?}");
    assert_eq!(counters, Counters { failed: 1, ..Counters::default() });
    assert_eq!(producer.record_acked(operation("late")).await, Err(RecordError::Closed));
    assert_eq!(producer.close(PATIENCE).await, Counters { failed: 1, dropped: 1, ..Counters::default() });
}

#[tokio::test]
async fn a_dropped_operation_leaves_a_gap_in_the_numbers() {
    let cluster = cluster(1);
    cluster.broker_down(-1).unwrap();
    let mut config = config(&cluster.bootstrap_servers());
    config.queue_operations = 2;
    let producer = start(config);
    for _ in 0..5 {
        producer.record(operation("during"));
    }
    cluster.broker_up(-1).unwrap();
    eventually(&producer, |counters| counters.queued == 0).await;
    producer.record(operation("after"));
    eventually(&producer, |counters| counters.sent == 3).await;
    // In the record the number follows the producer's name: the branch of its union, then itself, zig-zag encoded.
    let number_in = |bytes: &[u8]| bytes[bytes.windows(4).position(|window| window == b"test").unwrap() + 5] / 2;
    let messages = read_topic(&cluster, 1, 3);
    let numbers: Vec<_> = messages.iter().map(|message| number_in(message.payload().unwrap())).collect();
    assert_eq!(numbers, [0, 1, 5]);
}
