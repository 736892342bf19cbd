//! With a Schema Registry of the deployment, records carry its ids, and records of other writers are read by their own schemas. While
//! it is away nothing is lost: what needs it waits, what does not goes on.

use std::collections::BTreeSet;
use std::time::Duration;

use apache_avro::types::Value;
use apache_avro::{Schema, to_avro_datum};
use opstream_schemas::avro::{OPERATION_V1_ID, SchemaId, encode_operation_as, split_frame};
use opstream_schemas::{Operation, OperationId, UtcMicros, UtcMillis};
use rdkafka::message::{BorrowedMessage, Message as _};
use serde_json::json;

use crate::harness::backends::{Backends, each_combination};
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;
use crate::harness::schema_registry::SchemaRegistry;

const SOON: Duration = Duration::from_mins(1);
/// Ids that the registry of these stories gives to the two schemas.
const OPERATIONS: u32 = 100_001;
const WINDOWS: u32 = 100_002;

#[tokio::test]
async fn records_carry_its_ids_and_other_writers_are_read_by_their_own_schemas() {
    each_combination(async |backends: &Backends| {
        let mut registry = registered(backends).await;
        let mut pipeline = Pipeline::start_with(backends, &[("OPSTREAM_SCHEMA_REGISTRY", &registry.url())]).await;
        post(&pipeline).await;
        assert_eq!(ids_on(&pipeline, "operations").await, BTreeSet::from([OPERATIONS]));

        let team = registry.add("team-value", &team_schema(&json!(["string", "null"])));
        let wrong = registry.add("team-value", &team_schema(&json!("int")));
        let protobuf = registry.add_answer(json!({"schema": "syntax = \"proto3\";", "schemaType": "PROTOBUF"}));
        let records = [
            of_team(team, "team-1"),
            of_team(team, "team-2"),
            ours(OPERATION_V1_ID.0),
            ours(OPERATIONS),
            [&[0], &wrong.to_be_bytes()[..], b"any"].concat(),
            [&[0], &protobuf.to_be_bytes()[..], b"any"].concat(),
            ours(424_242),
        ];
        pipeline.send_values(&records).await;
        pipeline.settle().await;
        assert_eq!(pipeline.operations().await, 5);
        assert_eq!(models(&pipeline).await, ["gpt-4o", "ours", "ours", "team-1", "team-2"]);
        assert_letters(&pipeline).await;
        assert_eq!(registry.count_asked(&format!("GET /schemas/ids/{team}")), 1, "what an id means is kept");
        assert_eq!(registry.count_asked("GET /schemas/ids/424242"), 3, "it is asked again before a letter is made");

        // What needs the registry waits for it, and whoever looks is told.
        let late = registry.add("team-value", &team_schema(&json!(["null", "string", "long"])));
        // A replica that lags behind does not make a letter either.
        registry.deny(late, 2);
        registry.go_away().await;
        pipeline.send_values(&[of_team_late(late), ours(OPERATIONS)]).await;
        pipeline.says("ingestor", "looking up a schema in the registry").await;
        post(&pipeline).await;
        assert_eq!(letters(&pipeline).await.len(), 3, "an outage is not poison");
        registry.come_back().await;
        pipeline.settle().await;
        pipeline.can_work("ingestor").await;
        assert_eq!(pipeline.operations().await, 8);
        assert_eq!(letters(&pipeline).await.len(), 3);

        published_as(&pipeline, WINDOWS).await;
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_start_without_the_registry_takes_operations_in_and_windows_wait() {
    each_combination(async |backends: &Backends| {
        let mut registry = registered(backends).await;
        registry.go_away().await;
        let mut pipeline = Pipeline::start_with(backends, &[("OPSTREAM_SCHEMA_REGISTRY", &registry.url())]).await;
        post(&pipeline).await;
        pipeline.settle().await;
        assert_eq!(pipeline.operations().await, 1);
        assert_eq!(ids_on(&pipeline, "operations").await, BTreeSet::from([OPERATION_V1_ID.0]));
        pipeline.says("aggregator", "publication").await;
        registry.come_back().await;
        published_as(&pipeline, WINDOWS).await;
        eventually(SOON, async || {
            post(&pipeline).await;
            let ids = ids_on(&pipeline, "operations").await;
            if ids.contains(&OPERATIONS) { Ok(()) } else { Err(format!("records carry {ids:?}")) }
        })
        .await;
        pipeline.settle().await;
        pipeline.can_work("aggregator").await;
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_role_whose_schema_is_not_registered_says_so_and_ends() {
    let registry = SchemaRegistry::start().await;
    let folder = tempfile::tempdir().unwrap();
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_opstream"))
        .args(["api", "--database-url", "sqlite:x.db", "--listen", "127.0.0.1:0"])
        .current_dir(folder.path())
        .env_clear()
        .env("OPSTREAM_SCHEMA_REGISTRY", registry.url())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("llm.operations-value") && said.contains("opstream schemas register"), "{said}");
    assert!(!folder.path().join("x.db").exists(), "nothing was opened");
}

/// A registry in which `opstream schemas` has registered the schemas of these topics.
pub(crate) async fn registered(backends: &Backends) -> SchemaRegistry {
    let registry = SchemaRegistry::start().await;
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_opstream"))
        .args(["schemas", "register", "--topic-prefix", &backends.topic_prefix, "--schema-registry", &registry.url()])
        .current_dir(backends.folder.path())
        .env_clear()
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    registry
}

/// Another team's operations: their own order, fields and types.
fn team_schema(model: &serde_json::Value) -> String {
    let fields = json!([
        {"name": "started_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "cost_centre", "type": {"type": "enum", "name": "CostCentre", "symbols": ["A", "B"]}},
        {"name": "model", "type": model},
        {"name": "operation_id", "type": {"type": "fixed", "name": "Id", "size": 16}},
        {"name": "input_tokens", "type": "int"},
    ]);
    json!({"type": "record", "name": "team.Operation", "fields": fields}).to_string()
}

fn of_team(id: u32, model: &str) -> Vec<u8> {
    team_record(id, &json!(["string", "null"]), Value::Union(0, Box::new(Value::String(model.to_owned()))))
}

fn of_team_late(id: u32) -> Vec<u8> {
    let model = Value::Union(1, Box::new(Value::String("late".to_owned())));
    team_record(id, &json!(["null", "string", "long"]), model)
}

fn team_record(id: u32, kind: &serde_json::Value, model: Value) -> Vec<u8> {
    let operation_id = OperationId::generate(UtcMillis::now());
    let record = [
        ("started_at", Value::TimestampMicros(UtcMicros::now().micros())),
        ("cost_centre", Value::Enum(1, "B".to_owned())),
        ("model", model),
        ("operation_id", Value::Fixed(16, operation_id.bytes().to_vec())),
        ("input_tokens", Value::Int(7)),
    ];
    let record = Value::Record(record.map(|(name, value)| (name.to_owned(), value)).to_vec());
    let datum = to_avro_datum(&Schema::parse_str(&team_schema(kind)).unwrap(), record).unwrap();
    [&[0], &id.to_be_bytes()[..], &datum].concat()
}

fn ours(id: u32) -> Vec<u8> {
    let operation = Operation { model: Some("ours".to_owned()), ..Operation::starting("chat", UtcMicros::now()) };
    let mut value = Vec::new();
    encode_operation_as(&operation, SchemaId(id), &mut value);
    value
}

/// One operation through the front door.
async fn post(pipeline: &Pipeline<'_>) {
    let started_at = UtcMicros::now().micros();
    let operation = json!({"started_at": started_at, "operation_type": "chat", "provider": "openai", "model": "gpt-4o", "session_id": "s"});
    let answer = reqwest::Client::new()
        .post(format!("{}/v1/operations", pipeline.url()))
        .header("idempotency-key", format!("k-{started_at}"))
        .json(&operation)
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// Schema ids of all values that are on a topic now.
async fn ids_on(pipeline: &Pipeline<'_>, topic: &str) -> BTreeSet<u32> {
    let id = |message: &BorrowedMessage<'_>| Some(split_frame(message.payload()?).unwrap().schema_id.0);
    pipeline.read_topic(topic, id).await.into_iter().flatten().collect()
}

/// Waits until all windows are on their topic, under this id.
async fn published_as(pipeline: &Pipeline<'_>, id: u32) {
    let database = pipeline.database().await;
    eventually(SOON, async || {
        let sql = "select count(*) as waiting from windows where revision <> published_revision";
        match database.fetch_optional(sql, &[]).await.unwrap().unwrap().int("waiting").unwrap() {
            0 => Ok(()),
            waiting => Err(format!("{waiting} windows are not published")),
        }
    })
    .await;
    database.close().await;
    assert_eq!(ids_on(pipeline, "windows").await, BTreeSet::from([id]));
}

async fn models(pipeline: &Pipeline<'_>) -> Vec<String> {
    let database = pipeline.database().await;
    let rows = database.fetch_all("select model from operations order by model", &[]).await.unwrap();
    database.close().await;
    rows.iter().map(|row| row.text("model").unwrap()).collect()
}

/// Code and reason of each dead letter, by code.
async fn letters(pipeline: &Pipeline<'_>) -> Vec<(String, String)> {
    let database = pipeline.database().await;
    let sql = "select reason_code, reason from dead_letters order by reason_code, reason";
    let rows = database.fetch_all(sql, &[]).await.unwrap();
    database.close().await;
    rows.iter().map(|row| (row.text("reason_code").unwrap(), row.text("reason").unwrap())).collect()
}

async fn assert_letters(pipeline: &Pipeline<'_>) {
    let letters = letters(pipeline).await;
    let codes: Vec<&str> = letters.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(codes, ["unknown_schema", "unresolvable_schema", "unresolvable_schema"]);
    assert!(letters[0].1.contains("424242"), "{letters:?}");
    assert!(letters[1].1.ends_with("model is written as int, read as union of null and string"), "{letters:?}");
    assert!(letters[2].1.ends_with("its schema is of type PROTOBUF, not AVRO"), "{letters:?}");

    // The commands for operators ask the registry too.
    let listed = pipeline.run(&["dead-letters", "list", "--json", "--reason", "unresolvable_schema"]).await;
    let first: serde_json::Value =
        serde_json::from_slice(listed.stdout.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    let shown = pipeline.run(&["dead-letters", "show", first["place"].as_str().unwrap()]).await;
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("cannot be read as one of operations"), "{shown}");
    let redriven = pipeline.run(&["dead-letters", "redrive", "--reason", "unresolvable_schema", "--dry-run"]).await;
    let said = String::from_utf8(redriven.stdout).unwrap();
    assert!(redriven.status.code() == Some(1) && said.contains("unresolvable_schema"), "{said}");
}
