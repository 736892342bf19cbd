//! `LiteLLM`'s list: an object of models, each with prices per single token under names that are put together of what is priced,
//! from which length of the prompt, and under which terms.

mod field;
mod hours;

use std::collections::BTreeMap;

use anyhow::Context as _;
use opstream_schemas::prices::{Property, WEB_SEARCH};
use opstream_schemas::providers::canonical_provider;
use serde_json::value::RawValue;

use self::field::Priced;
use super::Read;
use super::draft::{DraftCard, DraftEffect, DraftInterval, DraftModel, DraftVariant, LeftOut};
use super::json::{number, per_million_of_token, per_thousand_of_one, text, whole};

/// A model's fields by name.
type Fields = BTreeMap<String, Box<RawValue>>;

/// The entry that only shows the form.
const SAMPLE: &str = "sample_spec";
/// Factors by region: the field, and the word of the region.
const REGIONS: [(&str, &str); 2] =
    [("regional_processing_uplift_multiplier_us", "us"), ("regional_processing_uplift_multiplier_eu", "eu")];

/// Reads the list; of one provider only if it is named.
///
/// # Errors
/// When it is not such a list.
pub(super) fn read(list: &str, wanted: Option<&str>) -> anyhow::Result<Read> {
    let entries: BTreeMap<String, Fields> =
        serde_json::from_str(list).context("expected an object of models, each an object")?;
    let is_list = entries.values().any(|fields| fields.contains_key("litellm_provider"));
    anyhow::ensure!(is_list, "no model has a litellm_provider");
    let mut read = Read::default();
    for (name, fields) in entries.iter().filter(|(name, _)| *name != SAMPLE) {
        let Some(named) = fields.get("litellm_provider").and_then(|raw| text(raw)) else {
            if wanted.is_none() {
                read.left_out.push(LeftOut { what: name.clone(), reason: "it names no provider".to_owned() });
            }
            continue;
        };
        let provider = provider(&named);
        if wanted.is_none_or(|wanted| wanted == provider) {
            let id = id(name, &named, &provider);
            match model(&id, &provider, fields, &mut read.left_out) {
                Ok(draft) => read.models.entry(provider).or_default().push(draft),
                Err(reason) => read.left_out.push(LeftOut { what: format!("{provider}/{id}"), reason }),
            }
        }
    }
    Ok(read)
}

/// OpenTelemetry's name of a provider that the list divides by interface or by the kind of model.
fn provider(named: &str) -> String {
    let common = match named {
        "bedrock_converse" | "bedrock_mantle" => "bedrock",
        "cohere_chat" => "cohere",
        "text-completion-openai" => "openai",
        "azure_text" => "azure",
        "voyage" => "voyageai",
        vertex if vertex.starts_with("vertex_ai-") => "vertex_ai",
        other => other,
    };
    canonical_provider(common).into_owned()
}

/// The model's name at its provider, without the provider's name before it.
fn id(name: &str, named: &str, provider: &str) -> String {
    let lower = name.to_lowercase();
    match lower.split_once('/') {
        Some((first, rest)) if first == named || self::provider(first) == provider => rest.to_owned(),
        _ => lower,
    }
}

/// The draft of a model. Of a price that cannot be said its whole card is left out, lest tokens cost what others do.
///
/// # Errors
/// Why there can be none.
fn model(id: &str, provider: &str, fields: &Fields, left_out: &mut Vec<LeftOut>) -> Result<DraftModel, String> {
    let mut draft = DraftModel { id: id.to_owned(), ..DraftModel::default() };
    let mut leave = |what: &str, reason: String| {
        left_out.push(LeftOut { what: format!("{provider}/{id}, {what}"), reason });
    };
    draft.source = fields.get("source").and_then(|raw| text(raw)).map_or_else(
        || "LiteLLM's list of prices".to_owned(),
        |source| format!("LiteLLM's list of prices, which names {source}"),
    );
    draft.context_window = fields.get("max_input_tokens").and_then(|raw| whole(raw)).filter(|tokens| *tokens > 0);
    draft.retired_on = fields.get("deprecation_date").and_then(|raw| text(raw)).filter(|day| is_day(day));
    for (field, raw) in fields {
        match unit(field, raw) {
            Some(Ok((unit, price))) => drop(draft.units.insert(unit.to_owned(), price)),
            Some(Err(reason)) => leave(field, reason),
            None if Priced::parse(field).is_none() && is_unknown_price(field, raw) => draft.missing.push(field.clone()),
            None => {}
        }
    }
    let mut cards = cards(fields);
    draft.intervals.push(interval(cards.remove("").unwrap_or_else(|| Ok(DraftCard::default()))?, fields)?);
    for (term, card) in cards {
        match card.and_then(|card| variant(term, provider, card)) {
            Ok(variant) => draft.variants.push(variant),
            Err(reason) => leave(&format!("prices for {term}"), reason),
        }
    }
    draft.variants.extend(factors(fields));
    Ok(draft)
}

