//! From decoded columns to stored ones: the columns of `OPERATION_COLUMNS`, in id order, and the content beside them.
//!
//! Providers get their canonical name, and NUL characters, which Postgres cannot store, become U+FFFD in both databases and in
//! the files alike.

use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeBinaryArray, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array,
    new_null_array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::take::take;
use opstream_schemas::OperationId;
use opstream_schemas::lake::{CONTENT_COLUMNS, COST_PARTS, Column, ColumnKind, Nullable, OPERATION_COLUMNS};
use opstream_schemas::providers::canonical_provider;

use crate::record::RawBatch;
use opstream_pricing::PriceColumns;

/// Arrow schema of stored columns.
pub fn stored_schema(columns: &[Column]) -> SchemaRef {
    let fields: Vec<Field> = columns
        .iter()
        .map(|column| Field::new(column.name, data_type(column.kind), column.nullable == Nullable::Yes))
        .collect();
    Arc::new(Schema::new(fields))
}

const fn data_type(kind: ColumnKind) -> DataType {
    match kind {
        ColumnKind::Id => DataType::FixedSizeBinary(16),
        ColumnKind::Int => DataType::Int64,
        ColumnKind::SmallInt => DataType::Int32,
        ColumnKind::Float => DataType::Float64,
        ColumnKind::Bool => DataType::Boolean,
        ColumnKind::Text | ColumnKind::Json => DataType::Utf8,
    }
}

/// Ids of decoded columns.
pub fn operation_ids(columns: &RecordBatch) -> Vec<OperationId> {
    let ids = columns.column_by_name("operation_id").expect("decoded columns have an id").as_fixed_size_binary();
    ids.iter().map(|id| read_id(id.expect("operation_id is not nullable"))).collect()
}

/// The id in a 16-byte value of an id column.
pub fn read_id(bytes: &[u8]) -> OperationId {
    OperationId::from_bytes(bytes.try_into().expect("an id column holds 16 bytes a row"))
}

/// Rows of decoded columns, in the order of their ids.
pub fn select_rows(columns: &RecordBatch, rows: &[u32]) -> RecordBatch {
    if rows.len() == columns.num_rows() && (0..).zip(rows).all(|(expected, row): (u32, &u32)| expected == *row) {
        return columns.clone();
    }
    let rows = UInt32Array::from(rows.to_vec());
    let taken: Vec<ArrayRef> = columns
        .columns()
        .iter()
        .map(|column| take(column, &rows, None).expect("row numbers are within the batch"))
        .collect();
    RecordBatch::try_new(columns.schema(), taken).expect("columns keep their types")
}

/// Where the rows came from.
pub struct Origin<'a> {
    /// The raw batch.
    pub batch: &'a RawBatch,
    /// For each row the index of its record.
    pub records: &'a [usize],
    /// The stream's row number.
    pub stream_id: i64,
}

/// Assembles the stored columns of operations.
pub fn operation_columns(
    decoded: &RecordBatch,
    prices: &PriceColumns,
    origin: &Origin<'_>,
    keeps_content: bool,
) -> RecordBatch {
    let columns = OPERATION_COLUMNS
        .iter()
        .map(|column| match column.name {
            "time_ms" => times(decoded),
            "stream_id" => Arc::new(Int64Array::from(vec![origin.stream_id; origin.records.len()])),
            "source_partition" => partitions(origin),
            "source_offset" => offsets(origin),
            "started_at_us" => field(decoded, "started_at").clone(),
            "cost_nano_usd" => prices.cost_nano_usd.clone(),
            "cost_status" => prices.cost_status.clone(),
            "price_model" => prices.price_model.clone(),
            "price_version" => prices.price_version.clone(),
            "has_content" => Arc::new(if keeps_content {
                has_content(decoded)
            } else {
                BooleanArray::from(vec![false; decoded.num_rows()])
            }),
            "provider" => Arc::new(without_nul(&canonical_providers(field(decoded, "provider").as_string()))),
            "price_key" => prices.price_key.clone(),
            "catalogue_cost_nano_usd" => prices.catalogue_cost_nano_usd.clone(),
            name if let Some(place) = COST_PARTS.iter().position(|part| *part == name) => prices.parts[place].clone(),
            _ if column.is_later => new_null_array(&data_type(column.kind), decoded.num_rows()),
            name => stored_column(field(decoded, name), column.kind),
        })
        .collect();
    RecordBatch::try_new(stored_schema(OPERATION_COLUMNS), columns)
        .expect("every stored column has its type and length")
}

