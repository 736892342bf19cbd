//! A model's prices at a moment, in words: the standard ones, and what differs for long prompts, at certain hours and under
//! other terms. Pure.

use std::fmt::Write as _;

use opstream_schemas::UtcMicros;
use opstream_schemas::money::{ExactRate, ExactUsd};
use opstream_schemas::prices::{Card, DailyWindow, Effect, Model, Rates, Schedule, Span, TokenClass, Variant};

/// Prices under the same terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    /// The terms in words; empty for the standard prices of a short prompt, and of units.
    pub(super) terms: String,
    /// What the prices are for.
    pub(super) of: PriceOf,
    /// Class or unit, and its price as decimal text.
    pub(super) prices: Vec<(String, String)>,
}

/// What a price is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PriceOf {
    /// Dollars for a million tokens.
    MillionTokens,
    /// Dollars for a thousand units.
    ThousandUnits,
    /// No price, but a factor on prices.
    Factor,
}

/// What a model costs at a moment; none in a gap of its prices.
pub(super) fn sections(model: &Model, at: UtcMicros) -> Option<Vec<Section>> {
    let interval = model.interval_at(at)?;
    let mut sections = card("", &interval.card);
    for schedule in &interval.schedules {
        sections.extend(card(&hours(schedule), &schedule.card));
    }
    for variant in model.variants.iter().filter(|variant| variant.span.contains(at)) {
        match &variant.effect {
            Effect::Card(own) => sections.extend(card(&condition(variant), own)),
            Effect::Multiplier { multiplier, applies_to } => {
                let prices = factors(applies_to, multiplier.to_string());
                sections.push(Section { terms: condition(variant), of: PriceOf::Factor, prices });
            }
        }
    }
    let per_thousand = |price| ExactRate::from(price).for_quantity(1_000).map(|price: ExactUsd| price.to_string());
    let units: Vec<_> =
        model.units.iter().filter_map(|(unit, price)| Some((unit.to_owned(), per_thousand(price)?))).collect();
    if !units.is_empty() {
        sections.push(Section { terms: String::new(), of: PriceOf::ThousandUnits, prices: units });
    }
    Some(sections)
}

/// A rate in dollars per million tokens.
pub(super) fn per_million(rates: &Rates, class: TokenClass) -> Option<String> {
    rates.own(class).map(|rate| ExactRate::from(rate).to_string())
}

impl Section {
    /// The section on one line: `prompt above 200000: input 2.5, output 15`.
    pub(super) fn said(&self) -> String {
        let listed = |sign: &str| {
            let each = self.prices.iter().map(|(name, price)| format!("{name} {sign}{price}"));
            each.collect::<Vec<_>>().join(", ")
        };
        let prices = listed(if self.of == PriceOf::Factor { "×" } else { "" });
        match (self.of, self.terms.as_str()) {
            (PriceOf::ThousandUnits, _) => format!("a thousand: {prices}"),
            (_, "") => prices,
            (_, terms) => format!("{terms}: {prices}"),
        }
    }
}

/// When prices hold, in words.
pub(super) fn span_in_words(span: Span) -> String {
    let from = span.from.map_or_else(|| "since ever".to_owned(), |from| format!("from {}", moment(from)));
    let to = span.to.map_or_else(|| "until further notice".to_owned(), |to| format!("to {}", moment(to)));
    format!("{from} {to}")
}

/// A moment; midnight is shown as its day.
pub(super) fn moment(at: UtcMicros) -> String {
    let text = at.to_string();
    match text.split_once('T') {
        Some((day, clock)) if clock.bytes().all(|byte| matches!(byte, b'0' | b':' | b'.' | b'Z')) => day.to_owned(),
        _ => text,
    }
}

/// A factor by class, or once where it is for all of them.
fn factors(applies_to: &[TokenClass], factor: String) -> Vec<(String, String)> {
    if applies_to.len() == TokenClass::ALL.len() {
        return vec![("all".to_owned(), factor)];
    }
    applies_to.iter().map(|class| (class.to_string(), factor.clone())).collect()
}

