//! Where an application reports what an operation costs, the deployment's policy says whose cost counts. Both costs are kept, and how
//! far they are apart is in the totals, whichever counts; what is stored keeps its cost when the policy changes.

use serde_json::{Value, json};

use crate::harness::backends::{Backends, each_combination};
use crate::harness::pipeline::Pipeline;

const POLICY: &str = "OPSTREAM_COST_POLICY";

/// Tokens that cost 0.20 by the catalogue, or those of a model that it does not have.
fn operation(model: &str, reported: Option<&str>) -> Value {
    json!({
        "provider": "openai", "model": model, "operation_type": "chat", "started_at": "2026-11-23T12:00:00Z",
        "session_id": format!("{model}, reported {}", reported.unwrap_or("none")),
        "input_tokens": 100_000, "output_tokens": 0, "reported_cost_usd": reported,
    })
}

const PRICED: &str = "gpt-6.1-sol";
const UNPRICED: &str = "gpt-of-tomorrow";

#[tokio::test]
async fn reported_costs_count_where_it_says_so_and_the_difference_is_told() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start_with(backends, &[(POLICY, "reported-or-catalogue")]).await;
        let operations = [
            operation(PRICED, None),
            operation(PRICED, Some("0.15")),
            operation(UNPRICED, Some("0.07")),
            operation(UNPRICED, None),
        ];
        send(&pipeline, &operations).await;
        let mut expected = vec![
            (format!("{PRICED}, reported none"), json!(["0.20", "priced", null, "0.20", PRICED])),
            (format!("{PRICED}, reported 0.15"), json!(["0.15", "reported", "0.20", null, PRICED])),
            (format!("{UNPRICED}, reported 0.07"), json!(["0.07", "reported", null, null, null])),
            (format!("{UNPRICED}, reported none"), json!([null, "unpriced", null, null, null])),
        ];
        assert_eq!(costs(&pipeline).await, sorted(&expected));
        let figures = ["0.42", "0.22", "0.20", "0.22", "-0.05"];
        assert_eq!(totals(&pipeline).await, (figures.map(str::to_owned), [1, 1]));
        assert_said(&pipeline, "reported", "reported less catalogue: -0.05 USD").await;

        pipeline.stop().await;
        pipeline.set(&[(POLICY, "catalogue")]);
        pipeline.start_processes().await;
        send(&pipeline, &[operation(PRICED, Some("0.3")), operation(UNPRICED, Some("0.9"))]).await;
        expected.push((format!("{PRICED}, reported 0.3"), json!(["0.20", "priced", "0.20", "0.20", PRICED])));
        expected.push((format!("{UNPRICED}, reported 0.9"), json!([null, "unpriced", null, null, null])));
        assert_eq!(costs(&pipeline).await, sorted(&expected));
        let figures = ["0.62", "1.42", "0.40", "0.22", "0.05"];
        assert_eq!(totals(&pipeline).await, (figures.map(str::to_owned), [2, 2]));
        assert_said(&pipeline, "unpriced", "; it does not count, by the cost policy").await;
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

async fn send(pipeline: &Pipeline<'_>, operations: &[Value]) {
    let url = format!("{}/v1/operations", pipeline.url());
    let answer = reqwest::Client::new().post(url).json(&operations).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    pipeline.settle().await;
}

fn sorted(costs: &[(String, Value)]) -> Vec<(String, Value)> {
    let mut sorted = costs.to_vec();
    sorted.sort_by(|one, other| one.0.cmp(&other.0));
    sorted
}

/// By session: cost, status, what the catalogue says beside it, the part that is input, and the model whose prices were used.
async fn costs(pipeline: &Pipeline<'_>) -> Vec<(String, Value)> {
    let listed = pipeline.get("/v1/operations").await.unwrap();
    let row = |row: &Value| {
        let costs = ["cost_usd", "cost_status", "catalogue_cost_usd", "input_cost_usd", "price_key"];
        (row["session_id"].as_str().unwrap().to_owned(), costs.map(|name| row[name].clone()).into_iter().collect())
    };
    sorted(&listed["operations"].as_array().unwrap().iter().map(row).collect::<Vec<_>>())
}

/// Cost, reported cost, input's part of the cost, reported cost as a part of the cost, and reported less catalogue; then how many
/// operations are unpriced, and how many compared.
async fn totals(pipeline: &Pipeline<'_>) -> ([String; 5], [i64; 2]) {
    let totals = pipeline.get("/v1/totals").await.unwrap();
    let money = ["cost_usd", "reported_cost_usd", "input_cost_usd", "reported_as_cost_usd", "reported_difference_usd"];
    let money = money.map(|name| totals[name].as_str().unwrap().to_owned());
    (money, ["unpriced", "compared"].map(|name| totals[name].as_i64().unwrap()))
}

/// Explains a stored operation of this status that has a reported cost.
async fn assert_said(pipeline: &Pipeline<'_>, status: &str, words: &str) {
    let listed = pipeline.get(&format!("/v1/operations?cost_status={status}")).await.unwrap();
    let rows = listed["operations"].as_array().unwrap();
    let mut explained = Vec::new();
    for row in rows.iter().filter(|row| row["reported_cost_usd"].is_string()) {
        let id = row["operation_id"].as_str().unwrap();
        let output = pipeline.run(&["price", "explain", "--operation-id", id]).await;
        explained.push(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    assert!(explained.iter().any(|text| text.contains(words)), "{words}: {explained:?}");
}
