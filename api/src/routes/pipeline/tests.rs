//! The whole answer, from rows as the pipeline writes them.

use opstream_schemas::UtcMillis;
use serde_json::json;

use crate::fixture::Fixture;

#[tokio::test]
async fn an_empty_pipeline_says_so() {
    let api = Fixture::new().await;
    let answer = api.get("/v1/pipeline").await.json();
    assert_eq!(
        (&answer["partitions"], &answer["rates"], &answer["complete_to"]),
        (&json!([]), &json!([]), &json!(null))
    );
    assert_eq!(answer["files"]["operations"], json!({ "files": 0, "rows": 0, "bytes": 0 }));
    assert_eq!((&answer["rebuild"], &answer["repricing"]), (&json!(null), &json!(null)));
    assert_eq!(answer["roles"], json!([{ "name": "database", "ok": true }]));
}

#[tokio::test]
async fn how_far_partitions_are_and_what_waits_is_told() {
    let api = Fixture::new().await;
    let now = UtcMillis::now().millis();
    let run = async |sql: &str| api.execute(sql, &[]).await;
    run("insert into streams (stream_id, cluster_id, topic, topic_id, first_seen_ms, partitions) values (1, 'c', 'llm.operations', 'i', 0, 2)").await;
    run(
        "insert into stream_partitions (stream_id, partition, fence, owner, start_offset, next_offset, updated_at_ms) \
         values (1, 0, 1, 'a', 5, 100, 0), (1, 1, 1, 'b', 0, 0, 0)",
    )
    .await;
    run("insert into watermarks (stream_id, partition, observed_at_ms, high_watermark) values (1, 0, 1000, 90), (1, 0, 2000, 120)").await;
    run("insert into windowed_offsets (stream_id, partition, next_offset) values (1, 0, 60)").await;
    // Two partitions in one minute, and one range that is too old.
    let old = now - 3_700_000;
    run(&format!(
        "insert into applied_ranges (stream_id, partition, from_offset, to_offset, reason, rows, duplicates, dead, skipped, applied_at_ms) values \
         (1, 0, 5, 15, 'batch', 10, 0, 0, 0, {old}), (1, 0, 15, 100, 'batch', 80, 3, 2, 0, {now}), (1, 1, 0, 4, 'batch', 1, 0, 0, 3, {now})"
    ))
    .await;
    run(&format!(
        "insert into lake_files (file_number, path, kind, operations_file, named_at_ms, committed_at_ms, removed_at_ms, rows, bytes, id_hash, \
         min_operation_id, max_operation_id, failures, unpriced, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, \
         cost_nano_usd, reported_cost_nano_usd) values \
         (1, 'a', 'operations', null, 0, {now}, null, 80, 1000, 0, x'00', x'00', 0, 0, 0, 0, 0, 0, 0, 0), \
         (2, 'b', 'operations', null, 0, {now}, null, 7, 100, 0, x'00', x'00', 0, 0, 0, 0, 0, 0, 0, 0), \
         (3, 'c', 'operations', null, 0, {now}, {now}, 9, 9, 0, x'00', x'00', 0, 0, 0, 0, 0, 0, 0, 0), \
         (4, 'd', 'contents', 1, 0, {now}, null, 5, 50, 0, x'00', x'00', 0, 0, 0, 0, 0, 0, 0, 0)"
    ))
    .await;
    run("insert into windowed_files (generation, file_number, windowed_at_ms) select value, 1, 0 from settings where name = 'window_generation'").await;
    run("insert into dead_letters (stream_id, partition, source_offset, reason_code, reason, record_headers, stored_at_ms, redriven_at_ms) values \
         (1, 0, 20, 'no_value', '', '[]', 0, null), (1, 0, 21, 'no_value', '', '[]', 0, 7), (1, 0, 22, 'undecodable', '', '[]', 0, null)")
    .await;
    run("update settings set value = 9 where name = 'window_rebuild'").await;

    let answer = api.get("/v1/pipeline").await.json();
    assert_eq!(
        answer["partitions"],
        json!([
            { "topic": "llm.operations", "partition": 0, "log_end": 120, "stored_offset": 100, "windowed_offset": 60, "lag": 20,
              "windowed_lag": 60, "observed_at": "1970-01-01T00:00:02.000Z", "owner": "a" },
            { "topic": "llm.operations", "partition": 1, "log_end": null, "stored_offset": 0, "windowed_offset": 0, "lag": null,
              "windowed_lag": null, "observed_at": null, "owner": "b" },
        ])
    );
    let minute = UtcMillis::from_millis(now - now.rem_euclid(60_000)).to_string();
    assert_eq!(
        answer["rates"],
        json!([{ "minute": minute, "operations": 81, "duplicates": 3, "dead": 2, "skipped": 3 }])
    );
    let files = &answer["files"];
    assert_eq!(files["operations"], json!({ "files": 2, "rows": 87, "bytes": 1100 }));
    assert_eq!(files["contents"], json!({ "files": 1, "rows": 5, "bytes": 50 }));
    assert_eq!(files["waiting_for_windows"], json!({ "files": 1, "rows": 7 }));
    assert_eq!(files["days"], json!([{ "day": &minute[..10], "files": 3, "rows": 92, "bytes": 1150 }]));
    let reasons = json!([
        { "reason_code": "no_value", "count": 2, "not_redriven": 1 },
        { "reason_code": "undecodable", "count": 1, "not_redriven": 1 },
    ]);
    assert_eq!(answer["dead_letters"], json!({ "total": 3, "not_redriven": 2, "reasons": reasons }));
    assert_eq!(answer["rebuild"], json!({ "generation": 9 }));
}
