//! An application records while the broker is away, and is killed. What it had on disk is stored once it is started
//! again, each operation once.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use opstream_producer::{Counters, Producer, ProducerConfig, Sink, Spool};
use opstream_schemas::topics::Topics;
use opstream_schemas::{Operation, OperationId, UtcMicros};
use tokio::process::{Child, Command};

use crate::harness::backends::{Backends, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;
use crate::harness::process::free_port;
use crate::harness::servers::environment;

const OPERATIONS: usize = 3_000;
const PATIENCE: Duration = Duration::from_mins(2);
const BOOTSTRAP: &str = "OPSTREAM_STORY_BOOTSTRAP";
const PREFIX: &str = "OPSTREAM_STORY_PREFIX";
const FOLDER: &str = "OPSTREAM_STORY_FOLDER";
const RECORD: &str = "OPSTREAM_STORY_RECORD";

#[tokio::test]
async fn every_spooled_operation_is_stored_exactly_once() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        let folder = pipeline.folder().join("application");
        fs::create_dir(&folder).unwrap();
        // A real Kafka belongs to other tests too and is not stopped: for the application it is at a dead address.
        let away = match backends.kafka_bootstrap {
            None => pipeline.bootstrap(),
            Some(_) => format!("127.0.0.1:{}", free_port()),
        };
        pipeline.kill().await;

        let mut application = start_application(&pipeline, &folder, &away, OPERATIONS);
        let spooled = eventually(PATIENCE, async || {
            assert!(application.try_wait().unwrap().is_none(), "the application ended by itself");
            let spooled = ids_in(&folder.join("spooled"));
            if spooled.len() == OPERATIONS { Ok(spooled) } else { Err(spooled.len()) }
        })
        .await;
        application.kill().await.unwrap();

        pipeline.start_processes().await;
        let mut application = start_application(&pipeline, &folder, &pipeline.bootstrap(), 0);
        let ended = tokio::time::timeout(PATIENCE, application.wait()).await.expect("the spool empties").unwrap();
        assert!(ended.success(), "{ended}");
        pipeline.settle().await;

        let database = pipeline.database().await;
        let rows = database.fetch_all("select operation_id from operations", &[]).await.unwrap();
        database.close().await;
        let stored: Vec<OperationId> = rows.iter().map(|row| row.id("operation_id").unwrap()).collect();
        assert_eq!(stored.len(), OPERATIONS, "an operation is lost or doubled");
        assert_eq!(stored.into_iter().collect::<BTreeSet<_>>(), spooled);
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

/// The process of the application: this test binary, running [`application`] and nothing else.
fn start_application(pipeline: &Pipeline<'_>, folder: &Path, bootstrap: &str, record: usize) -> Child {
    let topic = pipeline.topic("operations");
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{}::application", module_path!().split_once("::").unwrap().1), "--nocapture"])
        .env(BOOTSTRAP, bootstrap)
        .env(PREFIX, topic.trim_end_matches(".operations"))
        .env(FOLDER, folder)
        .env(RECORD, record.to_string())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

fn ids_in(file: &Path) -> BTreeSet<OperationId> {
    fs::read_to_string(file).unwrap_or_default().lines().filter_map(|line| line.parse().ok()).collect()
}

/// What the child process does; in the test run itself it does nothing.
///
/// It records, writes down which operations are on disk, and then waits for its death. With nothing to record it waits
/// until its spool is empty, and ends.
#[tokio::test]
async fn application() {
    let Some(folder) = environment(FOLDER).map(PathBuf::from) else { return };
    let mut config = ProducerConfig::new(&environment(BOOTSTRAP).unwrap());
    config.topics = Topics::new(&environment(PREFIX).unwrap()).unwrap();
    config.spool = Some(Spool::new(folder.join("spool")));
    let producer = Producer::start(Sink::Kafka(config)).unwrap();
    let record: usize = environment(RECORD).unwrap().parse().unwrap();
    let operations: Vec<Operation> = (0..record).map(operation).collect();
    let ids: Vec<OperationId> = operations.iter().map(|operation| operation.operation_id).collect();
    for operation in operations {
        producer.record(operation);
    }
    let counters = reached(&producer, |counters| counters.queued == 0).await;
    if record == 0 {
        reached(&producer, |counters| counters.spool.bytes == 0).await;
        producer.close(PATIENCE).await;
        return;
    }
    assert_eq!(counters.spooled, u64::try_from(record).unwrap(), "{counters:?}");
    let mut list = fs::File::create(folder.join("spooled")).unwrap();
    for id in ids {
        writeln!(list, "{id}").unwrap();
    }
    std::future::pending::<()>().await;
}

async fn reached(producer: &Producer, claim: impl Fn(Counters) -> bool) -> Counters {
    eventually(PATIENCE, async || {
        let counters = producer.counters();
        if claim(counters) { Ok(counters) } else { Err(counters) }
    })
    .await
}

fn operation(n: usize) -> Operation {
    Operation {
        session_id: Some(format!("session-{}", n % 50)),
        provider: Some("openai".to_owned()),
        model: Some("gpt-4o".to_owned()),
        input_tokens: Some(1000),
        output_tokens: Some(100),
        ..Operation::starting("chat", UtcMicros::now())
    }
}
