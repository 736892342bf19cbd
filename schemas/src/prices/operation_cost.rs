//! The cost of one operation: token counts times the rates of its moment, or the reason why there is none.
//!
//! The rules are in the documentation of [`crate::prices`]. Nothing here allocates.

use serde::{Deserialize, Serialize};

use super::catalogue::{Catalogue, PriceKey};
use super::entry::Interval;
use super::rates::{Rates, TokenClass};
use super::terms::Terms;
use crate::money::PicoUsd;
use crate::validate::MAX_COST_NANO_USD;
use crate::{NanoUsd, UtcMicros};

/// Token counts and other billed units of one operation, with the meaning of the fields of
/// [`crate::Operation`]: the whole prompt and the whole answer, and parts of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Everything in the prompt; none: unknown.
    pub input_tokens: Option<i64>,
    /// Part of the input read from a cache.
    pub cache_read_tokens: i64,
    /// Part of the input written to a cache at standard retention.
    pub cache_write_tokens: i64,
    /// Part of the input written to a cache for an hour; not in `cache_write_tokens`.
    pub cache_write_1h_tokens: i64,
    /// Everything generated; none: unknown.
    pub output_tokens: Option<i64>,
    /// Part of the output spent on reasoning.
    pub reasoning_tokens: i64,
    /// Part of the input that is audio.
    pub input_audio_tokens: i64,
    /// Part of the output that is audio.
    pub output_audio_tokens: i64,
    /// Part of the input that is images.
    pub input_image_tokens: i64,
    /// Part of the output that is images.
    pub output_image_tokens: i64,
    /// Web searches.
    pub web_searches: i64,
    /// Whether other units are billed that are not tokens.
    pub has_other_units: bool,
}

/// What is to be charged.
#[derive(Clone, Copy, Debug)]
pub struct Charge {
    /// When the operation started; chooses the interval.
    pub started_at: UtcMicros,
    /// What it used.
    pub usage: Usage,
    /// How it ran.
    pub terms: Terms,
}

/// How an operation's cost came about.
///
/// Codes are stored and never change their meaning; 5 is kept for a cost taken over from the provider's report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostStatus {
    /// Charged at the standard rates.
    Priced,
    /// No cost: something that decides it is unknown or not applied.
    Unpriced,
    /// No cost: the model is known, but not what it cost at that time.
    NoPriceAtTime,
    /// Cost 0, because nothing is charged for it.
    Free,
}

/// The cost of one operation. A cost is there exactly if the status is `Priced` or `Free`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priced {
    /// The cost; none is "unknown", never 0.
    pub cost: Option<NanoUsd>,
    /// How it came about.
    pub status: CostStatus,
}

impl CostStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Priced, Self::Unpriced, Self::NoPriceAtTime, Self::Free];

    /// The stored code, 1 to 4.
    pub const fn code(self) -> u8 {
        match self {
            Self::Priced => 1,
            Self::Unpriced => 2,
            Self::NoPriceAtTime => 3,
            Self::Free => 4,
        }
    }

    /// The status with this code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }

    /// The name in JSON and SQL, such as `no_price_at_time`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Priced => "priced",
            Self::Unpriced => "unpriced",
            Self::NoPriceAtTime => "no_price_at_time",
            Self::Free => "free",
        }
    }

    /// The status with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

impl Priced {
    const FREE: Self = Self { cost: Some(NanoUsd::ZERO), status: CostStatus::Free };
    const UNPRICED: Self = Self { cost: None, status: CostStatus::Unpriced };
    const NO_PRICE_AT_TIME: Self = Self { cost: None, status: CostStatus::NoPriceAtTime };
}

impl Catalogue {
    /// What this operation costs. `key` comes from [`Catalogue::find`] or [`Catalogue::find_billed`] of the same
    /// catalogue; none is an unknown model.
    ///
    /// # Panics
    /// If the key comes from another catalogue with more models.
    pub fn price(&self, key: Option<PriceKey>, charge: &Charge) -> Priced {
        let Charge { started_at, usage, terms } = charge;
        if !terms.bills_tokens || (terms.was_refused && !usage.has_tokens()) {
            return Priced::FREE;
        }
        let Some(key) = key else {
            return Priced::UNPRICED;
        };
        let Some(interval) = self.model(key).interval_at(*started_at) else {
            return Priced::NO_PRICE_AT_TIME;
        };
        if !terms.is_standard || usage.has_units() || !interval.schedules.is_empty() {
            return Priced::UNPRICED;
        }
        if interval.is_free() {
            return Priced::FREE;
        }
        let cost = standard_cost(interval, usage).and_then(|picos| NanoUsd::try_from(picos).ok());
        match cost.filter(|cost| cost.nanos() <= MAX_COST_NANO_USD) {
            Some(cost) => Priced { cost: Some(cost), status: CostStatus::Priced },
            None => Priced::UNPRICED,
        }
    }
}

impl Interval {
    /// Whether every price, with a long prompt too, is an explicit 0.
    fn is_free(&self) -> bool {
        self.rates.are_zero() && self.tiers.iter().all(|tier| tier.rates.are_zero())
    }
}

impl Usage {
    fn has_tokens(&self) -> bool {
        self.input_tokens.unwrap_or(0) != 0 || self.output_tokens.unwrap_or(0) != 0
    }

    fn has_units(&self) -> bool {
        self.web_searches != 0 || self.has_other_units
    }

    /// Whether the operation used audio or images for which these rates have prices of their own.
    fn has_separate_media(&self, rates: &Rates) -> bool {
        let is_separate = |tokens: i64, class: TokenClass| tokens != 0 && rates.own(class).is_some();
        is_separate(self.input_audio_tokens, TokenClass::InputAudio)
            || is_separate(self.input_audio_tokens, TokenClass::CacheReadAudio)
            || is_separate(self.output_audio_tokens, TokenClass::OutputAudio)
            || is_separate(self.input_image_tokens, TokenClass::InputImage)
            || is_separate(self.output_image_tokens, TokenClass::OutputImage)
    }
}

/// The cost at the interval's base rates, or none if they do not decide it.
fn standard_cost(interval: &Interval, usage: &Usage) -> Option<PicoUsd> {
    let rates = &interval.rates;
    let input = usage.input_tokens?;
    let output = match usage.output_tokens {
        Some(tokens) => tokens,
        None if rates.own(TokenClass::Output).is_none() => 0,
        None => return None,
    };
    if interval.reaches_tier(input) || usage.has_separate_media(rates) {
        return None;
    }
    let cached =
        usage.cache_read_tokens.checked_add(usage.cache_write_tokens)?.checked_add(usage.cache_write_1h_tokens)?;
    let reasoning = rates.own(TokenClass::Reasoning).map_or(0, |_| usage.reasoning_tokens);
    let classes = [
        (TokenClass::Input, input.checked_sub(cached)?),
        (TokenClass::CacheRead, usage.cache_read_tokens),
        (TokenClass::CacheWrite, usage.cache_write_tokens),
        (TokenClass::CacheWrite1h, usage.cache_write_1h_tokens),
        (TokenClass::Output, output.checked_sub(reasoning)?),
        (TokenClass::Reasoning, reasoning),
    ];
    let mut total = PicoUsd::default();
    for (class, tokens) in classes {
        if tokens < 0 {
            return None;
        }
        if tokens > 0 {
            total += rates.effective(class)?.for_tokens(tokens);
        }
    }
    Some(total)
}
