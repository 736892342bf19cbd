//! A price that was missing or wrong reaches what is stored already: rows, files and windows change together, whoever is killed when,
//! and come back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::backends::{Backends, Combination, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;

const PATIENCE: Duration = Duration::from_mins(2);
/// Input tokens of an operation: a price of a dollar per million costs a thousandth of a dollar.
const TOKENS: i64 = 1000;
const OPERATIONS: i64 = 60;

#[tokio::test]
async fn a_missing_price_is_made_up_for_through_crashes_at_every_step_and_undone() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        for _ in 0..3 {
            send(&pipeline, OPERATIONS / 3).await;
        }
        let before = figures(&pipeline).await;
        assert_eq!((&before["unpriced"], &before["cost_usd"]), (&json!(OPERATIONS), &json!("0.00")));

        let folder = tempfile::tempdir().unwrap();
        let role = if backends.combination == Combination::EmbeddedSqlite { "up" } else { "aggregator" };
        for (round, step) in (1..).zip(["repricing.written", "repricing.coming", "repricing.committed"]) {
            pipeline.restart(&["aggregator"], &format!("{step}=crash@1")).await;
            reprice(&pipeline, &prices(folder.path(), round)).await;
            eventually(PATIENCE, async || if pipeline.process(role).has_ended() { Ok(()) } else { Err("it runs") })
                .await;
            pipeline.restart(&[], "").await;
            done(&pipeline, round, "done").await;
            let after = figures(&pipeline).await;
            let cost = format!("0.{:02}", OPERATIONS * round / 10);
            assert_eq!((&after["unpriced"], &after["cost_usd"]), (&json!(0), &json!(cost)), "{step}");
            pipeline.assert_verified().await;
        }
        let first = rows(&pipeline).await;
        assert!(first.iter().all(|row| row["repricing"] == json!(3) && row["billed_cost_usd"].is_null()), "{first:?}");

        for number in [3, 2, 1] {
            let undone = pipeline.run(&["reprice", "undo", &number.to_string()]).await;
            assert!(undone.status.success(), "{undone:?}");
            pipeline.assert_verified().await;
        }
        assert_eq!(figures(&pipeline).await, before);
        assert!(rows(&pipeline).await.iter().all(|row| row["repricing"].is_null() && row["cost_status"] == "unpriced"));
        pipeline.stop().await;
    })
    .await;
}

#[tokio::test]
async fn the_command_says_what_would_change_and_what_did() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        send(&pipeline, OPERATIONS).await;
        let folder = tempfile::tempdir().unwrap();
        let prices = prices(folder.path(), 2);
        let report = async |arguments: &[&str]| -> Value {
            let output = pipeline.run(&[&["reprice"], arguments, &["--json"]].concat()).await;
            assert!(output.status.success(), "{output:?}");
            serde_json::from_slice(&output.stdout).unwrap()
        };
        let asked = ["--from", "2026-01-01", "--prices", prices.to_str().unwrap()];
        let seen = report(&[&asked[..], &["--dry-run"]].concat()).await;
        assert_eq!(figures(&pipeline).await["unpriced"], json!(OPERATIONS), "a dry run changes nothing");
        let as_model = report(&[&asked[..], &["--as-model", "openai/gpt-4o-mini"]].concat()).await;
        assert_eq!(as_model["models"][0]["cost_after_usd"], "0.009", "0.15 dollars per million tokens");
        let changed = report(&asked).await;
        assert_eq!(changed["models"], seen["models"]);
        assert_eq!(
            (&changed["state"], &changed["changed"], &changed["models"][0]["cost_after_usd"]),
            (&json!("done"), &json!(OPERATIONS), &json!("0.12"))
        );
        assert_eq!(report(&["show", "1"]).await, changed);
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

/// A file in which our model costs so many dollars for a million tokens.
fn prices(folder: &Path, dollars: i64) -> PathBuf {
    let file = folder.join("ours.toml");
    let text = format!(
        "schema = 1\ncatalogue = 2026-11-24\ncurrency = \"USD\"\nunit = \"per_mtok\"\nprovider = \"our-provider\"\n\n[[model]]\n\
         id = \"our-model\"\nsource = \"our contract\"\nchecked_on = 2026-11-24\n\n[[model.interval]]\nrates = {{ input = \"{dollars}\" }}\n"
    );
    std::fs::write(&file, text).unwrap();
    file
}

/// Sends operations of a model that the built-in prices do not know.
async fn send(pipeline: &Pipeline<'_>, operations: i64) {
    let operation = |_| {
        json!({
            "provider": "our-provider", "model": "our-model", "operation_type": "chat", "input_tokens": TOKENS, "output_tokens": 0,
            "started_at": opstream_schemas::UtcMicros::now().to_string(), "system_prompt": "be brief",
        })
    };
    let operations: Vec<Value> = (0..operations).map(operation).collect();
    let url = format!("{}/v1/operations", pipeline.url());
    let answer = reqwest::Client::new().post(url).json(&operations).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    pipeline.settle().await;
}

/// Asks for everything until now to be priced with this file, as soon as the database lets it.
async fn reprice(pipeline: &Pipeline<'_>, prices: &Path) {
    let arguments = ["reprice", "--from", "2026-01-01", "--prices", prices.to_str().unwrap(), "--no-wait"];
    let asked = pipeline.run(&arguments).await;
    assert!(asked.status.success(), "{asked:?}");
}

async fn done(pipeline: &Pipeline<'_>, number: i64, state: &str) {
    eventually(PATIENCE, async || {
        let shown = pipeline.run(&["reprice", "show", &number.to_string(), "--json"]).await;
        let shown: Value = serde_json::from_slice(&shown.stdout).map_err(|error| error.to_string())?;
        if shown["state"] == state { Ok(()) } else { Err(shown.to_string()) }
    })
    .await;
}

/// What windows say.
async fn figures(pipeline: &Pipeline<'_>) -> Value {
    let mut totals = eventually(PATIENCE, async || pipeline.get("/v1/totals").await).await;
    totals.as_object_mut().unwrap().remove("complete_to");
    totals
}

/// What rows say.
async fn rows(pipeline: &Pipeline<'_>) -> Vec<Value> {
    let listed = pipeline.get("/v1/operations?limit=100").await.unwrap();
    listed["operations"].as_array().unwrap().clone()
}
