//! Raw records to columns: Confluent framing, schema look-up, Avro.
//!
//! The whole batch is decoded at once. The decoder has no way back from a record that fails half-way, so a batch that
//! fails is cut in halves with fresh decoders until the records at fault stand alone; those become dead letters and the
//! rest is not held up.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::RecordBatch;
use arrow_avro::reader::{Decoder, DecoderMode, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};
use arrow_select::concat::concat_batches;
use opstream_schemas::avro::{OPERATION_V1_ID, RESERVED_IDS, Record, SchemaId, builtin_schema, split_frame};

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

/// One record's datum.
#[derive(Clone, Copy)]
struct Datum<'a> {
    index: usize,
    bytes: &'a [u8],
}

/// Decodes every record that can be decoded.
pub fn decode_batch(batch: &RawBatch) -> DecodedBatch {
    let mut poison = Vec::new();
    let mut data = Vec::with_capacity(batch.len());
    for (index, record) in batch.records().iter().enumerate() {
        match datum(batch.value(record)) {
            Ok(bytes) => data.push(Datum { index, bytes }),
            Err(fault) => poison.push((index, fault)),
        }
    }
    let mut parts = Vec::new();
    let mut records = Vec::with_capacity(data.len());
    decode_range(&data, &mut |outcome| match outcome {
        Outcome::Columns(columns, range) => {
            parts.push(columns);
            records.extend(range.iter().map(|datum| datum.index));
        }
        Outcome::Poison(datum, reason) => poison.push((datum.index, Poison::Undecodable { reason })),
    });
    poison.sort_unstable_by_key(|(index, _)| *index);
    let columns = match parts.len() {
        0 | 1 => parts.pop(),
        _ => Some(concat_batches(&parts[0].schema(), &parts).expect("parts of one schema have the same columns")),
    };
    DecodedBatch { columns, records, poison }
}

/// The datum of an operation, if the frame and the schema are what we know.
fn datum(value: Option<&[u8]>) -> Result<&[u8], Poison> {
    let framed = split_frame(value.ok_or(Poison::NoValue)?)?;
    match builtin_schema(framed.schema_id) {
        Some(schema) if schema.record == Record::Operation => Ok(framed.datum),
        None if RESERVED_IDS.contains(&framed.schema_id.0) => Err(Poison::NewerSchema { id: framed.schema_id.0 }),
        _ => Err(Poison::UnknownSchema { id: framed.schema_id.0, expected: OPERATION_V1_ID.0 }),
    }
}

enum Outcome<'a> {
    Columns(RecordBatch, &'a [Datum<'a>]),
    Poison(Datum<'a>, String),
}

fn decode_range<'a>(data: &'a [Datum<'a>], report: &mut impl FnMut(Outcome<'a>)) {
    if data.is_empty() {
        return;
    }
    match decode_all(data) {
        Ok(columns) => report(Outcome::Columns(columns, data)),
        Err(reason) if data.len() == 1 => report(Outcome::Poison(data[0], reason)),
        Err(_) => {
            let (left, right) = data.split_at(data.len() / 2);
            decode_range(left, report);
            decode_range(right, report);
        }
    }
}

/// Decodes all or nothing. A panic of the decoder on hostile bytes counts as a failure: it must not stop the partition.
fn decode_all(data: &[Datum<'_>]) -> Result<RecordBatch, String> {
    catch_unwind(AssertUnwindSafe(|| decode_without_net(data)))
        .unwrap_or_else(|_| Err("the decoder panicked".to_owned()))
}

fn decode_without_net(data: &[Datum<'_>]) -> Result<RecordBatch, String> {
    let mut decoder = new_decoder(OPERATION_V1_ID, data.len());
    for datum in data {
        let consumed = decoder.decode(datum.bytes).map_err(|error| error.to_string())?;
        if consumed != datum.bytes.len() {
            return Err(format!("{} bytes are left over after the record", datum.bytes.len() - consumed));
        }
    }
    let columns = decoder.flush().map_err(|error| error.to_string())?.ok_or("the record is cut short")?;
    if columns.num_rows() != data.len() {
        return Err(format!("{} records gave {} rows", data.len(), columns.num_rows()));
    }
    Ok(columns)
}

fn new_decoder(id: SchemaId, records: usize) -> Decoder {
    let schema = builtin_schema(id).expect("the id is one of ours");
    let fingerprint = Fingerprint::Id(id.0);
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    store.set(fingerprint, AvroSchema::new(schema.text.to_owned())).expect("a fresh store takes any id");
    ReaderBuilder::new()
        .with_writer_schema_store(store)
        .with_active_fingerprint(fingerprint)
        .with_decoder_mode(DecoderMode::UnframedDatum)
        .with_batch_size(records)
        .build_decoder()
        .expect("the built-in schemas can be decoded")
}

#[cfg(test)]
mod tests;
