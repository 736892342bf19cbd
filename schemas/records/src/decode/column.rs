//! One column while records are appended to it, a block of them at a time: going through many columns record by record would
//! touch too many places of memory at once.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};

use super::cell::{Cell, span};
use super::datum::{Datum, ID_LENGTH};
use super::json;
use super::layout::{Field, Kind};
use super::texts::{Pushed, Texts};

const ID_WIDTH: i32 = 16;

/// A growing column.
pub(super) struct Column {
    /// Whether records say of each value that it is one.
    is_union: bool,
    /// For each row whether it has a value; empty while every row must have one.
    present: Vec<bool>,
    values: Values,
    /// Rows whose text is not UTF-8; they hold nothing.
    not_utf8: Vec<usize>,
}

enum Values {
    Ids(Vec<u8>),
    Ints(Vec<i32>),
    Longs(Vec<i64>),
    Doubles(Vec<f64>),
    Booleans(Vec<bool>),
    Texts(Texts),
    /// Text that becomes valid JSON.
    Json(Texts),
    /// Lists of text as JSON arrays; an empty one is null.
    Lists(Texts),
    /// Maps of text as JSON objects; an empty one is null.
    Maps(Texts),
}

impl Column {
    pub(super) fn new(field: &Field, rows: usize) -> Self {
        let texts = || Texts::new(rows);
        let values = match field.kind {
            Kind::Id => Values::Ids(Vec::with_capacity(rows * ID_LENGTH)),
            Kind::Int => Values::Ints(Vec::with_capacity(rows)),
            Kind::Long => Values::Longs(Vec::with_capacity(rows)),
            Kind::Double => Values::Doubles(Vec::with_capacity(rows)),
            Kind::Boolean => Values::Booleans(Vec::with_capacity(rows)),
            Kind::Text if json::is_column(&field.name) => Values::Json(texts()),
            Kind::Text => Values::Texts(texts()),
            Kind::TextList => Values::Lists(texts()),
            Kind::TextMap => Values::Maps(texts()),
        };
        Self { is_union: field.nullable, present: Vec::new(), values, not_utf8: Vec::new() }
    }

    /// Appends these values, each with the bytes of its record.
    pub(super) fn append<'a>(&mut self, cells: impl Iterator<Item = (&'a [u8], Cell)> + Clone) {
        let Self { is_union, present, values, not_utf8 } = self;
        if *is_union {
            present.extend(cells.clone().map(|(_, cell)| cell.is_some()));
        }
        let bits = |(_, cell): (&[u8], Cell)| cell.unwrap_or_default();
        let bytes = |(record, cell): (&'a [u8], Cell)| cell.map_or(&[][..], |bits| &record[span(bits)]);
        let mut note = |pushed, texts: &Texts| {
            if pushed == Pushed::NotUtf8 {
                not_utf8.push(texts.rows() - 1);
            }
        };
        match values {
            Values::Ids(ids) => cells.for_each(|cell| {
                ids.extend_from_slice(if cell.1.is_some() { bytes(cell) } else { &[0; ID_LENGTH] });
            }),
            Values::Ints(values) => {
                values.extend(cells.map(|cell| i32::try_from(bits(cell).cast_signed()).unwrap_or_default()));
            }
            Values::Longs(values) => values.extend(cells.map(|cell| bits(cell).cast_signed())),
            Values::Doubles(values) => values.extend(cells.map(|cell| f64::from_bits(bits(cell)))),
            Values::Booleans(values) => values.extend(cells.map(|cell| bits(cell) == 1)),
            Values::Texts(texts) => {
                let first = texts.rows();
                cells.for_each(|cell| texts.push(bytes(cell)));
                not_utf8.extend(texts.remove_not_utf8(first));
            }
            Values::Json(texts) => cells.for_each(|cell| {
                let pushed = if cell.1.is_some() { texts.push_json(bytes(cell)) } else { texts.push_nothing() };
                note(pushed, texts);
            }),
            Values::Lists(texts) => cells.for_each(|cell| {
                let pushed = texts.push_list(&mut Datum::new(bytes(cell)));
                present.push(pushed == Pushed::Json);
                note(pushed, texts);
            }),
            Values::Maps(texts) => cells.for_each(|cell| {
                let pushed = texts.push_map(&mut Datum::new(bytes(cell)));
                present.push(pushed == Pushed::Json);
                note(pushed, texts);
            }),
        }
    }

    /// The column, and its rows whose text is not UTF-8.
    pub(super) fn finish(self) -> (ArrayRef, Vec<usize>) {
        let nulls = (!self.present.is_empty()).then(|| NullBuffer::from(self.present));
        let column: ArrayRef = match self.values {
            Values::Ids(bytes) => Arc::new(FixedSizeBinaryArray::new(ID_WIDTH, Buffer::from_vec(bytes), nulls)),
            Values::Ints(values) => Arc::new(Int32Array::new(values.into(), nulls)),
            Values::Longs(values) => Arc::new(Int64Array::new(values.into(), nulls)),
            Values::Doubles(values) => Arc::new(Float64Array::new(values.into(), nulls)),
            Values::Booleans(values) => Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls)),
            Values::Texts(texts) | Values::Json(texts) | Values::Lists(texts) | Values::Maps(texts) => {
                Arc::new(texts.finish(nulls))
            }
        };
        (column, self.not_utf8)
    }
}
