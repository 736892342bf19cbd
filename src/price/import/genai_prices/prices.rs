//! A set of prices: per million tokens of a class, with tiers, and per thousand of what is counted.

use std::collections::BTreeMap;

use opstream_schemas::prices::{REQUEST, TokenClass, WEB_SEARCH};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::price::import::draft::DraftCard;
use crate::price::import::json::per_million;

/// Prices in the terms of a price file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Prices {
    pub(super) card: DraftCard,
    /// Dollars per thousand.
    pub(super) units: BTreeMap<String, String>,
    /// Fields that have no place.
    pub(super) missing: Vec<String>,
}

#[derive(Deserialize)]
struct Tiered {
    base: Box<RawValue>,
    tiers: Vec<Tier>,
}

#[derive(Deserialize)]
struct Tier {
    /// Tokens above which the price holds.
    start: i64,
    price: Box<RawValue>,
}

/// Takes the fields apart.
///
/// # Errors
/// Names a price that a price file cannot say.
pub(super) fn prices(fields: &BTreeMap<String, Box<RawValue>>) -> Result<Prices, String> {
    let mut prices = Prices::default();
    let mut tiers: BTreeMap<TokenClass, BTreeMap<i64, String>> = BTreeMap::new();
    for (field, raw) in fields.iter().filter(|(_, raw)| raw.get() != "null") {
        let wrong = |reason| format!("{field}: {reason}");
        if let Some(class) = class(field) {
            let (base, by_length) = tiered(raw).map_err(wrong)?;
            prices.card.rates.insert(class, base);
            tiers.insert(class, by_length);
        } else if let Some(unit) = unit(field) {
            // A price file has decimals for a thousand as for a million.
            prices.units.insert(unit.to_owned(), per_million(raw).map_err(wrong)?);
        } else {
            prices.missing.push(field.clone());
        }
    }
    let starts: Vec<i64> = tiers.values().flat_map(BTreeMap::keys).copied().collect();
    for start in starts {
        // A tier is laid over the prices of short prompts, so it names every class that is dearer by then.
        let reached =
            tiers.iter().filter_map(|(class, own)| Some((*class, own.range(..=start).next_back()?.1.clone())));
        prices.card.tiers.insert(start, reached.collect());
    }
    Ok(prices)
}

fn tiered(raw: &RawValue) -> Result<(String, BTreeMap<i64, String>), String> {
    if !raw.get().trim_start().starts_with('{') {
        return Ok((per_million(raw)?, BTreeMap::new()));
    }
    let read: Tiered = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
    let tiers = read.tiers.iter().map(|tier| Ok((tier.start, per_million(&tier.price)?)));
    Ok((per_million(&read.base)?, tiers.collect::<Result<_, String>>()?))
}

fn class(field: &str) -> Option<TokenClass> {
    Some(match field {
        "input_mtok" => TokenClass::Input,
        "output_mtok" => TokenClass::Output,
        "cache_read_mtok" => TokenClass::CacheRead,
        "cache_write_mtok" => TokenClass::CacheWrite,
        "cache_write_1h_mtok" => TokenClass::CacheWrite1h,
        "output_reasoning_mtok" => TokenClass::Reasoning,
        "input_audio_mtok" => TokenClass::InputAudio,
        "output_audio_mtok" => TokenClass::OutputAudio,
        "cache_audio_read_mtok" => TokenClass::CacheReadAudio,
        "input_image_mtok" => TokenClass::InputImage,
        "output_image_mtok" => TokenClass::OutputImage,
        _ => return None,
    })
}

fn unit(field: &str) -> Option<&'static str> {
    Some(match field {
        "web_searches_kcount" => WEB_SEARCH,
        "storage_searches_kcount" => "file_search",
        "requests_kcount" => REQUEST,
        _ => return None,
    })
}
