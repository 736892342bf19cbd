//! How much questions to the lake's files may take.

use std::time::Duration;

/// Limits of the processes that read the lake's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanLimits {
    /// Most memory of one, in bytes. 1 GiB by default.
    pub memory_bytes: u64,
    /// How long one may take until its answer is there. 30 s by default, below the minute that a request may take.
    pub time: Duration,
    /// How many questions may run at once, with half as many statements and as many exports beside them. 2 by default; further ones wait.
    pub at_once: usize,
    /// How many threads each may use. 2 by default.
    pub threads: usize,
}

impl Default for ScanLimits {
    fn default() -> Self {
        Self { memory_bytes: 1 << 30, time: Duration::from_secs(30), at_once: 2, threads: 2 }
    }
}

/// What programs say for want of memory; the last one where a thread gets no stack.
const MEMORY_SIGNS: [&str; 4] =
    ["memory allocation of", "cannot allocate memory", "out of memory", "resource temporarily unavailable"];

/// Whether words of a program that ends tell of its limit of memory.
pub(super) fn lacks_memory(words: &str) -> bool {
    let words = words.to_lowercase();
    MEMORY_SIGNS.iter().any(|sign| words.contains(sign))
}
