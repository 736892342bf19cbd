//! Lines with and without ids, good and bad.

use std::fs;

use opstream_schemas::Operation;

use super::*;
use crate::import::test_input::{Yield, drain};

async fn import_text(text: &str) -> Yield {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ops.jsonl");
    fs::write(&file, text).unwrap();
    drain(open(JsonLinesArgs { file }).unwrap()).await
}

#[tokio::test]
async fn a_line_with_an_id_passes_through_unchanged_and_its_repetition_does_not_count() {
    let line = r#"{"operation_id": "01936f7e-2b1a-7c3d-9e4f-5a6b7c8d9e0f", "started_at": 5, "input_tokens": 3, "reported_cost_usd": 0.1}"#;
    let all = import_text(&format!("{line}\n\n{line}\n")).await;
    assert_eq!((all.items.len(), all.n_repeated), (1, 1));
    assert_eq!(all.items[0].json, line);
    assert_eq!(all.items[0].counts.reported_cost.nanos(), 100_000_000);
}

#[tokio::test]
async fn a_line_without_an_id_gets_the_same_one_in_every_run_and_identical_lines_two() {
    let line = r#" {"started_at": "2026-01-01T00:00:00.5Z", "workspace": "core", "model": "m"}"#;
    let text = format!("{line}\n{line}\n");
    let (all, again) = (import_text(&text).await, import_text(&text).await);
    assert_eq!(all.items.len(), 2);
    assert_ne!(all.items[0].id, all.items[1].id);
    assert_eq!(all.items[1].id, again.items[1].id);
    for item in &all.items {
        let operation: Operation = serde_json::from_str(&item.json).unwrap();
        assert_eq!(operation.operation_id, item.id);
        assert_eq!(operation.time(), operation.started_at.to_millis());
        assert_eq!((operation.workspace.as_str(), operation.model.as_deref()), ("core", Some("m")));
    }
}

#[tokio::test]
async fn lines_that_are_no_operations_are_named_by_their_number() {
    let text = "{\"model\": \"m\"}\nno json\n{\"operation_id\": null, \"started_at\": 1}\n\
                {\"operation_id\": \"9f1b2c3d-4e5f-4a6b-8c7d-0e1f2a3b4c5d\"}\n[1]\n{\"started_at\": 1000}";
    let all = import_text(text).await;
    assert_eq!(all.items.len(), 1);
    assert_eq!(all.items[0].place.to_string(), "ops.jsonl:6");
    let refused: Vec<String> = all.refusals.iter().map(ToString::to_string).collect();
    assert!(refused[0].starts_with("ops.jsonl:1: the line has neither operation_id nor started_at"), "{refused:?}");
    assert!(refused[1].starts_with("ops.jsonl:2: the line is not a JSON object"), "{refused:?}");
    assert!(refused[2].starts_with("ops.jsonl:3: operation_id is not text"), "{refused:?}");
    assert!(refused[3].contains("version 4"), "{refused:?}");
    assert!(refused[4].starts_with("ops.jsonl:5: the line is not"), "{refused:?}");
}

#[tokio::test]
async fn a_line_that_breaks_off_is_refused_by_its_own_number_and_its_column() {
    let all = import_text("{\"started_at\": 1000}\n{\"a\": nope}\n").await;
    assert_eq!(all.refusals[0].to_string(), "ops.jsonl:2: expected ident at column 8");
}

#[tokio::test]
async fn text_that_is_not_utf8_is_refused_and_not_mended() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ops.jsonl");
    fs::write(&file, b"{\"started_at\": 1000, \"model\": \"\xff\"}\n").unwrap();
    let all = drain(open(JsonLinesArgs { file }).unwrap()).await;
    assert_eq!(all.refusals[0].reason, "the line is not UTF-8 text");
}

#[test]
fn a_folder_is_named_with_the_way_to_import_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let error = open(JsonLinesArgs { file: folder.path().to_owned() }).err().unwrap().to_string();
    assert!(error.starts_with(&format!("{path} is a folder; name a file")), "{error}");
    assert!(error.ends_with(&format!("cat {path}/*.jsonl | opstream import jsonl -")), "{error}");
}
