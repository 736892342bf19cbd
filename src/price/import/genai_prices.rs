//! genai-prices' list: providers with models, each with prices per million tokens, their history, and variants by the context of a
//! request.

mod conditions;
mod names;
mod prices;

use std::collections::BTreeMap;

use anyhow::Context as _;
use opstream_schemas::prices::Property;
use opstream_schemas::providers::canonical_provider;
use serde::Deserialize;
use serde_json::value::RawValue;

use self::conditions::{Conditional, Constraint, intervals};
use self::names::Clause;
use self::prices::Prices;
use super::Read;
use super::draft::{DraftEffect, DraftModel, DraftVariant, LeftOut};

#[derive(Deserialize)]
struct Provider {
    id: String,
    #[serde(default)]
    pricing_urls: Vec<String>,
    models: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
    #[serde(rename = "match")]
    clause: Clause,
    #[serde(default)]
    context_window: Option<i64>,
    prices: Box<RawValue>,
    #[serde(default)]
    price_variants: Vec<Variant>,
}

#[derive(Deserialize)]
struct Variant {
    when: BTreeMap<String, String>,
    prices: BTreeMap<String, Box<RawValue>>,
    #[serde(default)]
    constraint: Option<Constraint>,
}

/// Reads the list; of one provider only if it is named.
///
/// # Errors
/// When it is not such a list.
pub(super) fn read(list: &str, wanted: Option<&str>) -> anyhow::Result<Read> {
    let providers: Vec<Provider> = serde_json::from_str(list).context("expected a list of providers with models")?;
    let mut read = Read::default();
    for Provider { id, pricing_urls, models } in providers {
        let provider = canonical_provider(&id).into_owned();
        if wanted.is_some_and(|wanted| wanted != provider) {
            continue;
        }
        let source = match pricing_urls.first() {
            Some(url) => format!("genai-prices, which names {url}"),
            None => "genai-prices".to_owned(),
        };
        for model in models {
            let what = format!("{provider}/{}", model.id);
            let mut leave = |part: &str, reason: String| {
                let what = if part.is_empty() { what.clone() } else { format!("{what}, {part}") };
                read.left_out.push(LeftOut { what, reason });
            };
            match draft(model, source.clone(), &mut leave) {
                Ok(draft) => read.models.entry(provider.clone()).or_default().push(draft),
                Err(reason) => leave("", reason),
            }
        }
    }
    Ok(read)
}

fn draft(model: Model, source: String, leave: &mut impl FnMut(&str, String)) -> Result<DraftModel, String> {
    let mut draft = DraftModel { id: model.id.to_lowercase(), source, ..DraftModel::default() };
    let names = names::names(&model.clause);
    draft.aliases = names.exact.into_iter().filter(|name| *name != draft.id).collect();
    draft.prefixes = names.beginnings;
    if !names.others.is_empty() {
        leave(
            &format!("names by {}", names.others.join(", ")),
            "only exact names and beginnings with a version behind them are understood".to_owned(),
        );
    }
    draft.context_window = model.context_window.filter(|tokens| *tokens > 0);
    let entries = entries(&model.prices)?;
    let standard = intervals(entries)?;
    draft.intervals = standard.intervals;
    draft.units = standard.units;
    draft.missing = standard.missing;
    for variant in model.price_variants {
        let when: Vec<String> = variant.when.iter().map(|(property, word)| format!("{property} {word}")).collect();
        match self::variant(variant) {
            Ok(Some(variant)) => draft.variants.push(variant),
            Ok(None) => {}
            Err(reason) => leave(&format!("prices for {}", when.join(" and ")), reason),
        }
    }
    end_variants(&mut draft.variants);
    Ok(draft)
}

/// One set of prices, or several with conditions.
fn entries(raw: &RawValue) -> Result<Vec<Conditional>, String> {
    let read = if raw.get().trim_start().starts_with('[') {
        serde_json::from_str::<Vec<Conditional>>(raw.get())
    } else {
        serde_json::from_str(raw.get()).map(|prices| vec![Conditional { constraint: None, prices }])
    };
    read.map_err(|error| format!("its prices are not understood: {error}"))
}

