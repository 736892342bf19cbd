//! The shape of a price file, before validation. Fields are explained in `schemas/prices/README.md`.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::value::Datetime;

use super::entry::Condition;
use super::rates::TokenClass;

/// Prices as they stand in the file: decimal text per class.
pub(super) type RateTexts = BTreeMap<TokenClass, String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PriceFile {
    pub(super) schema: u32,
    pub(super) catalogue: Datetime,
    pub(super) currency: String,
    pub(super) unit: String,
    pub(super) provider: String,
    #[serde(default)]
    pub(super) also: Vec<String>,
    pub(super) model: Vec<ModelEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelEntry {
    pub(super) id: String,
    #[serde(default)]
    pub(super) aliases: Vec<String>,
    #[serde(default)]
    pub(super) prefixes: Vec<String>,
    #[serde(default)]
    pub(super) excludes: Vec<String>,
    pub(super) context_window: Option<i64>,
    pub(super) retired_on: Option<Datetime>,
    pub(super) source: String,
    pub(super) checked_on: Datetime,
    pub(super) note: Option<String>,
    #[serde(default)]
    pub(super) units: BTreeMap<String, String>,
    pub(super) interval: Vec<IntervalEntry>,
    #[serde(default)]
    pub(super) variant: Vec<VariantEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IntervalEntry {
    pub(super) valid_from: Option<Datetime>,
    pub(super) valid_to: Option<Datetime>,
    pub(super) rates: RateTexts,
    #[serde(default)]
    pub(super) tiers: Vec<TierEntry>,
    #[serde(default)]
    pub(super) schedules: Vec<ScheduleEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TierEntry {
    pub(super) above: Option<i64>,
    pub(super) from: Option<i64>,
    pub(super) rates: RateTexts,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScheduleEntry {
    pub(super) name: String,
    pub(super) days: Vec<u8>,
    pub(super) windows: Vec<[String; 2]>,
    pub(super) tz: Option<String>,
    #[serde(default)]
    pub(super) holidays: Vec<Datetime>,
    pub(super) rates: RateTexts,
    #[serde(default)]
    pub(super) tiers: Vec<TierEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VariantEntry {
    pub(super) when: Condition,
    pub(super) valid_from: Option<Datetime>,
    pub(super) valid_to: Option<Datetime>,
    pub(super) rates: Option<RateTexts>,
    #[serde(default)]
    pub(super) tiers: Vec<TierEntry>,
    pub(super) multiplier: Option<String>,
    pub(super) applies_to: Option<Vec<TokenClass>>,
}
