//! Durations of many repetitions, and their quantiles.

use std::time::Duration;

/// Durations in ascending order.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    sorted: Vec<Duration>,
}

impl Latencies {
    /// Of these repetitions, in any order.
    pub(crate) fn new(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        Self { sorted: durations }
    }

    /// Seconds below which so many thousandths of the repetitions lie; 1000 is the longest.
    pub(crate) fn at(&self, thousandths: usize) -> f64 {
        let place = (self.sorted.len() * thousandths).div_ceil(1_000).saturating_sub(1);
        self.sorted.get(place).map_or(f64::NAN, Duration::as_secs_f64)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.sorted.len()
    }
}
