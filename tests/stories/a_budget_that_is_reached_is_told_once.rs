//! A budget that operations reach is one alert: in the table, over the api, on the topic and to a webhook, although the aggregator dies at
//! every step between them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::HeaderMap;
use axum::routing::post;
use opstream_aggregator::alerts::webhooks::signature;
use opstream_schemas::avro::{ALERT_V1_ID, split_frame};
use rdkafka::message::{BorrowedMessage, Message as _};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::backends::{Backends, Combination, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;

const PATIENCE: Duration = Duration::from_mins(1);
const SECRET: &str = "a secret of the story";
/// Part of the webhook's address that must not be said.
const KEY: &str = "hunter2";

/// What a webhook was sent: headers and body.
type Calls = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// Steps at which the aggregator dies while there is something to tell.
const STEPS: [&str; 6] =
    ["alerts.judged", "alerts.coming", "alerts.committed", "alerts.sent", "alerts.marked", "webhooks.called"];

#[tokio::test]
async fn it_is_one_alert_whoever_dies_when() {
    each_combination(async |backends: &Backends| {
        let (calls, port, _server) = receive().await;
        let secret = backends.folder.path().join("secret");
        std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
        let webhook = format!("ops=http://127.0.0.1:{port}/hook?key={KEY}");
        let settings = [
            ("OPSTREAM_WEBHOOKS", webhook.as_str()),
            ("OPSTREAM_WEBHOOK_ALLOW", "127.0.0.1"),
            ("OPSTREAM_WEBHOOK_ALLOW_PRIVATE", "true"),
            ("OPSTREAM_WEBHOOK_SECRET_FILE", secret.to_str().unwrap()),
        ];
        let mut pipeline = Pipeline::start_with(backends, &settings).await;
        let role = if backends.combination == Combination::EmbeddedSqlite { "up" } else { "aggregator" };
        let file = backends.folder.path().join("alerts.toml");

        // Half of the budget, and then all of it.
        apply(&pipeline, &file, "budget").await;
        spend(&pipeline).await;
        alerts(&pipeline, 1).await;
        spend(&pipeline).await;
        let told = alerts(&pipeline, 2).await;
        let thresholds: BTreeSet<_> = told.iter().map(|alert| alert["threshold_percent"].as_i64()).collect();
        assert_eq!(thresholds, BTreeSet::from([Some(50), Some(100)]));

        for (place, step) in STEPS.iter().enumerate() {
            pipeline.restart(&[role], &format!("{step}=crash@1")).await;
            apply(&pipeline, &file, &format!("budget-{place}")).await;
            pipeline.process(role).ended(PATIENCE).await;
            pipeline.restart(&[role], "").await;
            alerts(&pipeline, 2 * (place + 2)).await;
        }
        let all = alerts(&pipeline, 2 * (STEPS.len() + 1)).await;
        let ids: BTreeSet<String> = all.iter().map(|alert| alert["alert_id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids.len(), all.len(), "each has an id of its own");
        eventually(PATIENCE, async || {
            let called: BTreeSet<String> =
                calls.lock().unwrap().iter().map(|(head, _)| header(head, "alert-id")).collect();
            if called == ids { Ok(()) } else { Err(called.len()) }
        })
        .await;
        assert_signed(&calls);
        published(&pipeline, &ids).await;

        assert_eq!((pipeline.count_in_logs(KEY), pipeline.count_in_logs(SECRET)), (0, 0));
        let tested = pipeline.run(&["alerts", "test", "budget"]).await;
        let said = String::from_utf8(tested.stdout).unwrap();
        assert!(tested.status.code() == Some(1) && said.contains("(100 %), reached"), "{said}");
        let deleted = pipeline.run(&["alerts", "delete", "budget"]).await;
        assert!(deleted.status.success());
        eventually(PATIENCE, async || {
            let over = pipeline.get("/v1/alerts?state=resolved&rule=budget").await?;
            if over["alerts"].as_array().map(Vec::len) == Some(2) { Ok(()) } else { Err(over.to_string()) }
        })
        .await;
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

/// A receiver of webhooks.
async fn receive() -> (Calls, u16, JoinSet<()>) {
    let calls = Calls::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::clone(&calls);
    let take = move |head: HeaderMap, body: String| async move { seen.lock().unwrap().push((head, body)) };
    let app = axum::Router::new().route("/hook", post(take));
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, app).await.unwrap() });
    (calls, port, server)
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers[format!("opstream-{name}").as_str()].to_str().unwrap().to_owned()
}

fn assert_signed(calls: &Calls) {
    for (headers, body) in calls.lock().unwrap().iter() {
        let timestamp = header(headers, "timestamp").parse().unwrap();
        assert_eq!(header(headers, "signature"), signature(SECRET.as_bytes(), timestamp, body.as_bytes()));
        let json: Value = serde_json::from_str(body).unwrap();
        assert_eq!(json["alert"]["alert_id"], header(headers, "alert-id"));
        assert_eq!(json["type"], "alert.raised");
    }
}

/// Makes a rule: two dollars a month, in India.
async fn apply(pipeline: &Pipeline<'_>, file: &Path, name: &str) {
    let rule = format!(
        "[[rule]]\nname = \"{name}\"\nkind = \"budget\"\nfilter = {{ team = \"search\" }}\nper = [\"model\"]\namount_usd = 2\n\
         period = \"month\"\nzone = \"Asia/Kolkata\"\nthresholds = [50, 100]\n"
    );
    std::fs::write(file, rule).unwrap();
    for (arguments, said) in
        [(&["--dry-run"][..], "would be created"), (&[][..], "created"), (&[][..], "says the same already")]
    {
        let applied = pipeline.run(&[&["alerts", "apply", file.to_str().unwrap()], arguments].concat()).await;
        let text = String::from_utf8(applied.stdout).unwrap();
        assert_eq!(text, format!("{name}: {said}\n"), "{}", String::from_utf8_lossy(&applied.stderr));
    }
}

/// One dollar and a quarter: half of two is one.
async fn spend(pipeline: &Pipeline<'_>) {
    let operation = json!({
        "provider": "openai", "model": "gpt-4o", "operation_type": "chat", "team": "search",
        "input_tokens": 500_000, "output_tokens": 0, "started_at": opstream_schemas::UtcMicros::now().to_string(),
    });
    let url = format!("{}/v1/operations", pipeline.url());
    let answer = reqwest::Client::new().post(url).json(&operation).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
}

/// Waits until there are so many alerts and no more.
async fn alerts(pipeline: &Pipeline<'_>, expected: usize) -> Vec<Value> {
    eventually(PATIENCE, async || {
        let answer = pipeline.get("/v1/alerts?limit=1000").await?;
        let alerts = answer["alerts"].as_array().cloned().unwrap_or_default();
        assert!(alerts.len() <= expected, "{} alerts instead of {expected}: {answer:#}", alerts.len());
        if alerts.len() == expected { Ok(alerts) } else { Err(format!("{} alerts", alerts.len())) }
    })
    .await
}

/// Waits until every alert is on the topic, and nothing else.
async fn published(pipeline: &Pipeline<'_>, ids: &BTreeSet<String>) {
    eventually(PATIENCE, async || {
        let keys: BTreeSet<String> = pipeline.read_topic("alerts", key).await.into_iter().collect();
        if keys == *ids { Ok(()) } else { Err(keys.len()) }
    })
    .await;
}

fn key(message: &BorrowedMessage<'_>) -> String {
    assert_eq!(split_frame(message.payload().unwrap()).unwrap().schema_id, ALERT_V1_ID);
    String::from_utf8(message.key().unwrap().to_vec()).unwrap()
}
