//! Crashes and errors at the steps of the pipeline, with operations in flight: a small sample of what `make torture` does at length.

use crate::harness::backends::{Backends, each_combination};
use crate::harness::servers::announce;
use crate::torture::{faults, run::run};

/// Which sample; docs/reliability.md says how to take another.
const SEED: u64 = 3;
const CRASHES: usize = 6;
/// More than the load can be handed over meanwhile.
const MOST_OPERATIONS: u64 = 5_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn rows_files_windows_letters_and_topics_are_what_was_acknowledged() {
    each_combination(async |backends: &Backends| {
        let outcome = Box::pin(run(backends, &faults::sample(CRASHES, SEED), MOST_OPERATIONS)).await;
        announce(&format!("{}: {outcome}", backends.combination));
        assert!(outcome.verdict.is_clean(), "{outcome}");
    })
    .await;
}
