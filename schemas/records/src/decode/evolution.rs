//! Stored bytes of several writers through the decoder: older and newer ones fill the columns, and newer ones fill an older
//! opstream's columns.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use opstream_schemas::avro::OPERATION_V1;
use serde_json::{Value, json};

use super::decoder::Decoder;
use super::layout::{Layout, fields};
use super::*;

macro_rules! stored {
    ($name:literal) => {
        include_bytes!(concat!("../../../avro/golden/", $name))
    };
}

const OLDEST: &str = include_str!("../../../avro/golden/operation.oldest.avsc");
const NEWER: &str = include_str!("../../../avro/golden/operation.newer.avsc");
const DEFAULTS: &[u8] = stored!("operation.v1.defaults.json");

/// The one row that the decoder of an opstream which knows `reader` makes of bytes written with `writer`.
fn decoded(writer: &str, reader: &str, bytes: &[u8]) -> BTreeMap<String, Value> {
    let columns = fields(reader);
    let mut decoder = Decoder::new(&columns, 1);
    decoder.decode(&Layout::between(fields(writer), &columns), split_frame(bytes).unwrap().datum).unwrap();
    let finished = decoder.finish();
    assert!(finished.faulty.is_empty(), "{:?}", finished.faulty);
    row(&finished.columns.unwrap())
}

fn row(columns: &RecordBatch) -> BTreeMap<String, Value> {
    assert_eq!(columns.num_rows(), 1);
    let schema = columns.schema();
    let names = schema.fields().iter().map(|field| field.name().clone());
    names.zip(columns.columns()).map(|(name, column)| (name, value(column))).collect()
}

fn value(column: &dyn Array) -> Value {
    if column.is_null(0) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(0).into(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(0).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(0).into(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(0).into(),
        DataType::Boolean => column.as_boolean().value(0).into(),
        DataType::FixedSizeBinary(_) => {
            let bytes = column.as_fixed_size_binary().value(0);
            uuid::Uuid::from_slice(bytes).unwrap().simple().to_string().into()
        }
        other => panic!("no column is {other}"),
    }
}

/// What the columns of `reader` must hold: what was written, else the defaults of version 1. Lists and maps are JSON text, and
/// null when they are empty.
fn expected(written: &[u8], reader: &str) -> BTreeMap<String, Value> {
    let [written, defaults] = [written, DEFAULTS].map(|json| serde_json::from_slice::<Value>(json).unwrap());
    let column = |field: &layout::Field| {
        let name = field.name.as_str();
        let value = written.get(name).or_else(|| defaults.get(name)).unwrap_or(&Value::Null);
        let value = match value {
            Value::Array(items) if items.is_empty() => Value::Null,
            Value::Object(entries) if entries.is_empty() => Value::Null,
            Value::Array(_) | Value::Object(_) => value.to_string().into(),
            value => value.clone(),
        };
        (name.to_owned(), value)
    };
    fields(reader).iter().map(column).collect()
}

#[test]
fn stored_bytes_of_every_writer_fill_the_columns() {
    let writers: [(&str, &[u8], &[u8]); 4] = [
        (OPERATION_V1, stored!("operation.v1.full.bin"), stored!("operation.v1.full.json")),
        (OPERATION_V1, stored!("operation.v1.sparse.bin"), stored!("operation.v1.sparse.json")),
        (OLDEST, stored!("operation.oldest.bin"), stored!("operation.oldest.json")),
        (NEWER, stored!("operation.newer.bin"), stored!("operation.newer.json")),
    ];
    for (writer, bytes, json) in writers {
        assert_eq!(decoded(writer, OPERATION_V1, bytes), expected(json, OPERATION_V1));
    }
}

#[test]
fn what_we_write_fills_the_columns_of_an_older_opstream() {
    let (bytes, json) = (stored!("operation.v1.full.bin"), stored!("operation.v1.full.json"));
    let row = decoded(OPERATION_V1, OLDEST, bytes);
    assert_eq!(row, expected(json, OLDEST));
    assert_eq!(row["started_at"], json!(1_790_000_000_123_456_i64));
}

#[test]
fn stored_bytes_are_rows_of_a_batch() {
    let stored: [&[u8]; 2] = [stored!("operation.v1.full.bin"), stored!("operation.v1.sparse.bin")];
    let decoded = decode_batch(&test_batch::batch(stored.map(Some)), &WriterSchemas::default());
    assert_eq!((decoded.records.len(), decoded.poison.len()), (2, 0));
}
