//! Whatever was ever written stays readable, by every version: stored bytes and the rule `FULL_TRANSITIVE`.

use apache_avro::schema_compatibility::SchemaCompatibility;
use apache_avro::types::Value;
use apache_avro::{Schema, from_avro_datum};
use serde_json::{Map, json};

use super::*;

/// Bytes that were stored, and what they hold.
#[derive(Clone, Copy)]
struct Golden<'a> {
    name: &'static str,
    record: Record,
    /// Schema of the writer.
    writer: &'a str,
    bytes: &'static [u8],
    json: &'static str,
}

macro_rules! golden {
    ($name:literal, $record:expr, $writer:expr) => {
        Golden {
            name: $name,
            record: $record,
            writer: $writer,
            bytes: include_bytes!(concat!("../../../avro/golden/", $name, ".bin")),
            json: include_str!(concat!("../../../avro/golden/", $name, ".json")),
        }
    };
}

const GOLDEN: [Golden<'static>; 16] = [
    golden!("operation.v1.full", Record::Operation, OPERATION_V1),
    golden!("operation.v1.sparse", Record::Operation, OPERATION_V1),
    golden!("operation.oldest", Record::Operation, include_str!("../../../avro/golden/operation.oldest.avsc")),
    golden!("operation.newer", Record::Operation, include_str!("../../../avro/golden/operation.newer.avsc")),
    golden!("window.v1.full", Record::Window, WINDOW_V1),
    golden!("window.v1.sparse", Record::Window, WINDOW_V1),
    golden!("window.v2.full", Record::Window, WINDOW_V2),
    golden!("window.v2.sparse", Record::Window, WINDOW_V2),
    golden!("window.v3.full", Record::Window, WINDOW_V3),
    golden!("window.v3.sparse", Record::Window, WINDOW_V3),
    golden!("window.oldest", Record::Window, include_str!("../../../avro/golden/window.oldest.avsc")),
    golden!("window.newer", Record::Window, include_str!("../../../avro/golden/window.newer.avsc")),
    golden!("span_content.v1.full", Record::SpanContent, SPAN_CONTENT_V1),
    golden!("span_content.v1.sparse", Record::SpanContent, SPAN_CONTENT_V1),
    golden!("alert.v1.full", Record::Alert, ALERT_V1),
    golden!("alert.v1.sparse", Record::Alert, ALERT_V1),
];

type Json = serde_json::Value;
/// Something done to a field of a schema.
type Change = fn(&mut Json);

/// Every version of this record, those that only the tests know included.
fn versions(record: Record) -> Vec<&'static str> {
    let builtin = BUILTIN_SCHEMAS.iter().filter(|schema| schema.record == record).map(|schema| schema.text);
    let stored = GOLDEN.iter().filter(|golden| golden.record == record).map(|golden| golden.writer);
    builtin.chain(stored).collect()
}

fn parsed(text: &str) -> Schema {
    Schema::parse_str(text).unwrap()
}

fn fields(text: &str) -> Vec<Json> {
    let schema: Json = serde_json::from_str(text).unwrap();
    schema["fields"].as_array().unwrap().clone()
}

