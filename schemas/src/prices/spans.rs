//! Prices that hold for a span of time: intervals and variants, read from a price file.
//!
//! Checks that no moment has two prices and that nothing is left to the order of evaluation.

use toml::value::Datetime;

use super::entry::{Condition, Effect, Interval, Span, Variant};
use super::file::{IntervalEntry, VariantEntry};
use super::place::{CatalogueError, Place, Problem};
use super::rates::TokenClass;
use crate::UtcMicros;
use crate::money::Multiplier;

impl Place<'_> {
    pub(super) fn intervals(self, entries: &[IntervalEntry]) -> Result<Vec<Interval>, CatalogueError> {
        if entries.is_empty() {
            return Err(self.refuse("interval", Problem::Missing));
        }
        let mut intervals: Vec<Interval> = Vec::with_capacity(entries.len());
        for (number, entry) in entries.iter().enumerate() {
            let field = format!("interval[{number}]");
            let span = self.span(&field, entry.valid_from, entry.valid_to)?;
            let card = self.card(&field, &entry.rates, &entry.tiers)?;
            let schedules = self.schedules(&field, &entry.schedules)?;
            if intervals.last().is_some_and(|before| before.span.reaches_into(&span)) {
                return Err(self.refuse(&field, Problem::Overlap));
            }
            intervals.push(Interval { span, card, schedules });
        }
        Ok(intervals)
    }

    pub(super) fn variants(self, entries: Vec<VariantEntry>) -> Result<Vec<Variant>, CatalogueError> {
        let mut variants: Vec<Variant> = Vec::with_capacity(entries.len());
        for (number, entry) in entries.into_iter().enumerate() {
            let field = format!("variant[{number}]");
            self.check_condition(&format!("{field}.when"), &entry.when)?;
            let span = self.span(&field, entry.valid_from, entry.valid_to)?;
            let is_clash = |other: &Variant| other.when.overlaps(&entry.when) && other.span.reaches_into(&span);
            if variants.iter().any(is_clash) {
                return Err(self.refuse(&field, Problem::Overlap));
            }
            let effect = self.effect(&field, &entry)?;
            variants.push(Variant { when: entry.when, span, effect });
        }
        Ok(variants)
    }

    fn check_condition(self, field: &str, when: &Condition) -> Result<(), CatalogueError> {
        if when.values().is_empty() {
            return Err(self.refuse(field, Problem::Missing));
        }
        when.values().iter().try_for_each(|value| self.check_word(field, value))
    }

    /// Either rates, perhaps with tiers, or a multiplier, perhaps of some classes only.
    fn effect(self, field: &str, entry: &VariantEntry) -> Result<Effect, CatalogueError> {
        match (&entry.rates, &entry.multiplier) {
            (Some(rates), None) if entry.applies_to.is_none() => {
                Ok(Effect::Card(self.card(field, rates, &entry.tiers)?))
            }
            (None, Some(text)) if entry.tiers.is_empty() => {
                let multiplier = Multiplier::parse(text)
                    .map_err(|error| self.refuse(&format!("{field}.multiplier"), error.into()))?;
                let applies_to = entry.applies_to.clone().unwrap_or_else(|| TokenClass::ALL.to_vec());
                if applies_to.is_empty() {
                    return Err(self.refuse(&format!("{field}.applies_to"), Problem::Missing));
                }
                Ok(Effect::Multiplier { multiplier, applies_to })
            }
            _ => {
                let found = "another set of fields".to_owned();
                let expected = "either rates, perhaps with tiers, or a multiplier, perhaps with applies_to";
                Err(self.refuse(field, Problem::Unexpected { found, expected }))
            }
        }
    }

    fn span(self, parent: &str, from: Option<Datetime>, to: Option<Datetime>) -> Result<Span, CatalogueError> {
        let moment = |name: &str, value: Datetime| {
            UtcMicros::parse_rfc3339(&value.to_string()).map_err(|_| {
                let expected = "a moment with a zone, such as 2026-12-01T00:00:00Z";
                let problem = Problem::Unexpected { found: value.to_string(), expected };
                self.refuse(&format!("{parent}.{name}"), problem)
            })
        };
        let from = from.map(|value| moment("valid_from", value)).transpose()?;
        let to = to.map(|value| moment("valid_to", value)).transpose()?;
        if from.zip(to).is_some_and(|(from, to)| to <= from) {
            return Err(self.refuse(parent, Problem::Backwards));
        }
        Ok(Span { from, to })
    }
}
