//! The numbers of totals, series and breakdowns, as they stand in JSON.

use std::collections::BTreeMap;

use opstream_schemas::NanoUsd;
use opstream_schemas::window::{Dimension, WindowSums};
use serde::Serialize;
use utoipa::ToSchema;

/// What a group of operations adds up to. Money is exact decimal text in US dollars.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Figures {
    /// Operations.
    operations: i64,
    /// Operations without success.
    failures: i64,
    /// Everything in the prompts, cache reads and writes included.
    input_tokens: i64,
    /// Part of the input that was read from a cache.
    cache_read_tokens: i64,
    /// Everything generated, reasoning included.
    output_tokens: i64,
    /// What the operations cost, by the price catalogue unless the cost policy lets reported costs count.
    #[schema(value_type = String, example = "2.60759")]
    cost_usd: NanoUsd,
    /// What providers or producers reported, whether it counts or not.
    #[schema(value_type = String, example = "2.60759")]
    reported_cost_usd: NanoUsd,
    /// Operations whose cost is unknown; they are not in `cost_usd`.
    unpriced: i64,
    /// Part of `cost_usd`: input that was neither read from nor written to a cache.
    #[schema(value_type = String, example = "1.5")]
    input_cost_usd: NanoUsd,
    /// Part of `cost_usd`: input that was read from a cache.
    #[schema(value_type = String, example = "0.1")]
    cache_read_cost_usd: NanoUsd,
    /// Part of `cost_usd`: input that was written to a cache.
    #[schema(value_type = String, example = "0.00759")]
    cache_write_cost_usd: NanoUsd,
    /// Part of `cost_usd`: output.
    #[schema(value_type = String, example = "1")]
    output_cost_usd: NanoUsd,
    /// Part of `cost_usd`: searches and whatever else is not billed by tokens. What the five parts and `reported_as_cost_usd` do not
    /// add up to is the cost of operations that were stored before costs were split.
    #[schema(value_type = String, example = "0")]
    unit_cost_usd: NanoUsd,
    /// What input that was read from and written to caches cost less than other input; negative where writes cost more than reads saved.
    #[schema(value_type = String, example = "0.9")]
    cache_savings_usd: NanoUsd,
    /// Operations that have a reported cost and one by the catalogue, whichever of the two counts.
    compared: i64,
    /// Sum over the compared operations: reported less catalogue; negative where less was reported.
    #[schema(value_type = String, example = "-0.0042")]
    reported_difference_usd: NanoUsd,
    /// Part of `cost_usd`: reported costs that count. What they are made of is not known.
    #[schema(value_type = String, example = "0")]
    reported_as_cost_usd: NanoUsd,
}

/// Mean of a duration over the operations that have it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct DurationFigures {
    /// Operations with a known latency.
    latency_count: i64,
    /// Their mean in microseconds, rounded down; null when there are none.
    latency_mean_us: Option<i64>,
}

/// The sums that [`Figures`] and [`DurationFigures`] are made of.
pub(crate) const FIGURE_COLUMNS: [&str; 19] = [
    "operations",
    "failures",
    "unpriced",
    "input_tokens",
    "cache_read_tokens",
    "output_tokens",
    "cost_nano_usd",
    "reported_cost_nano_usd",
    "latency_count",
    "latency_sum_us",
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

impl From<&WindowSums> for Figures {
    fn from(sums: &WindowSums) -> Self {
        Self {
            operations: sums.operations,
            failures: sums.failures,
            input_tokens: sums.input_tokens,
            cache_read_tokens: sums.cache_read_tokens,
            output_tokens: sums.output_tokens,
            cost_usd: sums.cost,
            reported_cost_usd: sums.reported_cost,
            unpriced: sums.unpriced,
            input_cost_usd: sums.input_cost,
            cache_read_cost_usd: sums.cache_read_cost,
            cache_write_cost_usd: sums.cache_write_cost,
            output_cost_usd: sums.output_cost,
            unit_cost_usd: sums.unit_cost,
            cache_savings_usd: sums.cache_savings,
            compared: sums.compared,
            reported_difference_usd: sums.reported_difference,
            reported_as_cost_usd: sums.reported_as_cost,
        }
    }
}

impl From<&WindowSums> for DurationFigures {
    fn from(sums: &WindowSums) -> Self {
        Self { latency_count: sums.latency_count, latency_mean_us: sums.latency_sum_us.checked_div(sums.latency_count) }
    }
}

/// Values of a group by the names of their dimensions.
pub(crate) fn dimension_values(
    dimensions: &[Dimension],
    values: Vec<Option<String>>,
) -> BTreeMap<&'static str, Option<String>> {
    dimensions.iter().map(|dimension| dimension.column()).zip(values).collect()
}

#[cfg(test)]
mod tests {
    use opstream_schemas::window::SUM_COLUMNS;
    use serde_json::json;

    use super::*;

    #[test]
    fn figures_are_made_of_their_columns_alone() {
        let of = |is_read: &dyn Fn(&str) -> bool| {
            let number = |(place, column): (i64, &str)| if is_read(column) { 2 * place + 3 } else { 0 };
            let mut columns = (0..).zip(SUM_COLUMNS).map(number);
            let sums = WindowSums::from_array(std::array::from_fn(|_| columns.next().unwrap()));
            json!([Figures::from(&sums), DurationFigures::from(&sums)])
        };
        let all = of(&|_| true);
        assert_eq!(of(&|column| FIGURE_COLUMNS.contains(&column)), all);
        for left_out in FIGURE_COLUMNS {
            assert_ne!(of(&|column| column != left_out), all, "{left_out} is read for nothing");
        }
    }
}
