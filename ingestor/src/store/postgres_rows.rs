//! Rows into Postgres by binary COPY, one COPY for each day's table.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use opstream_schemas::failpoint::{self, Step};
use opstream_schemas::lake::{CONTENT_COLUMNS, Column, ColumnKind, OPERATION_COLUMNS};
use opstream_schemas::time::{DAY_MILLIS, UtcMillis};
use sqlx::PgConnection;

use super::StoreError;
use super::days::day_table;

/// Bytes sent at once; larger pieces only cost memory.
const CHUNK_BYTES: usize = 1 << 20;
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const END: [u8; 2] = (-1_i16).to_be_bytes();
const NULL: [u8; 4] = (-1_i32).to_be_bytes();

/// Copies operations, which must be in order of id, into their days' tables.
pub(super) async fn copy_operations(tx: &mut PgConnection, rows: &RecordBatch) -> Result<(), StoreError> {
    let times = rows.column_by_name("time_ms").expect("operations have a time").as_primitive::<Int64Type>();
    let mut start = 0;
    while start < rows.num_rows() {
        let day = UtcMillis::from_millis(times.value(start)).day_start();
        let end = day.millis() + DAY_MILLIS;
        let length = times.values()[start..].partition_point(|time| *time < end);
        copy(tx, &day_table(day), OPERATION_COLUMNS, &rows.slice(start, length)).await?;
        start += length;
    }
    Ok(())
}

/// Copies content into `operation_contents`.
pub(super) async fn copy_contents(tx: &mut PgConnection, rows: &RecordBatch) -> Result<(), StoreError> {
    copy(tx, "operation_contents", CONTENT_COLUMNS, rows).await
}

async fn copy(tx: &mut PgConnection, table: &str, columns: &[Column], rows: &RecordBatch) -> Result<(), StoreError> {
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let mut copy =
        tx.copy_in_raw(&format!("copy {table} ({}) from stdin with (format binary)", names.join(", "))).await?;
    let mut buffer = SIGNATURE.to_vec();
    let fields = i16::try_from(columns.len()).expect("tables have fewer than 32,768 columns").to_be_bytes();
    let typed: Vec<TypedColumn<'_>> =
        columns.iter().zip(rows.columns()).map(|(column, array)| TypedColumn::new(column.kind, array)).collect();
    for row in 0..rows.num_rows() {
        buffer.extend_from_slice(&fields);
        for column in &typed {
            column.put(row, &mut buffer);
        }
        if buffer.len() >= CHUNK_BYTES {
            copy.send(buffer.as_slice()).await?;
            buffer.clear();
        }
    }
    copy.send(buffer.as_slice()).await?;
    failpoint::reach(Step::RowsSending).await.map_err(sqlx::Error::from)?;
    copy.send(&END[..]).await?;
    copy.finish().await?;
    Ok(())
}

/// A column, cast once for all its rows.
enum TypedColumn<'a> {
    Id(&'a arrow_array::FixedSizeBinaryArray),
    Int(&'a arrow_array::Int64Array),
    SmallInt(&'a arrow_array::Int32Array),
    Float(&'a arrow_array::Float64Array),
    Bool(&'a arrow_array::BooleanArray),
    Text(&'a arrow_array::StringArray),
}

impl<'a> TypedColumn<'a> {
    fn new(kind: ColumnKind, array: &'a arrow_array::ArrayRef) -> Self {
        match kind {
            ColumnKind::Id => Self::Id(array.as_fixed_size_binary()),
            ColumnKind::Int => Self::Int(array.as_primitive::<Int64Type>()),
            ColumnKind::SmallInt => Self::SmallInt(array.as_primitive::<Int32Type>()),
            ColumnKind::Float => Self::Float(array.as_primitive::<Float64Type>()),
            ColumnKind::Bool => Self::Bool(array.as_boolean()),
            ColumnKind::Text | ColumnKind::Json => Self::Text(array.as_string()),
        }
    }

    /// Appends the field: its length as four big-endian bytes, then its value; -1 for null.
    fn put(&self, row: usize, buffer: &mut Vec<u8>) {
        match self {
            Self::Id(column) if column.is_valid(row) => put_bytes(buffer, column.value(row)),
            Self::Int(column) if column.is_valid(row) => put_bytes(buffer, &column.value(row).to_be_bytes()),
            Self::SmallInt(column) if column.is_valid(row) => put_bytes(buffer, &column.value(row).to_be_bytes()),
            Self::Float(column) if column.is_valid(row) => put_bytes(buffer, &column.value(row).to_be_bytes()),
            Self::Bool(column) if column.is_valid(row) => put_bytes(buffer, &[u8::from(column.value(row))]),
            Self::Text(column) if column.is_valid(row) => put_bytes(buffer, column.value(row).as_bytes()),
            _ => buffer.extend_from_slice(&NULL),
        }
    }
}

fn put_bytes(buffer: &mut Vec<u8>, bytes: &[u8]) {
    let length = i32::try_from(bytes.len()).expect("a record is shorter than 2 GiB");
    buffer.extend_from_slice(&length.to_be_bytes());
    buffer.extend_from_slice(bytes);
}
