//! Answers over windows that were filled from known operations, against the other routes and against what they must be.

use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::fixture::windows::Counted;

/// 2026-11-23T08:00:00Z.
const EIGHT: i64 = 1_795_420_800_000;
const MINUTE: i64 = 60_000;
const RANGE: &str = "from=2026-11-23T08:00:00Z&to=2026-11-23T10:00:00Z";

fn counted(minutes_after_eight: i64, names: (&str, &str), cost: i64, latency_us: u64) -> Counted {
    Counted::call(EIGHT + minutes_after_eight * MINUTE + 59_999, names, cost, latency_us)
}

/// Operations of three models at 8:00, 8:01, 8:20, 9:30, and at 7:00 and 7:59.
async fn filled() -> Fixture {
    let api = Box::pin(Fixture::new()).await;
    for operation in [
        counted(-60, ("openai", "a"), 40, 1_000),
        counted(-1, ("openai", "b"), 2, 50),
        counted(0, ("openai", "a"), 1_000_000_000, 100),
        counted(1, ("openai", "b"), 500_000_000, 20_000),
        counted(20, ("openai", "a"), 1, 300),
        counted(90, ("openai", "b"), 70_000_000, 400),
        counted(90, ("mistral_ai", "c"), 0, 900),
    ] {
        Box::pin(api.count(&operation)).await;
    }
    api
}

