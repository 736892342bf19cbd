//! The price files hold what was collected of 66 models, unchanged: history, tiers, schedules, variants and units.

use super::*;
use crate::money::PicoUsdPerToken;

/// Rates and prices of units, as `input=3 output=15`.
fn each(texts: &str) -> impl Iterator<Item = (&str, &str)> {
    texts.split(' ').map(|text| text.split_once('=').unwrap())
}

fn moment(text: &str) -> Option<UtcMicros> {
    (text != "-").then(|| UtcMicros::parse_rfc3339(text).unwrap())
}

/// Every collected rate is there. Classes that another source alone has may be there too.
#[track_caller]
fn assert_rates(rates: &Rates, texts: &str, place: &str) {
    for (name, text) in each(texts) {
        let class = TokenClass::ALL.into_iter().find(|class| class.name() == name).unwrap();
        assert_eq!(rates.own(class), Some(PicoUsdPerToken::from_usd_per_mtok(text).unwrap()), "{place}: {name}");
    }
    let further = rates.named().count() - each(texts).count();
    assert!(further <= 1, "{place}: {further} further classes");
}

/// What the lines below a model's have been compared with.
struct Reading {
    model: &'static Model,
    intervals: usize,
    card: Card,
    tiers: usize,
}

impl Reading {
    fn of(name: &str, context_window: &str) -> Self {
        let (provider, id) = name.split_once('/').unwrap();
        let is_meant = |model: &&Model| model.provider == provider && model.id == id;
        let model = Catalogue::embedded().models().iter().find(is_meant).unwrap_or_else(|| panic!("{name} is missing"));
        let tokens = model.context_window.map_or("-".to_owned(), |tokens| tokens.to_string());
        assert_eq!(tokens, context_window, "{name}");
        Self { model, intervals: 0, card: Card::default(), tiers: 0 }
    }

    fn enter(&mut self, card: &Card, rates: &str, place: &str) {
        self.end_card(place);
        assert_rates(&card.rates, rates, place);
        (self.card, self.tiers) = (card.clone(), 0);
    }

    /// All tiers of the card have been seen.
    fn end_card(&self, place: &str) {
        assert_eq!(self.card.tiers.len(), self.tiers, "tiers before {place}");
    }

    fn end(&self, place: &str) {
        self.end_card(place);
        assert_eq!(self.model.intervals.len(), self.intervals, "intervals before {place}");
    }

    fn compare(&mut self, fields: &[&str], line: &str) {
        match fields {
            ["interval", from, to, rates] => {
                let interval = &self.model.intervals[self.intervals];
                assert_eq!(interval.span, Span { from: moment(from), to: moment(to) }, "{line}");
                self.intervals += 1;
                self.enter(&interval.card, rates, line);
            }
            ["tier", starts_at, rates] => {
                let tier = &self.card.tiers[self.tiers];
                assert_eq!(tier.starts_at.to_string(), *starts_at, "{line}");
                assert_rates(&tier.rates, rates, line);
                self.tiers += 1;
            }
            ["schedule", name, days, windows, rates] => {
                let schedule = &self.model.intervals[self.intervals - 1].schedules[0];
                assert_eq!(schedule.name, *name);
                assert_eq!(schedule.days.iter().map(u8::to_string).collect::<String>(), *days);
                let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
                let texts = schedule.windows.iter();
                let texts = texts.map(|window| format!("{}-{}", clock(window.start_minute), clock(window.end_minute)));
                assert_eq!(texts.collect::<Vec<_>>().join(" "), *windows);
                self.enter(&schedule.card.clone(), rates, line);
            }
            ["variant", when, from, rates] => {
                let (property, word) = when.split_once('=').unwrap();
                let of_span = |variant: &&Variant| {
                    let property = Property::ALL.into_iter().find(|each| each.name() == property).unwrap();
                    variant.when.names(property, word) && variant.span.from == moment(from)
                };
                let variant = self.model.variants.iter().find(of_span).unwrap_or_else(|| panic!("{line} is missing"));
                let Effect::Card(card) = &variant.effect else { panic!("{line} has no card") };
                self.enter(card, rates, line);
            }
            ["units", prices] => {
                for (unit, text) in each(prices) {
                    let per_thousand = NanoUsd::parse(text).unwrap().nanos();
                    assert_eq!(
                        self.model.units.get(unit).map(|price| price.nanos() * 1_000),
                        Some(per_thousand),
                        "{line}"
                    );
                }
            }
            _ => panic!("{line}"),
        }
    }
}

#[test]
fn what_was_collected_is_in_the_price_files() {
    let published = include_str!("../../../prices/golden/published.tsv");
    let mut reading: Option<Reading> = None;
    let mut models = 0;
    for line in published.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        if let Some(name) = fields[0].strip_prefix("= ") {
            if let Some(before) = reading {
                before.end(line);
            }
            reading = Some(Reading::of(name, fields[1]));
            models += 1;
        } else {
            reading.as_mut().unwrap().compare(&fields, line);
        }
    }
    reading.unwrap().end("the end");
    assert_eq!(models, 66);
}
