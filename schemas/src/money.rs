//! Money as integers: nano-dollars for amounts, pico-dollars per token for prices.
//!
//! In: decimal text, or a double at the edges of the system. Out: exact decimal text. In between no float ever holds
//! money, so sums are exact and equal in SQL, in files and in windows. It deliberately knows one currency, the US
//! dollar, and does not format for people: no thousands separators, no currency sign.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

mod exact;

#[cfg(test)]
mod tests;

pub use exact::{ExactRate, ExactUsd, Multiplier};

/// Fraction digits of a nano-dollar.
const NANO_PLACES: i64 = 9;
/// Fraction digits of a price in dollars per million tokens; a millionth of it is a pico-dollar per token.
const PRICE_PLACES: i64 = 6;
/// Nano-dollars of one dollar.
const NANOS_PER_USD: u64 = 1_000_000_000;

/// An amount in billionths of a US dollar: about ±9.2 billion dollars.
///
/// Displayed as an exact decimal with at least two and at most nine fraction digits (`0.00`, `2.60759`), and written
/// to JSON as that text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NanoUsd(i64);

/// A price in trillionths of a US dollar per token: 0 to 10¹² (a million dollars per million tokens).
///
/// A published price in dollars per million tokens with at most six decimals is a whole number of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PicoUsdPerToken(i64);

/// Why a text or number is not an amount. Nothing is retried: the caller names the field and refuses the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a decimal number.
    #[error("{text:?} is not an amount; expected a decimal such as 0.0675 or 6.75e-2")]
    Malformed {
        /// The refused text, cut to 40 characters.
        text: String,
    },
    /// Too large or too small for the type.
    #[error("{text} is out of range: amounts end at ±9223372036.854775807, prices at 1000000 per million tokens")]
    OutOfRange {
        /// The refused text or number, cut to 40 characters.
        text: String,
    },
    /// Below zero where that makes no sense.
    #[error("{text} is negative; it must be 0 or more")]
    Negative {
        /// The refused text, cut to 40 characters.
        text: String,
    },
    /// A price that would have to be rounded.
    #[error("{text} has more than {places} decimals")]
    TooPrecise {
        /// The refused text, cut to 40 characters.
        text: String,
        /// Decimals that are allowed.
        places: i64,
    },
}

impl NanoUsd {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// This many billionths of a dollar.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Billionths of a dollar.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Reads plain or scientific decimal text, such as `0.0675`, `-3`, `.5` or `6.75e-2`.
    ///
    /// Digits beyond the ninth decimal are rounded half to even, silently: a billionth of a dollar is below every
    /// provider's own rounding. Spaces, separators, currency signs, `NaN` and `inf` are refused.
    ///
    /// # Errors
    /// `Malformed` for anything but such a number, `OutOfRange` beyond ±9.2 billion dollars.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        scale(text, NANO_PLACES).map(|scaled| Self(scaled.units))
    }

    /// Like [`NanoUsd::parse`], for amounts that cannot be below zero. The sign counts after rounding.
    ///
    /// # Errors
    /// Those of `parse`, and `Negative`.
    pub fn parse_non_negative(text: &str) -> Result<Self, MoneyError> {
        let amount = Self::parse(text)?;
        if amount.0 < 0 {
            return Err(MoneyError::Negative { text: excerpt(text) });
        }
        Ok(amount)
    }

    /// Like [`NanoUsd::parse`], for amounts of people, who mean every digit: none is rounded away.
    ///
    /// # Errors
    /// Those of `parse`, `Negative`, and `TooPrecise` for a tenth decimal.
    pub fn parse_exact(text: &str) -> Result<Self, MoneyError> {
        exact_non_negative(text, NANO_PLACES).map(Self)
    }

    /// Reads a double through its shortest decimal text.
    ///
    /// Sources that keep dollars in doubles mean the short decimal that a person would read (0.0675), not the binary
    /// fraction next to it. The shortest text that identifies the double is that decimal, and it is then rounded once;
    /// multiplying by 10⁹ would round twice.
    ///
    /// # Errors
    /// `Malformed` for NaN and infinities, `OutOfRange` beyond ±9.2 billion dollars.
    pub fn from_f64(usd: f64) -> Result<Self, MoneyError> {
        Self::parse(&format!("{usd:e}"))
    }

    /// Sum, or none when it leaves the range.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }

    /// The exact amount as decimal text, as in JSON: `2.60759`.
    pub fn to_decimal_string(self) -> String {
        self.to_string()
    }
}

impl PicoUsdPerToken {
    /// Highest accepted price.
    pub const MAX: Self = Self(1_000_000_000_000);

    /// Reads a price in dollars per million tokens: decimal text with at most six decimals.
    ///
    /// # Errors
    /// `Malformed`, `Negative`, `TooPrecise` for a seventh decimal, `OutOfRange` above [`PicoUsdPerToken::MAX`].
    pub fn from_usd_per_mtok(text: &str) -> Result<Self, MoneyError> {
        let price = Self(exact_non_negative(text, PRICE_PLACES)?);
        if price > Self::MAX {
            return Err(MoneyError::OutOfRange { text: excerpt(text) });
        }
        Ok(price)
    }

