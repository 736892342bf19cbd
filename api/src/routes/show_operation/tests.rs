//! One stored operation, with content in SQL, in the lake, or nowhere.

use std::fs::File;
use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeBinaryArray, RecordBatch, StringArray};
use opstream_schemas::{OperationId, UtcMillis};
use parquet::arrow::ArrowWriter;
use serde_json::json;

use crate::fixture::rows::EIGHT;
use crate::fixture::{Fixture, Setup};

async fn content_of(api: &Fixture, id: OperationId) -> serde_json::Value {
    let answer = api.get(&format!("/v1/operations/{id}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["content"].clone()
}

#[tokio::test]
async fn every_column_and_the_content_are_shown() {
    let api = Fixture::new().await;
    let columns = [
        ("has_content", true.into()),
        ("metadata", "{\"a\":{\"b\":1}}".into()),
        ("tags", "{\"k\":\"v\"}".into()),
        ("temperature", 0.5.into()),
        ("stream", true.into()),
        ("http_status", 200_i64.into()),
    ];
    let id = api.store(7, &columns).await;
    let insert =
        "insert into operation_contents (operation_id, system_prompt, output_messages) values ($1, 'be kind', '[]')";
    api.execute(insert, &[id.into()]).await;
    insta::assert_json_snapshot!("shown", api.get(&format!("/v1/operations/{id}")).await.json());
}

#[tokio::test]
async fn what_is_not_there_is_a_404_and_what_is_no_id_a_400() {
    let api = Fixture::new().await;
    let unknown = OperationId::generate(UtcMillis::from_millis(EIGHT));
    assert_eq!(api.get(&format!("/v1/operations/{unknown}")).await.status, 404);
    let answer = api.get("/v1/operations/..%2f..%2fetc").await;
    assert!(answer.status == 400 && answer.text.contains("UUIDv7"), "{}", answer.text);
}

#[tokio::test]
async fn an_operation_that_is_no_longer_kept_says_so() {
    let api = Fixture::new().await;
    let floor = EIGHT + 3_600_000;
    api.execute("update settings set value = $1 where name = 'retention_floor_ms'", &[floor.into()]).await;
    let dropped = OperationId::generate(UtcMillis::from_millis(EIGHT));
    let answer = api.get(&format!("/v1/operations/{dropped}")).await;
    assert!(answer.status == 404 && answer.text.contains("no longer kept"), "{}", answer.text);
    assert!(answer.text.contains(&UtcMillis::from_millis(floor).to_string()), "{}", answer.text);
    let unknown = OperationId::generate(UtcMillis::from_millis(floor));
    let answer = api.get(&format!("/v1/operations/{unknown}")).await;
    assert!(answer.status == 404 && answer.text.contains("/v1/progress"), "{}", answer.text);
    let progress = api.get("/v1/progress").await.json();
    assert_eq!(progress["retention_floor"], UtcMillis::from_millis(floor).to_string());
}

/// Writes a file of contents for these ids and lists it in the manifest.
async fn write_contents(api: &Fixture, file_number: i64, ids: &[OperationId]) {
    let path = format!("contents/2026-11-23/{file_number}.parquet");
    let on_disk = api.folder.path().join("lake").join(&path);
    std::fs::create_dir_all(on_disk.parent().unwrap()).unwrap();
    let bytes = FixedSizeBinaryArray::try_from_iter(ids.iter().map(|id| id.bytes())).unwrap();
    let prompts: StringArray = ids.iter().map(|id| Some(format!("prompt of {id}"))).collect();
    let nothing: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>; ids.len()]));
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("operation_id", Arc::new(bytes) as ArrayRef, false),
        ("system_prompt", Arc::new(prompts), true),
        ("input_messages", nothing.clone(), true),
        ("output_messages", nothing.clone(), true),
        ("tool_definitions", nothing, true),
    ])
    .unwrap();
    let mut writer = ArrowWriter::try_new(File::create(on_disk).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let manifest = "insert into lake_files (file_number, path, kind, named_at_ms, committed_at_ms, rows, bytes, id_hash, \
                    min_operation_id, max_operation_id, failures, unpriced, input_tokens, output_tokens, cache_read_tokens, \
                    cache_write_tokens, cost_nano_usd, reported_cost_nano_usd) \
                    values ($1, $2, 'contents', 0, 0, 1, 1, 0, $3, $4, 0, 0, 0, 0, 0, 0, 0, 0)";
    let (min, max) = (*ids.iter().min().unwrap(), *ids.iter().max().unwrap());
    api.execute(manifest, &[file_number.into(), path.into(), min.into(), max.into()]).await;
}

