//! Far more undecodable records than usual: reading waits for people, health says why, and then nothing is lost.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::Value;

use crate::harness::backends::{Backends, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;

const DEADLINE: Duration = Duration::from_mins(1);
/// Above the hundred that are too few to be a flood.
const RECORDS: i64 = 300;

#[tokio::test]
async fn reading_waits_health_says_why_and_then_the_letters_are_written() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start_with(backends, &[("OPSTREAM_POISON_HOLD_S", "5")]).await;
        let demo = pipeline.run(&["demo", "--operations", "20", "--rate", "1000"]).await;
        assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
        pipeline.settle().await;
        send_poison(&pipeline).await;
        let reason = eventually(DEADLINE, async || {
            let (status, answer) = ready(&pipeline).await?;
            if status == 503 { Ok(answer) } else { Err(format!("{status}: {answer}")) }
        })
        .await;
        let told = reason["checks"].as_array().unwrap().iter().find(|check| check["name"] == "ingestor").unwrap();
        assert!(told["reason"].as_str().unwrap().contains("cannot be operations"), "{reason}");

        pipeline.settle().await;
        let database = pipeline.database().await;
        let row = database.fetch_optional("select count(*) as letters from dead_letters", &[]).await.unwrap().unwrap();
        assert_eq!(row.int("letters").unwrap(), RECORDS);
        database.close().await;
        eventually(DEADLINE, async || match ready(&pipeline).await? {
            (200, _) => Ok(()),
            (status, answer) => Err(format!("{status}: {answer}")),
        })
        .await;
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

/// What the ingestor answers when it is asked whether it can work.
async fn ready(pipeline: &Pipeline<'_>) -> Result<(u16, Value), String> {
    let url = format!("{}/health/ready", pipeline.health_url("ingestor"));
    let answer = reqwest::get(url).await.map_err(|error| error.to_string())?;
    let status = answer.status().as_u16();
    Ok((status, answer.json().await.map_err(|error| error.to_string())?))
}

async fn send_poison(pipeline: &Pipeline<'_>) {
    let producer: FutureProducer = ClientConfig::new().set("bootstrap.servers", pipeline.bootstrap()).create().unwrap();
    let topic = pipeline.topic("operations");
    let sent = (0..RECORDS).map(|_| {
        let record = FutureRecord::to(&topic).key("k").payload("no operation");
        producer.send(record, DEADLINE)
    });
    for outcome in futures_util::future::join_all(sent).await {
        outcome.map_err(|(error, _)| error).unwrap();
    }
}
