//! Why an operation costs what it costs: the prices that were used, line by line, or the reason why there is no cost.

use std::fmt;

use super::entry::{Interval, Model, Tier, Variant};
use super::operation_cost::{CostStatus, Priced};
use super::rates::TokenClass;
use super::schedule::Schedule;
use super::terms::Property;
use crate::money::{ExactRate, ExactUsd};

/// Why an operation has no cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Reason {
    /// The catalogue does not have the model.
    #[error("the catalogue does not have this model of this provider")]
    UnknownModel,
    /// The model has no prices at the time of the operation.
    #[error("the catalogue has no price of the model for the time at which the operation started")]
    NoPriceAtTime,
    /// The operation ran under terms for which the model has no price.
    #[error("the catalogue has no price of the model for the operation's {}, at its time", .0.name())]
    Terms(Property),
    /// Two sets of prices would apply.
    #[error("the operation ran under two terms that each have prices of their own, and none for both")]
    CombinedTerms,
    /// The prompt reaches a tier of the standard prices, and the terms have no prices for long prompts.
    #[error("the catalogue has no price for so long a prompt under the operation's terms")]
    LongPrompt,
    /// The number of input tokens is unknown.
    #[error("input_tokens is unknown")]
    UnknownInput,
    /// The number of output tokens is unknown.
    #[error("output_tokens is unknown")]
    UnknownOutput,
    /// A count is negative, or parts exceed their whole.
    #[error("the token counts contradict each other")]
    Counts,
    /// Part of the prompt was cached and part of it is audio or images, and the price depends on which.
    #[error("the prompt is cached in part, and nobody says how much of its audio or images")]
    CachedMedia,
    /// Tokens of a class that neither has a price nor belongs to a class with one.
    #[error("the catalogue has no price for {} tokens of the model", .0)]
    Class(TokenClass),
    /// Something billed apart from tokens has no price, or is not understood.
    #[error(
        "the catalogue has no price for what the operation used apart from tokens, or billable_units is no object of counts"
    )]
    Units,
    /// More than any real operation costs.
    #[error("the operation would cost more than {} nano-dollars", crate::validate::MAX_COST_NANO_USD)]
    TooMuch,
}

impl Reason {
    /// The status of an operation that has no cost for this reason.
    pub const fn status(self) -> CostStatus {
        match self {
            Self::NoPriceAtTime => CostStatus::NoPriceAtTime,
            _ => CostStatus::Unpriced,
        }
    }
}

/// Which of a model's prices were used. Displayed as the price key: the model's id, then each choice that was made, as in
/// `gpt-6.1-sol above-272000 batch us`.
#[derive(Clone, Copy, Debug)]
pub struct PriceUsed<'c> {
    /// The model.
    pub model: &'c Model,
    /// The interval that contains the operation's start.
    pub interval: &'c Interval,
    /// The schedule that contains it.
    pub schedule: Option<&'c Schedule>,
    /// The tier that the prompt reaches.
    pub tier: Option<&'c Tier>,
    /// Variants, in the order of [`Property::ALL`].
    pub variants: [Option<&'c Variant>; Property::ALL.len()],
}

impl PriceUsed<'_> {
    /// Writes the price key, without the detour of a formatter.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_key(&self, to: &mut impl fmt::Write) -> fmt::Result {
        to.write_str(&self.model.id)?;
        let schedule = self.schedule.map(|schedule| schedule.name.as_str());
        let tier = self.tier.map(|tier| tier.name.as_str());
        // The first value is what the provider calls it; the others are older names of the same.
        let variants = self.variants.iter().flatten().filter_map(|variant| variant.when.values().first());
        for choice in schedule.into_iter().chain(tier).chain(variants.map(String::as_str)) {
            to.write_char(' ')?;
            to.write_str(choice)?;
        }
        Ok(())
    }
}

impl fmt::Display for PriceUsed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_key(f)
    }
}

/// What a line of a bill is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// Tokens of a class.
    Tokens {
        /// The class.
        class: TokenClass,
        /// The class whose price applies.
        priced_as: TokenClass,
    },
    /// Units billed apart, by name.
    Units(&'a str),
}

/// A line of a bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// What for.
    pub item: Item<'a>,
    /// How many tokens or units, 1 or more.
    pub quantity: i64,
    /// The price of one, multipliers included.
    pub rate: ExactRate,
    /// Their product, not rounded.
    pub amount: ExactUsd,
}

/// An operation's cost with everything that led to it.
#[derive(Clone, Debug)]
pub struct Explanation<'a> {
    /// The cost, or that there is none.
    pub priced: Priced<'a>,
    /// Why there is none.
    pub reason: Option<Reason>,
    /// The lines whose sum, rounded, is the cost; none without a cost.
    pub lines: Vec<Line<'a>>,
}

impl fmt::Display for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tokens { class, .. } => class.fmt(f),
            Self::Units(name) => f.write_str(name),
        }
    }
}
