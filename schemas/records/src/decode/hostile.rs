//! What must hold of any bytes on the topic, with apache-avro as the judge. Used by the fuzz target `operation_record` and, on
//! the inputs that it has stored, by every test run.
//!
//! Both readers accept a datum or both refuse it, with three exceptions in which apache-avro reads what was never written: of an
//! integer of ten bytes it loses the bits beyond the 64th, a text or truth value that the record's end cuts off it takes for
//! null, and an optional field that is missing at the end too.

use std::sync::LazyLock;

use apache_avro::types::Value;
use apache_avro::{Schema, from_avro_datum};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use opstream_schemas::avro::{BUILTIN_SCHEMAS, FRAME_LENGTH, OPERATION_V1, OPERATION_V1_ID, encode_operation};
use opstream_schemas::prices::{Catalogue, CostPolicy};
use opstream_schemas::validate::{AcceptedTimes, DEFAULT_RETENTION_FLOOR};
use opstream_schemas::{Operation, UtcMicros, UtcMillis};

use super::test_batch;
use crate::checks::check_columns;
use crate::columns::{Origin, content_columns, operation_columns, operation_ids, select_rows};
use crate::dead_letter::Poison;
use crate::decode::{DecodedBatch, WriterSchemas, decode_batch};
use crate::record::RawBatch;
use opstream_pricing::Pricer;

/// Records before and after the hostile ones.
const GOOD: [usize; 2] = [0, 3];
const HOSTILE: [usize; 2] = [1, 2];

/// A batch of a good record, the bytes as they are, the bytes behind a good frame, and another good record.
pub(crate) fn batch_with(bytes: &[u8]) -> RawBatch {
    let framed = [frame(), bytes].concat();
    batch(&[&GOOD_RECORDS[0], bytes, &framed, &GOOD_RECORDS[1]])
}

/// Bytes of memory that decoding a batch of [`batch_with`] may take: 64 for each of the bytes (a map of empty texts is the worst),
/// and what a few rows take in 70 columns.
#[cfg_attr(test, expect(dead_code, reason = "a test cannot count memory"))]
pub(crate) const fn most_memory(bytes: usize) -> usize {
    64 * bytes + (64 << 10)
}

/// Judges what became of a batch of [`batch_with`].
///
/// # Panics
/// When anything is not as it must be.
pub(crate) fn check(batch: &RawBatch, decoded: DecodedBatch) {
    let DecodedBatch { columns, records, poison } = decoded;
    let columns = columns.expect("there are two good records");
    assert_eq!((columns.num_rows(), records.len() + poison.len()), (records.len(), batch.len()));
    let row_of = |record: usize| records.iter().position(|of_row| *of_row == record);
    for (place, record) in GOOD.into_iter().enumerate() {
        let row = row_of(record).expect("a good record is kept");
        assert_eq!(columns.slice(row, 1), GOOD_ROWS[place], "a good record is touched");
    }
    for record in HOSTILE {
        let value = batch.value(&batch.records()[record]).expect("it has a value");
        let fault = poison.iter().find(|(index, _)| *index == record).map(|(_, fault)| fault);
        assert_eq!(fault.is_some(), row_of(record).is_none(), "a record is either kept or poison");
        match (judge(value), row_of(record)) {
            (Ok(Some(fields)), Some(row)) => {
                for (name, value) in fields {
                    assert_same(&value, columns.column_by_name(&name).expect("a column for each field"), row, &name);
                }
            }
            (Ok(Some(_)), None) => {
                let Some(Poison::Undecodable { reason }) = fault else { panic!("we refuse its frame: {fault:?}") };
                let is_exception = reason.ends_with("the integer is longer than 64 bits")
                    || reason == "metadata: the record is cut short";
                assert!(is_exception, "apache-avro reads what we refuse: {reason}");
            }
            (Ok(None), row) => assert!(
                row.is_none() && matches!(fault, Some(Poison::Undecodable { .. })),
                "apache-avro refuses what we read, or {fault:?}"
            ),
            (Err(code), _) => assert_eq!(fault.map(Poison::code), Some(code)),
        }
    }
    store(batch, &columns, &records);
}

