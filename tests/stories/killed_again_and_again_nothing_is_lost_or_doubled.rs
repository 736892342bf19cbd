//! `kill -9` with operations in flight, ten times over: the rows are the acknowledged operations, each once.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opstream_schemas::{Operation, OperationId, UtcMicros};
use tokio::task::JoinSet;

use crate::harness::backends::{Backends, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;

const KILLS: usize = 10;
/// Acknowledged operations between two kills; enough for several batches to be in flight.
const BETWEEN_KILLS: usize = 2_000;
const OPERATIONS_PER_POST: usize = 200;

#[tokio::test]
async fn rows_are_exactly_what_was_acknowledged() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        let load = Load::start(&pipeline.url());
        for _ in 0..KILLS {
            let before = committed(&pipeline).await;
            load.wait_for_more(BETWEEN_KILLS).await;
            // The ingestor must be at work too, or the kill would only prove the front door.
            eventually(Duration::from_mins(2), async || match committed(&pipeline).await {
                now if now > before => Ok(()),
                now => Err(format!("{now} offsets are committed, as many as before")),
            })
            .await;
            pipeline.kill().await;
            pipeline.start_processes().await;
        }
        load.wait_for_more(BETWEEN_KILLS).await;
        let (acknowledged, handed_over) = load.stop().await;
        pipeline.settle().await;

        let stored = stored_ids(&pipeline).await;
        let distinct: BTreeSet<OperationId> = stored.iter().copied().collect();
        assert_eq!(stored.len(), distinct.len(), "an operation is stored twice");
        let lost: Vec<_> = acknowledged.difference(&distinct).collect();
        assert!(lost.is_empty(), "{} of {} acknowledged operations are lost: {lost:?}", lost.len(), acknowledged.len());
        let invented: Vec<_> = distinct.difference(&handed_over).collect();
        assert!(invented.is_empty(), "rows that nobody handed over: {invented:?}");
        let totals = pipeline.get("/v1/totals").await.unwrap();
        assert_eq!(
            totals["operations"].as_u64(),
            u64::try_from(stored.len()).ok(),
            "windows count otherwise: {totals}"
        );
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

/// Offsets that the database says are applied.
async fn committed(pipeline: &Pipeline<'_>) -> i64 {
    let progress = pipeline.get("/v1/progress").await.unwrap();
    progress["committed"].as_array().into_iter().flatten().filter_map(|entry| entry["next_offset"].as_i64()).sum()
}

async fn stored_ids(pipeline: &Pipeline<'_>) -> Vec<OperationId> {
    let database = pipeline.database().await;
    let rows = database.fetch_all("select operation_id from operations", &[]).await.unwrap();
    database.close().await;
    rows.iter().map(|row| row.id("operation_id").unwrap()).collect()
}

/// Posts operations without pause and logs every id that was acknowledged. What was refused or broken off is sent again
/// until it is acknowledged, as a careful client does; so duplicates are part of the load.
struct Load {
    log: Arc<Log>,
    posters: JoinSet<()>,
}

#[derive(Default)]
struct Log {
    stopping: AtomicBool,
    handed_over: Mutex<BTreeSet<OperationId>>,
    acknowledged: Mutex<BTreeSet<OperationId>>,
}

impl Load {
    fn start(url: &str) -> Self {
        let log = Arc::new(Log::default());
        let mut posters = JoinSet::new();
        for poster in 0..2 {
            posters.spawn(post_for_ever(format!("{url}/v1/operations"), poster, log.clone()));
        }
        Self { log, posters }
    }

    async fn wait_for_more(&self, operations: usize) {
        let goal = self.log.acknowledged.lock().unwrap().len() + operations;
        eventually(Duration::from_mins(2), async || {
            let reached = self.log.acknowledged.lock().unwrap().len();
            if reached >= goal { Ok(()) } else { Err(format!("{reached} of {goal} operations are acknowledged")) }
        })
        .await;
    }

    async fn stop(mut self) -> (BTreeSet<OperationId>, BTreeSet<OperationId>) {
        self.log.stopping.store(true, Ordering::Release);
        while let Some(ended) = self.posters.join_next().await {
            ended.expect("a poster does not panic");
        }
        let acknowledged = self.log.acknowledged.lock().unwrap().clone();
        let handed_over = self.log.handed_over.lock().unwrap().clone();
        (acknowledged, handed_over)
    }
}

async fn post_for_ever(url: String, poster: usize, log: Arc<Log>) {
    let client = reqwest::Client::new();
    while !log.stopping.load(Ordering::Acquire) {
        let operations: Vec<Operation> = (0..OPERATIONS_PER_POST).map(|n| operation(poster, n)).collect();
        let ids: Vec<OperationId> = operations.iter().map(|operation| operation.operation_id).collect();
        log.handed_over.lock().unwrap().extend(&ids);
        let body: String =
            operations.iter().map(|operation| serde_json::to_string(operation).unwrap() + "\n").collect();
        while !post(&client, &url, &body).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        log.acknowledged.lock().unwrap().extend(&ids);
    }
}

async fn post(client: &reqwest::Client, url: &str, body: &str) -> bool {
    let request = client.post(url).header("content-type", "application/x-ndjson").timeout(Duration::from_mins(1));
    let Ok(answer) = request.body(body.to_owned()).send().await else { return false };
    if !answer.status().is_success() {
        return false;
    }
    let Ok(answer) = answer.json::<serde_json::Value>().await else { return false };
    answer["accepted"].as_u64() == u64::try_from(OPERATIONS_PER_POST).ok()
}

fn operation(poster: usize, n: usize) -> Operation {
    Operation {
        session_id: Some(format!("session-{poster}-{}", n % 50)),
        provider: Some("openai".to_owned()),
        model: Some("gpt-4o".to_owned()),
        input_tokens: Some(1000),
        output_tokens: Some(100),
        latency_us: Some(500_000),
        ..Operation::starting("chat", UtcMicros::now())
    }
}
