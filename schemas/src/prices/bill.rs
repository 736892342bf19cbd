//! The bill of one operation: which prices apply, and what each class of tokens and each unit costs by them. Pure, and
//! without allocation.

use super::entry::{Effect, Model, Variant};
use super::explanation::{Item, Line, PriceUsed, Reason};
use super::operation_cost::Charge;
use super::parts::{ExactParts, Part};
use super::rates::Rates;
use super::terms::Property;
use super::units::{REQUEST, WEB_SEARCH, read_units};
use crate::UtcMicros;
use crate::money::{ExactRate, ExactUsd};
use crate::prices::{Card, Terms, TokenClass};

/// The prices of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prices<'c> {
    pub(super) used: PriceUsed<'c>,
    /// Of every card that applies, each laid over the one before; without multipliers.
    rates: Rates,
}

/// An operation's bill.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bill {
    /// Sum of the lines.
    pub(super) total: ExactUsd,
    /// The same, by part.
    pub(super) parts: ExactParts,
    /// What cached input would have cost as other input, less what it cost.
    pub(super) cache_savings: ExactUsd,
    /// Whether all prices that could have applied are an explicit 0.
    pub(super) is_free: bool,
}

impl<'c> Prices<'c> {
    /// Chooses interval, schedule, tier and variants.
    pub(super) fn choose(model: &'c Model, charge: &Charge<'_>) -> Result<Self, Reason> {
        let at = charge.started_at;
        let interval = model.interval_at(at).ok_or(Reason::NoPriceAtTime)?;
        let schedule = interval.schedules.iter().find(|schedule| schedule.contains(at));
        let variants = choose_variants(model, &charge.terms, at)?;
        let prompt = charge.usage.input_tokens.unwrap_or(0);
        let tier = interval.card.tier_of(prompt);
        let mut rates = interval.card.rates;
        if let Some(tier) = tier {
            rates.lay_over(&tier.rates);
        }
        let mut prices = Self { used: PriceUsed { model, interval, schedule, tier, variants }, rates };
        if let Some(schedule) = schedule {
            prices.lay_over(&schedule.card, prompt)?;
        }
        if let Some(card) = own_card(&variants)? {
            prices.lay_over(card, prompt)?;
        }
        Ok(prices)
    }

    /// Lays a card over the prices. One without tiers says nothing of prompts for which the prices beneath have one.
    fn lay_over(&mut self, card: &'c Card, prompt: i64) -> Result<(), Reason> {
        self.rates.lay_over(&card.rates);
        match card.tier_of(prompt) {
            Some(tier) => {
                self.rates.lay_over(&tier.rates);
                self.used.tier = Some(tier);
                Ok(())
            }
            None if self.used.tier.is_some() && card.tiers.is_empty() => Err(Reason::LongPrompt),
            None => Ok(()),
        }
    }

