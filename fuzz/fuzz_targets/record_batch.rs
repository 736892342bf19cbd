//! Record batches as producers send them to the embedded broker, and log segments as it finds them when it starts.
#![no_main]
// Each of the included files is used in part.
#![allow(dead_code)]

use libfuzzer_sys::fuzz_target;

#[path = "../../src/embedded_broker"]
mod embedded_broker {
    mod batch;
    pub(crate) mod hostile;
    mod producers;
    mod records;
    mod segment;
}

fuzz_target!(|bytes: &[u8]| {
    embedded_broker::hostile::check_batch_of(bytes);
    embedded_broker::hostile::check_segment_of(bytes);
});
