//! Crashes and errors at the steps of the pipeline, with operations in flight: a small sample of what `make torture` does at length.

use crate::harness::backends::{Backends, each_combination};
use crate::harness::servers::announce;
use crate::torture::faults;
use crate::torture::load::Extent;
use crate::torture::run::run;
use crate::torture::stage::Stage;

/// Which sample; docs/reliability.md says how to take another.
const SEED: u64 = 3;
const CRASHES: usize = 3;
/// More operations than can be handed over meanwhile, and a backlog that is soon worked off.
const EXTENT: Extent = Extent { operations: 5_000_000, behind: 15_000 };

#[tokio::test(flavor = "multi_thread")]
async fn rows_files_windows_letters_and_topics_are_what_was_acknowledged() {
    each_combination(async |backends: &Backends| {
        let disturbances = faults::sample(CRASHES, SEED);
        let stage = Stage::set(backends, &disturbances).await.expect("the sample needs nothing but the backends");
        let outcome = Box::pin(run(stage, &disturbances, EXTENT)).await;
        announce(&format!("{}: {outcome}", backends.combination));
        assert!(outcome.verdict.is_clean(), "{outcome}");
    })
    .await;
}
