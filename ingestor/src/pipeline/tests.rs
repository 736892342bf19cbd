//! The whole ingestor against a mock broker and SQLite: what must not stop it, and what must end it.

use opstream_schemas::avro::encode_operation;
use opstream_schemas::{Operation, UtcMicros};

use opstream_schemas::prices::{Catalogue, CostPolicy};

use super::*;
use crate::test_topic::{TestTopic, operation};

const OPERATIONS: &str = "select count(*) as n from operations";

#[tokio::test(flavor = "multi_thread")]
async fn a_header_whose_name_is_not_utf8_stops_nothing() {
    let topic = TestTopic::new(1).await;
    topic.produce_with_header(0, b"\xff\xfe", &operation(1));
    topic.produce_with_header(0, b"\xff\xfe", b"not an operation");
    topic.produce(0, &[operation(2)]);
    let running = topic.start();
    topic.eventually(OPERATIONS, 2).await;
    topic
        .eventually(
            "select count(*) as n from dead_letters where record_headers like '%opstream.unreadable-header%'",
            1,
        )
        .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_with_an_error_when_the_client_gives_up_though_every_stage_is_full() {
    let mut topic = TestTopic::new(1).await;
    topic.config.poison_hold = Duration::from_mins(5);
    topic.config.limits.records = 10;
    let bad: Vec<Vec<u8>> = (0..1000).map(|_| b"bad".to_vec()).collect();
    topic.produce(0, &bad);
    let Fixture { pipeline, mut events, batches, thread } = Fixture::new(&topic).await;
    let stop = pipeline.shutdown.clone();
    let (finished, prepared) = mpsc::channel(1);
    let full = finished.clone();
    let (preparer, floor, lake) = (preparer(), pipeline.floor.subscribe(), topic.config.lake.clone());
    let mut tasks = JoinSet::new();
    let (lookup, prices, stream) = (None, topic.config.prices.clone(), StreamId(1));
    tasks.spawn(PrepareStage { batches, prepared: finished, lookup, preparer, prices, lake, stream, floor }.run());
    let (events_tx, events_rx) = mpsc::unbounded_channel();
    let work = async { pipeline.work(Inputs { events: events_rx, prepared, tasks: &mut tasks }).await };
    let give_up = async {
        events_tx.send(events.recv().await.unwrap()).unwrap();
        topic.until_hindered("taking records").await;
        while full.capacity() > 0 {
            tokio::task::yield_now().await;
        }
        events_tx.send(SourceEvent::Fatal { reason: "the test wants it".to_owned() }).unwrap();
    };
    let (outcome, ()) = tokio::join!(work, give_up);
    assert!(outcome.unwrap_err().to_string().contains("gave up"));
    stop.cancel();
    let ended = async {
        while tasks.join_next().await.is_some() {}
        thread.join().await;
    };
    tokio::time::timeout(Duration::from_secs(10), ended).await.expect("a stage waits for somebody to take its batches");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_lost_its_last_commits_gets_the_operations_again() {
    let topic = TestTopic::new(1).await;
    let running = topic.start();
    topic.produce(0, &[operation(1), operation(2)]);
    topic.eventually(OPERATIONS, 2).await;
    topic.execute("delete from operations").await;
    topic.execute("delete from applied_ranges").await;
    topic.execute("delete from lake_files").await;
    topic.execute("update stream_partitions set next_offset = 0").await;
    topic.produce(0, &[operation(3)]);
    topic.eventually(OPERATIONS, 3).await;
    topic.eventually("select sum(rows) as n from applied_ranges", 3).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_was_prepared_before_the_floor_moved_is_checked_again() {
    let topic = TestTopic::new(1).await;
    let running = topic.start();
    topic.produce(0, &[operation(1)]);
    topic.eventually(OPERATIONS, 1).await;
    // The ingestor learns of it only when it stores. The test's operations are exactly of the first moment that is kept.
    let floor = UtcMillis::from_millis(1_700_000_000_000);
    topic.move_floor(floor).await;
    let before = Operation::starting("chat", UtcMicros::from(floor.plus_millis(-1)));
    let mut bytes = Vec::new();
    encode_operation(&before, &mut bytes);
    topic.produce(0, &[operation(2), bytes, operation(3)]);
    topic.eventually(OPERATIONS, 3).await;
    topic.eventually("select count(*) as n from dead_letters where reason_code = 'before_retention_floor'", 1).await;
    topic.eventually("select next_offset as n from stream_partitions", 4).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_without_a_leader_holds_up_nobody_else() {
    let topic = TestTopic::new(3).await;
    let name = topic.config.topics.operations();
    topic.cluster.partition_leader(&name, 1, None).unwrap();
    topic.produce(0, &[operation(1)]);
    topic.produce(2, &[operation(2)]);
    let running = topic.start();
    topic.eventually(OPERATIONS, 2).await;
    topic.cluster.partition_leader(&name, 1, Some(1)).unwrap();
    topic.produce(1, &[operation(3)]);
    topic.eventually(OPERATIONS, 3).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_partition_has_a_mark_and_their_number_is_known() {
    let topic = TestTopic::new(3).await;
    topic.produce(1, &[operation(1)]);
    let running = topic.start();
    topic.eventually("select partitions as n from streams", 3).await;
    topic.eventually("select count(distinct partition) as n from watermarks", 3).await;
    topic.eventually("select max(high_watermark) as n from watermarks", 1).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halted_partition_survives_a_rebalance_and_the_others_go_on() {
    let topic = TestTopic::new(2).await;
    let first = topic.start();
    topic.eventually("select count(*) as n from stream_partitions", 2).await;
    first.stop().await;
    topic.execute("update stream_partitions set next_offset = 1000 where partition = 1").await;
    let running = topic.start();
    topic.until_hindered(HALTED).await;
    topic.produce(0, &[operation(1)]);
    topic.eventually(OPERATIONS, 1).await;
    // Fenced out, it joins the group again: both partitions are revoked and assigned.
    topic.execute("update stream_partitions set fence = fence + 10 where partition = 0").await;
    topic.produce(0, &[operation(2)]);
    topic.eventually("select count(*) as n from stream_partitions where fence > 10", 1).await;
    topic.eventually(OPERATIONS, 2).await;
    topic.until_hindered(HALTED).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_whose_last_record_is_another_is_halted_and_read_on_when_it_is_the_same_again() {
    let topic = TestTopic::new(2).await;
    let first = topic.start();
    topic.produce(0, &[operation(1), operation(2)]);
    topic.produce(1, &[operation(3), operation(4)]);
    topic.eventually(OPERATIONS, 4).await;
    first.stop().await;
    topic.execute("update stream_partitions set record_hash = record_hash + 1 where partition = 1").await;
    let second = topic.start();
    topic.until_hindered(HALTED).await;
    topic.produce(0, &[operation(5)]);
    topic.produce(1, &[operation(6)]);
    topic.eventually(OPERATIONS, 5).await;
    topic.eventually("select next_offset as n from stream_partitions where partition = 1", 2).await;
    second.stop().await;
    topic.execute("update stream_partitions set record_hash = record_hash - 1 where partition = 1").await;
    let third = topic.start();
    topic.eventually(OPERATIONS, 6).await;
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_that_ends_by_itself_ends_the_ingestor_with_an_error() {
    let topic = TestTopic::new(1).await;
    for is_told_to_stop in [true, false] {
        let (_events, events) = mpsc::unbounded_channel();
        let (finished, prepared) = mpsc::channel(1);
        let (Fixture { pipeline, batches, thread, .. }, mut tasks) = (Fixture::new(&topic).await, JoinSet::new());
        let stop = pipeline.shutdown.clone();
        if is_told_to_stop {
            stop.cancel();
        }
        drop(finished);
        let outcome = pipeline.work(Inputs { events, prepared, tasks: &mut tasks }).await;
        assert_eq!(outcome.is_ok(), is_told_to_stop, "{outcome:?}");
        stop.cancel();
        drop(batches);
        thread.join().await;
    }
}

struct Fixture {
    pipeline: Pipeline,
    events: UnboundedReceiver<SourceEvent>,
    batches: mpsc::Receiver<crate::record::RawBatch>,
    thread: crate::source::SourceThread,
}

impl Fixture {
    async fn new(topic: &TestTopic) -> Self {
        let (config, shutdown) = (&topic.config, CancellationToken::new());
        let Source { consumer, events, batches, commands, thread } = Source::start(config, shutdown.clone()).unwrap();
        let log = TopicLog::new(consumer, config.topics.operations(), reader_config(config));
        let (stream, floor) = register(config, &log, &shutdown).await.unwrap();
        let pipeline = Pipeline {
            committer: Committer::new(config, stream, Arc::default(), shutdown.clone()),
            claims: Claims::new(config.database.clone(), stream, log, &config.reporter),
            ownership: Ownership::new(shutdown.clone()),
            commands,
            hold: Hold::new(Breaker::new(config.poison_hold), config.reporter.clone()),
            floor: watch::channel(floor).0,
            reporter: config.reporter.clone(),
            shutdown,
        };
        Self { pipeline, events, batches, thread }
    }
}

fn preparer() -> Preparer {
    let pricer = Pricer::new(Catalogue::embedded().clone(), CostPolicy::default());
    Preparer {
        schemas: crate::decode::WriterSchemas::default(),
        content: crate::config::ContentPolicy::Drop,
        pricer,
        stored: Arc::default(),
    }
}