    /// Reads a price in dollars per single token: decimal text, exact to the twelfth decimal.
    ///
    /// # Errors
    /// `Malformed`, `Negative`, `TooPrecise` for a thirteenth decimal, `OutOfRange` above [`PicoUsdPerToken::MAX`].
    pub fn from_usd_per_token(text: &str) -> Result<Self, MoneyError> {
        let price = Self(exact_non_negative(text, PRICE_PLACES * 2)?);
        if price > Self::MAX {
            return Err(MoneyError::OutOfRange { text: excerpt(text) });
        }
        Ok(price)
    }

    /// Trillionths of a dollar per token.
    pub const fn picos(self) -> i64 {
        self.0
    }
}

impl TryFrom<i128> for NanoUsd {
    type Error = MoneyError;

    /// A sum of nano-dollars, as long as it fits.
    fn try_from(nanos: i128) -> Result<Self, MoneyError> {
        i64::try_from(nanos).map(Self).map_err(|_| MoneyError::OutOfRange { text: format!("{nanos} nano-dollars") })
    }
}

impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        let (whole, mut fraction, mut places) = (magnitude / NANOS_PER_USD, magnitude % NANOS_PER_USD, 9);
        while places > 2 && fraction % 10 == 0 {
            fraction /= 10;
            places -= 1;
        }
        f.pad_integral(self.0 >= 0, "", &format!("{whole}.{fraction:0places$}"))
    }
}

impl Serialize for NanoUsd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NanoUsd {
    /// Accepts decimal text, and for people's convenience numbers of dollars.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NanoUsdVisitor)
    }
}

struct NanoUsdVisitor;

impl de::Visitor<'_> for NanoUsdVisitor {
    type Value = NanoUsd;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("US dollars as decimal text or a number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<NanoUsd, E> {
        NanoUsd::parse(text).map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, usd: f64) -> Result<NanoUsd, E> {
        NanoUsd::from_f64(usd).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, usd: i64) -> Result<NanoUsd, E> {
        NanoUsd::parse(&usd.to_string()).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, usd: u64) -> Result<NanoUsd, E> {
        NanoUsd::parse(&usd.to_string()).map_err(E::custom)
    }
}

/// A decimal as a whole number of its last kept place.
struct Scaled {
    units: i64,
    is_exact: bool,
}

/// Reads non-negative decimal text that has at most `places` decimals, as a whole number of the last one.
pub(crate) fn exact_non_negative(text: &str, places: i64) -> Result<i64, MoneyError> {
    let scaled = scale(text, places)?;
    if scaled.units < 0 {
        return Err(MoneyError::Negative { text: excerpt(text) });
    }
    if !scaled.is_exact {
        return Err(MoneyError::TooPrecise { text: excerpt(text), places });
    }
    Ok(scaled.units)
}

/// Reads decimal text digit by digit, so that it is rounded once however long it is.
fn scale(text: &str, places: i64) -> Result<Scaled, MoneyError> {
    let malformed = || MoneyError::Malformed { text: excerpt(text) };
    let out_of_range = || MoneyError::OutOfRange { text: excerpt(text) };

    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().map_err(|_| malformed())?),
        None => (text, 0),
    };
    let (is_negative, unsigned) = match number.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if whole.len() + fraction.len() == 0 || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return Err(malformed());
    }

    let whole_digits = i64::try_from(whole.len()).map_err(|_| out_of_range())?;
    let kept_digits = whole_digits + i64::from(exponent) + places;
    let (mut units, mut first_dropped, mut has_more) = (0_u64, 0_u8, false);
    let mut seen_digits = 0_i64;
    for digit in whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0') {
        match seen_digits.cmp(&kept_digits) {
            Ordering::Less => {
                units =
                    units.checked_mul(10).and_then(|tens| tens.checked_add(digit.into())).ok_or_else(out_of_range)?;
            }
            Ordering::Equal => first_dropped = digit,
            Ordering::Greater => has_more |= digit != 0,
        }
        seen_digits += 1;
    }
    // Zero stays zero under any exponent; anything else leaves the range after at most 19 rounds.
    while units != 0 && seen_digits < kept_digits {
        units = units.checked_mul(10).ok_or_else(out_of_range)?;
        seen_digits += 1;
    }
    let is_up = first_dropped > 5 || (first_dropped == 5 && (has_more || units % 2 == 1));
    units = units.checked_add(u64::from(is_up)).ok_or_else(out_of_range)?;
    let signed = if is_negative { 0_i64.checked_sub_unsigned(units) } else { 0_i64.checked_add_unsigned(units) };
    Ok(Scaled { units: signed.ok_or_else(out_of_range)?, is_exact: first_dropped == 0 && !has_more })
}

/// Enough of a refused text to recognise it.
fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}
