//! Names of fields such as `input_cost_per_token_above_200k_tokens_batches`, taken apart, and prices by ranges of the prompt.

use opstream_schemas::prices::TokenClass;
use serde_json::value::RawValue;

use super::Fields;
use crate::price::import::draft::DraftCard;
use crate::price::import::json::{per_million_of_token, whole};

/// Ends of names that say under which terms a price holds.
const TERMS: [&str; 6] = ["batches", "flex", "priority", "ultrafast", "balanced", "decisions"];

/// What a field prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Priced<'a> {
    class: TokenClass,
    /// Tokens above which it holds; none: of short prompts.
    above: Option<i64>,
    /// The terms; empty for standard ones.
    pub(super) term: &'a str,
    /// Whether another field says the same, and wins.
    is_second_name: bool,
}

impl<'a> Priced<'a> {
    /// Takes the name of a field apart; none if it is no price of tokens.
    pub(super) fn parse(field: &'a str) -> Option<Self> {
        let ends = |term: &&str| field.strip_suffix(*term).is_some_and(|rest| rest.ends_with('_'));
        let term = TERMS.into_iter().find(ends).unwrap_or("");
        let rest = if term.is_empty() { field } else { &field[..field.len() - term.len() - 1] };
        let (base, above) = match rest.strip_suffix("k_tokens").and_then(|rest| rest.rsplit_once("_above_")) {
            Some((base, thousands)) => (base, Some(thousands.parse::<i64>().ok()?.checked_mul(1_000)?)),
            None => (rest, None),
        };
        let class = class(base)?;
        Some(Self { class, above, term, is_second_name: base == "input_cost_per_token_cache_hit" })
    }

    /// Enters its price into the card of its terms.
    pub(super) fn enter(self, card: &mut DraftCard, price: String) {
        let rates = match self.above {
            Some(above) => card.tiers.entry(above).or_default(),
            None => &mut card.rates,
        };
        if self.is_second_name {
            rates.entry(self.class).or_insert(price);
        } else {
            rates.insert(self.class, price);
        }
    }
}

/// The class that the first part of a field's name means.
fn class(base: &str) -> Option<TokenClass> {
    Some(match base {
        "input_cost_per_token" => TokenClass::Input,
        "output_cost_per_token" => TokenClass::Output,
        "cache_read_input_token_cost" | "input_cost_per_token_cache_hit" => TokenClass::CacheRead,
        "cache_creation_input_token_cost" => TokenClass::CacheWrite,
        "cache_creation_input_token_cost_above_1hr" => TokenClass::CacheWrite1h,
        "cache_creation_input_token_cost_above_12hr" => TokenClass::CacheWrite12h,
        "output_cost_per_reasoning_token" => TokenClass::Reasoning,
        "input_cost_per_audio_token" => TokenClass::InputAudio,
        "output_cost_per_audio_token" => TokenClass::OutputAudio,
        "cache_read_input_audio_token_cost" => TokenClass::CacheReadAudio,
        "input_cost_per_image_token" => TokenClass::InputImage,
        "output_cost_per_image_token" => TokenClass::OutputImage,
        _ => return None,
    })
}

/// Prices by ranges of the prompt's length: the first is for short prompts, each other one above its beginning.
///
/// # Errors
/// Why a price file cannot say it.
pub(super) fn ranges(raw: &RawValue) -> Result<DraftCard, String> {
    let entries: Vec<Fields> = serde_json::from_str(raw.get()).map_err(|_| "it is no list of ranges".to_owned())?;
    let mut card = DraftCard::default();
    for fields in &entries {
        let range = fields.get("range").and_then(|raw| serde_json::from_str::<Vec<Box<RawValue>>>(raw.get()).ok());
        let begin = range.as_ref().and_then(|ends| whole(ends.first()?));
        let begin = begin.ok_or_else(|| "a range is not one of tokens".to_owned())?;
        for (field, raw) in fields.iter().filter(|(field, _)| *field != "range") {
            let priced = Priced::parse(field).filter(|priced| priced.above.is_none() && priced.term.is_empty());
            let priced = priced.ok_or_else(|| format!("there is no class for {field}"))?;
            let rates = if begin == 0 { &mut card.rates } else { card.tiers.entry(begin).or_default() };
            rates.insert(priced.class, per_million_of_token(raw)?);
        }
    }
    if card.rates.is_empty() {
        return Err("there is no price for short prompts".to_owned());
    }
    Ok(card)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_class_length_and_terms() {
        let parsed = |field| Priced::parse(field).map(|priced| (priced.class, priced.above, priced.term));
        for (field, expected) in [
            ("input_cost_per_token", (TokenClass::Input, None, "")),
            ("output_cost_per_token_flex", (TokenClass::Output, None, "flex")),
            ("input_cost_per_token_above_200k_tokens_batches", (TokenClass::Input, Some(200_000), "batches")),
            ("cache_creation_input_token_cost_above_1hr", (TokenClass::CacheWrite1h, None, "")),
            (
                "cache_creation_input_token_cost_above_12hr_above_272k_tokens_priority",
                (TokenClass::CacheWrite12h, Some(272_000), "priority"),
            ),
            ("cache_read_input_audio_token_cost", (TokenClass::CacheReadAudio, None, "")),
        ] {
            assert_eq!(parsed(field), Some(expected), "{field}");
        }
        for field in ["input_cost_per_image", "input_cost_per_video_token", "output_cost_per_second", "mode", "rpm"] {
            assert_eq!(parsed(field), None, "{field}");
        }
    }

    #[test]
    fn a_range_begins_above_its_first_number() {
        let list = r#"[{"input_cost_per_token":1.2e-06,"range":[0,32000.0]},{"input_cost_per_token":2.4e-06,"range":[32000.0,128000.0]}]"#;
        let card = ranges(&serde_json::from_str::<Box<RawValue>>(list).unwrap()).unwrap();
        assert_eq!(card.rates[&TokenClass::Input], "1.2");
        assert_eq!(card.tiers[&32_000][&TokenClass::Input], "2.4");
        let by_results = r#"[{"input_cost_per_query":0.01,"max_results_range":[0,25]}]"#;
        assert!(ranges(&serde_json::from_str::<Box<RawValue>>(by_results).unwrap()).is_err());
    }
}
