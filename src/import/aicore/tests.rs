//! The recorded `AiCore` data, by both roads, and damaged variants of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use opstream_schemas::Operation;
use serde_json::{Value, json};

use super::*;
use crate::import::delivery::Totals;
use crate::import::test_input::{Yield, drain, recorded};

async fn import(path: PathBuf) -> Yield {
    drain(open(AicoreArgs { path, workspace: "default".to_owned() }).await.unwrap()).await
}

fn totals(all: &Yield) -> Totals {
    let mut totals = Totals::default();
    for item in &all.items {
        totals.count(item.counts);
    }
    totals
}

fn operations(all: &Yield) -> BTreeMap<String, Operation> {
    let parse = |json: &str| serde_json::from_str::<Operation>(json).unwrap();
    all.items
        .iter()
        .map(|item| parse(&item.json))
        .map(|operation| (operation.operation_id.to_string(), operation))
        .collect()
}

fn assert_expected_totals(all: &Yield, expected: &Value) {
    let totals = totals(all);
    assert!(all.refusals.is_empty(), "{:?}", all.refusals);
    assert_eq!(json!(totals.operations), expected["operations"]);
    assert_eq!(json!(i64::try_from(totals.input_tokens).unwrap()), expected["input_tokens"]);
    assert_eq!(json!(i64::try_from(totals.output_tokens).unwrap()), expected["output_tokens_corrected"]);
    assert_eq!(json!(i64::try_from(totals.cache_read_tokens).unwrap()), expected["cached_tokens"]);
    let cost = opstream_schemas::NanoUsd::parse(expected["reported_cost_usd"].as_str().unwrap()).unwrap();
    assert_eq!(totals.reported_cost().unwrap(), cost);
}

#[tokio::test]
async fn folder_and_database_give_the_same_operations_with_the_expected_sums() {
    let Some(root) = recorded("aicore") else { return };
    let expected: Value = serde_json::from_slice(&fs::read(root.join("expected.json")).unwrap()).unwrap();
    let from_folder = import(root.join("json")).await;
    let from_database = import(root.join("operations.db")).await;
    assert_expected_totals(&from_folder, &expected);
    assert_expected_totals(&from_database, &expected);

    let (folder, database) = (operations(&from_folder), operations(&from_database));
    assert_eq!(json!(folder.len()), expected["distinct_operation_ids"]);
    assert_eq!(folder.keys().collect::<Vec<_>>(), database.keys().collect::<Vec<_>>());
    for (id, operation) in &database {
        assert!(operation.tags["aicore.doubtful"].starts_with("workspace,agent_id"));
        // Apart from the doubtful fields and their tag nothing depends on the road.
        let mut same = folder[id].clone();
        same.workspace.clone_from(&operation.workspace);
        same.agent_id.clone_from(&operation.agent_id);
        same.tags.clone_from(&operation.tags);
        assert_eq!(&same, operation);
    }
    let failures = folder.values().filter(|operation| !operation.success).count();
    assert_eq!(json!(failures), expected["with_error_message"]);
    assert!(from_folder.remarks[0].contains("32,044 tokens taken out"), "{:?}", from_folder.remarks);
    assert!(from_database.remarks.iter().any(|remark| remark.contains("aicore.doubtful")));
}

#[tokio::test]
async fn no_recorded_credential_reaches_an_operation() {
    let Some(root) = recorded("aicore/json") else { return };
    let all = import(root).await;
    assert!(all.items.iter().all(|item| !item.json.contains("leak-me-not")));
    assert!(all.remarks.iter().any(|remark| remark.contains("contained credentials")), "{:?}", all.remarks);
}

