//! Prices by class and by the length of the prompt, read from a price file.

use super::entry::{Card, Tier};
use super::file::{RateTexts, TierEntry};
use super::place::{CatalogueError, Place, Problem};
use super::rates::Rates;
use crate::money::PicoUsdPerToken;

impl Place<'_> {
    pub(super) fn card(self, parent: &str, rates: &RateTexts, tiers: &[TierEntry]) -> Result<Card, CatalogueError> {
        Ok(Card { rates: self.rates(parent, rates)?, tiers: self.tiers(parent, tiers)? })
    }

    fn tiers(self, parent: &str, entries: &[TierEntry]) -> Result<Vec<Tier>, CatalogueError> {
        let mut tiers: Vec<Tier> = Vec::with_capacity(entries.len());
        for (number, entry) in entries.iter().enumerate() {
            let field = format!("{parent}.tiers[{number}]");
            let (starts_at, name) = match (entry.above, entry.from) {
                (Some(above), None) if above > 0 => (above.checked_add(1), format!("above-{above}")),
                (None, Some(from)) if from > 0 => (Some(from), format!("from-{from}")),
                _ => (None, String::new()),
            };
            let Some(starts_at) = starts_at else {
                let found = format!("above = {:?}, from = {:?}", entry.above, entry.from);
                return Err(self.refuse(&field, Problem::Unexpected { found, expected: "one of them, above 0" }));
            };
            if tiers.last().is_some_and(|before| starts_at <= before.starts_at) {
                return Err(self.refuse(&field, Problem::NotAscending));
            }
            tiers.push(Tier { starts_at, name, rates: self.rates(&field, &entry.rates)? });
        }
        Ok(tiers)
    }

    fn rates(self, parent: &str, texts: &RateTexts) -> Result<Rates, CatalogueError> {
        if texts.is_empty() {
            return Err(self.refuse(&format!("{parent}.rates"), Problem::Missing));
        }
        let mut rates = Rates::default();
        for (class, text) in texts {
            let rate = PicoUsdPerToken::from_usd_per_mtok(text)
                .map_err(|error| self.refuse(&format!("{parent}.rates.{class}"), error.into()))?;
            rates.set(*class, rate);
        }
        Ok(rates)
    }
}
