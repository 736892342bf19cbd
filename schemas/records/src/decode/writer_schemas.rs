//! What a registry has said of the schemas of other writers, by the id that their records carry. Pure: others ask.
//!
//! What an id means never changes, so that what was learnt holds until the process ends. That there is no schema with an id holds
//! for a while: it may be registered any time.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use opstream_schemas::avro::{RESERVED_IDS, SchemaId, WriterSchema, split_frame};

use super::decoder::resolve;
use super::layout::Layout;
use crate::record::RawBatch;

/// Schemas that are remembered: far more than write to one topic. When there are more, all are asked for anew.
const MAX_KNOWN: usize = 1_000;
/// Ids without a schema that are remembered. Bytes that are no frame of ours may hold any id.
const MAX_MISSING: usize = 10_000;
/// How long an id is taken to have none.
const MISSING_FOR: Duration = Duration::from_mins(1);

/// Schemas by id.
#[derive(Clone, Debug, Default)]
pub struct WriterSchemas {
    known: HashMap<SchemaId, Result<Layout, String>>,
    missing: HashMap<SchemaId, Instant>,
}

impl WriterSchemas {
    /// How records with this id fill our columns, or why they cannot; none when no schema of the id is known.
    pub(super) fn layout(&self, id: SchemaId) -> Option<Result<&Layout, &str>> {
        self.known.get(&id).map(|known| known.as_ref().map_err(String::as_str))
    }

    /// Ids in the frames of a batch about which the registry must be asked. Those of our reserved range are not among them.
    pub fn unknown_ids(&self, batch: &RawBatch, now: Instant) -> BTreeSet<SchemaId> {
        let values = batch.records().iter().filter_map(|record| batch.value(record));
        self.unknown_ids_of(values, now)
    }

    /// The same for these values.
    pub fn unknown_ids_of<'a>(&self, values: impl Iterator<Item = &'a [u8]>, now: Instant) -> BTreeSet<SchemaId> {
        let mut ids = BTreeSet::new();
        let mut previous = None;
        for id in values.filter_map(|value| split_frame(value).ok()).map(|framed| framed.schema_id) {
            // Nearly all records of a batch have one and the same.
            if previous != Some(id) {
                previous = Some(id);
                if self.is_unknown(id, now) {
                    ids.insert(id);
                }
            }
        }
        ids
    }

    fn is_unknown(&self, id: SchemaId, now: Instant) -> bool {
        !RESERVED_IDS.contains(&id.0)
            && !self.known.contains_key(&id)
            && self.missing.get(&id).is_none_or(|until| now >= *until)
    }

    /// The registry has this schema for the id.
    pub fn learn(&mut self, id: SchemaId, schema: &WriterSchema) {
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.missing.remove(&id);
        self.known.insert(id, layout(schema));
    }

    /// The registry has none for these ids.
    pub fn learn_missing(&mut self, ids: impl IntoIterator<Item = SchemaId>, now: Instant) {
        for id in ids {
            if self.missing.len() >= MAX_MISSING {
                self.missing.clear();
            }
            self.missing.insert(id, now + MISSING_FOR);
        }
    }
}

fn layout(schema: &WriterSchema) -> Result<Layout, String> {
    let WriterSchema { schema_type, text, has_references } = schema;
    if schema_type != "AVRO" {
        return Err(format!("its schema is of type {schema_type}, not AVRO"));
    }
    if *has_references {
        return Err("its schema refers to other schemas of the registry, which is not supported".to_owned());
    }
    resolve(text)
}

