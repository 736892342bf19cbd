//! Numbers of a JSON text as the decimals that they are written as.

use opstream_schemas::money::{ExactRate, MoneyError, PicoUsdPerToken};
use serde_json::value::RawValue;

/// The text of a number, also of one in quotes; none for anything else, and for null.
pub(super) fn number(raw: &RawValue) -> Option<&str> {
    let text = raw.get().trim();
    let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    text.starts_with(|first: char| first.is_ascii_digit() || first == '-').then_some(text)
}

/// A whole number, also one that is written with a point, such as `32000.0`.
pub(super) fn whole(raw: &RawValue) -> Option<i64> {
    let text = number(raw)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    fraction.bytes().all(|digit| digit == b'0').then(|| whole.parse().ok())?
}

/// Plain text; none for anything else.
pub(super) fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// A price per token as dollars per million, or why a price file cannot say it.
pub(super) fn per_million_of_token(raw: &RawValue) -> Result<String, String> {
    price(raw, PicoUsdPerToken::from_usd_per_token)
}

/// A price per million tokens, or why a price file cannot say it.
pub(super) fn per_million(raw: &RawValue) -> Result<String, String> {
    price(raw, PicoUsdPerToken::from_usd_per_mtok)
}

/// A price of one unit as dollars per thousand, or why a price file cannot say it.
pub(super) fn per_thousand_of_one(raw: &RawValue) -> Result<String, String> {
    let text = number(raw).ok_or_else(|| no_number(raw))?;
    let price = PicoUsdPerToken::from_usd_per_token(text).map_err(|error| error.to_string())?;
    if price.picos() % 1_000 != 0 {
        return Err(format!("{text} has more than 9 decimals"));
    }
    let thousand = ExactRate::from(price).for_quantity(1_000).ok_or_else(|| format!("{text} is too much"))?;
    Ok(thousand.to_string())
}

fn price(raw: &RawValue, read: fn(&str) -> Result<PicoUsdPerToken, MoneyError>) -> Result<String, String> {
    let text = number(raw).ok_or_else(|| no_number(raw))?;
    read(text).map(|price| ExactRate::from(price).to_string()).map_err(|error| error.to_string())
}

fn no_number(raw: &RawValue) -> String {
    let text: String = raw.get().chars().take(40).collect();
    format!("{text} is no price")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_number_keeps_its_decimals() {
        for (written, price) in
            [("2.5e-06", "2.5"), ("0.000003", "3"), ("1.3E-7", "0.13"), ("0.0", "0"), ("\"3e-6\"", "3")]
        {
            assert_eq!(per_million_of_token(&raw(written)).as_deref(), Ok(price), "{written}");
        }
        // The nearest double of this text is a price with more decimals.
        assert_eq!(per_million(&raw("0.003625")).as_deref(), Ok("0.003625"));
        assert_eq!(per_thousand_of_one(&raw("0.035")).as_deref(), Ok("35"));
        assert_eq!([whole(&raw("32000.0")), whole(&raw("1e6")), whole(&raw("null"))], [Some(32_000), None, None]);
    }

    #[test]
    fn what_a_price_file_cannot_say_is_refused_with_the_number() {
        let error = per_million_of_token(&raw("3.0001999999999996E-7")).unwrap_err();
        assert!(error.contains("3.0001999999999996E-7 has more than 12 decimals"), "{error}");
        assert!(per_million(&raw("-1")).unwrap_err().contains("negative"));
        assert!(per_million(&raw("[1]")).unwrap_err().contains("[1] is no price"));
        assert!(per_thousand_of_one(&raw("0.0000000001")).unwrap_err().contains("9 decimals"));
    }
}
