//! Prices that a deployment lays over the built-in ones hold for what is stored from then on, and a file that is edited needs no
//! restart; what is wrong with it changes nothing and is said.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::harness::backends::{Backends, Combination, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;

/// Long enough for a machine that is busy; files are looked at every five seconds.
const PATIENCE: Duration = Duration::from_mins(1);
const PRICES: &str = "OPSTREAM_PRICES";

#[tokio::test]
async fn a_negotiated_price_holds_from_the_moment_when_it_is_written() {
    each_combination(async |backends: &Backends| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ours.toml");
        write(&file, "1");
        let mut pipeline = Pipeline::start_with(backends, &[(PRICES, folder.path().to_str().unwrap())]).await;
        assert_eq!(cost_of_a_million(&pipeline, "before").await, "1.00");
        write(&file, "3");
        eventually(PATIENCE, async || {
            let cost = cost_of_a_million(&pipeline, "after").await;
            if cost == "3.00" { Ok(()) } else { Err(cost) }
        })
        .await;

        write(&file, "a dollar");
        let role = if backends.combination == Combination::EmbeddedSqlite { "up" } else { "ingestor" };
        eventually(PATIENCE, async || {
            let refused = pipeline.metric(role, "opstream_ingestor_price_files_refused").await?;
            if refused > 0.5 { Ok(()) } else { Err("the file is taken".to_owned()) }
        })
        .await;
        assert_eq!(cost_of_a_million(&pipeline, "broken").await, "3.00");
        assert!(pipeline.count_in_logs("ours.toml, model our-model, field interval[0].rates.input") > 0);
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

fn write(file: &Path, input: &str) {
    let text = format!(
        "schema = 1\ncatalogue = 2026-11-24\ncurrency = \"USD\"\nunit = \"per_mtok\"\nprovider = \"our-provider\"\n\n[[model]]\n\
         id = \"our-model\"\nsource = \"our contract\"\nchecked_on = 2026-11-24\n\n[[model.interval]]\nrates = {{ input = \"{input}\" }}\n"
    );
    // As an editor does it: nobody sees half a file.
    let whole = file.with_extension("new");
    std::fs::write(&whole, text).unwrap();
    std::fs::rename(whole, file).unwrap();
}

/// What an operation costs that is sent now.
async fn cost_of_a_million(pipeline: &Pipeline<'_>, session: &str) -> String {
    let operation = json!({
        "provider": "our-provider", "model": "our-model", "operation_type": "chat", "session_id": session,
        "input_tokens": 1_000_000, "output_tokens": 0, "started_at": opstream_schemas::UtcMicros::now().to_string(),
    });
    let url = format!("{}/v1/operations", pipeline.url());
    let answer = reqwest::Client::new().post(url).json(&operation).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    pipeline.settle().await;
    let listed = pipeline.get("/v1/operations?limit=1").await.unwrap();
    let newest = &listed["operations"][0];
    assert_eq!(newest["session_id"], session, "{listed:#}");
    newest["cost_usd"].as_str().unwrap_or("none").to_owned()
}
