//! Token counts that are distributed as in real traffic.
//!
//! The quantiles are those of the Azure LLM inference trace of 2023, code part: 8,819 requests with a mean of 2,048 tokens
//! in and 28 out. In the trace the two are uncorrelated (rank correlation −0.02), so they are drawn apart.

use rand::Rng;

/// Part of the requests that lie below the value in the same place of the tables, in thousandths.
const THOUSANDTHS: [u32; 27] = [
    0, 10, 20, 50, 100, 150, 200, 250, 300, 350, 400, 450, 500, 550, 600, 650, 700, 750, 800, 850, 900, 950, 980, 990,
    995, 999, 1000,
];
/// Context tokens at those places.
const INPUT: [u32; 27] = [
    3, 17, 35, 75, 147, 232, 385, 578, 770, 938, 1075, 1261, 1469, 1690, 1909, 2163, 2433, 2744, 3192, 3919, 5186,
    7302, 7436, 7436, 7436, 7437, 7437,
];
/// Generated tokens at those places.
const OUTPUT: [u32; 27] =
    [6, 6, 6, 6, 7, 7, 8, 9, 9, 10, 11, 12, 13, 14, 16, 18, 20, 24, 29, 39, 55, 90, 169, 249, 343, 824, 1899];

/// Tokens of a prompt.
pub(super) fn draw_input(rng: &mut impl Rng) -> i64 {
    at(&INPUT, rng.random_range(0..=THOUSANDTHS[26] * SCALE))
}

/// Tokens of an answer.
pub(super) fn draw_output(rng: &mut impl Rng) -> i64 {
    at(&OUTPUT, rng.random_range(0..=THOUSANDTHS[26] * SCALE))
}

/// Steps between two thousandths, so that the steep last ones are drawn finely too.
const SCALE: u32 = 1000;

/// The value below which that part of the requests lies, in millionths; straight lines between the table's places.
fn at(values: &[u32; 27], millionths: u32) -> i64 {
    let upper = THOUSANDTHS.iter().position(|place| place * SCALE >= millionths).unwrap_or(26).max(1);
    let (left, right) = (THOUSANDTHS[upper - 1] * SCALE, THOUSANDTHS[upper] * SCALE);
    let (low, high) = (i64::from(values[upper - 1]), i64::from(values[upper]));
    low + (high - low) * i64::from(millionths - left) / i64::from(right - left)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn the_tables_ends_and_middle_are_the_traces() {
        assert_eq!((at(&INPUT, 0), at(&INPUT, 500_000), at(&INPUT, 1_000_000)), (3, 1469, 7437));
        assert_eq!((at(&OUTPUT, 0), at(&OUTPUT, 500_000), at(&OUTPUT, 1_000_000)), (6, 13, 1899));
        assert_eq!(at(&OUTPUT, 999_500), 1361);
    }

    #[test]
    fn drawn_counts_have_the_traces_means() {
        let mut rng = StdRng::seed_from_u64(7);
        let draws = 200_000;
        let input: i64 = (0..draws).map(|_| draw_input(&mut rng)).sum();
        let output: i64 = (0..draws).map(|_| draw_output(&mut rng)).sum();
        // 18,059,974 and 245,896 tokens over 8,819 requests; the straight lines cost a few percent.
        assert!((1_950..2_150).contains(&(input / draws)), "{}", input / draws);
        assert!((26..32).contains(&(output / draws)), "{}", output / draws);
    }
}
