//! A stream of lines may be many times as large as what the front door holds of it: every line is taken, and its memory does not grow.

use std::time::Duration;

use reqwest::Body;
use serde_json::{Value, json};
use tokio::time::interval;

use crate::harness::backends::{Backends, each_combination};
use crate::harness::pipeline::Pipeline;

/// Lines of the stream, 400 MB in all.
const LINES: usize = 4_000;
/// Bytes of a line, nearly all of which are spaces: what matters is what passes through the door.
const LINE_BYTES: usize = 100_000;
/// What the door may take meanwhile: what it holds of the stream, the records that wait for the broker, and what an allocator keeps.
const MOST_GROWTH: u64 = 120 << 20;

#[tokio::test]
async fn the_front_door_holds_a_few_lines_of_it() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start_apart(backends, &[("OPSTREAM_MAX_BODY_MIB", "1024")]).await;
        let before = pipeline.process("api").resident_bytes().unwrap();
        let posting = post_lines(pipeline.url());
        let mut posting = std::pin::pin!(posting);
        let (mut most, mut looks) = (before, interval(Duration::from_millis(20)));
        let answer = loop {
            tokio::select! {
                answer = posting.as_mut() => break answer,
                _ = looks.tick() => most = most.max(pipeline.process("api").resident_bytes().unwrap()),
            }
        };
        assert_eq!(answer["accepted"], json!(LINES), "{answer}");
        assert!(most - before < MOST_GROWTH, "{} MiB more than the {} MiB before", (most - before) >> 20, before >> 20);
        pipeline.settle().await;
        assert_eq!(pipeline.operations().await, LINES as u64);
        pipeline.stop().await;
    })
    .await;
}

async fn post_lines(url: String) -> Value {
    let line = format!("{{\"model\":\"m\"{}}}\n", " ".repeat(LINE_BYTES));
    let lines = futures_util::stream::iter((0..LINES).map(move |_| Ok::<_, std::io::Error>(line.clone())));
    let request = reqwest::Client::new().post(format!("{url}/v1/operations"));
    let request = request.header("content-type", "application/x-ndjson").body(Body::wrap_stream(lines));
    request.send().await.unwrap().json().await.unwrap()
}
