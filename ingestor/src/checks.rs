//! Checks decoded columns against the rules of `opstream_schemas::validate`, column by column.
//!
//! In: columns in the order of the Avro schema. Out: the first fault of each row that has one. A batch without faults,
//! which is nearly every batch, costs one pass over each number column and over the lengths of each text column.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use opstream_schemas::OperationId;
use opstream_schemas::validate::{AcceptedTimes, MAX_IDENTIFIER_BYTES, Violation, check_amount, check_id};

/// Counts, durations and amounts with limits, under the names in which a fault is reported.
const AMOUNTS: &[&str] = &[
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "output_image_tokens",
    "web_searches",
    "latency_us",
    "queue_us",
    "ttft_us",
    "generation_us",
    "reported_cost_nano_usd",
];

/// Texts that become dimensions or are looked up; the others may be of any length.
const IDENTIFIERS: &[&str] = &[
    "workspace",
    "project",
    "team",
    "environment",
    "provider",
    "model",
    "operation_type",
    "agent_id",
    "action_id",
    "session_id",
    "user_id",
];

/// The first fault of each faulty row.
pub type Faults = BTreeMap<usize, Violation>;

/// Checks every row.
pub fn check_columns(columns: &RecordBatch, ids: &[OperationId], accepted: AcceptedTimes) -> Faults {
    let mut faults = Faults::new();
    for (row, id) in ids.iter().enumerate() {
        if let Err(violation) = check_id(*id, accepted) {
            faults.insert(row, violation);
        }
    }
    for field in AMOUNTS {
        check_amounts(columns, field, &mut faults);
    }
    for field in IDENTIFIERS {
        check_length(columns, field, &mut faults);
    }
    for field in ["workspace", "operation_type"] {
        check_not_empty(columns, field, &mut faults);
    }
    check_attempt(columns, &mut faults);
    faults
}

fn check_amounts(columns: &RecordBatch, field: &'static str, faults: &mut Faults) {
    let column = column(columns, field).as_primitive::<Int64Type>();
    for (row, value) in column.iter().enumerate() {
        if let Err(violation) = value.map_or(Ok(()), |value| check_amount(field, value)) {
            faults.entry(row).or_insert(violation);
        }
    }
}

fn check_length(columns: &RecordBatch, field: &'static str, faults: &mut Faults) {
    let column = column(columns, field).as_string::<i32>();
    for (row, bytes) in column.offsets().lengths().enumerate() {
        if bytes > MAX_IDENTIFIER_BYTES {
            faults.entry(row).or_insert(Violation::TooLong { field, bytes });
        }
    }
}

fn check_not_empty(columns: &RecordBatch, field: &'static str, faults: &mut Faults) {
    let column = column(columns, field).as_string::<i32>();
    for (row, bytes) in column.offsets().lengths().enumerate() {
        if bytes == 0 {
            faults.entry(row).or_insert(Violation::Empty { field });
        }
    }
}

fn check_attempt(columns: &RecordBatch, faults: &mut Faults) {
    let column = column(columns, "attempt").as_primitive::<Int32Type>();
    for (row, value) in column.values().iter().enumerate() {
        if *value < 1 {
            let violation = Violation::OutOfRange { field: "attempt", value: i64::from(*value), allowed: "1 or more" };
            faults.entry(row).or_insert(violation);
        }
    }
}

fn column<'a>(columns: &'a RecordBatch, field: &str) -> &'a dyn Array {
    columns.column_by_name(field).expect("decoded columns have the fields of the Avro schema")
}
