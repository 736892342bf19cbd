//! With a number of days to keep, older days go whole: rows, contents and files, whenever the process is killed. Totals over time
//! stay, also through a rebuild, and whatever comes later for a dropped day is a dead letter.

use std::time::Duration;

use opstream_schemas::avro::encode_operation;
use opstream_schemas::database::Value;
use opstream_schemas::time::DAY_MILLIS;
use opstream_schemas::{Operation, OperationId, UtcMicros, UtcMillis};
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::json;

use crate::harness::backends::{Backends, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;

const KEPT: &[(&str, &str)] = &[("OPSTREAM_KEEP_DAYS", "2")];
const DAYS: i64 = 6;
const OF_A_DAY: i64 = 20;
const DROPPED_WITHIN: Duration = Duration::from_mins(2);

#[tokio::test]
async fn old_days_go_and_totals_stay() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        let sent = send_day_by_day(&pipeline).await;
        send_prompt_of_each_day(&pipeline).await;
        let totals = totals_of(&pipeline).await;
        assert_eq!(totals["operations"].as_u64(), u64::try_from(sent.len()).ok());
        pipeline.assert_verified().await;
        let previewed = pipeline.run(&["aggregator", "--keep-days", "2", "--preview-retention"]).await;
        let said = String::from_utf8_lossy(&previewed.stdout);
        assert!(previewed.status.success() && said.contains("would be dropped"), "{said}");

        pipeline.stop().await;
        pipeline.set(KEPT);
        for _ in 0..2 {
            pipeline.start_processes().await;
            pipeline.kill().await;
            pipeline.assert_verified().await;
        }
        pipeline.start_processes().await;
        let floor = until_dropped(&pipeline, &sent).await;
        assert!(said.contains(&floor.to_string()), "{floor}: {said}");
        pipeline.assert_verified().await;
        assert_eq!(totals_of(&pipeline).await, totals);
        let (old, new) = (sent.iter().min().unwrap(), sent.iter().max().unwrap());
        let gone = pipeline.get(&format!("/v1/operations/{old}")).await.unwrap_err();
        assert!(gone.starts_with("404") && gone.contains("no longer kept"), "{gone}");
        pipeline.get(&format!("/v1/operations/{new}")).await.unwrap();

        assert_refused(&pipeline, *old).await;
        pipeline.stop().await;
        age(&pipeline).await;
        pipeline.start_processes().await;
        until_deleted(&pipeline).await;
        pipeline.assert_verified().await;
        let rebuilt = pipeline.run(&["aggregator", "--rebuild"]).await;
        assert!(rebuilt.status.success(), "{}", String::from_utf8_lossy(&rebuilt.stderr));
        assert_eq!(totals_of(&pipeline).await, totals);
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

/// What all operations add up to, without how far that is known.
async fn totals_of(pipeline: &Pipeline<'_>) -> serde_json::Value {
    let mut totals = pipeline.get("/v1/totals").await.unwrap();
    totals.as_object_mut().unwrap().remove("complete_to").unwrap();
    totals
}

/// Sends operations of each day, each day in batches of its own; and a batch of the first and the last day. Returns their ids.
async fn send_day_by_day(pipeline: &Pipeline<'_>) -> Vec<OperationId> {
    let now = UtcMillis::now();
    let of_day = |day: i64, n: i64| OperationId::generate(now.plus_millis(-day * DAY_MILLIS - n));
    let mut sent = Vec::new();
    for day in (0..DAYS).rev() {
        let ids: Vec<OperationId> = (0..OF_A_DAY).map(|n| of_day(day, n)).collect();
        send(pipeline, &ids).await;
        pipeline.settle().await;
        sent.extend(ids);
    }
    let both = [of_day(DAYS - 1, 100), of_day(0, 100)];
    send(pipeline, &both).await;
    pipeline.settle().await;
    sent.extend(both);
    sent
}

/// As log records, which have times of their own.
async fn send_prompt_of_each_day(pipeline: &Pipeline<'_>) {
    let now = UtcMillis::now();
    let record = |day: i64| {
        let millis = now.plus_millis(-day * DAY_MILLIS).millis();
        json!({
            "timeUnixNano": format!("{millis}000000"), "eventName": "gen_ai.user.message",
            "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331",
            "body": {"kvlistValue": {"values": [{"key": "content", "value": {"stringValue": "be kind"}}]}},
        })
    };
    let records: Vec<_> = (0..DAYS).map(record).collect();
    let body = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]});
    let answer = reqwest::Client::new().post(format!("{}/v1/logs", pipeline.url())).json(&body).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "{}");
    let count = "select count(*) as n from span_contents where $1 = 0 and $2 is not null";
    eventually(DROPPED_WITHIN, async || {
        let stored = number(pipeline, count, UtcMillis::from_millis(0)).await;
        if stored == DAYS { Ok(()) } else { Err(stored) }
    })
    .await;
}

