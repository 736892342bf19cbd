//! What a window of so many operations holds: sums, and sketches of log-normal latencies.

use std::f64::consts::TAU;

use opstream_schemas::NanoUsd;
use opstream_schemas::sketch::Sketch;
use opstream_schemas::window::WindowSums;
use rand::Rng;

/// Median latency and time to first token, microseconds.
const MEDIAN_US: (f64, f64) = (1_500_000.0, 500_000.0);
/// Width of both on a logarithmic scale: the 99th percentile is six times the median.
const SIGMA: f64 = 0.8;

/// The contents of a window.
pub(super) struct Contents {
    pub(super) sums: WindowSums,
    pub(super) latency: Vec<u8>,
    pub(super) ttft: Vec<u8>,
}

impl Contents {
    /// Of so many operations, half of which were streamed.
    pub(super) fn draw(operations: u32, rng: &mut impl Rng) -> Self {
        let streamed = operations / 2;
        let latency = sketch(operations, MEDIAN_US.0, rng);
        let ttft = sketch(streamed, MEDIAN_US.1, rng);
        let (n_operations, n_streamed) = (i64::from(operations), i64::from(streamed));
        let sums = WindowSums {
            operations: n_operations,
            failures: n_operations / 40,
            unpriced: n_operations / 50,
            input_tokens: n_operations * 2_048,
            cache_read_tokens: n_operations * 900,
            output_tokens: n_operations * 28,
            reasoning_tokens: n_operations * 7,
            cost: NanoUsd::from_nanos(n_operations * 966_000),
            input_cost: NanoUsd::from_nanos(n_operations * 500_000),
            cache_read_cost: NanoUsd::from_nanos(n_operations * 66_000),
            output_cost: NanoUsd::from_nanos(n_operations * 400_000),
            cache_savings: NanoUsd::from_nanos(n_operations * 50_000),
            latency_count: n_operations,
            latency_sum_us: n_operations * 2_000_000,
            ttft_count: n_streamed,
            ttft_sum_us: n_streamed * 700_000,
            ..WindowSums::default()
        };
        Self { sums, latency: latency.to_bytes(), ttft: ttft.to_bytes() }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and far below 2^64")]
fn sketch(values: u32, median_us: f64, rng: &mut impl Rng) -> Sketch {
    Sketch::from_values((0..values).map(|_| (median_us * (SIGMA * normal(rng)).exp()) as u64))
}

/// A draw from the standard normal distribution, by Box and Muller.
fn normal(rng: &mut impl Rng) -> f64 {
    let radius = (-2.0 * rng.random_range(f64::MIN_POSITIVE..1.0).ln()).sqrt();
    radius * (TAU * rng.random::<f64>()).cos()
}