fn plain(value: Value) -> Json {
    match value {
        Value::Union(_, value) => plain(*value),
        Value::Null => Json::Null,
        Value::Fixed(_, bytes) | Value::Bytes(bytes) => hex(&bytes).into(),
        Value::String(text) => text.into(),
        Value::Int(number) => number.into(),
        Value::Long(number) | Value::TimestampMicros(number) | Value::TimestampMillis(number) => number.into(),
        Value::Double(number) => number.into(),
        Value::Boolean(truth) => truth.into(),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Map(entries) => entries.into_iter().map(|(name, value)| (name, plain(value))).collect(),
        Value::Record(fields) => Json::Object(fields.into_iter().map(|(name, value)| (name, plain(value))).collect()),
        other => panic!("our schemas hold no {other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// What a reader of this version sees of stored bytes.
fn read(golden: &Golden<'_>, reader: &str) -> Json {
    let mut datum = split_frame(golden.bytes).unwrap().datum;
    let value = from_avro_datum(&parsed(golden.writer), &mut datum, Some(&parsed(reader)));
    let value = value.unwrap_or_else(|error| panic!("{}: {error}", golden.name));
    assert!(datum.is_empty(), "{}: {} bytes are left over", golden.name, datum.len());
    plain(value)
}

/// What it must see: what was written, and in fields that were not, the defaults that version 1 promised.
fn expected(golden: &Golden<'_>, reader: &str) -> Json {
    let written: Map<String, Json> = serde_json::from_str(golden.json).unwrap();
    let promised: Map<String, Json> = serde_json::from_str(match golden.record {
        Record::Operation => include_str!("../../../avro/golden/operation.v1.defaults.json"),
        Record::Window => include_str!("../../../avro/golden/window.v1.defaults.json"),
        Record::SpanContent => include_str!("../../../avro/golden/span_content.v1.defaults.json"),
        Record::Alert => include_str!("../../../avro/golden/alert.v1.defaults.json"),
    })
    .unwrap();
    let value = |field: &Json| {
        let name = field["name"].as_str().unwrap();
        let value = written.get(name).or_else(|| promised.get(name)).unwrap_or(&field["default"]);
        (name.to_owned(), value.clone())
    };
    Json::Object(fields(reader).iter().map(value).collect())
}

#[test]
fn every_version_reads_the_stored_bytes_of_every_other() {
    for golden in &GOLDEN {
        for reader in versions(golden.record) {
            assert_eq!(read(golden, reader), expected(golden, reader), "{}", golden.name);
        }
    }
}

#[test]
fn every_version_is_compatible_with_every_other_in_both_directions() {
    for record in [Record::Operation, Record::Window, Record::SpanContent, Record::Alert] {
        let versions = versions(record);
        for writer in &versions {
            for reader in &versions {
                let compatible = SchemaCompatibility::can_read(&parsed(writer), &parsed(reader));
                assert!(compatible.is_ok(), "{compatible:?}");
            }
        }
    }
}

/// Stricter than Avro, which lets a number become a longer one: our decoder reads a field as the version that it knows.
#[test]
fn a_field_keeps_its_type_and_its_default_for_ever() {
    for record in [Record::Operation, Record::Window, Record::SpanContent, Record::Alert] {
        let mut known: BTreeMap<String, Json> = BTreeMap::new();
        for version in versions(record) {
            for field in fields(version) {
                let name = field["name"].as_str().unwrap().to_owned();
                let contract = json!([field["type"], field.get("default")]);
                let first = known.entry(name.clone()).or_insert_with(|| contract.clone());
                assert_eq!(*first, contract, "{name}");
            }
        }
    }
}

/// What the checks above must notice, done to version 1.
#[test]
fn a_change_that_breaks_a_reader_is_noticed() {
    let changed = |change: fn(&mut Json)| {
        let mut schema: Json = serde_json::from_str(OPERATION_V1).unwrap();
        let fields = schema["fields"].as_array_mut().unwrap();
        change(fields.iter_mut().find(|field| field["name"] == "input_tokens").unwrap());
        schema.to_string()
    };
    let changes: [(&str, Change); 3] = [
        ("renamed", |field| field["name"] = "prompt_tokens".into()),
        ("retyped", |field| field["type"] = json!(["null", "string"])),
        ("without default", |field| drop(field.as_object_mut().unwrap().remove("default"))),
    ];
    let [full, oldest] = [&GOLDEN[0], &GOLDEN[2]];
    for (what, change) in changes {
        let text = changed(change);
        let is_compatible = SchemaCompatibility::can_read(&parsed(full.writer), &parsed(&text)).is_ok()
            && SchemaCompatibility::can_read(&parsed(oldest.writer), &parsed(&text)).is_ok();
        let in_place = Golden { writer: &text, ..*full };
        let reads_alike = std::panic::catch_unwind(|| read(&in_place, OPERATION_V1)).ok();
        let is_noticed = !is_compatible || reads_alike != Some(expected(full, OPERATION_V1));
        assert!(is_noticed, "{what}");
    }
}

/// The encoder writes what another implementation writes.
#[test]
fn operations_are_written_as_they_were_stored() {
    for golden in GOLDEN.iter().filter(|golden| golden.record == Record::Operation && golden.writer == OPERATION_V1) {
        let mut object: Map<String, Json> = serde_json::from_str(golden.json).unwrap();
        object.retain(|_, value| !value.is_null());
        if let Some(cost) = object.remove("reported_cost_nano_usd") {
            let cost = NanoUsd::from_nanos(cost.as_i64().unwrap());
            object.insert("reported_cost_usd".to_owned(), serde_json::to_value(cost).unwrap());
        }
        let operation: Operation = serde_json::from_value(Json::Object(object)).unwrap();
        let mut bytes = Vec::new();
        encode_operation(&operation, &mut bytes);
        assert_eq!(hex(&bytes), hex(golden.bytes), "{}", golden.name);
    }
}

#[test]
fn alerts_are_written_as_they_were_stored() {
    use crate::alerts::{Alert, AlertKey, AlertState, Because, Unit};
    let text = |text: &str| Some(text.to_owned());
    let at = UtcMillis::from_millis;
    let alert = Alert {
        alert_id: "0f6f2a3e-6c1d-8a44-9b51-3d2f3a9f0c11".to_owned(),
        rule_id: 1,
        rule_version: 3,
        rule: "search-month".to_owned(),
        kind: "budget".to_owned(),
        workspace: text("wörk"),
        dimensions: BTreeMap::from([("team".to_owned(), text("search")), ("model".to_owned(), None)]),
        key: AlertKey { period_start: at(1_790_000_000_000), threshold: 80, combination: [0; 16] },
        period_end: at(1_792_592_000_000),
        value: 81_200_000_000,
        limit: 80_000_000_000,
        unit: Unit::NanoUsd,
        operations: 4711,
        raised_at: at(1_790_000_000_123),
        state: AlertState::Resolved { at: at(1_792_592_000_456), because: Because::PeriodEnded },
        revision: 2,
    };
    let mut bytes = Vec::new();
    encode_alert_as(&alert, ALERT_V1_ID, &mut bytes);
    let golden = GOLDEN.iter().find(|golden| golden.name == "alert.v1.full").unwrap();
    // Everything but the sentence, which is not stored and may be worded anew.
    let stored = &golden.bytes[..golden.bytes.len() - "search-month: 81.20 usd".len() - 1];
    assert_eq!(hex(&bytes[..stored.len()]), hex(stored));
    assert!(
        alert.message().starts_with("search-month: 81.20 usd for model=(none), team=search reached 80 % of the budget")
    );
    let unpriced = Alert { kind: "unpriced".to_owned(), unit: Unit::Operations, value: 8, ..alert };
    assert!(unpriced.message().starts_with("search-month: 8 operations without a price for"), "{}", unpriced.message());
}