    /// Bills the usage, giving each line to `take`.
    pub(super) fn bill<'a>(&self, charge: &Charge<'a>, mut take: impl FnMut(Line<'a>)) -> Result<Bill, Reason>
    where
        'c: 'a,
    {
        let (mut total, mut parts) = (ExactUsd::default(), ExactParts::default());
        let mut cache_savings = ExactUsd::default();
        let mut add = |item, quantity, rate: ExactRate| {
            let amount = rate.for_quantity(quantity).ok_or(Reason::TooMuch)?;
            total = total.checked_add(amount).ok_or(Reason::TooMuch)?;
            let part = &mut parts[Part::of(&item) as usize];
            *part = part.checked_add(amount).ok_or(Reason::TooMuch)?;
            take(Line { item, quantity, rate, amount });
            Ok(())
        };
        self.add_units(charge, &mut add)?;
        // What is given away has no cost to find out: not even unknown counts matter.
        let gives_away = self.rates.are_zero() && self.used.interval.is_free();
        if !gives_away {
            for (class, tokens) in charge.usage.tokens_by_class(&self.rates)? {
                if tokens > 0 {
                    let (priced_as, rate) = self.rate_of(class)?;
                    add(Item::Tokens { class, priced_as }, tokens, rate)?;
                    if let Some(uncached) = class.uncached() {
                        let saved = self.saved(uncached, tokens, rate);
                        let saved = saved.and_then(|saved| cache_savings.checked_add(saved));
                        cache_savings = saved.ok_or(Reason::TooMuch)?;
                    }
                }
            }
        }
        Ok(Bill { total, parts, cache_savings, is_free: gives_away && total == ExactUsd::default() })
    }

    /// What these tokens would have cost as uncached ones, less what they cost at this rate.
    fn saved(&self, uncached: TokenClass, tokens: i64, rate: ExactRate) -> Option<ExactUsd> {
        // Without a price for uncached input there is nothing to compare with.
        let Ok((_, plain)) = self.rate_of(uncached) else { return Some(ExactUsd::default()) };
        plain.for_quantity(tokens)?.checked_sub(rate.for_quantity(tokens)?)
    }

    fn add_units<'a>(
        &self,
        charge: &Charge<'a>,
        add: &mut impl FnMut(Item<'a>, i64, ExactRate) -> Result<(), Reason>,
    ) -> Result<(), Reason> {
        let units = &self.used.model.units;
        let mut add_unit = |unit: &'a str, count: i64| match count {
            0 => Ok(()),
            1.. => add(Item::Units(unit), count, units.get(unit).ok_or(Reason::Units)?.into()),
            _ => Err(Reason::Counts),
        };
        if units.get(REQUEST).is_some() {
            add_unit(REQUEST, 1)?;
        }
        add_unit(WEB_SEARCH, charge.usage.web_searches)?;
        charge.usage.billable_units.map_or(Ok(()), |text| read_units(text, add_unit))
    }

    /// The class whose price applies to this one, and that price with the multipliers.
    fn rate_of(&self, class: TokenClass) -> Result<(TokenClass, ExactRate), Reason> {
        let (priced_as, rate) = self.rates.effective(class).ok_or(Reason::Class(class))?;
        let mut rate = ExactRate::from(rate);
        for variant in self.used.variants.iter().flatten() {
            if let Effect::Multiplier { multiplier, applies_to } = &variant.effect
                && applies_to.contains(&priced_as)
            {
                rate = rate.times(*multiplier).ok_or(Reason::TooMuch)?;
            }
        }
        Ok((priced_as, rate))
    }
}

/// The variant for each property in which the operation was not an ordinary one.
fn choose_variants<'c>(
    model: &'c Model,
    terms: &Terms<'_>,
    at: UtcMicros,
) -> Result<[Option<&'c Variant>; Property::ALL.len()], Reason> {
    let mut variants: [Option<&'c Variant>; Property::ALL.len()] = [None; Property::ALL.len()];
    for (place, property) in Property::ALL.into_iter().enumerate() {
        let Some(word) = terms.word(property) else { continue };
        let found = model.variant_at(property, word, at).or_else(|| match property {
            // A fast answer's tier says so.
            Property::ServiceTier => model.variant_at(Property::Speed, word, at),
            _ => None,
        });
        match found {
            Some(variant) if variants.iter().flatten().any(|other| std::ptr::eq(*other, variant)) => {}
            Some(variant) => variants[place] = Some(variant),
            // Every request is processed somewhere; a region that no price mentions is an ordinary one.
            None if property == Property::Region => {}
            None => return Err(Reason::Terms(property)),
        }
    }
    Ok(variants)
}

/// The card of these variants, of which one at most may have one.
fn own_card<'c>(variants: &[Option<&'c Variant>]) -> Result<Option<&'c Card>, Reason> {
    let mut cards = variants.iter().flatten().filter_map(|variant| match &variant.effect {
        Effect::Card(card) => Some(card),
        Effect::Multiplier { .. } => None,
    });
    match (cards.next(), cards.next()) {
        (_, Some(_)) => Err(Reason::CombinedTerms),
        (card, None) => Ok(card),
    }
}
