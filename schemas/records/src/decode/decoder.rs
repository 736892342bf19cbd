//! Records of one or several versions of the schema, appended to columns. Each is looked through first: one that is damaged
//! leaves nothing in the columns.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow_array::RecordBatch;
use arrow_schema::{Field as ArrowField, Schema};
use opstream_schemas::avro::{BUILTIN_SCHEMAS, OPERATION_V1, Record, SchemaId};

use super::cell::{Cell, scan};
use super::column::Column;
use super::datum::{Datum, Fault};
use super::layout::{Field, Layout, fields};

/// The fields of the newest schema, which are our columns.
static COLUMNS: LazyLock<Vec<Field>> = LazyLock::new(|| fields(OPERATION_V1));

/// How records of each version fill them.
static LAYOUTS: LazyLock<Vec<(SchemaId, Layout)>> = LazyLock::new(|| {
    let versions = BUILTIN_SCHEMAS.iter().filter(|schema| schema.record == Record::Operation);
    let layout = |text| {
        let layout = Layout::between(fields(text), &COLUMNS);
        assert_eq!(layout.columns[0], Some(0), "every version begins with the id");
        layout
    };
    versions.map(|schema| (schema.id, layout(schema.text))).collect()
});

/// How records of a registry's schema fill them.
///
/// # Errors
/// Why they cannot, in words, with the field.
pub(super) fn resolve(schema: &str) -> Result<Layout, String> {
    Layout::resolve(schema, OPERATION_V1, &COLUMNS)
}

/// How records of this version fill the columns.
pub(super) fn layout_of(id: SchemaId) -> Option<&'static Layout> {
    LAYOUTS.iter().find(|(version, _)| *version == id).map(|(_, layout)| layout)
}

/// A record that is not what its schema says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DatumError {
    /// One of its values.
    #[error("{field}: {fault}")]
    Value {
        /// The field.
        field: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// One of its texts.
    #[error("{field}: the text is not UTF-8")]
    NotUtf8 {
        /// The field.
        field: String,
    },
    /// More follows.
    #[error("{bytes} bytes are left over after the record")]
    LeftOver {
        /// How many.
        bytes: usize,
    },
}

/// Growing columns, and the block of records that are appended to them next.
pub(super) struct Decoder<'a> {
    fields: &'a [Field],
    columns: Vec<Column>,
    rows: usize,
    block: Vec<Cow<'a, [u8]>>,
    /// The values of each record in the block, one for each column.
    cells: Vec<Cell>,
}

/// What was decoded.
pub(super) struct Decoded {
    /// The columns; none when there is no row.
    pub(super) columns: Option<RecordBatch>,
    /// Rows that hold text that is not UTF-8, and must be left out.
    pub(super) faulty: BTreeMap<usize, DatumError>,
}

/// Records in a block: few enough for their values to stay in the processor's nearest cache.
const BLOCK: usize = 32;

impl<'a> Decoder<'a> {
    /// The columns of operations, for about so many rows.
    pub(super) fn of_operations(rows: usize) -> Self {
        Self::new(&COLUMNS, rows)
    }

    pub(super) fn new(fields: &'a [Field], rows: usize) -> Self {
        let columns = fields.iter().map(|field| Column::new(field, rows)).collect();
        Self { fields, columns, rows: 0, block: Vec::with_capacity(BLOCK), cells: Vec::new() }
    }

    /// Appends a record.
    ///
    /// # Errors
    /// When the bytes are not what the schema says; the columns are as they were.
    pub(super) fn decode(&mut self, layout: &Layout, bytes: &'a [u8]) -> Result<(), DatumError> {
        let start = self.cells.len();
        self.cells.resize(start + self.columns.len(), None);
        let cells = &mut self.cells[start..];
        if let Err(error) = scan_record(layout, bytes, cells) {
            self.cells.truncate(start);
            return Err(error);
        }
        let mut bytes = Cow::Borrowed(bytes);
        if !layout.missing.is_empty() {
            // As if the record went on with them.
            let mut datum = Datum::new(&layout.defaults);
            let length = bytes.len() + layout.defaults.len();
            for column in &layout.missing {
                cells[*column] = scan(&self.fields[*column], &mut datum, length).expect("defaults are well-formed");
            }
            bytes.to_mut().extend_from_slice(&layout.defaults);
        }
        self.block.push(bytes);
        if self.block.len() == BLOCK {
            self.append_block();
        }
        Ok(())
    }