#[cfg(test)]
mod tests {
    use apache_avro::types::Value;
    use apache_avro::{Schema, to_avro_datum};
    use arrow_array::RecordBatch;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float64Type, Int32Type, Int64Type};
    use opstream_schemas::avro::OPERATION_V1;
    use serde_json::json;

    use super::*;
    use crate::decode::{decode_batch, test_batch};

    const ID: SchemaId = SchemaId(100_001);

    fn avro(text: &str) -> WriterSchema {
        WriterSchema { schema_type: "AVRO".to_owned(), text: text.to_owned(), has_references: false }
    }

    fn knowing(text: &str) -> WriterSchemas {
        let mut schemas = WriterSchemas::default();
        schemas.learn(ID, &avro(text));
        schemas
    }

    fn batch(values: &[Vec<u8>]) -> RawBatch {
        test_batch::batch(values.iter().map(|value| Some(&value[..])))
    }

    fn framed(id: u32, datum: &[u8]) -> Vec<u8> {
        [&[0][..], &id.to_be_bytes(), datum].concat()
    }

    /// A schema with the two fields that every writer must have between others, in another order than ours.
    fn schema(fields: &[serde_json::Value]) -> String {
        let own = [
            json!({"name": "started_at", "type": {"type": "long", "logicalType": "timestamp-micros"}}),
            json!({"name": "operation_id", "type": {"type": "fixed", "name": "Key", "size": 16}}),
        ];
        let fields: Vec<_> = own.iter().chain(fields).collect();
        json!({"type": "record", "name": "team.Operation", "fields": fields}).to_string()
    }

    /// The higher the id, the lower the first byte: the order of the ids is not that of the bytes.
    fn started_at(id: u8) -> i64 {
        1_790_000_000_000_016 - i64::from(id)
    }

    fn written(schema: &str, id: u8, fields: Vec<(&str, Value)>) -> Vec<u8> {
        let parsed = Schema::parse_str(schema).unwrap();
        let own =
            [("started_at", Value::TimestampMicros(started_at(id))), ("operation_id", Value::Fixed(16, vec![id; 16]))];
        let fields = own.into_iter().chain(fields).map(|(name, value)| (name.to_owned(), value)).collect();
        framed(ID.0, &to_avro_datum(&parsed, Value::Record(fields)).unwrap())
    }

    fn text(columns: &RecordBatch, name: &str) -> Vec<Option<String>> {
        let column = columns.column_by_name(name).unwrap().as_string::<i32>();
        column.iter().map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn a_writer_of_its_own_fills_our_columns_by_the_rules_of_avro() {
        let schema = schema(&[
            json!({"name": "workspace", "type": ["null", "string"]}),
            json!({"name": "input_tokens", "type": "int"}),
            json!({"name": "temperature", "type": ["float", "null", "long"]}),
            json!({"name": "nested", "type": {"type": "record", "name": "N", "fields": [
                {"name": "kinds", "type": {"type": "array", "items": {"type": "enum", "name": "E", "symbols": ["A", "B"]}}},
                {"name": "sizes", "type": {"type": "map", "values": ["null", "double"]}},
            ]}}),
            json!({"name": "model", "type": ["string", "null"]}),
            json!({"name": "tags", "type": {"type": "map", "values": "string"}}),
        ]);
        let nested = || {
            let sizes = [("x".to_owned(), Value::Union(1, Box::new(Value::Double(0.5))))];
            Value::Record(vec![
                ("kinds".to_owned(), Value::Array(vec![Value::Enum(1, "B".to_owned())])),
                ("sizes".to_owned(), Value::Map(sizes.into_iter().collect())),
            ])
        };
        let union = |branch, value| Value::Union(branch, Box::new(value));
        let record = |id, workspace, temperature, model| {
            let tags = [("k".to_owned(), Value::String("v".to_owned()))];
            written(
                &schema,
                id,
                vec![
                    ("workspace", workspace),
                    ("input_tokens", Value::Int(300)),
                    ("temperature", temperature),
                    ("nested", nested()),
                    ("model", model),
                    ("tags", Value::Map(tags.into_iter().collect())),
                ],
            )
        };
        let name = |name: &str| Value::String(name.to_owned());
        let values = [
            record(9, union(1, name("w")), union(0, Value::Float(0.5)), union(0, name("gpt"))),
            record(3, union(1, name("v")), union(2, Value::Long(2)), union(1, Value::Null)),
            // A null where we have none.
            record(1, union(0, Value::Null), union(1, Value::Null), union(0, name("gpt"))),
        ];
        let decoded = decode_batch(&batch(&values), &knowing(&schema));
        assert_eq!(decoded.records, [1, 0], "in the order of the ids, which are not the first field");
        let [(2, fault)] = &decoded.poison[..] else { panic!("{:?}", decoded.poison) };
        assert!(fault.to_string().contains("workspace: the value is of a type"), "{fault}");
        let columns = decoded.columns.unwrap();
        let numbers = |name: &str| columns.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec();
        assert_eq!(numbers("input_tokens"), [300, 300]);
        assert_eq!(numbers("started_at"), [started_at(3), started_at(9)]);
        let temperatures = columns.column_by_name("temperature").unwrap().as_primitive::<Float64Type>();
        assert_eq!(temperatures.values(), &[2.0, 0.5]);
        assert_eq!(text(&columns, "model"), [None, Some("gpt".to_owned())]);
        assert_eq!(text(&columns, "workspace"), [Some("v".to_owned()), Some("w".to_owned())]);
        assert_eq!(text(&columns, "tags"), [Some("{\"k\":\"v\"}".to_owned()), Some("{\"k\":\"v\"}".to_owned())]);
        assert_eq!(text(&columns, "operation_type"), [Some("chat".to_owned()), Some("chat".to_owned())]);
        let attempts = columns.column_by_name("attempt").unwrap().as_primitive::<Int32Type>();
        assert_eq!(attempts.values(), &[1, 1]);
    }

    #[test]
    fn every_shortened_record_of_such_a_writer_is_a_fault_and_none_a_panic() {
        let schema = schema(&[json!({"name": "list", "type": {"type": "array", "items": ["null", "long", "string"]}})]);
        let list = (0..3).map(|n| Value::Union(1, Box::new(Value::Long(n)))).collect();
        let whole = written(&schema, 1, vec![("list", Value::Array(list))]);
        let schemas = knowing(&schema);
        assert!(decode_batch(&batch(std::slice::from_ref(&whole)), &schemas).poison.is_empty());
        for length in 5..whole.len() {
            let decoded = decode_batch(&batch(&[whole[..length].to_vec()]), &schemas);
            assert!(decoded.columns.is_none() && decoded.poison[0].1.code() == "undecodable", "{length}");
        }
    }

    #[test]
    fn our_own_schema_under_an_id_of_the_registry_is_read_as_under_the_built_in_one() {
        let mut bytes = Vec::new();
        opstream_schemas::avro::encode_operation_as(&opstream_schemas::Operation::default(), ID, &mut bytes);
        let schemas = knowing(OPERATION_V1);
        assert!(!schemas.layout(ID).unwrap().unwrap().is_foreign(), "the quick way");
        let decoded = decode_batch(&batch(&[bytes]), &schemas);
        assert_eq!((decoded.records, decoded.poison), (vec![0], vec![]));
    }

    #[test]
    fn a_schema_that_does_not_resolve_names_the_field() {
        let reason = |schema: WriterSchema| {
            let mut schemas = WriterSchemas::default();
            schemas.learn(ID, &schema);
            let decoded = decode_batch(&batch(&[framed(ID.0, b"\0")]), &schemas);
            assert_eq!(decoded.poison[0].1.code(), "unresolvable_schema");
            decoded.poison[0].1.to_string().split_once("opstream.Operation: ").unwrap().1.to_owned()
        };
        let with = |name: &str, kind: serde_json::Value| reason(avro(&schema(&[json!({"name": name, "type": kind})])));
        assert_eq!(with("attempt", json!("long")), "attempt is written as long, read as int");
        assert_eq!(with("model", json!("int")), "model is written as int, read as union of null and string");
        let enumeration = json!({"type": "enum", "name": "E", "symbols": ["chat"]});
        assert_eq!(with("operation_type", enumeration), "operation_type is written as enum, read as string");
        let millis = json!({"type": "record", "name": "Operation", "fields": [
            {"name": "operation_id", "type": {"type": "fixed", "name": "OperationId", "size": 16}},
            {"name": "started_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        ]});
        let expected = "started_at is written as long of millis since 1970, read as long of micros since 1970";
        assert_eq!(reason(avro(&millis.to_string())), expected);
        let bare = json!({"type": "record", "name": "Operation", "fields": []}).to_string();
        assert_eq!(reason(avro(&bare)), "it has no field operation_id, which must be there");
        let other = json!({"type": "record", "name": "Payment", "fields": []}).to_string();
        assert_eq!(reason(avro(&other)), "it is of a record Payment, not Operation");
        assert_eq!(reason(avro("\"string\"")), "it is of string, not a record");
        let protobuf = WriterSchema { schema_type: "PROTOBUF".to_owned(), ..avro("syntax") };
        assert_eq!(reason(protobuf), "its schema is of type PROTOBUF, not AVRO");
        let references = WriterSchema { has_references: true, ..avro(OPERATION_V1) };
        assert!(reason(references).contains("refers to other schemas"));
    }

    #[test]
    fn only_what_is_not_known_is_asked_and_a_missing_id_again_after_a_while() {
        let mut schemas = knowing(OPERATION_V1);
        let now = Instant::now();
        let ids = [ID.0, 7, 0x7F00_0001, 0x7F00_FFFF, 7, 8];
        let values: Vec<Vec<u8>> = ids.iter().map(|id| framed(*id, b"")).chain([b"{}".to_vec()]).collect();
        let batch = batch(&values);
        let unknown = |schemas: &WriterSchemas, at| -> Vec<u32> {
            schemas.unknown_ids(&batch, at).into_iter().map(|id| id.0).collect()
        };
        assert_eq!(unknown(&schemas, now), [7, 8], "neither the reserved ids nor bytes without a frame");
        schemas.learn_missing([SchemaId(7)], now);
        assert_eq!(unknown(&schemas, now), [8]);
        assert_eq!(unknown(&schemas, now + MISSING_FOR), [7, 8]);
        schemas.learn(SchemaId(8), &avro("{"));
        assert_eq!(unknown(&schemas, now), [0_u32; 0]);
        for id in 0..u32::try_from(MAX_MISSING + MAX_KNOWN).unwrap() {
            schemas.learn_missing([SchemaId(id)], now);
            schemas.learn(SchemaId(id), &avro("{"));
            schemas.learn_missing([SchemaId(id)], now);
        }
        assert!(schemas.missing.len() <= MAX_MISSING && schemas.known.len() <= MAX_KNOWN);
    }
}