/// Prices under other terms; none if they are the standard ones.
fn variant(variant: Variant) -> Result<Option<DraftVariant>, String> {
    let mut when = variant.when.into_iter();
    let (Some((property, word)), None) = (when.next(), when.next()) else {
        return Err("it has several conditions".to_owned());
    };
    let property = match property.as_str() {
        "processing" => Property::Processing,
        "service_tier" => Property::ServiceTier,
        "speed" => Property::Speed,
        "region" => Property::Region,
        _ => return Err("nothing in an operation says that it ran so".to_owned()),
    };
    if variant.prices.is_empty() {
        return Ok(None);
    }
    let Prices { card, units, missing } = prices::prices(&variant.prices)?;
    if let Some(what) = units.into_keys().chain(missing).next() {
        return Err(format!("{what} has no price under other terms in a price file"));
    }
    if card.rates.is_empty() {
        return Err("it has no price of tokens".to_owned());
    }
    let from = match variant.constraint {
        None => None,
        Some(Constraint::Start { start_date }) => Some(start_date),
        Some(Constraint::Hours { .. }) => return Err("it holds at certain hours only".to_owned()),
    };
    let words = vec![word.to_lowercase()];
    Ok(Some(DraftVariant { property, words, from, to: None, effect: DraftEffect::Card(card) }))
}

/// Orders variants by time, and ends each where a later one of the same terms begins.
fn end_variants(variants: &mut [DraftVariant]) {
    variants.sort_by(|a, b| a.from.cmp(&b.from));
    for place in 0..variants.len() {
        let (before, later) = variants.split_at_mut(place + 1);
        let Some(one) = before.last_mut() else { continue };
        let same = later.iter().filter(|other| other.property == one.property && other.words == one.words);
        one.to =
            same.filter_map(|other| other.from.clone()).find(|from| one.from.as_ref().is_none_or(|own| own < from));
    }
}

#[cfg(test)]
mod tests {
    use opstream_schemas::prices::TokenClass;

    use super::*;

    const LIST: &str = include_str!("genai_prices/sample.json");

    #[test]
    fn a_list_is_read_with_history_hours_tiers_and_variants() {
        let read = read(LIST, None).unwrap();
        let models = &read.models["acme"];
        assert_eq!(models[0].aliases, ["acme-one-latest"]);
        assert_eq!(
            (models[0].prefixes.as_slice(), models[0].units["web_search"].as_str()),
            (&["acme-one".to_owned()][..], "10")
        );
        let card = &models[0].intervals[0].card;
        assert_eq!(
            (card.rates[&TokenClass::Input].as_str(), card.tiers[&200_000][&TokenClass::Input].as_str()),
            ("1.25", "2.5")
        );
        assert_eq!(
            card.tiers[&300_000],
            BTreeMap::from([(TokenClass::Input, "2.5".to_owned()), (TokenClass::Output, "20".to_owned())])
        );
        let batch: Vec<_> =
            models[0].variants.iter().map(|variant| (variant.from.as_deref(), variant.to.as_deref())).collect();
        assert_eq!(batch, [(None, Some("2026-10-14")), (Some("2026-10-14"), None)]);
        let spans: Vec<_> = models[1]
            .intervals
            .iter()
            .map(|interval| (interval.from.as_deref(), interval.to.as_deref(), interval.schedules.len()))
            .collect();
        assert_eq!(spans, [(None, Some("2026-08-17"), 1), (Some("2026-08-17"), None, 1)]);
        assert_eq!(models[1].intervals[0].card.rates[&TokenClass::CacheRead], "0.003625");
    }

    #[test]
    fn what_cannot_be_carried_over_is_named() {
        let left_out = read(LIST, None).unwrap().left_out;
        let said: Vec<String> = left_out.iter().map(|left| format!("{}: {}", left.what, left.reason)).collect();
        for beginning in [
            "acme/acme-one, names by contains one-x: only exact names",
            "acme/acme-one, prices for search_type fast: nothing in an operation",
            "acme/acme-three: its prices begin in no order of time",
        ] {
            assert!(said.iter().any(|said| said.starts_with(beginning)), "{beginning}: {said:#?}");
        }
        assert!(read("{}", None).is_err());
        assert!(read(LIST, Some("openai")).unwrap().models.is_empty());
    }
}
