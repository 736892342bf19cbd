//! A model as a list describes it, in the terms of a price file, before it is checked.

use std::collections::BTreeMap;

use opstream_schemas::prices::{Property, TokenClass};

/// Prices by class, as decimal text in dollars per million tokens.
pub(super) type DraftRates = BTreeMap<TokenClass, String>;

/// A model of a price file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DraftModel {
    pub(super) id: String,
    pub(super) aliases: Vec<String>,
    pub(super) prefixes: Vec<String>,
    pub(super) context_window: Option<i64>,
    pub(super) retired_on: Option<String>,
    pub(super) source: String,
    /// What the list charges and the price file cannot say.
    pub(super) missing: Vec<String>,
    /// Dollars per thousand units, as decimal text.
    pub(super) units: BTreeMap<String, String>,
    pub(super) intervals: Vec<DraftInterval>,
    pub(super) variants: Vec<DraftVariant>,
}

/// Standard prices of a span of time; moments are days, which begin at midnight UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DraftInterval {
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) card: DraftCard,
    pub(super) schedules: Vec<DraftSchedule>,
}

/// Prices for short prompts, and for those above so many tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DraftCard {
    pub(super) rates: DraftRates,
    pub(super) tiers: BTreeMap<i64, DraftRates>,
}

/// Prices by the hour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DraftSchedule {
    pub(super) name: String,
    pub(super) days: Vec<u8>,
    pub(super) windows: Vec<(String, String)>,
    pub(super) tz: Option<String>,
    pub(super) card: DraftCard,
}

/// Prices under other terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DraftVariant {
    pub(super) property: Property,
    pub(super) words: Vec<String>,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) effect: DraftEffect,
}

/// What a variant does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DraftEffect {
    Card(DraftCard),
    Multiplier(String),
}

/// Something that is in a list and not in the price file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) what: String,
    pub(super) reason: String,
}

impl DraftModel {
    /// Whether tokens cost something, or nothing else does: a model that charges otherwise must not look free.
    pub(super) fn has_prices(&self) -> bool {
        let rates = || self.intervals.iter().map(|interval| &interval.card.rates);
        let is_zero = || rates().flat_map(BTreeMap::values).all(|rate| rate == "0");
        !self.intervals.is_empty()
            && rates().all(|rates| !rates.is_empty())
            && !(is_zero() && !(self.missing.is_empty() && self.units.is_empty()))
    }
}
