//! The cost of one operation: token counts times the rates of its moment, or the reason why there is none.
//!
//! The rules are in the documentation of [`crate::prices`]. Pricing allocates nothing; explaining does.

use serde::{Deserialize, Serialize};

use super::bill::Prices;
use super::catalogue::{Catalogue, PriceKey};
use super::explanation::{Explanation, Line, PriceUsed, Reason};
use super::parts::CostParts;
use super::terms::{PriceTerms, Terms, bills_tokens, was_refused};
use super::usage::Usage;
use crate::validate::MAX_COST_NANO_USD;
use crate::{NanoUsd, Operation, UtcMicros};

/// What is to be charged.
#[derive(Clone, Copy, Debug)]
pub struct Charge<'a> {
    /// When the operation started; chooses interval and schedule.
    pub started_at: UtcMicros,
    /// What it used.
    pub usage: Usage<'a>,
    /// How it ran.
    pub terms: Terms<'a>,
}

impl<'a> From<&'a Operation> for Charge<'a> {
    fn from(operation: &'a Operation) -> Self {
        Self {
            started_at: operation.started_at,
            usage: Usage {
                input_tokens: operation.input_tokens,
                cache_read_tokens: operation.cache_read_tokens,
                cache_write_tokens: operation.cache_write_tokens,
                cache_write_1h_tokens: operation.cache_write_1h_tokens,
                output_tokens: operation.output_tokens,
                reasoning_tokens: operation.reasoning_tokens,
                input_audio_tokens: operation.input_audio_tokens,
                output_audio_tokens: operation.output_audio_tokens,
                input_image_tokens: operation.input_image_tokens,
                output_image_tokens: operation.output_image_tokens,
                web_searches: operation.web_searches,
                billable_units: operation.billable_units.as_deref(),
            },
            terms: Terms {
                bills_tokens: bills_tokens(&operation.operation_type, operation.model.as_deref()),
                was_refused: was_refused(operation.http_status),
                processing: operation.processing.as_deref(),
                service_tier: operation.service_tier.as_deref(),
                others: PriceTerms::read(operation.metadata.as_deref()),
            },
        }
    }
}

/// How an operation's cost came about.
///
/// Codes are stored and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostStatus {
    /// Charged by the catalogue.
    Priced,
    /// No cost: something that decides it is unknown.
    Unpriced,
    /// No cost: the model is known, but not what it cost at that time.
    NoPriceAtTime,
    /// Cost 0, because nothing is charged for it.
    Free,
    /// Not by the catalogue: the provider or the application reported it, and the [policy](super::CostPolicy) lets that count.
    Reported,
}

/// What one operation costs by the catalogue. A cost is there exactly if the status is `Priced` or `Free`.
#[derive(Clone, Copy, Debug)]
pub struct Priced<'c> {
    /// The cost; none is "unknown", never 0.
    pub cost: Option<NanoUsd>,
    /// What it consists of; there exactly if the cost is.
    pub parts: Option<CostParts>,
    /// How it came about.
    pub status: CostStatus,
    /// The prices that were used; none without a cost, and where the catalogue was not asked.
    pub used: Option<PriceUsed<'c>>,
}

impl CostStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Priced, Self::Unpriced, Self::NoPriceAtTime, Self::Free, Self::Reported];

    /// The stored code, 1 to 5.
    pub const fn code(self) -> u8 {
        match self {
            Self::Priced => 1,
            Self::Unpriced => 2,
            Self::NoPriceAtTime => 3,
            Self::Free => 4,
            Self::Reported => 5,
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
            Self::Reported => "reported",
        }
    }

    /// The status with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

impl Catalogue {
    /// What this operation costs. `key` comes from [`Catalogue::find`] or [`Catalogue::find_billed`] of the same
    /// catalogue; none is an unknown model.
    ///
    /// # Panics
    /// If the key comes from another catalogue with more models.
    pub fn price(&self, key: Option<PriceKey>, charge: &Charge<'_>) -> Priced<'_> {
        self.settle(key, charge, |_| {}).unwrap_or_else(Priced::without_cost)
    }

    /// What this operation costs, and why. The arguments are those of [`Catalogue::price`].
    ///
    /// # Panics
    /// If the key comes from another catalogue with more models.
    pub fn explain<'a>(&'a self, key: Option<PriceKey>, charge: &Charge<'a>) -> Explanation<'a> {
        let mut lines = Vec::new();
        match self.settle(key, charge, |line| lines.push(line)) {
            Ok(priced) => Explanation { priced, reason: None, lines },
            Err(reason) => {
                Explanation { priced: Priced::without_cost(reason), reason: Some(reason), lines: Vec::new() }
            }
        }
    }

    /// Prices an operation, giving each line of its bill to `take`; lines of a refused one are worth nothing.
    fn settle<'c: 'a, 'a>(
        &'c self,
        key: Option<PriceKey>,
        charge: &Charge<'a>,
        take: impl FnMut(Line<'a>),
    ) -> Result<Priced<'c>, Reason> {
        let Charge { usage, terms, .. } = charge;
        if !terms.bills_tokens || (terms.was_refused && !usage.has_tokens()) {
            let parts = Some(CostParts::default());
            return Ok(Priced { cost: Some(NanoUsd::ZERO), parts, status: CostStatus::Free, used: None });
        }
        let prices = Prices::choose(self.model(key.ok_or(Reason::UnknownModel)?), charge)?;
        let bill = prices.bill(charge, take)?;
        let cost = NanoUsd::try_from(bill.total).ok().filter(|cost| cost.nanos() <= MAX_COST_NANO_USD);
        let cost = cost.ok_or(Reason::TooMuch)?;
        let cache_savings = NanoUsd::try_from(bill.cache_savings).map_err(|_| Reason::TooMuch)?;
        Ok(Priced {
            cost: Some(cost),
            parts: Some(CostParts::split(cost, bill.parts, cache_savings)),
            status: if bill.is_free { CostStatus::Free } else { CostStatus::Priced },
            used: Some(prices.used),
        })
    }
}

impl Priced<'_> {
    const fn without_cost(reason: Reason) -> Self {
        Self { cost: None, parts: None, status: reason.status(), used: None }
    }
}