    fn append_block(&mut self) {
        let width = self.columns.len();
        for (number, column) in self.columns.iter_mut().enumerate() {
            let cells = self.cells.chunks_exact(width).map(|record| record[number]);
            column.append(self.block.iter().map(AsRef::as_ref).zip(cells));
        }
        self.rows += self.block.len();
        self.block.clear();
        self.cells.clear();
    }

    /// All records so far as columns.
    pub(super) fn finish(mut self) -> Decoded {
        self.append_block();
        let mut faulty = BTreeMap::new();
        if self.rows == 0 {
            return Decoded { columns: None, faulty };
        }
        let mut columns = Vec::with_capacity(self.columns.len());
        let mut arrow_fields = Vec::with_capacity(self.columns.len());
        for (column, field) in self.columns.into_iter().zip(self.fields) {
            let (column, not_utf8) = column.finish();
            for row in not_utf8 {
                faulty.entry(row).or_insert_with(|| DatumError::NotUtf8 { field: field.name.clone() });
            }
            arrow_fields.push(ArrowField::new(&field.name, column.data_type().clone(), true));
            columns.push(column);
        }
        let columns = RecordBatch::try_new(Arc::new(Schema::new(arrow_fields)), columns);
        Decoded { columns: Some(columns.expect("every column has as many rows as there were records")), faulty }
    }
}

