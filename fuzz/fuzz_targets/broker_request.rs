//! Requests to the embedded broker, from their bytes to the structures that it works on.
#![no_main]
// Each of the included files is used in part.
#![allow(dead_code)]

use libfuzzer_sys::fuzz_target;

mod allocation;

#[path = "../../src/embedded_broker/requests"]
mod requests {
    pub(crate) mod hostile;
    mod shape;
}

use requests::hostile;

#[global_allocator]
static ALLOCATOR: allocation::Counting = allocation::Counting;

fuzz_target!(|bytes: &[u8]| {
    let ((), most) = allocation::most_during(|| hostile::check(bytes));
    let allowed = hostile::most_memory(bytes.len());
    assert!(most <= allowed, "a request of {} bytes took {most} bytes of memory, {allowed} are allowed", bytes.len());
});
