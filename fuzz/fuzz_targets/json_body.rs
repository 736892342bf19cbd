//! Bodies of `POST /v1/operations`, and what they become on the topic.
#![no_main]
// Each of the included files is used in part.
#![allow(dead_code, unused_imports)]

use libfuzzer_sys::fuzz_target;
use opstream_schemas::Operation;
use opstream_schemas::avro::encode_operation;
use opstream_schemas::offsets::{Offset, Partition};

#[path = "../../schemas/records/src"]
mod records {
    pub(crate) mod checks;
    pub(crate) mod columns;
    pub(crate) mod dead_letter;
    pub(crate) mod decode;
    pub(crate) mod record;
}

// Where the files look for each other.
use records::{checks, columns, dead_letter, decode, record};

/// As in the api's configuration, most of which has nothing to do with bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentCapture {
    On,
    Off,
}

#[path = "../../api/src/front_door"]
mod front_door {
    mod admission;
    mod canonical;
    mod document;
    pub(crate) mod hostile;
    mod identity;
    mod item;
    mod lines;
    mod shape;
    mod usage;
    mod words;
}

fuzz_target!(|bytes: &[u8]| {
    for operation in front_door::hostile::check(bytes) {
        pass_the_ingestor(&operation);
    }
});

/// What the door has accepted must not become a dead letter.
fn pass_the_ingestor(operation: &Operation) {
    let mut value = Vec::new();
    encode_operation(operation, &mut value);
    let mut batch = record::RawBatch::default();
    let record = record::IncomingRecord {
        partition: Partition(0),
        offset: Offset(0),
        timestamp: None,
        key: None,
        value: Some(&value),
        headers: Vec::new(),
    };
    batch.push(record, 1, Offset(0));
    let decoded = decode::decode_batch(&batch, &decode::WriterSchemas::default());
    let columns = decoded.columns.expect("what the door accepts is decoded");
    let faults = checks::check_columns(&columns, &columns::operation_ids(&columns), front_door::hostile::ACCEPTED);
    assert!(faults.is_empty(), "the door accepts what the ingestor refuses: {faults:?}");
}