async fn ask(api: &Fixture, query: &str) -> Value {
    let answer = Box::pin(api.get(&format!("/v1/query?{query}"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn refusal(api: &Fixture, query: &str) -> String {
    let answer = Box::pin(api.get(&format!("/v1/query?{query}"))).await;
    assert_eq!(answer.status, 400);
    answer.json()["error"]["message"].as_str().unwrap().to_owned()
}

fn names(answer: &Value) -> Vec<&str> {
    answer["groups"].as_array().unwrap().iter().map(|group| group["dimensions"]["model"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn totals_without_dimensions_are_those_of_totals() {
    let api = filled().await;
    let measures = "operations,failures,unpriced,cost_usd,input_tokens,output_tokens";
    let answer = ask(&api, &format!("measures={measures}&{RANGE}")).await;
    let totals = Box::pin(api.get(&format!("/v1/totals?{RANGE}"))).await.json();
    for measure in measures.split(',') {
        assert_eq!(answer["groups"][0]["totals"][measure], totals[measure], "{measure}");
    }
    assert_eq!((&answer["source"], &answer["left_out"]), (&json!("windows"), &json!(0)));
    assert_eq!(answer["measures"][3], json!({ "name": "cost_usd", "unit": "usd" }));
    assert!(answer.get("steps").is_none() && answer["groups"][0].get("series").is_none());
    let nothing = ask(&api, "measures=operations,cost_usd,failure_rate&to=2020-01-01T00:00:00Z").await;
    assert_eq!(nothing["groups"][0]["totals"], json!({ "operations": 0, "cost_usd": "0.00", "failure_rate": null }));
}

#[tokio::test]
async fn every_step_is_there_and_groups_and_others_add_up_to_all() {
    let api = filled().await;
    let question = format!("measures=cost_usd,operations&{RANGE}&resolution=quarter_hour");
    let all = ask(&api, &question).await;
    assert_eq!(all["steps"].as_array().unwrap().len(), 8);
    assert_eq!(all["groups"][0]["series"]["operations"], json!([2, 1, 0, 0, 0, 0, 2, 0]));
    let grouped = ask(&api, &format!("{question}&by=provider,model&limit=1")).await;
    assert_eq!((names(&grouped), &grouped["left_out"]), (vec!["a"], &json!(2)));
    assert_eq!(grouped["groups"][0]["series"]["operations"], json!([1, 1, 0, 0, 0, 0, 0, 0]));
    assert_eq!(grouped["groups"][0]["totals"]["cost_usd"], "1.000000001");
    assert_eq!(grouped["others"]["series"]["operations"], json!([1, 0, 0, 0, 0, 0, 2, 0]));
    assert_eq!(grouped["others"]["totals"], json!({ "cost_usd": "0.57", "operations": 3 }));
    assert_eq!(grouped["others"]["dimensions"], json!({}));
}

#[tokio::test]
async fn steps_of_groups_are_those_of_the_series() {
    let api = filled().await;
    let series = Box::pin(api.get(&format!("/v1/series?{RANGE}&resolution=hour&by=model"))).await.json();
    let answer = ask(&api, &format!("measures=cost_usd&{RANGE}&resolution=hour&by=model")).await;
    for group in answer["groups"].as_array().unwrap() {
        let same = |series: &&Value| series["dimensions"] == group["dimensions"];
        let points = series["series"].as_array().unwrap().iter().find(same).unwrap()["points"].as_array().unwrap();
        for (step, cost) in
            answer["steps"].as_array().unwrap().iter().zip(group["series"]["cost_usd"].as_array().unwrap())
        {
            let point = points.iter().find(|point| point["start"] == step["start"]);
            assert_eq!(*cost, point.map_or(json!("0.00"), |point| point["cost_usd"].clone()));
        }
    }
    let local = ask(&api, &format!("measures=operations&{RANGE}&resolution=day&zone=Asia/Kolkata")).await;
    assert_eq!(local["steps"][0]["start_local"], "2026-11-23T00:00:00+05:30");
    assert_eq!(local["groups"][0]["series"]["operations"], json!([5]));
}

#[tokio::test]
async fn percentiles_are_those_of_percentiles_and_order_groups() {
    let api = filled().await;
    let question = format!("measures=latency_p99_us,latency_mean_us,operations&{RANGE}&by=model&order=latency_p99_us");
    let answer = ask(&api, &question).await;
    assert_eq!(names(&answer), ["b", "c", "a"]);
    assert_eq!(answer["percentile_error"], 0.01);
    let percentiles = Box::pin(api.get(&format!("/v1/percentiles?{RANGE}&by=model"))).await.json();
    for group in answer["groups"].as_array().unwrap() {
        let same = |other: &&Value| other["dimensions"] == group["dimensions"];
        let other = percentiles["groups"].as_array().unwrap().iter().find(same).unwrap();
        assert_eq!(group["totals"]["latency_p99_us"], other["latency"]["p99_us"]);
    }
    let two = ask(&api, &format!("{question}&limit=2&resolution=hour")).await;
    assert_eq!((names(&two), &two["others"]["totals"]["operations"]), (vec!["b", "c"], &json!(2)));
    assert_eq!(two["groups"][0]["totals"]["latency_p99_us"], answer["groups"][0]["totals"]["latency_p99_us"]);
    assert_eq!(two["groups"][1]["series"]["latency_p99_us"][0], Value::Null);
    assert_eq!(two["others"]["totals"]["latency_p99_us"], Value::Null);
}

#[tokio::test]
async fn the_period_before_is_beside_each_group() {
    let api = filled().await;
    let hour = "from=2026-11-23T08:00:00Z&to=2026-11-23T09:00:00Z&compare=previous";
    let answer = ask(&api, &format!("measures=operations,cost_usd,latency_max_us&{hour}")).await;
    assert_eq!(answer["previous"], json!({ "from": "2026-11-23T07:00:00.000Z", "to": "2026-11-23T08:00:00.000Z" }));
    assert_eq!(answer["groups"][0]["previous"]["cost_usd"], "0.000000042");
    assert!(answer["groups"][0]["previous"]["latency_max_us"].as_f64().unwrap() > 980.0);
    let grouped = ask(&api, &format!("measures=operations,cost_usd&by=model&limit=1&{hour}")).await;
    assert_eq!(grouped["groups"][0]["previous"], json!({ "operations": 1, "cost_usd": "0.00000004" }));
    assert_eq!(grouped["others"]["previous"], json!({ "operations": 1, "cost_usd": "0.000000002" }));
    // No group is left out, but the period before has more of them.
    let later = "from=2026-11-23T09:00:00Z&to=2026-11-23T10:00:00Z&compare=previous";
    let one = ask(&api, &format!("measures=operations,cost_usd&by=model&provider=openai&{later}")).await;
    assert_eq!((names(&one), &one["left_out"]), (vec!["b"], &json!(0)));
    assert_eq!(one["groups"][0]["previous"], json!({ "operations": 1, "cost_usd": "0.50" }));
}

#[tokio::test]
async fn a_filter_that_is_given_several_times_means_any_of_its_values() {
    let api = filled().await;
    let answer =
        ask(&api, &format!("measures=operations&{RANGE}&by=model&model=a&model=c&provider=mistral&provider=openai"))
            .await;
    assert_eq!(names(&answer), ["a", "c"]);
    let teams = ask(&api, &format!("measures=operations&{RANGE}&team=&team=blue")).await;
    assert_eq!(teams["groups"][0]["totals"]["operations"], 5);
    let none = ask(&api, &format!("measures=operations&{RANGE}&team=")).await;
    assert_eq!(none["groups"][0]["totals"]["operations"], 3);
}

#[tokio::test]
async fn what_cannot_be_answered_says_what_can() {
    let api = filled().await;
    assert!(refusal(&api, RANGE).await.contains("measures=operations,cost_usd"));
    assert!(refusal(&api, "measures=latency").await.contains("measures are operations"));
    assert!(refusal(&api, "measures=operations&resolution=hour").await.contains("steps need a start"));
    assert!(refusal(&api, "measures=operations&by=sesion").await.contains("session_id, user_id"));
    assert!(refusal(&api, "measures=operations&by=session_id&source=windows").await.contains("do not keep"));
    assert!(refusal(&api, "measures=operations&compare=last").await.contains("allowed is one of previous"));
    let long = "from=2026-11-17T00:00:00Z&to=2026-11-24T00:00:00Z&resolution=minute";
    let many = refusal(&api, &format!("measures=operations,cost_usd,failures&by=model&{long}")).await;
    assert!(many.contains("more than 100000 points"), "{many}");
}
