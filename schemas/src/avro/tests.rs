//! The encoder against apache-avro, which reads our bytes with our schema as any client would.

mod evolution;

use std::collections::BTreeMap;

use apache_avro::types::Value;
use apache_avro::{Schema, from_avro_datum};

use super::*;
use crate::{NanoUsd, Operation, OperationId, UtcMicros, UtcMillis};

fn full_operation() -> Operation {
    Operation {
        operation_id: OperationId::mint(UtcMillis::from_millis(1_790_000_000_123), [7; 10]),
        call_id: Some("call-1".to_owned()),
        attempt: 2,
        session_id: Some("sitzung-é-你好".to_owned()),
        stream: Some(true),
        temperature: Some(0.25),
        max_tokens: Some(-1),
        started_at: UtcMicros::from_micros(1_790_000_000_123_456),
        latency_us: Some(i64::MAX),
        finish_reasons: vec!["stop".to_owned(), "length".to_owned()],
        input_tokens: Some(300),
        cache_read_tokens: 128,
        reported_cost_usd: Some(NanoUsd::from_nanos(3_832_500)),
        tags: BTreeMap::from([("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())]),
        ..Operation::default()
    }
}

fn decode(operation: &Operation) -> BTreeMap<String, Value> {
    let mut bytes = Vec::new();
    encode_operation(operation, &mut bytes);
    let framed = split_frame(&bytes).unwrap();
    assert_eq!(framed.schema_id, OPERATION_V1_ID);
    let schema = Schema::parse_str(OPERATION_V1).unwrap();
    let mut rest = framed.datum;
    let Value::Record(fields) = from_avro_datum(&schema, &mut rest, None).unwrap() else { panic!("not a record") };
    assert!(rest.is_empty(), "{} bytes are left over", rest.len());
    fields.into_iter().collect()
}

fn some(value: Value) -> Value {
    Value::Union(1, Box::new(value))
}

#[test]
fn a_stock_avro_reader_reads_every_kind_of_field() {
    let fields = decode(&full_operation());
    assert_eq!(fields["operation_id"], Value::Fixed(16, full_operation().operation_id.bytes().to_vec()));
    assert_eq!(fields["workspace"], Value::String("default".to_owned()));
    assert_eq!(fields["attempt"], Value::Int(2));
    assert_eq!(fields["trace_id"], Value::Union(0, Box::new(Value::Null)));
    assert_eq!(fields["session_id"], some(Value::String("sitzung-é-你好".to_owned())));
    assert_eq!(fields["stream"], some(Value::Boolean(true)));
    assert_eq!(fields["temperature"], some(Value::Double(0.25)));
    assert_eq!(fields["max_tokens"], some(Value::Long(-1)));
    assert_eq!(fields["started_at"], Value::TimestampMicros(1_790_000_000_123_456));
    assert_eq!(fields["latency_us"], some(Value::Long(i64::MAX)));
    assert_eq!(fields["cache_read_tokens"], Value::Long(128));
    assert_eq!(fields["reported_cost_nano_usd"], some(Value::Long(3_832_500)));
    assert_eq!(
        fields["finish_reasons"],
        Value::Array(vec![Value::String("stop".to_owned()), Value::String("length".to_owned())])
    );
    let Value::Map(tags) = &fields["tags"] else { panic!("tags are no map") };
    assert_eq!(tags["a"], Value::String("1".to_owned()));
}

#[test]
fn every_optional_field_has_a_default_that_is_its_first_branch() {
    for schema in BUILTIN_SCHEMAS {
        let json: serde_json::Value = serde_json::from_str(schema.text).unwrap();
        let required = [
            "operation_id",
            "trace_id",
            "span_id",
            "recorded_at",
            "workspace",
            "started_at",
            "dimension_set",
            "level",
            "window_start",
            "generation",
            "fence",
            "revision",
            "alert_id",
            "period_start",
            "period_end",
            "raised_at",
        ];
        for field in json["fields"].as_array().unwrap() {
            let name = field["name"].as_str().unwrap();
            assert!(field.get("default").is_some() || required.contains(&name), "{name} has no default");
            if let Some(branches) = field["type"].as_array() {
                assert_eq!(
                    (branches[0].as_str(), &field["default"]),
                    (Some("null"), &serde_json::Value::Null),
                    "{name}"
                );
            }
        }
        Schema::parse_str(schema.text).unwrap();
    }
}

#[test]
fn a_value_that_is_not_framed_says_what_was_found() {
    assert_eq!(
        split_frame(b"abc").unwrap_err().to_string(),
        "value of 3 bytes is too short for Confluent framing, which starts with 5 bytes"
    );
    assert!(split_frame(b"{\"a\":1}").unwrap_err().to_string().contains("0x7b"));
}