#[tokio::test]
async fn an_operation_keeps_the_ulids_time_and_starts_its_latency_earlier() {
    let folder = tempfile::tempdir().unwrap();
    let record = json!({
        "operation_id": "01M83N1F1FPSWW9RVY3WF6JSM7", "operation_type": "acompletion.tool_call", "provider": "gemini",
        "latency_ms": 1500.25, "input_tokens": 10, "output_tokens": 12, "cached_tokens": 7, "cost": 0.0, "response": "",
        "error_message": null, "extras": {"project": "atlas", "team": "ml", "ticket": 7},
        "completion_args": "{\"model\": \"gemini-2.5-pro\"}"
    });
    fs::write(folder.path().join("0.json"), json!([record]).to_string()).unwrap();
    let all = import(folder.path().to_owned()).await;
    let operation = operations(&all).into_values().next().unwrap();
    let millis = 1_795_419_061_295;
    assert_eq!(operation.time().millis(), millis);
    assert_eq!(operation.started_at.micros(), millis * 1000 - 1_500_250);
    assert_eq!(
        (operation.operation_type.as_str(), operation.source_type.as_deref()),
        ("chat", Some("acompletion.tool_call"))
    );
    assert_eq!((operation.output_tokens, operation.cache_read_tokens), (Some(5), 7));
    assert!(operation.success, "an empty answer without an error is a success");
    assert_eq!(operation.reported_cost_usd, None);
    assert_eq!(operation.provider.as_deref(), Some("gcp.gemini"));
    assert_eq!((operation.project.as_deref(), operation.team.as_deref()), (Some("atlas"), Some("ml")));
    assert_eq!(operation.metadata.as_deref(), Some(r#"{"ticket":7}"#));
    assert_eq!(operation.tags["aicore.operation_id"], "01M83N1F1FPSWW9RVY3WF6JSM7");
}

#[tokio::test]
async fn damaged_records_are_named_and_do_not_stop_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let good = |id: &str| json!({"operation_id": id, "operation_type": "completion"});
    for session in ["a", "b", "fallback"] {
        fs::create_dir(folder.path().join(session)).unwrap();
    }
    let damaged =
        json!([good("01M83N1F1FPSWW9RVY3WF6JSM7"), {"operation_id": "op-1", "operation_type": "completion"}, 5]);
    fs::write(folder.path().join("a/0.json"), damaged.to_string()).unwrap();
    let broken_off = format!("[{}, {{\"operation_id\": ", good("01M83N1G8Q3P5DGK5RKQM505XW"));
    fs::write(folder.path().join("b/10.json"), broken_off).unwrap();
    fs::write(folder.path().join("b/9.tmp"), "half-written").unwrap();
    let aside = good("01m83n1g8q3p5dgk5rkqm505xx").to_string();
    fs::write(folder.path().join("fallback/record_1.json"), aside).unwrap();

    let all = import(folder.path().to_owned()).await;
    assert_eq!(all.items.len(), 3);
    let refused: Vec<String> = all.refusals.iter().map(ToString::to_string).collect();
    assert!(refused[0].starts_with("a/0.json[1]: operation_id \"op-1\" is not a ULID"), "{refused:?}");
    assert!(refused[1].starts_with("a/0.json[2]: "), "{refused:?}");
    assert!(refused[2].starts_with("b/10.json: EOF") && refused[2].contains("the 1 records before it"), "{refused:?}");
    assert_eq!(refused.len(), 3);
    assert!(all.remarks.iter().any(|remark| remark.contains("fallback")), "{:?}", all.remarks);
}

#[tokio::test]
async fn the_folder_above_the_records_is_refused_with_the_path_to_give() {
    let folder = tempfile::tempdir().unwrap();
    let error = async || {
        let opened = open(AicoreArgs { path: folder.path().to_owned(), workspace: "default".to_owned() }).await;
        opened.map(drop).unwrap_err().to_string()
    };
    fs::write(folder.path().join("operations.db"), "").unwrap();
    let only_database = error().await;
    assert!(only_database.contains("operations.db") && !only_database.contains("json"), "{only_database}");
    fs::create_dir_all(folder.path().join("json/session")).unwrap();
    fs::write(folder.path().join("json/session/0.json"), "[]").unwrap();
    // A file of another kind beside them must not be taken for the records.
    fs::write(folder.path().join("expected.json"), "{}").unwrap();
    let both = error().await;
    assert!(both.contains(&folder.path().join("json").display().to_string()), "{both}");
    assert!(both.contains("operations.db"), "{both}");
}

#[tokio::test]
async fn a_record_that_stands_in_two_files_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let record = json!([{"operation_id": "01M83N1F1FPSWW9RVY3WF6JSM7", "operation_type": "completion"}]).to_string();
    fs::write(folder.path().join("0.json"), &record).unwrap();
    fs::write(folder.path().join("1.json"), &record).unwrap();
    let all = import(folder.path().to_owned()).await;
    assert_eq!((all.items.len(), all.n_repeated), (1, 1));
    assert_eq!(all.items.iter().map(|item| item.id).collect::<BTreeSet<_>>().len(), 1);
}

#[tokio::test]
async fn what_python_writes_and_json_lacks_costs_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"[{"operation_id": "01M83N1F1FPSWW9RVY3WF6JSM7", "operation_type": "completion", "cost": NaN,
        "latency_ms": -Infinity, "input_tokens": 12.0, "user_prompt": "NaN"},
        {"operation_id": "01M83N1G8Q3P5DGK5RKQM505XW", "operation_type": "completion"}]"#;
    fs::write(folder.path().join("0.json"), text).unwrap();
    let all = import(folder.path().to_owned()).await;
    assert!(all.refusals.is_empty(), "{:?}", all.refusals);
    let first = operations(&all).into_values().next().unwrap();
    assert_eq!((all.items.len(), first.input_tokens, first.reported_cost_usd), (2, Some(12), None));
    assert!(first.input_messages.unwrap().contains("NaN"));
}

#[tokio::test]
async fn a_failed_call_that_repeats_the_usage_before_it_brings_none() {
    let folder = tempfile::tempdir().unwrap();
    let record = |id: &str, answer: &str, error: &str| {
        json!({"operation_id": id, "operation_type": "completion", "session_id": "s", "input_tokens": 100,
            "output_tokens": 20, "cost": 0.5, "response": answer, "error_message": error})
    };
    let answered = record("01M83N1F1FPSWW9RVY3WF6JSM7", "yes", "");
    let failed = record("01M83N1G8Q3P5DGK5RKQM505XW", "", "Timeout: none");
    fs::write(folder.path().join("0.json"), json!([answered, failed]).to_string()).unwrap();
    let all = import(folder.path().to_owned()).await;
    let totals = totals(&all);
    assert_eq!((totals.operations, totals.input_tokens, totals.output_tokens), (2, 100, 20));
    assert_eq!(totals.reported_cost().unwrap().to_string(), "0.50");
    assert!(all.remarks.iter().any(|remark| remark.contains("repeated tokens and cost")), "{:?}", all.remarks);
}

#[tokio::test]
async fn a_path_that_is_neither_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    fs::write(&path, "hello").unwrap();
    let refused = open(AicoreArgs { path, workspace: "default".to_owned() }).await.map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains("notes.txt is neither"), "{refused}");
}
