//! What exporters of OpenTelemetry sent, kept as bytes, becomes exactly the operations that the application made, however it is sent and however
//! often: as protobuf and as JSON, packed and not, and over gRPC.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::harness::backends::{Backends, each_combination};
use crate::harness::data::test_data;
use crate::harness::otlp::{Way, captured, send_spans};
use crate::harness::pipeline::Pipeline;

/// Folders of captured requests, and what their application did: operations, failures, input and output tokens, cache reads, reasoning.
const CAPTURES: [(&str, [i64; 6]); 2] =
    [("otel-openai-v2", [9, 2, 696, 130, 0, 0]), ("openinference-openai", [9, 2, 696, 130, 249, 12])];
const NAMES: [&str; 6] =
    ["operations", "failures", "input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens"];
/// Of a request, by an exporter that hears no answer.
const REPETITIONS: usize = 4;

#[tokio::test]
async fn each_captured_request_gives_its_operations_once() {
    let Some(data) = test_data() else { return };
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        send_by_every_way(&pipeline, &data).await;
        let (rows, totals) = seen(&pipeline).await;
        assert_eq!(rows.len(), CAPTURES.len() * Way::ALL.len());
        for (workspace, sums) in &rows {
            let (_, expected) = CAPTURES.iter().find(|(folder, _)| workspace.starts_with(folder)).unwrap();
            assert_eq!(sums, expected, "{NAMES:?} of {workspace}");
            for (name, count) in NAMES.iter().zip(expected).take(5) {
                assert_eq!(totals[workspace][name].as_i64(), Some(*count), "{name} in totals of {workspace}");
            }
        }

        for _ in 0..REPETITIONS {
            send_by_every_way(&pipeline, &data).await;
        }
        assert_eq!(seen(&pipeline).await, (rows, totals), "requests that are sent again change nothing");
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

/// Sends each request by each way once, in a workspace of its own: so the ways do not stand in for each other.
async fn send_by_every_way(pipeline: &Pipeline<'_>, data: &std::path::Path) {
    for (folder, _) in CAPTURES {
        let spans = captured(&data.join("otlp").join(folder));
        for way in Way::ALL {
            let workspace = format!("{folder} {way}");
            send_spans(&pipeline.address(), (way, &workspace), &spans).await.unwrap();
        }
    }
}

/// What rows add up to, and what the api says, by workspace.
async fn seen(pipeline: &Pipeline<'_>) -> (BTreeMap<String, [i64; 6]>, BTreeMap<String, Json>) {
    pipeline.settle().await;
    let database = pipeline.database().await;
    let sql = "select workspace, count(*) as operations, \
               cast(sum(case when success then 0 else 1 end) as bigint) as failures, \
               cast(coalesce(sum(input_tokens), 0) as bigint) as input_tokens, \
               cast(coalesce(sum(output_tokens), 0) as bigint) as output_tokens, \
               cast(coalesce(sum(cache_read_tokens), 0) as bigint) as cache_read_tokens, \
               cast(coalesce(sum(reasoning_tokens), 0) as bigint) as reasoning_tokens \
               from operations group by workspace";
    let found = database.fetch_all(sql, &[]).await.unwrap();
    database.close().await;
    let (mut rows, mut totals) = (BTreeMap::new(), BTreeMap::new());
    for row in found {
        let workspace = row.text("workspace").unwrap();
        let path = format!("/v1/totals?workspace={}", workspace.replace(' ', "%20"));
        let mut total = pipeline.get(&path).await.unwrap();
        total["complete_to"].take();
        totals.insert(workspace.clone(), total);
        rows.insert(workspace, NAMES.map(|name| row.int(name).unwrap()));
    }
    (rows, totals)
}
