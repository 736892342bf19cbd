//! Values of the topic `llm.operations`, from their frame to the columns that are stored.
#![no_main]
// Each of the included files is used in part.
#![allow(dead_code, unused_imports)]

use std::sync::Once;

use libfuzzer_sys::fuzz_target;

mod allocation;

#[path = "../../schemas/records/src"]
mod records {
    pub(crate) mod checks;
    pub(crate) mod columns;
    pub(crate) mod dead_letter;
    pub(crate) mod decode;
    #[path = "decode/hostile.rs"]
    pub(crate) mod hostile;
    pub(crate) mod record;
    #[path = "decode/test_batch.rs"]
    pub(crate) mod test_batch;
}

// Where the files look for each other.
use records::{checks, columns, dead_letter, decode, hostile, record};

#[global_allocator]
static ALLOCATOR: allocation::Counting = allocation::Counting;

fuzz_target!(|bytes: &[u8]| {
    let batch = hostile::batch_with(bytes);
    // What is made once for the whole process does not count.
    static MADE: Once = Once::new();
    MADE.call_once(|| drop(decode::decode_batch(&batch, &decode::WriterSchemas::default())));
    let (decoded, most) = allocation::most_during(|| decode::decode_batch(&batch, &decode::WriterSchemas::default()));
    let allowed = hostile::most_memory(bytes.len());
    assert!(most <= allowed, "a record of {} bytes took {most} bytes of memory, {allowed} are allowed", bytes.len());
    hostile::check(&batch, decoded);
});