/// All under one key, so that they are in one partition and mostly in one batch.
async fn send(pipeline: &Pipeline<'_>, ids: &[OperationId]) {
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", pipeline.bootstrap()).set("linger.ms", "50").create().unwrap();
    let topic = pipeline.topic("operations");
    let mut deliveries = Vec::new();
    for id in ids {
        let started = Operation::starting("chat", UtcMicros::from(id.time()));
        let prompt = Some("be kind".to_owned());
        let operation = Operation { operation_id: *id, input_tokens: Some(10), system_prompt: prompt, ..started };
        let mut bytes = Vec::new();
        encode_operation(&operation, &mut bytes);
        let record = FutureRecord::to(&topic).key("s").payload(&bytes);
        deliveries.push(producer.send_result(record).map_err(|(error, _)| error).unwrap());
    }
    for delivery in deliveries {
        tokio::time::timeout(Duration::from_secs(30), delivery).await.unwrap().unwrap().unwrap();
    }
}

/// One number of the database, for a query that takes the floor and the lowest id above it.
async fn number(pipeline: &Pipeline<'_>, sql: &'static str, floor: UtcMillis) -> i64 {
    let database = pipeline.database().await;
    let values: [Value; 2] = [floor.into(), OperationId::lowest_at(floor).into()];
    let row = database.fetch_optional(sql, &values).await.unwrap().unwrap();
    database.close().await;
    row.int("n").unwrap()
}

/// Waits until exactly the days before the floor are gone, and returns it.
async fn until_dropped(pipeline: &Pipeline<'_>, sent: &[OperationId]) -> UtcMillis {
    let unmoved = UtcMillis::from_millis(0);
    let floor = eventually(DROPPED_WITHIN, async || {
        let sql = "select value as n from settings where name = 'retention_floor_ms' and $1 = 0 and $2 is not null";
        let floor = UtcMillis::from_millis(number(pipeline, sql, unmoved).await);
        if floor.millis() > UtcMillis::now().millis() - DAYS * DAY_MILLIS { Ok(floor) } else { Err(floor) }
    })
    .await;
    assert_eq!(floor, floor.day_start());
    let kept = i64::try_from(sent.iter().filter(|id| id.time() >= floor).count()).unwrap();
    assert!(kept > 2 * OF_A_DAY && kept <= 3 * OF_A_DAY + 1, "{kept} are kept");
    eventually(DROPPED_WITHIN, async || {
        let rows =
            number(pipeline, "select count(*) as n from operations where $1 > 0 and $2 is not null", floor).await;
        let old_files = "select count(*) as n from lake_files \
                         where removed_at_ms is null and max_operation_id < $2 and $1 > 0";
        let prompts = "select count(*) as n from span_contents where $1 > 0 and $2 is not null";
        let seen = (rows, number(pipeline, old_files, floor).await, number(pipeline, prompts, floor).await);
        // Today's, and those of the two days before.
        if seen == (kept, 0, 3) { Ok(()) } else { Err(seen) }
    })
    .await;
    let below = "select count(*) as n from operations where time_ms < $1 and $2 is not null";
    assert_eq!(number(pipeline, below, floor).await, 0);
    floor
}

/// A dropped day is over for good: what comes for it is a dead letter that says why.
async fn assert_refused(pipeline: &Pipeline<'_>, dropped: OperationId) {
    send(pipeline, &[OperationId::generate(dropped.time())]).await;
    pipeline.settle().await;
    let database = pipeline.database().await;
    let letters = database.fetch_all("select reason_code, reason from dead_letters", &[]).await.unwrap();
    database.close().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].text("reason_code").unwrap(), "before_retention_floor");
    let reason = letters[0].text("reason").unwrap();
    assert!(reason.contains(&dropped.time().to_string()), "{reason}");
}

/// As if everything so far had happened a week ago.
async fn age(pipeline: &Pipeline<'_>) {
    let database = pipeline.database().await;
    let mut tx = database.begin().await.unwrap();
    let week: Value = (7 * DAY_MILLIS).into();
    for sql in [
        "update lake_files set removed_at_ms = removed_at_ms - $1 where removed_at_ms is not null",
        "update applied_ranges set applied_at_ms = applied_at_ms - $1",
    ] {
        assert!(tx.execute(sql, std::slice::from_ref(&week)).await.unwrap() > 0);
    }
    tx.commit().await.unwrap();
    database.close().await;
}

/// Waits until the lake holds the listed files and no others, all of them live, and old ranges are merged.
async fn until_deleted(pipeline: &Pipeline<'_>) {
    eventually(DROPPED_WITHIN, async || {
        let floor = UtcMillis::from_millis(1);
        let counted = "select count(*) as n from lake_files where $1 > 0 and $2 is not null";
        let removed =
            "select count(*) as n from lake_files where removed_at_ms is not null and $1 > 0 and $2 is not null";
        let merged =
            "select count(*) as n from applied_ranges where merged_at_ms is not null and $1 > 0 and $2 is not null";
        let (listed, removed) = (number(pipeline, counted, floor).await, number(pipeline, removed, floor).await);
        let seen = (files_below(&pipeline.lake()), listed, removed, number(pipeline, merged, floor).await);
        if seen.0 == seen.1 && seen.2 == 0 && seen.3 > 0 { Ok(()) } else { Err(seen) }
    })
    .await;
}

fn files_below(folder: &std::path::Path) -> i64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files_below(&path) } else { 1 }).sum()
}
