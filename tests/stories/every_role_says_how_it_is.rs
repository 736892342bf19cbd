//! Whoever runs the roles can ask each of them: whether it lives, whether it can work, and its counters.

use std::time::Duration;

use crate::harness::backends::{Backends, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;

#[tokio::test]
async fn ingestor_and_aggregator_answer_health_and_metrics() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        let demo = pipeline.run(&["demo", "--operations", "50", "--rate", "1000"]).await;
        assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stderr));
        pipeline.settle().await;
        for (role, counter) in [
            ("ingestor", "opstream_ingestor_operations_total 50"),
            ("aggregator", "opstream_aggregator_operations_total 50"),
        ] {
            let url = pipeline.health_url(role);
            assert_eq!(get(&url, "/health/live").await.unwrap(), "{\"live\":true}");
            let ready = get(&url, "/health/ready").await.unwrap();
            assert!(ready.contains(&format!("{{\"name\":\"{role}\",\"ok\":true}}")), "{ready}");
            eventually(Duration::from_secs(20), async || {
                let metrics = get(&url, "/metrics").await?;
                if metrics.contains(counter) { Ok(()) } else { Err(metrics) }
            })
            .await;
        }
        pipeline.stop().await;
    })
    .await;
}

async fn get(url: &str, path: &str) -> Result<String, String> {
    let answer = reqwest::get(format!("{url}{path}")).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let text = answer.text().await.map_err(|error| error.to_string())?;
    if status.is_success() { Ok(text) } else { Err(format!("{status}: {text}")) }
}