/// What the stations after the decoder do with the rows; they must not panic either.
fn store(batch: &RawBatch, columns: &RecordBatch, records: &[usize]) {
    let accepted = AcceptedTimes::at(UtcMillis::from_millis(1_790_000_000_000), DEFAULT_RETENTION_FLOOR);
    let faults = check_columns(columns, &operation_ids(columns), accepted);
    let sound = |row: &usize| !faults.contains_key(row);
    let kept: Vec<u32> =
        (0..columns.num_rows()).filter(sound).map(|row| u32::try_from(row).expect("few rows")).collect();
    let records: Vec<usize> =
        records.iter().enumerate().filter(|(row, _)| sound(row)).map(|(_, record)| *record).collect();
    let selected = select_rows(columns, &kept);
    let prices = Pricer::new(Catalogue::embedded().clone(), CostPolicy::default()).price(&selected);
    let stored = operation_columns(&selected, &prices, &Origin { batch, records: &records, stream_id: 1 }, true);
    assert!(stored.num_rows() >= GOOD.len(), "a good record is not stored");
    content_columns(&selected).expect("the good records have content");
}

/// The fields of a value as apache-avro reads them, none when it does not; or the code of what is wrong with the frame.
pub(super) fn judge(value: &[u8]) -> Result<Option<Vec<(String, Value)>>, &'static str> {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
        // It takes the memory that a length claims before it looks whether so much follows. No input is longer.
        apache_avro::util::max_allocation_bytes(1 << 16);
        Schema::parse_str(OPERATION_V1).expect("our schema is one of Avro")
    });
    let (frame, mut datum) = value.split_at_checked(FRAME_LENGTH).ok_or("not_framed")?;
    match frame {
        [0, id @ ..] if *id == OPERATION_V1_ID.0.to_be_bytes() => {}
        // Known, and not of operations: windows and contents.
        [0, id @ ..] if BUILTIN_SCHEMAS.iter().any(|schema| *id == schema.id.0.to_be_bytes()) => {
            return Err("unknown_schema");
        }
        [0, 0x7f, ..] => return Err("newer_schema"),
        [0, ..] => return Err("unknown_schema"),
        _ => return Err("not_framed"),
    }
    Ok(match from_avro_datum(&SCHEMA, &mut datum, None) {
        Ok(Value::Record(fields)) if datum.is_empty() && fields.iter().all(|(_, value)| is_whole(value)) => {
            Some(fields)
        }
        _ => None,
    })
}

/// Whether no part of the value is a null that stands for what was cut off.
fn is_whole(value: &Value) -> bool {
    match value {
        Value::Union(0, value) => **value == Value::Null,
        Value::Union(_, value) => is_whole(value),
        Value::Array(items) => items.iter().all(is_whole),
        Value::Map(entries) => entries.values().all(is_whole),
        value => *value != Value::Null,
    }
}

/// Whether the column says what apache-avro has read, as it is stored: lists and maps as JSON, without NUL.
pub(super) fn assert_same(value: &Value, column: &dyn Array, row: usize, name: &str) {
    let text = || column.as_string::<i32>().value(row);
    match value {
        Value::Union(_, value) => assert_same(value, column, row, name),
        Value::Null => assert!(column.is_null(row), "{name}"),
        Value::Fixed(_, bytes) => assert_eq!(column.as_fixed_size_binary().value(row), bytes, "{name}"),
        Value::Int(value) => assert_eq!(column.as_primitive::<Int32Type>().value(row), *value, "{name}"),
        Value::Long(value) | Value::TimestampMicros(value) => {
            assert_eq!(column.as_primitive::<Int64Type>().value(row), *value, "{name}");
        }
        Value::Double(value) => {
            assert_eq!(column.as_primitive::<Float64Type>().value(row).to_bits(), value.to_bits(), "{name}");
        }
        Value::Boolean(value) => assert_eq!(column.as_boolean().value(row), *value, "{name}"),
        Value::String(value) if JSON_FIELDS.contains(&name) => assert_castable(value, text(), name),
        Value::String(value) => assert_eq!(text(), value, "{name}"),
        Value::Array(items) if items.is_empty() => assert!(column.is_null(row), "{name}"),
        Value::Map(entries) if entries.is_empty() => assert!(column.is_null(row), "{name}"),
        Value::Array(items) => {
            let items: Vec<serde_json::Value> = items.iter().map(|item| text_of(item).into()).collect();
            assert_eq!(parsed(text()), serde_json::Value::Array(items), "{name}");
        }
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| (without_nul(key), text_of(value).into()));
            let entries: serde_json::Map<String, serde_json::Value> = entries.collect();
            let stored = parsed(text());
            // Of keys that differ in a NUL only, one remains.
            assert_eq!(stored.as_object().map(|object| object.keys().eq(entries.keys())), Some(true), "{name}");
            let may_be_one_of_many = entries.keys().any(|key| key.contains('\u{fffd}'));
            assert!(may_be_one_of_many || stored == serde_json::Value::Object(entries), "{name}");
        }
        other => panic!("{name} is {other:?}"),
    }
}

