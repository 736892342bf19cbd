//! The polling thread against a mock broker.

use opstream_schemas::offsets::OffsetRange;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::test_topic::TestTopic;

async fn assigned(events: &mut mpsc::UnboundedReceiver<SourceEvent>) -> u64 {
    match events.recv().await {
        Some(SourceEvent::Assigned { rebalance, .. }) => rebalance,
        other => panic!("{other:?} instead of an assignment"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_is_read_on_from_where_the_log_begins_after_its_head_was_removed() {
    let topic = TestTopic::new(1).await;
    // The mock keeps five million bytes of a partition.
    let large: Vec<Vec<u8>> = (0..10).map(|_| vec![b'x'; 900_000]).collect();
    topic.produce(0, &large);
    let stop = CancellationToken::new();
    let mut source = Source::start(&topic.config, stop.clone()).unwrap();
    let rebalance = assigned(&mut source.events).await;
    let start = |offset, epoch| SourceCommand::Start {
        rebalance,
        at: StartAt { partition: Partition(0), offset: Offset(offset), epoch },
    };
    source.commands.send(start(0, 1)).unwrap();
    assert_eq!(source.events.recv().await, Some(SourceEvent::LogChanged { partition: Partition(0) }));
    let consumer = source.consumer.clone();
    let ask = move || consumer.fetch_watermarks(&topic.config.topics.operations(), 0, Duration::from_secs(10));
    let (low, high) = tokio::task::spawn_blocking(ask).await.unwrap().unwrap();
    assert!(low > 0 && high == 10, "the mock has removed nothing: [{low}, {high})");
    source.commands.send(start(low, 2)).unwrap();
    let batch = source.batches.recv().await.unwrap();
    assert_eq!(batch.ranges()[0].epoch, 2);
    assert_eq!(batch.ranges()[0].offsets.from, OffsetRange { from: Offset(low), to: Offset(high) }.from);
    stop.cancel();
    drop(source.batches);
    source.thread.join().await;
    while let Ok(event) = source.events.try_recv() {
        assert!(!matches!(event, SourceEvent::Fatal { .. }), "one partition must not end the process: {event:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_of_an_older_rebalance_is_ignored() {
    let topic = TestTopic::new(1).await;
    topic.produce(0, &[vec![1]]);
    let stop = CancellationToken::new();
    let mut source = Source::start(&topic.config, stop.clone()).unwrap();
    let rebalance = assigned(&mut source.events).await;
    for (rebalance, epoch) in [(rebalance + 1, 1), (rebalance, 2)] {
        let at = StartAt { partition: Partition(0), offset: Offset(0), epoch };
        source.commands.send(SourceCommand::Start { rebalance, at }).unwrap();
    }
    assert_eq!(source.batches.recv().await.unwrap().ranges()[0].epoch, 2);
    stop.cancel();
    drop(source.batches);
    source.thread.join().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_more_batches_long_before_those_who_ask_the_broker_are_waited_for() {
    let topic = TestTopic::new(1).await;
    let stop = CancellationToken::new();
    let Source { consumer, mut batches, mut thread, .. } = Source::start(&topic.config, stop.clone()).unwrap();
    stop.cancel();
    assert!(batches.recv().await.is_none());
    assert!(thread.0.try_recv() == Err(oneshot::error::TryRecvError::Empty), "the stages would wait for the thread");
    drop(consumer);
    thread.join().await;
}
