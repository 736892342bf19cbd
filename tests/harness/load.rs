//! Load while something fails: operations posted without end, every id that was acknowledged, and the check that exactly
//! those are stored.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opstream_schemas::{Operation, OperationId, UtcMicros};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::eventually::eventually;
use super::pipeline::Pipeline;

const POSTERS: usize = 2;
const OPERATIONS_PER_POST: usize = 200;
/// How long more operations may take to be acknowledged, with an outage of the broker in between.
const MORE_WITHIN: Duration = Duration::from_mins(3);

/// Posts operations and logs every id that was acknowledged. What was refused or broken off is sent again until it is
/// acknowledged, as a careful client does; so duplicates are part of the load.
pub(crate) struct Load {
    log: Arc<Log>,
    posters: JoinSet<()>,
}

#[derive(Default)]
struct Log {
    stopping: AtomicBool,
    handed_over: Mutex<BTreeSet<OperationId>>,
    acknowledged: Mutex<BTreeSet<OperationId>>,
}

/// What became of a load.
pub(crate) struct Posted {
    handed_over: BTreeSet<OperationId>,
    acknowledged: BTreeSet<OperationId>,
}

impl Load {
    /// Begins to post to the api at this address, as fast as it answers.
    pub(crate) fn start(url: &str) -> Self {
        Self::at_rate(url, u32::MAX)
    }

    /// Begins to post, at most so many operations a second.
    pub(crate) fn at_rate(url: &str, operations_per_second: u32) -> Self {
        let log = Arc::new(Log::default());
        let posts_per_second = f64::from(operations_per_second) / (OPERATIONS_PER_POST * POSTERS) as f64;
        let pause = Duration::from_secs_f64(1.0 / posts_per_second);
        let mut posters = JoinSet::new();
        for poster in 0..POSTERS {
            posters.spawn(post_until_stopped(format!("{url}/v1/operations"), poster, pause, log.clone()));
        }
        Self { log, posters }
    }

    /// Number of operations that were acknowledged so far.
    pub(crate) fn acknowledged(&self) -> usize {
        self.log.acknowledged.lock().expect("no poster panics").len()
    }

    /// Waits until so many more are acknowledged.
    pub(crate) async fn wait_for_more(&self, operations: usize) {
        let goal = self.acknowledged() + operations;
        eventually(MORE_WITHIN, async || match self.acknowledged() {
            reached if reached >= goal => Ok(()),
            reached => Err(format!("{reached} of {goal} operations are acknowledged")),
        })
        .await;
    }

    /// Ends the load once everything that was handed over is acknowledged.
    pub(crate) async fn stop(mut self) -> Posted {
        self.log.stopping.store(true, Ordering::Release);
        while let Some(ended) = self.posters.join_next().await {
            ended.expect("a poster does not panic");
        }
        let handed_over = self.log.handed_over.lock().expect("no poster panics").clone();
        let acknowledged = self.log.acknowledged.lock().expect("no poster panics").clone();
        Posted { handed_over, acknowledged }
    }
}

impl Posted {
    /// Waits until everything is windowed, then fails the story unless each acknowledged operation is a row, once, nothing
    /// else is, the totals say the same and `opstream verify` is clean. Returns how many rows there are.
    pub(crate) async fn assert_stored_once(&self, pipeline: &Pipeline<'_>) -> usize {
        pipeline.settle().await;
        let stored = stored_ids(pipeline).await;
        let distinct: BTreeSet<OperationId> = stored.iter().copied().collect();
        assert_eq!(stored.len(), distinct.len(), "an operation is stored twice");
        let lost: Vec<_> = self.acknowledged.difference(&distinct).collect();
        let acknowledged = self.acknowledged.len();
        assert!(lost.is_empty(), "{} of {acknowledged} acknowledged operations are lost: {lost:?}", lost.len());
        let invented: Vec<_> = distinct.difference(&self.handed_over).collect();
        assert!(invented.is_empty(), "rows that nobody handed over: {invented:?}");
        let totals = pipeline.get("/v1/totals").await.expect("the api answers");
        let counted = totals["operations"].as_u64().and_then(|counted| usize::try_from(counted).ok());
        assert_eq!(counted, Some(stored.len()), "windows count otherwise: {totals}");
        pipeline.assert_verified().await;
        stored.len()
    }
}

async fn stored_ids(pipeline: &Pipeline<'_>) -> Vec<OperationId> {
    let database = pipeline.database().await;
    let rows = database.fetch_all("select operation_id from operations", &[]).await.expect("the database answers");
    database.close().await;
    rows.iter().map(|row| row.id("operation_id").expect("it is an id")).collect()
}

async fn post_until_stopped(url: String, poster: usize, pause: Duration, log: Arc<Log>) {
    let client = reqwest::Client::new();
    while !log.stopping.load(Ordering::Acquire) {
        let next = Instant::now() + pause;
        let operations: Vec<Operation> = (0..OPERATIONS_PER_POST).map(|n| operation(poster, n)).collect();
        let ids: Vec<OperationId> = operations.iter().map(|operation| operation.operation_id).collect();
        log.handed_over.lock().expect("no poster panics").extend(&ids);
        let line = |operation: &Operation| serde_json::to_string(operation).expect("an operation is JSON") + "\n";
        let body: String = operations.iter().map(line).collect();
        while !post(&client, &url, &body).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        log.acknowledged.lock().expect("no poster panics").extend(&ids);
        tokio::time::sleep_until(next).await;
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