/// Fields of text that both databases must be able to cast to JSON.
const JSON_FIELDS: [&str; 3] = ["request_parameters", "billable_units", "metadata"];

/// Whether `stored` is JSON without NUL that says what `text` says: the text itself, or as a JSON string if it is no JSON that
/// every database takes.
fn assert_castable(text: &str, stored: &str, name: &str) {
    let value = parsed(stored);
    let is_wrapped = value.as_str().is_some_and(|value| value == without_nul(text));
    let is_same = is_wrapped || serde_json::from_str(text).is_ok_and(|sent| is_same_but_nul(&sent, &value));
    assert!(is_same && !stored.contains('\0'), "{name} is {stored:?}, not {text:?}");
}

fn is_same_but_nul(sent: &serde_json::Value, stored: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Object, String};
    match (sent, stored) {
        (String(sent), String(stored)) => without_nul(sent) == *stored,
        (Array(sent), Array(stored)) => {
            sent.len() == stored.len() && sent.iter().zip(stored).all(|(sent, stored)| is_same_but_nul(sent, stored))
        }
        (Object(sent), Object(stored)) => sent.iter().all(|(key, sent)| {
            // Of keys that differ in a NUL only, the last one remains.
            let is_one_of_many = key.contains(['\0', '\u{fffd}']);
            stored.get(&without_nul(key)).is_some_and(|stored| is_one_of_many || is_same_but_nul(sent, stored))
        }),
        _ => sent == stored,
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => without_nul(text),
        other => panic!("not a text: {other:?}"),
    }
}

fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn parsed(json: &str) -> serde_json::Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json:?} is not JSON: {error}"))
}

fn frame() -> &'static [u8] {
    &GOOD_RECORDS[0][..FRAME_LENGTH]
}

/// Two records with something in every kind of field.
static GOOD_RECORDS: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| [0x11, 0xee].map(good_record));

/// The row of each of them.
static GOOD_ROWS: LazyLock<[RecordBatch; 2]> = LazyLock::new(|| {
    [0, 1].map(|record| {
        decode_batch(&batch(&[&GOOD_RECORDS[record]]), &WriterSchemas::default())
            .columns
            .expect("a good record is decoded")
    })
});

fn good_record(last_byte_of_id: u8) -> Vec<u8> {
    let at = UtcMicros::from_micros(1_789_999_999_000_000);
    let operation = Operation {
        operation_id: opstream_schemas::OperationId::mint(at.to_millis(), [last_byte_of_id; 10]),
        provider: Some("openai".to_owned()),
        model: Some("gpt-4o".to_owned()),
        stream: Some(true),
        temperature: Some(0.5),
        input_tokens: Some(1000),
        output_tokens: Some(100),
        finish_reasons: vec!["stop".to_owned()],
        system_prompt: Some("be kind".to_owned()),
        tags: [("team".to_owned(), "search".to_owned())].into(),
        metadata: Some("{\"a\":1}".to_owned()),
        ..Operation::starting("chat", at)
    };
    let mut bytes = Vec::new();
    encode_operation(&operation, &mut bytes);
    bytes
}

fn batch(values: &[&[u8]]) -> RawBatch {
    test_batch::batch(values.iter().copied().map(Some))
}

#[cfg(test)]
#[test]
fn the_stored_inputs_of_the_fuzzer_are_judged_alike() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/operation_record");
    let mut inputs = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let judged = std::panic::catch_unwind(|| {
            let batch = batch_with(&bytes);
            check(&batch, decode_batch(&batch, &WriterSchemas::default()));
        });
        assert!(judged.is_ok(), "{}", path.display());
        inputs += 1;
    }
    assert!(inputs > 0, "{corpus} is empty");
}
