//! A model of the catalogue, as it is after validation.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Deserialize;

use super::rates::Rates;
use crate::{NanoUsd, UtcMicros};

/// A model at one provider, with the history of its prices.
#[derive(Clone, Debug)]
pub struct Model {
    /// OpenTelemetry's name of the provider.
    pub provider: String,
    /// The model's name at the provider, in lower case.
    pub id: String,
    /// Largest prompt, tokens.
    pub context_window: Option<i64>,
    /// Day on which the provider stops serving the model. Prices stay, so that earlier operations can be priced.
    pub retired_on: Option<NaiveDate>,
    /// Where the prices come from.
    pub source: String,
    /// Day on which they were last compared with that source.
    pub checked_on: NaiveDate,
    /// What a reader should know beside the numbers.
    pub note: Option<String>,
    /// Price of one unit that is billed apart from tokens.
    pub units: BTreeMap<UnitKind, NanoUsd>,
    /// At least one, in order of time, without overlap; gaps are allowed.
    pub intervals: Vec<Interval>,
    /// Prices under other terms than the standard ones. Those with the same condition do not overlap in time.
    pub variants: Vec<Variant>,
}

impl Model {
    /// Name of the price entry: provider and id, joined by a slash.
    pub fn name(&self) -> String {
        format!("{}/{}", self.provider, self.id)
    }

    /// The interval that contains `at`.
    pub fn interval_at(&self, at: UtcMicros) -> Option<&Interval> {
        self.intervals.iter().find(|interval| interval.contains(at))
    }
}

/// Standard prices during a span of time.
#[derive(Clone, Debug)]
pub struct Interval {
    /// First moment; none: since ever.
    pub valid_from: Option<UtcMicros>,
    /// First moment after the interval; none: until further notice.
    pub valid_to: Option<UtcMicros>,
    /// Prices of a request that reaches no tier, at any time of day.
    pub rates: Rates,
    /// Long-context prices, ascending.
    pub tiers: Vec<Tier>,
    /// Prices by time of day; the first that matches applies, else the base rates.
    pub schedules: Vec<Schedule>,
}

impl Interval {
    /// Whether `at` lies in `[valid_from, valid_to)`.
    pub fn contains(&self, at: UtcMicros) -> bool {
        self.valid_from.is_none_or(|from| from <= at) && self.valid_to.is_none_or(|to| at < to)
    }

    /// Whether a prompt of this many tokens, cached ones included, is charged by a tier.
    pub fn reaches_tier(&self, prompt_tokens: i64) -> bool {
        self.tiers.first().is_some_and(|tier| tier.starts_at <= prompt_tokens)
    }
}

/// Prices of a whole request, output included, whose prompt is long.
#[derive(Clone, Debug)]
pub struct Tier {
    /// Smallest prompt in the tier, tokens, cached ones included. A file's `above = n` is `n + 1` here.
    pub starts_at: i64,
    /// The prices; classes without one keep the base rate.
    pub rates: Rates,
}

/// Prices of requests that start at certain times.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// What the provider calls it, such as peak.
    pub name: String,
    /// ISO weekdays in UTC, Monday = 1 to Sunday = 7, ascending.
    pub days: Vec<u8>,
    /// Times of day in UTC.
    pub windows: Vec<DailyWindow>,
    /// The prices; classes without one keep the base rate.
    pub rates: Rates,
}

/// A half-open span of the day, `[start, end)`, in minutes after midnight UTC; it wraps midnight if `end < start`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DailyWindow {
    /// First minute, 0 to 1439.
    pub start_minute: u16,
    /// First minute after the window, 1 to 1440, never equal to the start.
    pub end_minute: u16,
}

/// Prices under other terms than the standard ones.
#[derive(Clone, Debug)]
pub struct Variant {
    /// When it applies.
    pub when: Condition,
    /// First moment; none: since ever.
    pub valid_from: Option<UtcMicros>,
    /// First moment after it; none: until further notice.
    pub valid_to: Option<UtcMicros>,
    /// The prices; classes without one keep the standard rate of that time.
    pub rates: Rates,
    /// Long-context prices, ascending.
    pub tiers: Vec<Tier>,
}

/// A property of the request, and the values for which a variant applies.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// How the request was handed in, such as batch.
    Processing(Vec<String>),
    /// The answer's service tier, such as flex or priority.
    ServiceTier(Vec<String>),
    /// The answer's speed, such as fast.
    Speed(Vec<String>),
    /// Where the request was processed, such as eu.
    Region(Vec<String>),
}

impl Condition {
    /// The values; one of them is enough.
    pub fn values(&self) -> &[String] {
        match self {
            Self::Processing(values) | Self::ServiceTier(values) | Self::Speed(values) | Self::Region(values) => values,
        }
    }

    /// Whether one request can satisfy both by the same property and value.
    pub fn overlaps(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
            && self.values().iter().any(|value| other.values().contains(value))
    }
}

/// Something billed apart from tokens. Price files name dollars per thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitKind {
    /// A web search made by the provider.
    WebSearch,
    /// A search in files stored at the provider.
    FileSearch,
}