/// Assembles the content of the rows that have any; none when no row has.
pub fn content_columns(decoded: &RecordBatch) -> Option<RecordBatch> {
    let has_content = has_content(decoded);
    let rows: Vec<u32> =
        (0..).zip(has_content.values().iter()).filter_map(|(row, has): (u32, bool)| has.then_some(row)).collect();
    if rows.is_empty() {
        return None;
    }
    let rows = UInt32Array::from(rows);
    let columns = CONTENT_COLUMNS
        .iter()
        .map(|column| {
            let taken = take(field(decoded, column.name), &rows, None).expect("row numbers are within the batch");
            stored_column(&taken, column.kind)
        })
        .collect();
    Some(
        RecordBatch::try_new(stored_schema(CONTENT_COLUMNS), columns)
            .expect("every content column has its type and length"),
    )
}

fn field<'a>(decoded: &'a RecordBatch, name: &str) -> &'a ArrayRef {
    decoded.column_by_name(name).expect("decoded columns have the fields of the Avro schema")
}

fn has_content(decoded: &RecordBatch) -> BooleanArray {
    let columns: Vec<&ArrayRef> = CONTENT_COLUMNS[1..].iter().map(|column| field(decoded, column.name)).collect();
    (0..decoded.num_rows()).map(|row| Some(columns.iter().any(|column| column.is_valid(row)))).collect()
}

fn times(decoded: &RecordBatch) -> ArrayRef {
    let ids: &FixedSizeBinaryArray = field(decoded, "operation_id").as_fixed_size_binary();
    let times = ids.iter().map(|id| read_id(id.expect("operation_id is not nullable")).time().millis());
    Arc::new(Int64Array::from_iter_values(times))
}

fn partitions(origin: &Origin<'_>) -> ArrayRef {
    let records = origin.batch.records();
    Arc::new(Int32Array::from_iter_values(origin.records.iter().map(|index| records[*index].partition.0)))
}

fn offsets(origin: &Origin<'_>) -> ArrayRef {
    let records = origin.batch.records();
    Arc::new(Int64Array::from_iter_values(origin.records.iter().map(|index| records[*index].offset.0)))
}

fn stored_column(column: &ArrayRef, kind: ColumnKind) -> ArrayRef {
    // JSON has no NUL since it was decoded.
    if kind == ColumnKind::Text { Arc::new(without_nul(column.as_string())) } else { column.clone() }
}

/// Providers as they are stored, grouped and filtered: records come straight from the topic under any of their names.
fn canonical_providers(column: &StringArray) -> StringArray {
    let is_canonical = |name: &str| !name.is_empty() && canonical_provider(name) == name;
    if column.iter().flatten().all(is_canonical) {
        return column.clone();
    }
    column.iter().map(|name| name.map(canonical_provider).filter(|name| !name.is_empty())).collect()
}

/// Replaces NUL characters, which Postgres cannot store in a text column.
fn without_nul(column: &StringArray) -> StringArray {
    if !column.value_data().contains(&0) {
        return column.clone();
    }
    let mut builder = StringBuilder::new();
    for text in column {
        builder.append_option(text.map(|text| text.replace('\0', "\u{fffd}")));
    }
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_stored_under_its_canonical_name() {
        let names = StringArray::from(vec![Some("gemini"), Some(" OpenAI "), None, Some(" "), Some("openai")]);
        let stored = canonical_providers(&names);
        let expected = StringArray::from(vec![Some("gcp.gemini"), Some("openai"), None, None, Some("openai")]);
        assert_eq!(stored, expected);
        let canonical = StringArray::from(vec![Some("openai"), None]);
        assert_eq!(canonical_providers(&canonical).value_data().as_ptr(), canonical.value_data().as_ptr());
    }
}
