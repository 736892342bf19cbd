//! A model of the catalogue, as it is after validation.

use chrono::NaiveDate;
use serde::Deserialize;

use super::rates::Rates;
use super::schedule::Schedule;
use super::terms::Property;
use super::units::UnitPrices;
use crate::UtcMicros;
use crate::money::Multiplier;
use crate::prices::TokenClass;

/// A model at one provider, with the history of its prices.
#[derive(Clone, Debug)]
pub struct Model {
    /// OpenTelemetry's name of the provider.
    pub provider: String,
    /// Other providers with the same models at the same prices.
    pub also: Vec<String>,
    /// The model's name at the provider, in lower case.
    pub id: String,
    /// Other names of the model, in lower case.
    pub aliases: Vec<String>,
    /// Beginnings of names behind which only a version follows, in lower case.
    pub prefixes: Vec<String>,
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
    /// Prices of what is billed apart from tokens.
    pub units: UnitPrices,
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
        self.intervals.iter().find(|interval| interval.span.contains(at))
    }

    /// The variant for this word of this property at `at`.
    pub fn variant_at(&self, property: Property, word: &str, at: UtcMicros) -> Option<&Variant> {
        self.variants.iter().find(|variant| variant.when.names(property, word) && variant.span.contains(at))
    }
}

/// A half-open span of time, `[from, to)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First moment; none: since ever.
    pub from: Option<UtcMicros>,
    /// First moment after it; none: until further notice.
    pub to: Option<UtcMicros>,
}

impl Span {
    /// Whether `at` lies in it.
    pub fn contains(&self, at: UtcMicros) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }

    /// Whether it reaches beyond the beginning of `later`.
    pub fn reaches_into(&self, later: &Self) -> bool {
        self.to.is_none_or(|end| later.from.is_none_or(|start| start < end))
    }
}

/// Standard prices during a span of time.
#[derive(Clone, Debug)]
pub struct Interval {
    /// When they hold.
    pub span: Span,
    /// The prices, at any time of day.
    pub card: Card,
    /// Prices by time of day; the first that matches is laid over the others.
    pub schedules: Vec<Schedule>,
}

impl Interval {
    /// Whether every price, at any time and with any prompt, is an explicit 0.
    pub fn is_free(&self) -> bool {
        self.card.is_zero() && self.schedules.iter().all(|schedule| schedule.card.is_zero())
    }
}

/// Prices by class, for short prompts and for long ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// Prices of a request that reaches no tier.
    pub rates: Rates,
    /// Long-context prices, ascending.
    pub tiers: Vec<Tier>,
}

impl Card {
    /// The tier of a prompt of this many tokens, cached ones included.
    pub fn tier_of(&self, prompt_tokens: i64) -> Option<&Tier> {
        self.tiers.iter().rev().find(|tier| tier.starts_at <= prompt_tokens)
    }

    fn is_zero(&self) -> bool {
        self.rates.are_zero() && self.tiers.iter().all(|tier| tier.rates.are_zero())
    }
}

/// Prices of a whole request, output included, whose prompt is long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Smallest prompt in the tier, tokens, cached ones included. A file's `above = n` is `n + 1` here.
    pub starts_at: i64,
    /// The file's words: `above-272000`, `from-200000`.
    pub name: String,
    /// The prices; classes without one keep that of a short prompt.
    pub rates: Rates,
}

/// Prices under other terms than the standard ones.
#[derive(Clone, Debug)]
pub struct Variant {
    /// When it applies.
    pub when: Condition,
    /// When it holds.
    pub span: Span,
    /// What it does to the standard prices.
    pub effect: Effect,
}

/// How a variant's prices follow from the standard ones.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Prices of its own, laid over the standard ones: a class without one keeps its standard price.
    Card(Card),
    /// The prices times a factor, whatever else applies.
    Multiplier {
        /// The factor.
        multiplier: Multiplier,
        /// Classes whose prices are multiplied, and those that have their prices from them.
        applies_to: Vec<TokenClass>,
    },
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
    /// Anything else that the provider's price depends on, such as the size of a search.
    Context(Vec<String>),
}

impl Condition {
    /// The property.
    pub const fn property(&self) -> Property {
        match self {
            Self::Processing(_) => Property::Processing,
            Self::ServiceTier(_) => Property::ServiceTier,
            Self::Speed(_) => Property::Speed,
            Self::Region(_) => Property::Region,
            Self::Context(_) => Property::Context,
        }
    }

    /// The values; one of them is enough.
    pub fn values(&self) -> &[String] {
        match self {
            Self::Processing(values)
            | Self::ServiceTier(values)
            | Self::Speed(values)
            | Self::Region(values)
            | Self::Context(values) => values,
        }
    }

    /// Whether this word of this property, in any case, is among the values.
    pub fn names(&self, property: Property, word: &str) -> bool {
        self.property() == property && self.values().iter().any(|value| value.eq_ignore_ascii_case(word))
    }

    /// Whether one request can satisfy both by the same property and value.
    pub fn overlaps(&self, other: &Self) -> bool {
        other.values().iter().any(|value| self.names(other.property(), value))
    }
}
