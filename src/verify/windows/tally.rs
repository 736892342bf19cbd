//! What operations add up to in one window, from the compared columns.
//!
//! Written anew and not shared with the aggregator, on integers wide enough that damage cannot overflow them.

use std::collections::BTreeMap;

use opstream_schemas::sketch::{Bucket, Sketch, bucket_of};
use opstream_schemas::window::{SUM_COLUMNS, WindowSums};

use crate::verify::facts::{Facts, Symbol, number_place, text_place};

const SUCCESS: usize = number_place("success");
const COST: usize = number_place("cost_nano_usd");
const REPORTED: usize = number_place("reported_cost_nano_usd");
const CATALOGUE_COST: usize = number_place("catalogue_cost_nano_usd");
const COST_STATUS: usize = text_place("cost_status");
const LATENCY: usize = number_place("latency_us");
const TTFT: usize = number_place("ttft_us");

/// How one sum of a window follows from an operation.
#[derive(Clone, Copy)]
enum Source {
    /// Each operation counts one.
    One,
    /// Counts one when the truth value is false.
    Failure,
    /// Counts one when the column is null.
    Absent(usize),
    /// Counts one when the column is not null.
    Present(usize),
    /// Adds the column; null adds nothing.
    Sum(usize),
    /// Adds the first column less the second, where both have a value.
    Difference(usize, usize),
    /// Adds the cost where it is a reported one.
    ReportedAsCost,
}

/// The sources of [`SUM_COLUMNS`], in their order.
const SOURCES: [Source; SUM_COLUMNS.len()] = [
    Source::One,
    Source::Failure,
    Source::Absent(COST),
    Source::Present(REPORTED),
    Source::Sum(number_place("input_tokens")),
    Source::Sum(number_place("cache_read_tokens")),
    Source::Sum(number_place("cache_write_tokens")),
    Source::Sum(number_place("cache_write_1h_tokens")),
    Source::Sum(number_place("output_tokens")),
    Source::Sum(number_place("reasoning_tokens")),
    Source::Sum(number_place("input_audio_tokens")),
    Source::Sum(number_place("output_audio_tokens")),
    Source::Sum(number_place("input_image_tokens")),
    Source::Sum(number_place("output_image_tokens")),
    Source::Sum(number_place("web_searches")),
    Source::Sum(COST),
    Source::Sum(REPORTED),
    Source::Present(LATENCY),
    Source::Sum(LATENCY),
    Source::Present(TTFT),
    Source::Sum(TTFT),
    Source::Sum(number_place("input_cost_nano_usd")),
    Source::Sum(number_place("cache_read_cost_nano_usd")),
    Source::Sum(number_place("cache_write_cost_nano_usd")),
    Source::Sum(number_place("output_cost_nano_usd")),
    Source::Sum(number_place("unit_cost_nano_usd")),
    Source::Sum(number_place("cache_savings_nano_usd")),
    Source::Present(CATALOGUE_COST),
    Source::Difference(REPORTED, CATALOGUE_COST),
    Source::ReportedAsCost,
];

/// The sums and sketches of one window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    sums: [i128; SUM_COLUMNS.len()],
    latency: BTreeMap<Bucket, u64>,
    ttft: BTreeMap<Bucket, u64>,
}

impl Tally {
    /// Adds one operation. `reported` is the symbol of that status, if any operation of the slice has it.
    pub(super) fn add(&mut self, facts: &Facts, reported: Option<Symbol>) {
        for (sum, source) in self.sums.iter_mut().zip(SOURCES) {
            *sum += match source {
                Source::One => 1,
                Source::Failure => i128::from(facts.number(SUCCESS) != Some(1)),
                Source::Absent(place) => i128::from(facts.number(place).is_none()),
                Source::Present(place) => i128::from(facts.number(place).is_some()),
                Source::Sum(place) => facts.number(place).unwrap_or(0).into(),
                Source::Difference(from, less) => match (facts.number(from), facts.number(less)) {
                    (Some(from), Some(less)) => i128::from(from) - i128::from(less),
                    _ => 0,
                },
                Source::ReportedAsCost if reported.is_some() && facts.text(COST_STATUS) == reported => {
                    facts.number(COST).unwrap_or(0).into()
                }
                Source::ReportedAsCost => 0,
            };
        }
        for (place, sketch) in [(LATENCY, &mut self.latency), (TTFT, &mut self.ttft)] {
            if let Some(micros) = facts.number(place) {
                // Below zero nothing can be counted; the sum next to it keeps the difference visible.
                *sketch.entry(bucket_of(u64::try_from(micros).unwrap_or(0))).or_default() += 1;
            }
        }
    }

    /// Adds what another tally holds.
    pub(super) fn merge(&mut self, other: &Self) {
        for (sum, more) in self.sums.iter_mut().zip(other.sums) {
            *sum += more;
        }
        for (ours, theirs) in [(&mut self.latency, &other.latency), (&mut self.ttft, &other.ttft)] {
            for (bucket, count) in theirs {
                *ours.entry(*bucket).or_default() += count;
            }
        }
    }

    /// How many operations were added.
    pub(super) const fn operations(&self) -> i128 {
        self.sums[0]
    }

    /// How a stored window differs, as `column: theirs ≠ ours`. Empty when it is what the operations add up to.
    pub(super) fn differences(&self, stored: &StoredSums) -> Vec<String> {
        let sums = SUM_COLUMNS.iter().zip(stored.sums.to_array().into_iter().zip(self.sums));
        let sums = sums.filter(|(_, (theirs, ours))| i128::from(*theirs) != *ours);
        let sums = sums.map(|(column, (theirs, ours))| format!("{column}: {theirs} ≠ {ours}"));
        let sketches = [
            ("latency_sketch", &stored.latency_sketch, &self.latency),
            ("ttft_sketch", &stored.ttft_sketch, &self.ttft),
        ];
        sums.chain(sketches.into_iter().filter_map(|(column, bytes, ours)| sketch_difference(column, bytes, ours)))
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
