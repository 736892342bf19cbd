//! A record that could not become an operation is found, looked at without its prompt, repaired and sent again; however often
//! it is sent, it is one operation.

use std::collections::BTreeMap;

use opstream_schemas::avro::encode_operation;
use opstream_schemas::{Operation, OperationId, UtcMicros, UtcMillis};
use serde_json::{Value, json};

use crate::harness::backends::{Backends, each_combination};
use crate::harness::pipeline::Pipeline;

const PROMPT: &str = "the secret prompt";
const TWO_DAYS_MS: i64 = 172_800_000;

#[tokio::test]
async fn each_repaired_record_is_one_operation_however_often_it_is_sent() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        pipeline.send_values(&records()).await;
        pipeline.settle().await;
        let places = places_by_reason(&pipeline).await;
        let letters: Vec<Value> = show(&pipeline, &places).await;
        let file = pipeline.folder().join("repaired.jsonl");
        let lines: String = letters.into_iter().map(|letter| repair(letter).to_string() + "\n").collect();
        std::fs::write(&file, lines).unwrap();
        let from = ["dead-letters", "redrive", "--from", file.to_str().unwrap()];

        said(&pipeline, &[&from[..], &["--dry-run"]].concat(), "would be sent", 5).await;
        said(&pipeline, &from, "sent", 5).await;
        said(&pipeline, &from, "redriven before", 5).await;
        said(&pipeline, &[&from[..], &["--again"]].concat(), "sent", 5).await;
        pipeline.settle().await;

        let stored = stored(&pipeline).await;
        assert_eq!(stored.len(), 6, "{stored:?}");
        let totals = pipeline.get("/v1/totals").await.unwrap();
        assert_eq!(
            (totals["operations"].as_i64(), totals["input_tokens"].as_i64()),
            (Some(6), Some(100 * 4 + 7 + 100))
        );
        assert_eq!(places_by_reason(&pipeline).await, places, "no new letter, and none is gone");
        assert_prompt_is_kept(&pipeline).await;
        assert_failing_again_makes_a_letter_that_knows_its_way(&pipeline, &places["negative_count"]).await;
        assert_eq!(self::stored(&pipeline).await, stored);
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

fn operation(session: &str) -> Operation {
    Operation {
        session_id: Some(session.to_owned()),
        provider: Some("openai".to_owned()),
        model: Some("gpt-4o".to_owned()),
        input_tokens: Some(100),
        ..Operation::starting("chat", UtcMicros::now())
    }
}

/// One that is sound and five that are not.
fn records() -> Vec<Vec<u8>> {
    let encoded = |operation: &Operation| {
        let mut bytes = Vec::new();
        encode_operation(operation, &mut bytes);
        bytes
    };
    let mut cut = encoded(&operation("cut"));
    cut.truncate(cut.len() - 1);
    let mut unknown = encoded(&operation("unknown"));
    unknown[1..5].copy_from_slice(&42_u32.to_be_bytes());
    let ahead = OperationId::generate(UtcMillis::now().plus_millis(TWO_DAYS_MS));
    let prompt = Some(PROMPT.to_owned());
    vec![
        encoded(&operation("good")),
        cut,
        unknown,
        encoded(&Operation { input_tokens: Some(-7), system_prompt: prompt, ..operation("negative") }),
        encoded(&Operation { operation_id: ahead, ..operation("ahead") }),
        json!({"session_id": "json", "model": "gpt-4o", "input_tokens": 100, "messages": [PROMPT]})
            .to_string()
            .into_bytes(),
    ]
}

/// What somebody who looked at the letter would change.
fn repair(mut letter: Value) -> Value {
    let reason = letter["reason_code"].as_str().unwrap().to_owned();
    let operation = letter["operation"].as_object_mut().unwrap();
    match reason.as_str() {
        "negative_count" => operation["input_tokens"] = json!(7),
        "too_far_ahead" => drop(operation.remove("operation_id")),
        _ => {}
    }
    letter
}

/// Runs the command and reads its first result.
async fn command(pipeline: &Pipeline<'_>, arguments: &[&str]) -> String {
    let output = pipeline.run(arguments).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// The report of a redrive has this line with this count.
async fn said(pipeline: &Pipeline<'_>, arguments: &[&str], line: &str, count: i64) {
    let report = command(pipeline, arguments).await;
    let found = report.lines().find_map(|text| text.strip_prefix(line)).unwrap_or_else(|| panic!("{line}: {report}"));
    let number = found.split_whitespace().next().map(str::parse);
    assert_eq!(number, Some(Ok(count)), "{line}: {report}");
}

async fn places_by_reason(pipeline: &Pipeline<'_>) -> BTreeMap<String, String> {
    let list = command(pipeline, &["dead-letters", "list", "--json"]).await;
    let table = command(pipeline, &["dead-letters", "list"]).await;
    assert!(!list.contains(PROMPT) && !table.contains(PROMPT), "{list}{table}");
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let entries = list.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    entries.map(|entry| (text(&entry, "reason_code"), text(&entry, "place"))).collect()
}

async fn show(pipeline: &Pipeline<'_>, places: &BTreeMap<String, String>) -> Vec<Value> {
    let codes: Vec<&str> = places.keys().map(String::as_str).collect();
    assert_eq!(codes, ["negative_count", "not_framed", "too_far_ahead", "undecodable", "unknown_schema"]);
    let mut arguments = vec!["dead-letters", "show", "--json"];
    arguments.extend(places.values().map(String::as_str));
    let shown = command(pipeline, &arguments).await;
    assert!(!shown.contains(PROMPT), "{shown}");
    let asked = command(pipeline, &["dead-letters", "show", "--content", &places["negative_count"]]).await;
    assert!(asked.contains(PROMPT), "{asked}");
    shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Session and id of every row.
async fn stored(pipeline: &Pipeline<'_>) -> BTreeMap<String, OperationId> {
    let database = pipeline.database().await;
    let rows = database.fetch_all("select session_id, operation_id from operations", &[]).await.unwrap();
    database.close().await;
    let stored: BTreeMap<_, _> =
        rows.iter().map(|row| (row.text("session_id").unwrap(), row.id("operation_id").unwrap())).collect();
    assert_eq!(stored.len(), rows.len(), "a session is stored twice");
    stored
}

/// It was withheld from whoever repaired the record, and yet is not lost.
async fn assert_prompt_is_kept(pipeline: &Pipeline<'_>) {
    let found = pipeline.get("/v1/operations?session_id=negative").await.unwrap();
    assert!(found.to_string().contains("\"has_content\":true"), "{found}");
}

async fn assert_failing_again_makes_a_letter_that_knows_its_way(pipeline: &Pipeline<'_>, place: &str) {
    said(pipeline, &["dead-letters", "redrive", place, "--again", "--unchecked"], "sent", 1).await;
    pipeline.settle().await;
    let newest = command(pipeline, &["dead-letters", "list", "--json", "--limit", "1"]).await;
    let newest: Value = serde_json::from_str(newest.trim()).unwrap();
    assert_eq!(newest["reason_code"], "negative_count");
    let again = newest["place"].as_str().unwrap();
    assert_ne!(again, place);
    let shown = command(pipeline, &["dead-letters", "show", "--json", again]).await;
    let shown: Value = serde_json::from_str(shown.trim()).unwrap();
    assert_eq!(shown["earlier_places"], json!([place]));
}
