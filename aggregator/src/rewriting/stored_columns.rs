//! The columns of the lake's files in memory, as this version of opstream writes them.

use std::sync::{Arc, LazyLock};

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use opstream_schemas::lake::{CONTENT_COLUMNS, Column, ColumnKind, FileKind, Nullable, OPERATION_COLUMNS};

static OPERATIONS: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(OPERATION_COLUMNS));
static CONTENTS: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(CONTENT_COLUMNS));

/// The columns of a kind of files; the first is the id.
pub(crate) fn stored_schema(kind: FileKind) -> SchemaRef {
    Arc::clone(match kind {
        FileKind::Operations => &OPERATIONS,
        FileKind::Contents => &CONTENTS,
    })
}

/// The same columns in the stored order, with nulls for those that earlier versions did not write; `None` when another is missing, one is
/// too many, has another type, or has a null where none may be: then merging could lose something.
pub(crate) fn to_stored(kind: FileKind, batch: &RecordBatch) -> Option<RecordBatch> {
    let columns = match kind {
        FileKind::Operations => OPERATION_COLUMNS,
        FileKind::Contents => CONTENT_COLUMNS,
    };
    let mut found = 0;
    let mut stored = Vec::with_capacity(columns.len());
    for column in columns {
        match batch.column_by_name(column.name) {
            Some(array) => {
                found += 1;
                stored.push(array.clone());
            }
            None if column.is_later => stored.push(new_null_array(&data_type(column.kind), batch.num_rows())),
            None => return None,
        }
    }
    if found == batch.num_columns() { RecordBatch::try_new(stored_schema(kind), stored).ok() } else { None }
}

/// Whether two batches hold the same values, bit by bit: a number that is none equals itself.
pub(crate) fn are_same(one: &RecordBatch, other: &RecordBatch) -> bool {
    one.num_rows() == other.num_rows()
        && one.num_columns() == other.num_columns()
        && one.columns().iter().zip(other.columns()).all(|(one, other)| is_same_column(one, other))
}

fn is_same_column(one: &ArrayRef, other: &ArrayRef) -> bool {
    match (one.as_primitive_opt::<Float64Type>(), other.as_primitive_opt::<Float64Type>()) {
        (Some(one), Some(other)) => {
            one.iter().map(|value| value.map(f64::to_bits)).eq(other.iter().map(|value| value.map(f64::to_bits)))
        }
        _ => one == other,
    }
}

fn schema_of(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| Field::new(column.name, data_type(column.kind), column.nullable == Nullable::Yes);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
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

#[cfg(test)]
mod tests {
    use arrow_array::Float64Array;

    use super::*;

    #[test]
    fn a_number_that_is_none_equals_itself_and_no_other_does() {
        let column = |value: Option<f64>| -> ArrayRef { Arc::new(Float64Array::from(vec![Some(1.5), value])) };
        assert!(is_same_column(&column(Some(f64::NAN)), &column(Some(f64::NAN))));
        assert!(is_same_column(&column(None), &column(None)));
        assert!(!is_same_column(&column(Some(0.0)), &column(Some(-0.0))));
        assert!(!is_same_column(&column(Some(0.0)), &column(None)));
    }

    #[test]
    fn columns_of_another_version_are_not_taken_for_ours() {
        let batch = RecordBatch::new_empty(stored_schema(FileKind::Contents));
        assert!(to_stored(FileKind::Contents, &batch).is_some());
        let backwards: Vec<usize> = (0..batch.num_columns()).rev().collect();
        assert_eq!(to_stored(FileKind::Contents, &batch.project(&backwards).unwrap()).unwrap(), batch);
        assert!(to_stored(FileKind::Contents, &batch.project(&[0, 1, 2, 3]).unwrap()).is_none());
        assert!(to_stored(FileKind::Contents, &batch.project(&[0, 1, 2, 3, 3]).unwrap()).is_none());
        assert!(to_stored(FileKind::Operations, &batch).is_none());
    }

    #[test]
    fn columns_that_earlier_versions_did_not_write_become_nulls() {
        let whole = RecordBatch::new_empty(stored_schema(FileKind::Operations));
        let of = |is_wanted: fn(&Column) -> bool| -> Vec<usize> {
            let columns = OPERATION_COLUMNS.iter().enumerate().filter(|(_, column)| is_wanted(column));
            columns.map(|(place, _)| place).collect()
        };
        let old = whole.project(&of(|column| !column.is_later)).unwrap();
        assert_eq!(to_stored(FileKind::Operations, &old), Some(whole.clone()));
        let partial = whole.project(&of(|column| column.name != "success")).unwrap();
        assert_eq!(to_stored(FileKind::Operations, &partial), None);
    }
}
