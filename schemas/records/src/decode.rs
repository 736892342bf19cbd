//! Raw records to columns: Confluent framing, schema, Avro. Ids of our reserved range name our own schemas, whatever a registry may
//! say of them; all others are those of the registry, as far as it was asked.
//!
//! Records are appended to the columns of the whole batch, with no step in between. One that is damaged becomes a dead letter and
//! does not hold up the rest.

mod cell;
mod column;
pub mod datum;
mod decoder;
mod inspect;
mod json;
mod layout;
mod resolution;
mod shape;
mod texts;
mod view;
mod writer_schemas;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use opstream_schemas::avro::{OPERATION_V1_ID, RESERVED_IDS, SchemaId, builtin_schema, split_frame};

use self::decoder::{Decoded, Decoder, layout_of};
pub use self::inspect::{Inspection, inspect};
use self::layout::Layout;
pub use self::view::RecordView;
pub use self::writer_schemas::WriterSchemas;
use crate::dead_letter::Poison;
use crate::record::RawBatch;

/// The decodable records of a batch as columns in the order of the Avro schema.
#[derive(Debug)]
pub struct DecodedBatch {
    /// Columns; none when no record could be decoded.
    pub columns: Option<RecordBatch>,
    /// For each row the index of its record in the raw batch.
    pub records: Vec<usize>,
    /// Index and fault of each record that could not be decoded.
    pub poison: Vec<(usize, Poison)>,
}

/// An operation's record behind its frame.
struct Datum<'a> {
    /// Its id: the first field of every version.
    id: u128,
    index: usize,
    layout: &'a Layout,
    bytes: &'a [u8],
}

/// Decodes every record that can be decoded. Rows are in the order of their ids, and of one id in the order of the batch.
pub fn decode_batch(batch: &RawBatch, schemas: &WriterSchemas) -> DecodedBatch {
    let mut poison = Vec::new();
    let mut data = Vec::with_capacity(batch.len());
    for (index, record) in batch.records().iter().enumerate() {
        match datum(index, batch.value(record), schemas) {
            Ok(datum) => data.push(datum),
            Err(fault) => poison.push((index, fault)),
        }
    }
    // Here it costs least: sorting rows would copy every column.
    data.sort_by_key(|datum| datum.id);
    let mut decoder = Decoder::of_operations(data.len());
    let mut records = Vec::with_capacity(data.len());
    for Datum { index, layout, bytes, .. } in data {
        match decoder.decode(layout, bytes) {
            Ok(()) => records.push(index),
            Err(error) => poison.push((index, Poison::Undecodable { reason: error.to_string() })),
        }
    }
    let Decoded { mut columns, faulty } = decoder.finish();
    if !faulty.is_empty() {
        let is_sound = |row: &usize| !faulty.contains_key(row);
        columns = columns.map(|columns| keep(&columns, is_sound));
        poison.extend(
            faulty.iter().map(|(row, error)| (records[*row], Poison::Undecodable { reason: error.to_string() })),
        );
        let sound = records.iter().enumerate().filter(|(row, _)| is_sound(row)).map(|(_, record)| *record);
        records = sound.collect();
    }
    poison.sort_unstable_by_key(|(index, _)| *index);
    DecodedBatch { columns: columns.filter(|columns| columns.num_rows() > 0), records, poison }
}

fn keep(columns: &RecordBatch, is_kept: impl Fn(&usize) -> bool) -> RecordBatch {
    let kept: BooleanArray = (0..columns.num_rows()).map(|row| Some(is_kept(&row))).collect();
    filter_record_batch(columns, &kept).expect("there is an answer for every row")
}

/// A value behind a frame whose schema is known.
struct Framed<'a> {
    layout: &'a Layout,
    datum: &'a [u8],
}

/// The datum of an operation, if the frame and the schema are what we know.
fn datum<'a>(index: usize, value: Option<&'a [u8]>, schemas: &'a WriterSchemas) -> Result<Datum<'a>, Poison> {
    let Framed { layout, datum } = framed(value, schemas)?;
    Ok(Datum { id: layout.id(datum), index, layout, bytes: datum })
}

fn framed<'a>(value: Option<&'a [u8]>, schemas: &'a WriterSchemas) -> Result<Framed<'a>, Poison> {
    let framed = split_frame(value.ok_or(Poison::NoValue)?)?;
    let id = framed.schema_id;
    let known = layout_of(id).map(Ok).or_else(|| schemas.layout(id));
    match known {
        Some(Ok(layout)) => Ok(Framed { layout, datum: framed.datum }),
        Some(Err(reason)) => Err(Poison::Unresolvable { id: id.0, reason: reason.to_owned() }),
        None if is_unknown_version(id) => Err(Poison::NewerSchema { id: id.0 }),
        None => Err(Poison::UnknownSchema { id: id.0, expected: OPERATION_V1_ID.0 }),
    }
}

/// Whether only opstream can have written with this schema, though no version that is known here.
fn is_unknown_version(id: SchemaId) -> bool {
    RESERVED_IDS.contains(&id.0) && builtin_schema(id).is_none()
}

#[cfg(test)]
mod evolution;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod test_batch;
#[cfg(test)]
mod tests;
