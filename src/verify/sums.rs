//! What operations add up to, from the compared columns: the sums that windows have.
//!
//! Written anew and not shared with the aggregator, on integers wide enough that damage cannot overflow them.

use std::ops::AddAssign;

use opstream_schemas::window::{SUM_COLUMNS, WindowSums};

use super::facts::{Facts, Symbol, number_place, text_place};

const SUCCESS: usize = number_place("success");
const COST: usize = number_place("cost_nano_usd");
const REPORTED: usize = number_place("reported_cost_nano_usd");
const CATALOGUE_COST: usize = number_place("catalogue_cost_nano_usd");
const COST_STATUS: usize = text_place("cost_status");
/// Place of the cost in [`SUM_COLUMNS`].
const COST_COLUMN: usize = 15;
const _: () = assert!(matches!(SUM_COLUMNS[COST_COLUMN].as_bytes(), b"cost_nano_usd"));
/// Place of a number that windows have a sketch of.
pub(super) const LATENCY: usize = number_place("latency_us");
/// Place of the other.
pub(super) const TTFT: usize = number_place("ttft_us");

/// How one sum follows from an operation.
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

/// Sums over operations, in the order of [`SUM_COLUMNS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums([i128; SUM_COLUMNS.len()]);

impl Sums {
    /// Adds one operation. `reported` is the symbol of that status, if any operation of the slice has it.
    pub(super) fn add(&mut self, facts: &Facts, reported: Option<Symbol>) {
        for (sum, source) in self.0.iter_mut().zip(SOURCES) {
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
    }

    /// How many operations were added.
    pub(super) const fn operations(&self) -> i128 {
        self.0[0]
    }

    /// What they cost.
    pub(super) const fn cost(&self) -> i128 {
        self.0[COST_COLUMN]
    }

    /// How these differ from others, as `column: ours ≠ theirs`.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let sums = SUM_COLUMNS.iter().zip(self.0.iter().zip(other.0)).filter(|(_, (ours, theirs))| *ours != theirs);
        sums.map(|(column, (ours, theirs))| format!("{column}: {ours} ≠ {theirs}")).collect()
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
    }
}

impl From<WindowSums> for Sums {
    fn from(sums: WindowSums) -> Self {
        Self(sums.to_array().map(i128::from))
    }
}
