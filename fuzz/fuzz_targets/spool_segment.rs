//! Segments of the producer's spool, as a crash, a bad disk or somebody else left them.
#![no_main]
// Each of the included files is used in part.
#![allow(dead_code)]

use libfuzzer_sys::fuzz_target;

#[path = "../../producer/src"]
mod producer {
    pub(crate) mod record;
    pub(crate) mod spool {
        pub(crate) mod hostile;
        mod segment;
    }
}

// Where the files look for each other.
use producer::record;

fuzz_target!(|bytes: &[u8]| producer::spool::hostile::check(bytes));
