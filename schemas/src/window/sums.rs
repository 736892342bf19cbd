//! What a window adds up: counts, tokens, money and durations, as exact integers.

use crate::NanoUsd;
use crate::database::Row;

/// The columns of [`WindowSums`] in `windows`, in the order of its fields.
pub const SUM_COLUMNS: [&str; 30] = [
    "operations",
    "failures",
    "unpriced",
    "reported",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "output_image_tokens",
    "web_searches",
    "cost_nano_usd",
    "reported_cost_nano_usd",
    "latency_count",
    "latency_sum_us",
    "ttft_count",
    "ttft_sum_us",
    "input_cost_nano_usd",
    "cache_read_cost_nano_usd",
    "cache_write_cost_nano_usd",
    "output_cost_nano_usd",
    "unit_cost_nano_usd",
    "cache_savings_nano_usd",
    "compared",
    "reported_difference_nano_usd",
    "reported_as_cost_nano_usd",
];

/// Sums over operations. A value that an operation does not have adds nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowSums {
    /// Operations.
    pub operations: i64,
    /// Operations without success.
    pub failures: i64,
    /// Operations whose cost is unknown; they add nothing to `cost`.
    pub unpriced: i64,
    /// Operations with a reported cost.
    pub reported: i64,
    /// Everything in the prompts.
    pub input_tokens: i64,
    /// Part of the input that was read from a cache.
    pub cache_read_tokens: i64,
    /// Part of the input that was written to a cache.
    pub cache_write_tokens: i64,
    /// Part of the input that was written to a one-hour cache.
    pub cache_write_1h_tokens: i64,
    /// Everything generated.
    pub output_tokens: i64,
    /// Part of the output.
    pub reasoning_tokens: i64,
    /// Part of the input.
    pub input_audio_tokens: i64,
    /// Part of the output.
    pub output_audio_tokens: i64,
    /// Part of the input.
    pub input_image_tokens: i64,
    /// Part of the output.
    pub output_image_tokens: i64,
    /// Searches.
    pub web_searches: i64,
    /// The cost that counts.
    pub cost: NanoUsd,
    /// Cost as providers or producers reported it.
    pub reported_cost: NanoUsd,
    /// Operations with a known latency.
    pub latency_count: i64,
    /// Sum of the known latencies, microseconds.
    pub latency_sum_us: i64,
    /// Operations with a known time to first token.
    pub ttft_count: i64,
    /// Sum of the known times to first token, microseconds.
    pub ttft_sum_us: i64,
    /// Part of `cost`: input that was neither read from nor written to a cache.
    pub input_cost: NanoUsd,
    /// Part of `cost`: input that was read from a cache.
    pub cache_read_cost: NanoUsd,
    /// Part of `cost`: input that was written to a cache.
    pub cache_write_cost: NanoUsd,
    /// Part of `cost`: output.
    pub output_cost: NanoUsd,
    /// Part of `cost`: searches and whatever else is not billed by tokens.
    pub unit_cost: NanoUsd,
    /// What input that was read from and written to caches cost less than other input; negative where writes cost more than reads saved.
    pub cache_savings: NanoUsd,
    /// Operations that have a reported cost and one by the catalogue, whichever of the two counts.
    pub compared: i64,
    /// Sum over these: reported less catalogue.
    pub reported_difference: NanoUsd,
    /// Part of `cost`: reported costs that count.
    pub reported_as_cost: NanoUsd,
}

/// A sum that left 64 bits.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the sum of {column} exceeds 64 bits")]
pub struct SumOverflow {
    /// The column.
    pub column: &'static str,
}

impl WindowSums {
    /// The sums in the order of [`SUM_COLUMNS`].
    pub const fn to_array(&self) -> [i64; SUM_COLUMNS.len()] {
        [
            self.operations,
            self.failures,
            self.unpriced,
            self.reported,
            self.input_tokens,
            self.cache_read_tokens,
            self.cache_write_tokens,
            self.cache_write_1h_tokens,
            self.output_tokens,
            self.reasoning_tokens,
            self.input_audio_tokens,
            self.output_audio_tokens,
            self.input_image_tokens,
            self.output_image_tokens,
            self.web_searches,
            self.cost.nanos(),
            self.reported_cost.nanos(),
            self.latency_count,
            self.latency_sum_us,
            self.ttft_count,
            self.ttft_sum_us,
            self.input_cost.nanos(),
            self.cache_read_cost.nanos(),
            self.cache_write_cost.nanos(),
            self.output_cost.nanos(),
            self.unit_cost.nanos(),
            self.cache_savings.nanos(),
            self.compared,
            self.reported_difference.nanos(),
            self.reported_as_cost.nanos(),
        ]
    }

