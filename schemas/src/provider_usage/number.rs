//! Reads one number of a usage object: an integer, an integral double, or decimal text.

use serde_json::Value;

use super::error::{UsageError, excerpt};
use crate::NanoUsd;
use crate::validate::{MAX_COST_NANO_USD, MAX_COUNT};

/// Ticks of one nano-dollar in `cost_in_usd_ticks`, which counts 10,000,000,000 to the dollar.
const TICKS_PER_NANO: i64 = 10;

/// A count of tokens, 0 to [`MAX_COUNT`].
///
/// # Errors
/// When it is not a whole number of that range.
pub(super) fn tokens(field: &str, value: &Value) -> Result<i64, UsageError> {
    let number = number(field, value)?;
    if number.fract() != 0.0 {
        return Err(not_a_count(field, value));
    }
    Ok(integer(number))
}

/// A count of billed units, 0 to [`MAX_COUNT`]. A unit that was begun counts: a fraction of a second or an hour.
///
/// # Errors
/// When it is not a number of that range.
pub(super) fn units(field: &str, value: &Value) -> Result<i64, UsageError> {
    Ok(integer(number(field, value)?.ceil()))
}

/// Whether the value could be a count: a number, or text that is one.
pub(super) fn is_numeric(value: &Value) -> bool {
    double(value).is_some()
}

/// An amount of dollars.
///
/// # Errors
/// When it is not a decimal, negative or beyond what one operation may cost.
pub(super) fn dollars(field: &str, value: &Value) -> Result<NanoUsd, UsageError> {
    // Through the text: its digits are what the provider wrote.
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let amount = NanoUsd::parse_non_negative(&text).ok().filter(|amount| amount.nanos() <= MAX_COST_NANO_USD);
    amount.ok_or_else(|| UsageError::NotAnAmount { field: field.to_owned(), value: shown(value) })
}

/// An amount of ticks, of which 10,000,000,000 make a dollar; rounded to the nearest nano-dollar.
///
/// # Errors
/// When it is not a whole number, negative or beyond what one operation may cost.
pub(super) fn ticks(field: &str, value: &Value) -> Result<NanoUsd, UsageError> {
    let ticks = value.as_i64().or_else(|| value.as_str()?.parse().ok()).filter(|ticks| *ticks >= 0);
    let nanos = ticks.map(|ticks| ticks / TICKS_PER_NANO + i64::from(ticks % TICKS_PER_NANO >= TICKS_PER_NANO / 2));
    let amount = nanos.filter(|nanos| *nanos <= MAX_COST_NANO_USD).map(NanoUsd::from_nanos);
    amount.ok_or_else(|| UsageError::NotAnAmount { field: field.to_owned(), value: shown(value) })
}

fn number(field: &str, value: &Value) -> Result<f64, UsageError> {
    let number = double(value).ok_or_else(|| not_a_count(field, value))?;
    if number < 0.0 {
        return Err(UsageError::Negative { field: field.to_owned(), value: shown(value) });
    }
    if number > MAX_COUNT as f64 {
        return Err(UsageError::TooLarge { field: field.to_owned(), value: shown(value) });
    }
    Ok(number)
}

/// Exact where it matters: every count up to the limit is a double.
fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) if is_decimal(text) => text.parse().ok(),
        _ => None,
    }
}

/// Digits with at most one point among or behind them, and a sign before them. Infinities, exponents and spaces are none.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    !whole.is_empty() && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit())
}

#[expect(clippy::cast_possible_truncation, reason = "whole and at most MAX_COUNT, as `number` has checked")]
fn integer(number: f64) -> i64 {
    number as i64
}

fn not_a_count(field: &str, value: &Value) -> UsageError {
    UsageError::NotACount { field: field.to_owned(), value: shown(value) }
}

/// The value as JSON; of what is no scalar only the kind, for it may be of any length.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        scalar => excerpt(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_are_read_in_every_spelling() {
        for (value, count) in [
            (json!(0), 0),
            (json!(12), 12),
            (json!(12.0), 12),
            (json!(1.2e3), 1200),
            (json!(-0.0), 0),
            (json!("12"), 12),
            (json!("+12.000"), 12),
            (json!("7."), 7),
            (json!(1_000_000_000), MAX_COUNT),
        ] {
            assert_eq!(tokens("n", &value), Ok(count), "{value}");
            assert_eq!(units("n", &value), Ok(count), "{value}");
        }
    }

    #[test]
    fn what_is_no_count_is_refused_with_its_field_and_value() {
        let error = |value| tokens("prompt_tokens", &value).unwrap_err();
        for value in [json!("many"), json!(""), json!("1e3"), json!("NaN"), json!(" 1"), json!("1 2"), json!(1.5)] {
            assert_eq!(error(value.clone()).code(), "not_a_count", "{value}");
        }
        for value in [json!(true), json!([1]), json!({"n": 1})] {
            assert_eq!(error(value.clone()).code(), "not_a_count", "{value}");
        }
        assert_eq!(error(json!(-1)).to_string(), "prompt_tokens is -1; it must be 0 or more");
        assert_eq!(error(json!("-0.5")).code(), "negative_count");
        for value in [json!(1_000_000_001), json!(u64::MAX), json!(1e300), json!("9".repeat(500))] {
            assert_eq!(error(value.clone()).code(), "out_of_range", "{value}");
        }
        assert!(error(json!("x".repeat(5_000_000))).to_string().len() < 200);
    }

    #[test]
    fn a_unit_that_was_begun_counts() {
        assert_eq!(units("seconds", &json!(4.01)), Ok(5));
        assert_eq!(units("seconds", &json!("0.2")), Ok(1));
        assert_eq!(units("seconds", &json!(-0.2)).unwrap_err().code(), "negative_count");
    }

    #[test]
    fn costs_keep_the_digits_that_were_sent() {
        assert_eq!(dollars("cost", &json!(0.0675)).unwrap().to_string(), "0.0675");
        assert_eq!(dollars("cost", &json!("0.000001")).unwrap().to_string(), "0.000001");
        assert_eq!(ticks("cost", &json!(37_756_000)).unwrap().to_string(), "0.0037756");
        assert_eq!(ticks("cost", &json!("15")).unwrap(), NanoUsd::from_nanos(2));
        for value in [json!(-1), json!("free"), json!(10_001), json!(null), json!(1e300)] {
            assert_eq!(dollars("cost", &value).unwrap_err().code(), "not_an_amount", "{value}");
        }
        for value in [json!(-1), json!(0.5), json!(u64::MAX), json!(i64::MAX)] {
            assert_eq!(ticks("cost", &value).unwrap_err().code(), "not_an_amount", "{value}");
        }
    }
}
