//! Proof by numbers: random operations in random order and batches, twice in other orders, and every sum is the one it must be.
//!
//! What is measured is the whole of it, with everything that is done to the operations meanwhile; a difference is a panic, and the part has failed.

use std::time::Instant;

use opstream_schemas::UtcMillis;
use opstream_schemas::window::SUM_COLUMNS;

use crate::figures::{Figure, Unit};
use crate::harness::backends::Backends;
use crate::sums::run::{Extent, Outcome, run};

/// Records of the largest batch: the ingestor's default.
const LARGEST_BATCH: u64 = 20_000;
/// Seeds of order and batches. The operations are the same.
const SEEDS: [u64; 2] = [1, 2];

/// Sends so many operations through in each order.
pub(crate) async fn measure(backends: &Backends, operations: u64) -> Vec<Figure> {
    let began = Instant::now();
    let extent = Extent { operations, largest_batch: LARGEST_BATCH };
    let end = UtcMillis::now();
    let mut outcomes: Vec<Outcome> = Vec::new();
    for seed in SEEDS {
        // Each order has a pipeline of its own.
        let own = Backends::create(backends.combination).await.expect("these backends were there a moment ago");
        let outcome = Box::pin(run(&own, extent, (seed, end))).await;
        crate::say(&format!("  order {seed}: {outcome}"));
        outcomes.push(outcome);
        own.remove().await;
    }
    assert!(outcomes.iter().all(|outcome| outcome.sums == outcomes[0].sums), "the orders come to other sums");
    let took = began.elapsed().as_secs_f64();
    let batches: Vec<String> = outcomes.iter().map(|outcome| outcome.batches.to_string()).collect();
    let note = format!("{} batches, {} nano-USD in each order", batches.join(" and "), cost_of(&outcomes[0]));
    let all = (operations * SEEDS.len() as u64) as f64;
    vec![Figure::new("random operations whose sums are equal, by the clock", all / took, Unit::PerSecond).noting(note)]
}

fn cost_of(outcome: &Outcome) -> i64 {
    let sums = SUM_COLUMNS.iter().zip(outcome.sums);
    sums.filter(|(column, _)| **column == "cost_nano_usd").map(|(_, sum)| sum).sum()
}
