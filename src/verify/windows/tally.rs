//! What operations add up to in one window: sums, and sketches of durations.

use std::collections::BTreeMap;

use opstream_schemas::sketch::{Bucket, Sketch, bucket_of};
use opstream_schemas::window::WindowSums;

use crate::verify::facts::{Facts, Symbol};
use crate::verify::sums::{LATENCY, Sums, TTFT};

/// The sums and sketches of one window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    sums: Sums,
    latency: BTreeMap<Bucket, u64>,
    ttft: BTreeMap<Bucket, u64>,
}

impl Tally {
    /// Adds one operation. `reported` is the symbol of that status, if any operation of the slice has it.
    pub(super) fn add(&mut self, facts: &Facts, reported: Option<Symbol>) {
        self.sums.add(facts, reported);
        for (place, sketch) in [(LATENCY, &mut self.latency), (TTFT, &mut self.ttft)] {
            if let Some(micros) = facts.number(place) {
                // Below zero nothing can be counted; the sum next to it keeps the difference visible.
                *sketch.entry(bucket_of(u64::try_from(micros).unwrap_or(0))).or_default() += 1;
            }
        }
    }

    /// Adds what another tally holds.
    pub(super) fn merge(&mut self, other: &Self) {
        self.sums += other.sums;
        for (ours, theirs) in [(&mut self.latency, &other.latency), (&mut self.ttft, &other.ttft)] {
            for (bucket, count) in theirs {
                *ours.entry(*bucket).or_default() += count;
            }
        }
    }

    /// How many operations were added.
    pub(super) const fn operations(&self) -> i128 {
        self.sums.operations()
    }

    /// How a stored window differs, as `column: theirs ≠ ours`. Empty when it is what the operations add up to.
    pub(super) fn differences(&self, stored: &StoredSums) -> Vec<String> {
        let sums = Sums::from(stored.sums).differences(&self.sums);
        let sketches = [
            ("latency_sketch", &stored.latency_sketch, &self.latency),
            ("ttft_sketch", &stored.ttft_sketch, &self.ttft),
        ];
        sums.into_iter()
            .chain(sketches.into_iter().filter_map(|(column, bytes, ours)| sketch_difference(column, bytes, ours)))
            .collect()
    }
}

/// What the table holds for one window.
#[derive(Debug)]
pub(super) struct StoredSums {
    /// Counts, tokens, money and durations.
    pub(super) sums: WindowSums,
    /// Bytes of the sketch of latencies.
    pub(super) latency_sketch: Vec<u8>,
    /// Bytes of the sketch of times to first token.
    pub(super) ttft_sketch: Vec<u8>,
}

fn sketch_difference(column: &str, bytes: &[u8], ours: &BTreeMap<Bucket, u64>) -> Option<String> {
    let stored = match Sketch::from_bytes(bytes) {
        Ok(stored) => stored,
        Err(error) => return Some(format!("{column}: {error}")),
    };
    if stored.buckets().iter().copied().eq(ours.iter().map(|(bucket, count)| (*bucket, *count))) {
        return None;
    }
    let (count, expected): (u64, u64) = (stored.count(), ours.values().sum());
    Some(if count == expected {
        format!("{column}: counts {count} values in other buckets")
    } else {
        format!("{column}: counts {count} values ≠ {expected}")
    })
}
