//! Whoever asks why an operation costs what it costs is told what it is stored with, line by line; and a price file with a fault is
//! refused with its place.

use std::path::Path;
use std::process::Output;

use opstream_schemas::NanoUsd;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::harness::backends::{Backends, each_combination};
use crate::harness::pipeline::Pipeline;

fn operations() -> [Value; 4] {
    let called = |provider: &str, model: &str| {
        json!({
            "provider": provider, "model": model, "operation_type": "chat", "started_at": "2026-11-23T12:00:00Z",
            "input_tokens": 300_000, "cache_read_tokens": 100_000, "output_tokens": 2_001,
        })
    };
    let mut flex = called("openai", "gpt-6.1-sol");
    flex["service_tier"] = "flex".into();
    flex["metadata"] = json!({"price_terms": {"region": "us"}});
    flex["web_searches"] = 1.into();
    let tool = json!({"operation_type": "execute_tool", "started_at": "2026-11-23T12:00:00Z"});
    [flex, called("anthropic", "claude-haiku-5-5"), called("openai", "gpt-of-tomorrow"), tool]
}

#[tokio::test]
async fn every_stored_cost_is_the_explained_one() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        let request = reqwest::Client::new().post(format!("{}/v1/operations", pipeline.url()));
        let answer = request.json(&operations()).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        pipeline.settle().await;
        let listed = pipeline.get("/v1/operations").await.unwrap();
        let rows = listed["operations"].as_array().unwrap();
        assert_eq!(rows.len(), operations().len());
        for row in rows {
            assert_explained(&pipeline, row).await;
        }
        pipeline.stop().await;
    })
    .await;
}

async fn assert_explained(pipeline: &Pipeline<'_>, row: &Value) {
    let id = row["operation_id"].as_str().unwrap();
    let output = pipeline.run(&["price", "explain", "--operation-id", id, "--json"]).await;
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(output.status.code(), Some(i32::from(row["cost_usd"].is_null())), "{said}");
    assert_eq!((&said["cost_usd"], &said["cost_status"]), (&row["cost_usd"], &row["cost_status"]));
    let stored = &said["stored"];
    assert_eq!((&stored["cost_usd"], &stored["price_version"]), (&row["cost_usd"], &row["price_version"]));
    let is_same = (&stored["is_the_same_cost"], &stored["is_the_same_version"]);
    assert_eq!(is_same, (&Value::Bool(true), &Value::Bool(true)), "{said}");
    let lines = said["lines"].as_array().unwrap();
    let sum: i64 = lines.iter().map(|line| NanoUsd::parse(line["amount_usd"].as_str().unwrap()).unwrap().nanos()).sum();
    let cost = row["cost_usd"].as_str().map_or(0, |cost| NanoUsd::parse(cost).unwrap().nanos());
    assert!((sum - cost).abs() <= 5, "no more than the rounding of {} lines: {said}", lines.len());
    if row["cost_status"] == "unpriced" {
        assert!(said["ways_out"].to_string().contains("--prices"), "{said}");
    }
}

async fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opstream"));
    command.args(arguments).current_dir(folder).env_clear().kill_on_drop(true).output().await.unwrap()
}

const PRICE_FILE: &str = r#"
schema = 1
catalogue = 2026-11-24
currency = "USD"
unit = "per_mtok"
provider = "openai"

[[model]]
id = "gpt-of-tomorrow"
source = "our contract"
checked_on = 2026-11-24
[[model.interval]]
rates = { input = "1", output = "8" }
"#;

#[tokio::test]
async fn a_price_file_is_refused_with_its_place_or_laid_over_the_others() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("prices")).unwrap();
    let file = folder.path().join("prices/openai.toml");
    std::fs::write(&file, PRICE_FILE.replace("\"8\"", "\"-8\"")).unwrap();
    let asked = [
        "price",
        "explain",
        "--provider",
        "openai",
        "--model",
        "gpt-of-tomorrow",
        "--input",
        "1000000",
        "--output",
        "0",
    ];
    let with_prices = [&asked[..], &["--prices", "prices"]].concat();

    let checked = run(folder.path(), &["price", "check", "prices"]).await;
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert_eq!(checked.status.code(), Some(1), "{said}");
    for word in ["prices/openai.toml", "gpt-of-tomorrow", "interval[0].rates.output", "-8 is negative"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(run(folder.path(), &with_prices).await.status.code(), Some(2));
    assert_eq!(run(folder.path(), &["price", "check", "none"]).await.status.code(), Some(2));

    std::fs::write(&file, PRICE_FILE).unwrap();
    let checked = run(folder.path(), &["price", "check", "prices"]).await;
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success() && said.contains("1 model, in place of 0 that were there"), "{said}");
    let differs = run(folder.path(), &["price", "diff", "prices"]).await;
    assert_eq!(differs.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&differs.stdout).contains("openai/gpt-of-tomorrow"));

    let unknown = run(folder.path(), &asked).await;
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
    let hostile = run(folder.path(), &["price", "explain", "--provider", "openai", "--model", "\u{1b}[2J"]).await;
    assert!(!hostile.stdout.contains(&0x1b) && !hostile.stdout.is_empty(), "{hostile:?}");
    let explained = run(folder.path(), &with_prices).await;
    let said = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(explained.status.success() && said.contains("our contract, checked on 2026-11-24"), "{said}");
}

#[tokio::test]
async fn what_an_import_writes_passes_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let list = r#"{"acme/new-1": {"litellm_provider": "acme", "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05,
        "input_cost_per_token_batches": 1.25e-06, "input_cost_per_pixel": 1e-09}, "groq/x": {"litellm_provider": "groq", "input_cost_per_token": 1e-07}}"#;
    std::fs::write(folder.path().join("list.json"), list).unwrap();
    let import = ["price", "import", "--from", "litellm", "list.json"];
    let several = run(folder.path(), &import).await;
    assert_eq!(several.status.code(), Some(2), "{several:?}");
    let imported = run(folder.path(), &[&import[..], &["--provider", "acme", "--only-missing"]].concat()).await;
    let said = String::from_utf8_lossy(&imported.stderr).into_owned();
    assert!(
        imported.status.success() && said.contains("acme/new-1: input_cost_per_pixel: a price file has no place"),
        "{said}"
    );
    std::fs::write(folder.path().join("acme.toml"), &imported.stdout).unwrap();
    assert!(run(folder.path(), &["price", "check", "acme.toml"]).await.status.success());
    let asked = [
        "price",
        "explain",
        "--provider",
        "acme",
        "--model",
        "new-1",
        "--input",
        "3",
        "--output",
        "0",
        "--processing",
        "batch",
    ];
    let explained = run(folder.path(), &[&asked[..], &["--prices", "acme.toml", "--json"]].concat()).await;
    let said: Value = serde_json::from_slice(&explained.stdout).unwrap();
    assert_eq!(
        (&said["cost_usd"], &said["lines"][0]["usd_per_million"]),
        (&json!("0.00000375"), &json!("1.25")),
        "{said}"
    );
}
