//! Checks decoded columns against the rules of `opstream_schemas::validate`, column by column.
//!
//! In: columns in the order of the Avro schema. Out: the first fault of each row that has one. A batch without faults,
//! which is nearly every batch, costs one pass over each number column and over the lengths of each text column.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use opstream_schemas::OperationId;
use opstream_schemas::validate::{AcceptedTimes, IDENTIFIERS, MAX_IDENTIFIER_BYTES, Violation, check_amount, check_id};

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
    "max_tokens",
    "producer_seq",
    "reported_cost_nano_usd",
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

#[cfg(test)]
mod tests {
    use opstream_schemas::avro::encode_operation;
    use opstream_schemas::offsets::{Offset, Partition};
    use opstream_schemas::validate::{DEFAULT_RETENTION_FLOOR, check_operation};
    use opstream_schemas::{Operation, UtcMicros, UtcMillis};

    use super::*;
    use crate::columns::operation_ids;
    use crate::decode::{WriterSchemas, decode_batch};
    use crate::record::{IncomingRecord, RawBatch};

    /// The faults of these operations when they come from the topic.
    fn faults(operations: &[Operation], accepted: AcceptedTimes) -> Faults {
        let mut batch = RawBatch::default();
        for (offset, operation) in (0..).map(Offset).zip(operations) {
            let mut bytes = Vec::new();
            encode_operation(operation, &mut bytes);
            let record = IncomingRecord {
                partition: Partition(0),
                offset,
                timestamp: None,
                key: None,
                value: Some(&bytes),
                headers: Vec::new(),
            };
            batch.push(record, 1, offset);
        }
        let columns = decode_batch(&batch, &WriterSchemas::default()).columns.unwrap();
        check_columns(&columns, &operation_ids(&columns), accepted)
    }

    #[test]
    fn the_topic_has_the_limits_of_the_front_door() {
        let accepted = AcceptedTimes::at(UtcMillis::now(), DEFAULT_RETENTION_FLOOR);
        let good = Operation::starting("chat", UtcMicros::now());
        let too_long = IDENTIFIERS.map(|field| {
            let mut json = serde_json::to_value(&good).unwrap();
            json[field] = "x".repeat(MAX_IDENTIFIER_BYTES + 1).into();
            serde_json::from_value(json).unwrap()
        });
        let others = [
            Operation { max_tokens: Some(-1), ..good.clone() },
            Operation { producer_seq: Some(-1), ..good.clone() },
            Operation { input_tokens: Some(1_000_000_001), ..good.clone() },
            Operation { attempt: 0, ..good.clone() },
            good,
        ];
        let operations: Vec<Operation> = too_long.into_iter().chain(others).collect();
        let found = faults(&operations, accepted);
        for (row, operation) in operations.iter().enumerate() {
            let at_the_door = check_operation(operation, accepted).err();
            assert_eq!(found.get(&row).map(Violation::field), at_the_door.as_ref().map(Violation::field), "row {row}");
        }
        assert_eq!(found.len(), operations.len() - 1);
    }
}