/// The prices of tokens by their terms, which are empty for the standard ones; or why they cannot be said.
fn cards(fields: &Fields) -> BTreeMap<&str, Result<DraftCard, String>> {
    let mut cards: BTreeMap<&str, Result<DraftCard, String>> = BTreeMap::new();
    for (field, raw) in fields.iter().filter(|(_, raw)| raw.get() != "null") {
        let Some(priced) = Priced::parse(field) else { continue };
        let card = cards.entry(priced.term).or_insert_with(|| Ok(DraftCard::default()));
        match (per_million_of_token(raw), &mut *card) {
            (Ok(price), Ok(card)) => priced.enter(card, price),
            (Err(reason), _) => *card = Err(format!("{field}: {reason}")),
            (Ok(_), Err(_)) => {}
        }
    }
    cards
}

/// The standard prices: those of the fields, or those of ranges, with those of certain hours.
fn interval(card: DraftCard, fields: &Fields) -> Result<DraftInterval, String> {
    let mut interval = DraftInterval { card, ..DraftInterval::default() };
    if let Some(raw) = fields.get("tiered_pricing") {
        interval.card = field::ranges(raw).map_err(|reason| format!("tiered_pricing: {reason}"))?;
    }
    if let Some(raw) = fields.get("off_peak_pricing") {
        interval.schedules = hours::schedules(raw).map_err(|reason| format!("off_peak_pricing: {reason}"))?;
    }
    Ok(interval)
}

/// Prices under other terms, named by the end of their fields.
fn variant(term: &str, provider: &str, card: DraftCard) -> Result<DraftVariant, String> {
    let (property, words): (_, &[&str]) = match (term, provider) {
        ("batches", _) => (Property::Processing, &["batch"]),
        // OpenAI's answers say either.
        ("priority", "openai") => (Property::ServiceTier, &["priority", "fast"]),
        // Google's answers say the second.
        ("priority", "gcp.gemini") => (Property::ServiceTier, &["priority", "on_demand_priority"]),
        ("flex", "gcp.gemini") => (Property::ServiceTier, &["flex", "on_demand_flex"]),
        ("priority", _) => (Property::ServiceTier, &["priority"]),
        ("flex", _) => (Property::ServiceTier, &["flex"]),
        ("ultrafast", _) => (Property::ServiceTier, &["ultrafast"]),
        _ => return Err("nothing in an operation says that it ran so".to_owned()),
    };
    if card.rates.is_empty() {
        return Err("there is a price for long prompts only".to_owned());
    }
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    Ok(DraftVariant { property, words, from: None, to: None, effect: DraftEffect::Card(card) })
}

/// Factors by region and speed.
fn factors(fields: &Fields) -> Vec<DraftVariant> {
    let own: Fields =
        fields.get("provider_specific_entry").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let regions = REGIONS.iter().filter_map(|(field, word)| Some((Property::Region, *word, &**fields.get(*field)?)));
    let words = [(Property::Region, "us"), (Property::Region, "eu"), (Property::Speed, "fast")];
    let own = words.iter().filter_map(|(property, word)| Some((*property, *word, &**own.get(*word)?)));
    let factor = |(property, word, raw): (Property, &str, &RawValue)| {
        let effect = DraftEffect::Multiplier(number(raw)?.to_owned());
        Some(DraftVariant { property, words: vec![word.to_owned()], from: None, to: None, effect })
    };
    regions.chain(own).filter_map(factor).collect()
}