    /// Sums from numbers in the order of [`SUM_COLUMNS`].
    pub const fn from_array(sums: [i64; SUM_COLUMNS.len()]) -> Self {
        Self {
            operations: sums[0],
            failures: sums[1],
            unpriced: sums[2],
            reported: sums[3],
            input_tokens: sums[4],
            cache_read_tokens: sums[5],
            cache_write_tokens: sums[6],
            cache_write_1h_tokens: sums[7],
            output_tokens: sums[8],
            reasoning_tokens: sums[9],
            input_audio_tokens: sums[10],
            output_audio_tokens: sums[11],
            input_image_tokens: sums[12],
            output_image_tokens: sums[13],
            web_searches: sums[14],
            cost: NanoUsd::from_nanos(sums[15]),
            reported_cost: NanoUsd::from_nanos(sums[16]),
            latency_count: sums[17],
            latency_sum_us: sums[18],
            ttft_count: sums[19],
            ttft_sum_us: sums[20],
            input_cost: NanoUsd::from_nanos(sums[21]),
            cache_read_cost: NanoUsd::from_nanos(sums[22]),
            cache_write_cost: NanoUsd::from_nanos(sums[23]),
            output_cost: NanoUsd::from_nanos(sums[24]),
            unit_cost: NanoUsd::from_nanos(sums[25]),
            cache_savings: NanoUsd::from_nanos(sums[26]),
            compared: sums[27],
            reported_difference: NanoUsd::from_nanos(sums[28]),
            reported_as_cost: NanoUsd::from_nanos(sums[29]),
        }
    }

    /// Reads a row that has the columns of [`SUM_COLUMNS`]. Postgres' `sum()` of them must be cast to `bigint`.
    ///
    /// # Errors
    /// When a column is missing, null or no `bigint`.
    pub fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        Self::from_columns(row, &SUM_COLUMNS)
    }

    /// Reads a row that has these columns of [`SUM_COLUMNS`]; the other sums are 0.
    ///
    /// # Errors
    /// As [`Self::from_row`].
    pub fn from_columns(row: &Row, columns: &[&str]) -> Result<Self, sqlx::Error> {
        let mut sums = [0; SUM_COLUMNS.len()];
        for (sum, column) in sums.iter_mut().zip(SUM_COLUMNS) {
            if columns.contains(&column) {
                *sum = row.int(column)?;
            }
        }
        Ok(Self::from_array(sums))
    }

    /// These sums and `other` together.
    ///
    /// # Errors
    /// When a sum leaves 64 bits; nothing is ever wrapped or held at the end of the range.
    pub fn checked_add(&self, other: &Self) -> Result<Self, SumOverflow> {
        let mut sums = self.to_array();
        for ((sum, more), column) in sums.iter_mut().zip(other.to_array()).zip(SUM_COLUMNS) {
            *sum = sum.checked_add(more).ok_or(SumOverflow { column })?;
        }
        Ok(Self::from_array(sums))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_its_own_place() {
        let numbers: [i64; 30] = std::array::from_fn(|i| i64::try_from(i).unwrap() + 1);
        assert_eq!(WindowSums::from_array(numbers).to_array(), numbers);
        assert_eq!(WindowSums::from_array(numbers).cost, NanoUsd::from_nanos(16));
        assert_eq!(WindowSums::from_array(numbers).ttft_sum_us, 21);
    }

    #[test]
    fn a_sum_beyond_64_bits_is_refused_by_name() {
        let most = WindowSums { output_tokens: i64::MAX, ..WindowSums::default() };
        let one = WindowSums { output_tokens: 1, ..WindowSums::default() };
        assert_eq!(most.checked_add(&one).unwrap_err().to_string(), "the sum of output_tokens exceeds 64 bits");
        assert_eq!(most.checked_add(&WindowSums::default()), Ok(most));
    }
}