/// A variant's condition: `service_tier priority or fast`.
pub(super) fn condition(variant: &Variant) -> String {
    format!("{} {}", variant.when.property().name(), variant.when.values().join(" or "))
}

fn card(terms: &str, card: &Card) -> Vec<Section> {
    let named = |rates: &Rates| {
        rates.named().map(|(class, rate)| (class.to_string(), ExactRate::from(rate).to_string())).collect()
    };
    let of = PriceOf::MillionTokens;
    let mut sections = vec![Section { terms: terms.to_owned(), of, prices: named(&card.rates) }];
    for tier in &card.tiers {
        let prompt = format!("prompt {}", tier.name.replacen('-', " ", 1));
        let terms = if terms.is_empty() { prompt } else { format!("{terms}, {prompt}") };
        sections.push(Section { terms, of, prices: named(&tier.rates) });
    }
    sections
}

/// When a schedule applies: `peak, Mon Tue 01:00–04:00 UTC, but on 3 holidays`.
fn hours(schedule: &Schedule) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let days: Vec<&str> =
        schedule.days.iter().filter_map(|day| DAYS.get(usize::from(*day).checked_sub(1)?).copied()).collect();
    let windows: Vec<String> = schedule.windows.iter().copied().map(window).collect();
    let days = if days.len() == DAYS.len() { "daily".to_owned() } else { days.join(" ") };
    let mut text = format!("{}, {days} {} {}", schedule.name, windows.join(" and "), schedule.zone);
    if !schedule.holidays.is_empty() {
        // Memory takes what is written to it.
        write!(text, ", but on {} holidays", schedule.holidays.len()).unwrap_or_default();
    }
    text
}

fn window(window: DailyWindow) -> String {
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    format!("{}–{}", clock(window.start_minute), clock(window.end_minute))
}

#[cfg(test)]
mod tests {
    use opstream_schemas::prices::Catalogue;

    use super::*;

    fn said(provider: &str, id: &str, at: &str) -> Vec<String> {
        let catalogue = Catalogue::embedded();
        let model = catalogue.model(catalogue.find(provider, id).unwrap());
        let sections = sections(model, UtcMicros::parse_rfc3339(at).unwrap()).unwrap();
        sections.iter().map(Section::said).collect()
    }

    #[test]
    fn everything_that_may_decide_a_price_is_said_in_words() {
        let sol = said("openai", "gpt-6.1-sol", "2026-11-23T00:00:00Z");
        for beginning in [
            "input 2, output 10, cache_read 0.1, cache_write 2.5",
            "prompt above 272000: input 4, output 15, cache_read 0.2, cache_write 5",
            "service_tier flex, prompt above 272000: input 2, output 7.5, cache_read 0.1, cache_write 2.5",
            "region us",
            "a thousand: file_search 2.5, web_search 10",
        ] {
            assert!(sol.iter().any(|said| said.starts_with(beginning)), "{beginning}: {sol:#?}");
        }
        assert!(sol.iter().any(|said| said.ends_with(": all ×1.1")), "{sol:#?}");
        let peak = said("deepseek", "deepseek-v4-pro", "2026-11-23T00:00:00Z");
        assert!(peak.iter().any(|said| said.starts_with("peak, Mon Tue Wed Thu Fri ")), "{peak:#?}");
    }

    #[test]
    fn a_midnight_is_shown_as_its_day() {
        let shown = |text| moment(UtcMicros::parse_rfc3339(text).unwrap());
        assert_eq!(shown("2026-12-01T00:00:00Z"), "2026-12-01");
        assert_eq!(shown("2026-12-01T10:00:00Z"), "2026-12-01T10:00:00.000000Z");
        let span = Span { from: None, to: Some(UtcMicros::parse_rfc3339("2026-12-01T00:00:00Z").unwrap()) };
        assert_eq!(span_in_words(span), "since ever to 2026-12-01");
    }
}
