//! What a group of operations adds up to: what windows hold, and what only the lake's files can say. Pure.

use opstream_schemas::sketch::Sketch;
use opstream_schemas::window::{SUM_COLUMNS, SumOverflow, WindowSums};

/// Sums that no window holds.
pub(crate) const FURTHER_COLUMNS: [&str; 7] = [
    "retries",
    "queue_count",
    "queue_sum_us",
    "generation_count",
    "generation_sum_us",
    "timed_output_tokens",
    "timed_latency_us",
];

/// Columns of durations whose distributions can be asked for, in the order of [`Sketches`]. Windows hold the first two.
pub(crate) const DURATIONS: [&str; 4] = ["latency_us", "ttft_us", "queue_us", "generation_us"];
/// Their names without the unit, as distributions are asked for.
pub(crate) const DURATION_NAMES: [&str; DURATIONS.len()] = ["latency", "ttft", "queue", "generation"];
/// How many of the durations windows hold.
pub(crate) const KEPT_DURATIONS: usize = 2;

/// A sketch for each of the durations.
pub(crate) type Sketches = [Sketch; DURATIONS.len()];

/// Sums over operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// What windows hold.
    pub(crate) kept: WindowSums,
    /// In the order of [`FURTHER_COLUMNS`]; all 0 where windows were asked.
    pub(crate) further: [i64; FURTHER_COLUMNS.len()],
}

impl From<WindowSums> for Sums {
    fn from(kept: WindowSums) -> Self {
        Self { kept, ..Self::default() }
    }
}

impl Sums {
    /// Sums from a number for each column.
    pub(crate) fn of(mut value: impl FnMut(&'static str) -> i64) -> Self {
        let kept = WindowSums::from_array(SUM_COLUMNS.map(&mut value));
        Self { kept, further: FURTHER_COLUMNS.map(value) }
    }

    /// The sum of a column.
    pub(crate) fn get(&self, column: &str) -> i64 {
        let place = |columns: &[&str]| columns.iter().position(|known| *known == column);
        match place(&SUM_COLUMNS) {
            Some(place) => self.kept.to_array()[place],
            None => place(&FURTHER_COLUMNS).map_or(0, |place| self.further[place]),
        }
    }

    /// These without those of a part.
    ///
    /// # Errors
    /// When a difference leaves 64 bits.
    pub(crate) fn without(&self, part: &Self) -> Result<Self, SumOverflow> {
        let negative = WindowSums::from_array(part.kept.to_array().map(|sum| -sum));
        let kept = self.kept.checked_add(&negative)?;
        let mut further = self.further;
        for ((sum, less), column) in further.iter_mut().zip(part.further).zip(FURTHER_COLUMNS) {
            *sum = sum.checked_sub(less).ok_or(SumOverflow { column })?;
        }
        Ok(Self { kept, further })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_durations_are_those_of_their_columns() {
        assert_eq!(DURATION_NAMES.map(|name| format!("{name}_us")), DURATIONS);
    }

    #[test]
    fn every_column_is_found_and_taken_off() {
        let places = || SUM_COLUMNS.into_iter().chain(FURTHER_COLUMNS);
        let number = |name: &str| i64::try_from(places().position(|column| column == name).unwrap()).unwrap() + 1;
        let sums = Sums::of(number);
        for column in places() {
            assert_eq!(sums.get(column), number(column), "{column}");
        }
        assert_eq!(sums.without(&sums).unwrap(), Sums::default());
        assert_eq!(sums.without(&Sums::default()).unwrap(), sums);
    }
}