#[tokio::test]
async fn content_that_is_only_in_the_lake_is_found_there() {
    let api = Fixture::with(Setup { has_lake: true, ..Setup::default() }).await;
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(api.store(number, &[("has_content", true.into())]).await);
    }
    write_contents(&api, 1, &[ids[0], ids[5]]).await;
    write_contents(&api, 2, &[ids[1], ids[2], ids[3]]).await;
    assert_eq!(content_of(&api, ids[2]).await["system_prompt"], format!("prompt of {}", ids[2]));
    assert_eq!(content_of(&api, ids[5]).await["system_prompt"], format!("prompt of {}", ids[5]));
    assert_eq!(content_of(&api, ids[2]).await["input_messages"], json!(null));
    assert_eq!(content_of(&api, ids[4]).await, json!(null));

    api.execute("update lake_files set removed_at_ms = 1 where file_number = 2", &[]).await;
    assert_eq!(content_of(&api, ids[2]).await, json!(null));
    std::fs::remove_file(api.folder.path().join("lake/contents/2026-11-23/1.parquet")).unwrap();
    assert_eq!(content_of(&api, ids[5]).await, json!(null));
}

#[tokio::test]
async fn content_is_found_behind_any_number_of_files_that_may_hold_it() {
    let api = Fixture::with(Setup { has_lake: true, ..Setup::default() }).await;
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(api.store(number, &[("has_content", true.into())]).await);
    }
    write_contents(&api, 1, &[ids[0], ids[2]]).await;
    // Of the same range, and gone since.
    let copies = "with recursive n(i) as (select 2 union all select i + 1 from n where i < 700) \
                  insert into lake_files (file_number, path, kind, named_at_ms, committed_at_ms, rows, bytes, id_hash, \
                  min_operation_id, max_operation_id, failures, unpriced, input_tokens, output_tokens, cache_read_tokens, \
                  cache_write_tokens, cost_nano_usd, reported_cost_nano_usd) select n.i, 'contents/gone/' || n.i, kind, \
                  named_at_ms, committed_at_ms, rows, bytes, id_hash, min_operation_id, max_operation_id, failures, unpriced, \
                  input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, reported_cost_nano_usd \
                  from n, lake_files";
    api.execute(copies, &[]).await;
    write_contents(&api, 1000, &[ids[1]]).await;
    assert_eq!(content_of(&api, ids[1]).await["system_prompt"], format!("prompt of {}", ids[1]));
}

#[tokio::test]
async fn a_manifest_that_names_a_file_outside_the_lake_opens_nothing() {
    let api = Fixture::with(Setup { has_lake: true, ..Setup::default() }).await;
    let id = api.store(1, &[("has_content", true.into())]).await;
    write_contents(&api, 1, &[id]).await;
    api.execute("update lake_files set path = '../opstream.db'", &[]).await;
    let answer = api.get(&format!("/v1/operations/{id}")).await;
    assert_eq!((answer.status.as_u16(), answer.json()["error"]["code"].as_str()), (500, Some("internal")));
    assert!(!answer.text.contains("opstream.db"), "{}", answer.text);
}

#[tokio::test]
async fn what_came_as_log_records_of_the_span_is_shown_in_the_order_of_its_events() {
    let api = Fixture::new().await;
    let of_span = |trace: &str| [("trace_id", trace.into()), ("span_id", "b1".into())];
    let bare = api.store(1, &of_span("a1")).await;
    let own = [("has_content", true.into())];
    let with_own = api.store(2, &[&of_span("a2")[..], &own].concat()).await;
    api.execute(
        "insert into operation_contents (operation_id, input_messages) values ($1, '[\"own\"]')",
        &[with_own.into()],
    )
    .await;
    let insert = "insert into span_contents (content_id, workspace, trace_id, span_id, recorded_at_us, sequence, event_name, \
                  system_prompt, input_messages, output_messages) values ($1, $2, $3, $4, $5, $6, 'e', $7, $8, $9)";
    let nothing = || opstream_schemas::database::Value::Text(None);
    let mut number = 0;
    let mut event = |workspace: &str, trace: &str, place: (i64, i64), texts: [Option<&str>; 3]| {
        number += 1;
        let id = OperationId::mint(UtcMillis::from_millis(EIGHT), [number; 10]);
        let texts = texts.map(|text| text.map_or_else(nothing, Into::into));
        let [system, input, output] = texts;
        vec![
            id.into(),
            workspace.into(),
            trace.into(),
            "b1".into(),
            place.0.into(),
            place.1.into(),
            system,
            input,
            output,
        ]
    };
    for trace in ["a1", "a2"] {
        for values in [
            event("w", trace, (7, 2), [None, None, Some(r#"["answer"]"#)]),
            event("w", trace, (7, 1), [None, Some(r#"["second"]"#), None]),
            event("w", trace, (3, 9), [Some("be brief"), Some(r#"["first"]"#), None]),
            event("w", trace, (4, 1), [None, Some("damaged"), None]),
            event("other", trace, (1, 1), [None, Some(r#"["foreign"]"#), None]),
        ] {
            api.execute(insert, &values).await;
        }
    }
    let shown = |input: &str| {
        json!({
            "system_prompt": "be brief", "input_messages": input, "output_messages": r#"["answer"]"#, "tool_definitions": null,
        })
    };
    assert_eq!(content_of(&api, bare).await, shown(r#"["first","second"]"#));
    assert_eq!(content_of(&api, with_own).await, shown(r#"["own"]"#));
    let elsewhere = api.store(3, &[("trace_id", "a1".into()), ("span_id", "b2".into())]).await;
    assert_eq!(content_of(&api, elsewhere).await, json!(null));
}
