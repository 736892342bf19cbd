//! Whatever comes over the topic, nothing is lost and nothing blocks the partition: each bad record is a dead letter
//! with its reason, and the records around it are stored.

use std::collections::BTreeMap;
use std::time::Duration;

use opstream_schemas::avro::encode_operation;
use opstream_schemas::database::Engine;
use opstream_schemas::{Operation, OperationId, UtcMicros, UtcMillis};

use crate::harness::backends::{Backends, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;

#[tokio::test]
async fn each_bad_record_has_its_reason_and_holds_up_nobody() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        let shared = OperationId::generate(UtcMillis::now());
        let records = [
            ("good", encoded(&operation())),
            ("undecodable", damaged()),
            ("unknown_schema", unknown_schema()),
            ("not_framed", b"{\"model\": \"gpt-4o\"}".to_vec()),
            ("negative_count", encoded(&Operation { input_tokens: Some(-1), ..operation() })),
            ("before_retention_floor", encoded(&Operation { operation_id: id_of(1_000_000), ..operation() })),
            (
                "too_far_ahead",
                encoded(&Operation { operation_id: id_of(UtcMillis::now().millis() + 172_800_000), ..operation() }),
            ),
            ("undecodable", not_utf8()),
            ("good", encoded(&Operation { operation_id: shared, ..operation() })),
            (
                "id_of_another_workspace",
                encoded(&Operation { operation_id: shared, workspace: "lab".to_owned(), ..operation() }),
            ),
            ("good", encoded(&Operation { session_id: Some("../..".to_owned()), ..operation() })),
            ("good", encoded(&Operation { system_prompt: Some("x".repeat(5 << 20)), ..operation() })),
            ("good", encoded(&Operation { agent_id: Some("nul\0agent".to_owned()), ..operation() })),
            ("good", encoded(&hard_to_cast())),
        ];
        let mut expected: BTreeMap<String, i64> = BTreeMap::new();
        for (reason, _) in &records {
            *expected.entry((*reason).to_owned()).or_default() += 1;
        }
        pipeline.send_values(&records.map(|(_, value)| value)).await;
        pipeline.settle().await;

        let stored = expected.remove("good").unwrap();
        assert_eq!(pipeline.get("/v1/totals").await.unwrap()["operations"].as_i64(), Some(stored));
        assert_eq!(dead_letters(&pipeline).await, expected);
        assert_json_can_be_searched(&pipeline).await;
        assert_copied_once(&pipeline, expected.values().sum()).await;
        let outside: Vec<_> =
            std::fs::read_dir(pipeline.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(outside.iter().all(|name| !name.to_string_lossy().contains("..")), "{outside:?}");
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

fn operation() -> Operation {
    Operation {
        session_id: Some("s".to_owned()),
        provider: Some("openai".to_owned()),
        ..Operation::starting("chat", UtcMicros::now())
    }
}

/// Valid JSON that a database cannot cast, under a provider's other name.
fn hard_to_cast() -> Operation {
    Operation {
        provider: Some("gemini".to_owned()),
        tags: BTreeMap::from([("te\0am".to_owned(), "search\0".to_owned())]),
        metadata: Some("{\"team\": \"search\\u0000\"}".to_owned()),
        request_parameters: Some("\"\\ud800\"".to_owned()),
        ..operation()
    }
}

fn id_of(millis: i64) -> OperationId {
    OperationId::generate(UtcMillis::from_millis(millis))
}

fn encoded(operation: &Operation) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_operation(operation, &mut bytes);
    bytes
}

fn damaged() -> Vec<u8> {
    let mut bytes = encoded(&operation());
    bytes.truncate(bytes.len() - 5);
    bytes
}

fn unknown_schema() -> Vec<u8> {
    let mut bytes = encoded(&operation());
    bytes[1..5].copy_from_slice(&42_u32.to_be_bytes());
    bytes
}

fn not_utf8() -> Vec<u8> {
    let mut bytes = encoded(&Operation { model: Some("marker".to_owned()), ..operation() });
    let place = bytes.windows(6).position(|window| window == b"marker").unwrap();
    bytes[place] = 0xff;
    bytes
}

/// One value that cannot be cast would make the query fail for the whole table.
async fn assert_json_can_be_searched(pipeline: &Pipeline<'_>) {
    let database = pipeline.database().await;
    let sql = match database.engine() {
        Engine::Postgres => {
            "select count(*) as n from operations where tags::jsonb ->> 'x' is null and request_parameters::jsonb ->> 'x' is null \
             and metadata::jsonb ->> 'team' like 'search%' and provider = 'gcp.gemini'"
        }
        Engine::Sqlite => {
            "select count(*) as n from operations where tags ->> 'x' is null and request_parameters ->> 'x' is null \
             and metadata ->> 'team' like 'search%' and provider = 'gcp.gemini'"
        }
    };
    let row = database.fetch_optional(sql, &[]).await.unwrap().unwrap();
    database.close().await;
    assert_eq!(row.int("n").unwrap(), 1);
}

/// Every letter is on its topic, and none of them twice.
async fn assert_copied_once(pipeline: &Pipeline<'_>, letters: i64) {
    let database = pipeline.database().await;
    eventually(Duration::from_mins(1), async || {
        let sql = "select count(*) as n from dead_letters where published_at_ms is null";
        let waiting = database.fetch_optional(sql, &[]).await.unwrap().unwrap().int("n").unwrap();
        if waiting == 0 { Ok(()) } else { Err(format!("{waiting} letters are not copied")) }
    })
    .await;
    database.close().await;
    let copies: i64 = pipeline.log_ends("operations.dead").await.iter().map(|(_, end)| end).sum();
    assert_eq!(copies, letters);
}

async fn dead_letters(pipeline: &Pipeline<'_>) -> BTreeMap<String, i64> {
    let database = pipeline.database().await;
    let rows = database
        .fetch_all("select reason_code, count(*) as letters from dead_letters group by reason_code", &[])
        .await
        .unwrap();
    database.close().await;
    rows.iter().map(|row| (row.text("reason_code").unwrap(), row.int("letters").unwrap())).collect()
}