/// A unit's name and its price per thousand.
fn unit(field: &str, raw: &RawValue) -> Option<Result<(&'static str, String), String>> {
    let named = |unit: &'static str| Some(per_thousand_of_one(raw).map(|price| (unit, price)));
    match field {
        "search_context_cost_per_query" => Some(web_search(raw)),
        "file_search_cost_per_1k_calls" => Some(super::json::per_million(raw).map(|price| ("file_search", price))),
        "google_maps_grounding_cost_per_query" => named("grounding_google_maps"),
        "input_cost_per_request" => named("request"),
        _ => None,
    }
}

/// Web searches, if the price does not depend on their size.
fn web_search(raw: &RawValue) -> Result<(&'static str, String), String> {
    let sizes: Fields = serde_json::from_str(raw.get()).map_err(|_| "it is no object of prices".to_owned())?;
    let mut prices = sizes.values().map(|raw| per_thousand_of_one(raw));
    let first = prices.next().ok_or_else(|| "it names no price".to_owned())??;
    for price in prices {
        if price? != first {
            return Err("it depends on the size of a search, which operations do not tell".to_owned());
        }
    }
    Ok((WEB_SEARCH, first))
}

/// Whether this is a price that a price file has no place for.
fn is_unknown_price(field: &str, raw: &RawValue) -> bool {
    let is_read = matches!(field, "tiered_pricing" | "off_peak_pricing") || field.contains("_dbu_");
    let is_price = field.contains("cost_per") || field.contains("_cost") || field.ends_with("uplift_multiplier");
    is_price && !is_read && number(raw).is_none_or(|number| number.parse() != Ok(0.0)) && raw.get() != "null"
}

fn is_day(text: &str) -> bool {
    text.len() == 10
        && text.split('-').map(str::len).eq([4, 2, 2])
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use opstream_schemas::prices::TokenClass;

    use super::*;

    const LIST: &str = include_str!("litellm/sample.json");

    #[test]
    fn a_list_is_read_with_tiers_terms_and_units() {
        let read = read(LIST, None).unwrap();
        let model = &read.models["gcp.gemini"][0];
        assert_eq!((model.id.as_str(), model.context_window), ("acme-1", Some(1_048_576)));
        assert_eq!((model.retired_on.as_deref(), model.units["web_search"].as_str()), (Some("2026-12-01"), "35"));
        let card = &model.intervals[0].card;
        assert_eq!(card.rates[&TokenClass::CacheRead], "0.003625");
        assert_eq!(card.tiers[&200_000][&TokenClass::Input], "2.5");
        let terms: Vec<_> = model.variants.iter().map(|variant| (variant.property, variant.words.join(" "))).collect();
        let expected = [
            (Property::Processing, "batch".to_owned()),
            (Property::ServiceTier, "flex on_demand_flex".to_owned()),
            (Property::Region, "us".to_owned()),
        ];
        assert_eq!(terms, expected);
        assert_eq!(read.models["deepseek"][0].intervals[0].schedules.len(), 2);
        assert_eq!(read.models["dashscope"][0].intervals[0].card.tiers[&32_000][&TokenClass::Output], "12");
    }

    #[test]
    fn a_price_that_cannot_be_said_takes_its_card_with_it() {
        let read = read(LIST, None).unwrap();
        let said: Vec<String> = read.left_out.iter().map(|left| format!("{}: {}", left.what, left.reason)).collect();
        assert_eq!(
            said,
            [
                "acme/inexact: input_cost_per_token: 2.0000000000000002e-07 has more than 12 decimals",
                "gcp.gemini/acme-1, prices for priority: cache_read_input_token_cost_priority: 1.23e-15 has more than 12 decimals",
                "nobodys: it names no provider",
            ]
        );
        assert_eq!(read.models["gcp.gemini"][0].missing, ["input_cost_per_video_per_second"]);
    }

    #[test]
    fn one_provider_is_read_alone_and_what_is_no_list_is_refused() {
        assert_eq!(read(LIST, Some("deepseek")).unwrap().models.into_keys().collect::<Vec<_>>(), ["deepseek"]);
        assert!(read("[]", None).is_err() && read(r#"{"a": {"b": 1}}"#, None).is_err());
    }
}
