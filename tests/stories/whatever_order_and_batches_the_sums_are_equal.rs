//! Random operations in random order and batches: rows, files and windows of every set and level come to what the operations come to one by
//! one, for cost, each part, reported cost, tokens and counts, before, while and after costs are others. `make bench ARGS="--only sums"` does it
//! with a million.

use opstream_schemas::UtcMillis;

use crate::harness::backends::{Backends, each_combination};
use crate::harness::servers::announce;
use crate::sums::run::{Extent, run};

const EXTENT: Extent = Extent { operations: 20_000, largest_batch: 4_000 };

#[tokio::test(flavor = "multi_thread")]
async fn rows_files_and_windows_come_to_what_the_operations_come_to() {
    each_combination(async |backends: &Backends| {
        let outcome = Box::pin(run(backends, EXTENT, (1, UtcMillis::now()))).await;
        announce(&format!("{}: {outcome}", backends.combination));
        assert_eq!(outcome.sums[0], 20_000);
        assert!(outcome.sums.iter().all(|sum| *sum != 0), "something does not occur: {outcome}");
        assert!(outcome.batches > 20 && outcome.merged > 0 && outcome.repriced > 0, "{outcome:?}");
    })
    .await;
}