/// Finds the values of a record, all of which must be what the schema says.
fn scan_record(layout: &Layout, bytes: &[u8], cells: &mut [Cell]) -> Result<(), DatumError> {
    let mut datum = Datum::new(bytes);
    let is_foreign = layout.is_foreign();
    for (place, (field, column)) in layout.fields.iter().zip(&layout.columns).enumerate() {
        let cell =
            if is_foreign { layout.read(place, &mut datum, bytes.len()) } else { scan(field, &mut datum, bytes.len()) };
        let cell = cell.map_err(|fault| DatumError::Value { field: field.name.clone(), fault })?;
        if let Some(column) = column {
            cells[*column] = cell;
        }
    }
    match datum.left() {
        0 => Ok(()),
        bytes => Err(DatumError::LeftOver { bytes }),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use serde_json::json;

    use super::*;

    fn schema(fields: &[(&str, serde_json::Value, serde_json::Value)]) -> Vec<Field> {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, kind, default)| json!({"name": name, "type": kind, "default": default}))
            .collect();
        super::fields(&json!({"type": "record", "name": "R", "fields": fields}).to_string())
    }

    #[test]
    fn older_and_newer_records_fill_the_same_columns() {
        let older = schema(&[("a", json!("string"), json!("")), ("gone", json!("string"), json!(""))]);
        let ours = schema(&[
            ("a", json!("string"), json!("")),
            ("count", json!("long"), json!(7)),
            ("note", json!(["null", "string"]), json!(null)),
            ("list", json!({"type": "array", "items": "string"}), json!([])),
        ]);
        let newer = schema(&[
            ("note", json!(["null", "string"]), json!(null)),
            ("extra", json!({"type": "map", "values": "string"}), json!({})),
            ("a", json!("string"), json!("")),
            ("count", json!("long"), json!(7)),
            ("list", json!({"type": "array", "items": "string"}), json!([])),
        ]);
        let mut decoder = Decoder::new(&ours, 2);
        decoder.decode(&Layout::between(older, &ours), b"\x02x\x04zz").unwrap();
        let bytes = b"\x02\x02n\x02\x02k\x02v\x00\x02y\x06\x02\x02i\x00";
        decoder.decode(&Layout::between(newer, &ours), bytes).unwrap();
        let rows = decoder.finish().columns.unwrap();
        let text = |name| rows.column_by_name(name).unwrap().as_string::<i32>().iter().collect::<Vec<_>>();
        assert_eq!(text("a"), [Some("x"), Some("y")]);
        assert_eq!(text("note"), [None, Some("n")]);
        assert_eq!(text("list"), [None, Some("[\"i\"]")]);
        assert_eq!(rows.column_by_name("count").unwrap().as_primitive::<Int64Type>().values(), &[7, 3]);
    }

    #[test]
    fn lists_and_maps_become_json_without_nul() {
        let fields = schema(&[
            ("list", json!({"type": "array", "items": "string"}), json!([])),
            ("map", json!({"type": "map", "values": "string"}), json!({})),
        ]);
        let mut decoder = Decoder::new(&fields, 1);
        let bytes = b"\x02\x04a\0\x01\x04\x02\"\x00\x04\x02k\x02\0\x02a\x021\x02\x02k\x022\x00";
        decoder.decode(&Layout::between(fields.clone(), &fields), bytes).unwrap();
        let rows = decoder.finish().columns.unwrap();
        let text = |name| rows.column_by_name(name).unwrap().as_string::<i32>().value(0).to_owned();
        assert_eq!(text("list"), "[\"a\u{fffd}\",\"\\\"\"]");
        assert_eq!(text("map"), r#"{"a":"1","k":"2"}"#);
    }

    #[test]
    fn a_damaged_record_leaves_nothing_behind() {
        let fields = schema(&[
            ("text", json!(["null", "string"]), json!(null)),
            ("list", json!({"type": "array", "items": "string"}), json!([])),
            ("map", json!({"type": "map", "values": "string"}), json!({})),
            ("flag", json!("boolean"), json!(false)),
        ]);
        let good = b"\x02\x02t\x02\x02i\x00\x02\x02k\x02v\x00\x01";
        let layout = Layout::between(fields.clone(), &fields);
        let mut decoder = Decoder::new(&fields, 2);
        decoder.decode(&layout, good).unwrap();
        for length in 0..good.len() {
            let error = decoder.decode(&layout, &good[..length]).unwrap_err();
            assert!(error.to_string().ends_with("the record is cut short"), "{error}");
        }
        let long = [&good[..], b"more"].concat();
        let error = decoder.decode(&layout, &long).unwrap_err();
        assert_eq!(error, DatumError::LeftOver { bytes: 4 });
        decoder.decode(&layout, good).unwrap();
        let rows = decoder.finish().columns.unwrap();
        assert_eq!(rows.num_rows(), 2);
        assert_eq!(rows.slice(0, 1), rows.slice(1, 1));
    }

    #[test]
    fn text_that_is_not_utf8_is_found_in_every_kind_of_field() {
        let fields = schema(&[
            ("text", json!(["null", "string"]), json!(null)),
            ("list", json!({"type": "array", "items": "string"}), json!([])),
            ("map", json!({"type": "map", "values": "string"}), json!({})),
            ("metadata", json!(["null", "string"]), json!(null)),
        ]);
        // A letter of two bytes: both halves in one text, or each in a text of its own.
        let records: [(&[u8], Option<&str>); 8] = [
            (b"\x02\x04\xc3\xa9\x00\x00\x00", None),
            (b"\x02\x02\xc3\x00\x00\x00", Some("text")),
            (b"\x02\x02\xa9\x00\x00\x00", Some("text")),
            (b"\x00\x02\x02\xc3\x00\x00\x00", Some("list")),
            (b"\x00\x00\x02\x02\xc3\x00\x00\x00", Some("map")),
            (b"\x00\x00\x02\x00\x02\xc3\x00\x00", Some("map")),
            (b"\x00\x00\x00\x02\x02\xc3", Some("metadata")),
            (b"\x02\x02t\x02\x04\xc3\xa9\x00\x02\x02k\x04\xc3\xa9\x00\x02\x04{}", None),
        ];
        let layout = Layout::between(fields.clone(), &fields);
        let mut decoder = Decoder::new(&fields, records.len());
        for (bytes, _) in records {
            decoder.decode(&layout, bytes).unwrap();
        }
        let Decoded { columns, faulty } = decoder.finish();
        for (row, (_, field)) in records.iter().enumerate() {
            let expected = field.map(|field| DatumError::NotUtf8 { field: field.to_owned() });
            assert_eq!(faulty.get(&row), expected.as_ref(), "row {row}");
        }
        let text = columns.unwrap().column_by_name("text").unwrap().as_string::<i32>().clone();
        assert_eq!((text.value(0), text.value(7)), ("é", "t"));
    }
}
