//! What operations come to, in exact integers, from the operations themselves: one at a time, without columns, batches or files.

use std::collections::BTreeMap;
use std::sync::Arc;

use opstream_schemas::lake::COST_PARTS;
use opstream_schemas::prices::{Catalogue, Charge, CostPolicy, CostStatus, CountedCost, Priced};
use opstream_schemas::window::SUM_COLUMNS;
use opstream_schemas::{NanoUsd, Operation};

const DAY_MILLIS: i64 = 86_400_000;

/// Sums in the order of [`SUM_COLUMNS`].
pub(crate) type Sums = [i64; SUM_COLUMNS.len()];
/// Sums by workspace and number of the day since 1970.
pub(crate) type Totals = BTreeMap<(String, i64), Sums>;

/// Prices, and whose cost counts.
#[derive(Clone, Debug)]
pub(crate) struct Prices {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) policy: CostPolicy,
}

/// The columns of one stored operation that sums are made of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) success: bool,
    /// In the order of [`TOKENS`].
    pub(crate) tokens: [i64; TOKENS.len()],
    pub(crate) cost: Option<i64>,
    pub(crate) is_reported: bool,
    pub(crate) reported: Option<i64>,
    pub(crate) catalogue: Option<i64>,
    /// In the order of [`COST_PARTS`].
    pub(crate) parts: [i64; COST_PARTS.len()],
    pub(crate) latency_us: Option<i64>,
    pub(crate) ttft_us: Option<i64>,
}

/// Columns of counts.
pub(crate) const TOKENS: [&str; 11] = [
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
];
impl Prices {
    /// What an operation adds to sums when it is priced so.
    pub(crate) fn measure(&self, operation: &Operation) -> Measured {
        let key = operation.provider.as_deref().and_then(|provider| {
            self.catalogue.find_billed(provider, operation.model.as_deref(), operation.response_model.as_deref())
        });
        let priced: Priced<'_> = self.catalogue.price(key, &Charge::from(operation));
        let CountedCost { cost, parts, status, catalogue_cost } =
            self.policy.settle(&priced, operation.reported_cost_usd);
        let parts = parts.unwrap_or_default();
        Measured {
            success: operation.success,
            tokens: [
                operation.input_tokens.unwrap_or(0),
                operation.cache_read_tokens,
                operation.cache_write_tokens,
                operation.cache_write_1h_tokens,
                operation.output_tokens.unwrap_or(0),
                operation.reasoning_tokens,
                operation.input_audio_tokens,
                operation.output_audio_tokens,
                operation.input_image_tokens,
                operation.output_image_tokens,
                operation.web_searches,
            ],
            cost: cost.map(NanoUsd::nanos),
            is_reported: status == CostStatus::Reported,
            reported: operation.reported_cost_usd.map(NanoUsd::nanos),
            catalogue: catalogue_cost.map(NanoUsd::nanos),
            parts: [parts.input, parts.cache_read, parts.cache_write, parts.output, parts.units, parts.cache_savings]
                .map(NanoUsd::nanos),
            latency_us: operation.latency_us,
            ttft_us: operation.ttft_us,
        }
    }
}

impl Measured {
    /// What it adds, in the order of [`SUM_COLUMNS`].
    pub(crate) fn sums(&self) -> Sums {
        let count = |is: bool| i64::from(is);
        let mut sums = vec![1, count(!self.success), count(self.cost.is_none()), count(self.reported.is_some())];
        sums.extend(self.tokens);
        sums.extend([self.cost.unwrap_or(0), self.reported.unwrap_or(0)]);
        for micros in [self.latency_us, self.ttft_us] {
            sums.extend([count(micros.is_some()), micros.unwrap_or(0)]);
        }
        sums.extend(self.parts);
        let both = self.reported.zip(self.catalogue);
        sums.extend([count(both.is_some()), both.map_or(0, |(reported, catalogue)| reported - catalogue)]);
        sums.push(if self.is_reported { self.cost.unwrap_or(0) } else { 0 });
        sums.try_into().expect("every column has a sum")
    }
}

/// Adds what one operation, or another total, comes to.
pub(crate) fn add(totals: &mut Totals, place: (String, i64), sums: &Sums) {
    let total = totals.entry(place).or_insert([0; SUM_COLUMNS.len()]);
    for (sum, more) in total.iter_mut().zip(sums) {
        *sum = sum.checked_add(*more).expect("the sums of a test fit 64 bits");
    }
}

/// Workspace and day of an operation.
pub(crate) fn place_of(operation: &Operation) -> (String, i64) {
    (operation.workspace.clone(), operation.operation_id.time().millis().div_euclid(DAY_MILLIS))
}

/// How two totals differ; empty when they do not.
pub(crate) fn differences(found: &Totals, expected: &Totals) -> Vec<String> {
    let places: std::collections::BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    let none = [0; SUM_COLUMNS.len()];
    let mut differences = Vec::new();
    for place in places {
        let (found, expected) = (found.get(place).unwrap_or(&none), expected.get(place).unwrap_or(&none));
        for ((column, found), expected) in SUM_COLUMNS.iter().zip(found).zip(expected) {
            if found != expected {
                differences.push(format!("{place:?}: {column} is {found} instead of {expected}"));
            }
        }
    }
    differences
}
