//! Exact amounts: what an operation's classes add up to, before it is rounded once.
//!
//! A price has twelve decimals per token (pico-dollars). Up to five multipliers, of two decimals each, may be applied to
//! it: 22 decimals at most. With 24 nothing is ever rounded here, and 128 bits reach to 170 trillion dollars; what goes
//! beyond has no cost rather than a wrong one.

use std::fmt;

use super::{MoneyError, NanoUsd, PicoUsdPerToken, exact_non_negative};

/// Fraction digits of an exact amount.
const PLACES: u32 = 24;
/// Units of one pico-dollar.
const PER_PICO: i128 = 10_i128.pow(PLACES - 12);
/// Units of one nano-dollar.
const PER_NANO: i128 = 10_i128.pow(PLACES - 9);
/// Fraction digits of a rate shown in dollars per million.
const RATE_PLACES: u32 = PLACES - 6;
/// Fraction digits of a multiplier.
const MULTIPLIER_PLACES: i64 = 2;
/// Units of the multiplier 1.
const ONE: i64 = 100;

/// An amount in 10⁻²⁴ dollars. Displayed as exact decimal text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExactUsd(i128);

/// A price of one token or unit in 10⁻²⁴ dollars. Displayed in dollars per million, exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExactRate(i128);

/// A factor on prices: more than 0, at most 1,000, with at most two decimals, such as 1.1 for a region. Displayed as such.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Multiplier(i64);

impl Multiplier {
    /// Reads decimal text.
    ///
    /// # Errors
    /// `Malformed`, `Negative`, `TooPrecise` for a third decimal, `OutOfRange` for 0 (a free class has the rate 0) and
    /// above 1,000.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let hundredths = exact_non_negative(text, MULTIPLIER_PLACES)?;
        if !(1..=1_000 * ONE).contains(&hundredths) {
            return Err(MoneyError::OutOfRange { text: super::excerpt(text) });
        }
        Ok(Self(hundredths))
    }
}

impl ExactRate {
    /// This rate, multiplied; none when it leaves the range, or when it is no whole number of 10⁻²⁴ dollars any more
    /// after the sixth multiplier.
    pub fn times(self, multiplier: Multiplier) -> Option<Self> {
        let product = self.0.checked_mul(multiplier.0.into())?;
        (product % i128::from(ONE) == 0).then_some(Self(product / i128::from(ONE)))
    }

    /// What this many tokens or units cost; none when it leaves the range. A negative count gives a negative amount.
    pub fn for_quantity(self, quantity: i64) -> Option<ExactUsd> {
        self.0.checked_mul(quantity.into()).map(ExactUsd)
    }
}

impl From<PicoUsdPerToken> for ExactRate {
    fn from(price: PicoUsdPerToken) -> Self {
        Self(i128::from(price.picos()) * PER_PICO)
    }
}

impl From<NanoUsd> for ExactRate {
    /// The price of one unit.
    fn from(price: NanoUsd) -> Self {
        Self(i128::from(price.nanos()) * PER_NANO)
    }
}

impl ExactUsd {
    /// Sum, or none when it leaves the range.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// Difference, or none when it leaves the range.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Whole nano-dollars of an amount that is not negative, and what is left of it in 10⁻²⁴ dollars.
    pub(crate) fn whole_nanos(self) -> (i64, i128) {
        // Divisions of 128 bits are dear, and most parts of a cost are nothing.
        if self.0 == 0 {
            return (0, 0);
        }
        let nanos = self.0 / PER_NANO;
        (i64::try_from(nanos).unwrap_or(i64::MAX), self.0 - nanos * PER_NANO)
    }

    /// So many pico-dollars.
    #[cfg(test)]
    pub(crate) fn from_picos(picos: i64) -> Self {
        Self(i128::from(picos) * PER_PICO)
    }
}

impl TryFrom<ExactUsd> for NanoUsd {
    type Error = MoneyError;

    /// Rounds half to even.
    fn try_from(amount: ExactUsd) -> Result<Self, MoneyError> {
        // One division: those of 128 bits are the dearest part of a price.
        let towards_zero = amount.0 / PER_NANO;
        let rest = amount.0 - towards_zero * PER_NANO;
        let (below, dropped) = if rest < 0 { (towards_zero - 1, rest + PER_NANO) } else { (towards_zero, rest) };
        let is_up = dropped * 2 > PER_NANO || (dropped * 2 == PER_NANO && below % 2 != 0);
        Self::try_from(below + i128::from(is_up))
    }
}

impl fmt::Display for ExactUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0, PLACES)
    }
}

impl fmt::Display for ExactRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0, RATE_PLACES)
    }
}

impl fmt::Display for Multiplier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0.into(), 2)
    }
}

/// Writes `units` of the last of `places` fraction digits, without trailing zeros.
fn write_decimal(f: &mut fmt::Formatter<'_>, units: i128, places: u32) -> fmt::Result {
    let one = 10_u128.pow(places);
    let magnitude = units.unsigned_abs();
    let (whole, mut fraction, mut width) = (magnitude / one, magnitude % one, places as usize);
    while width > 0 && fraction % 10 == 0 {
        fraction /= 10;
        width -= 1;
    }
    let decimals = if width == 0 { String::new() } else { format!(".{fraction:0width$}") };
    f.pad_integral(units >= 0, "", &format!("{whole}{decimals}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> ExactRate {
        PicoUsdPerToken::from_usd_per_mtok(text).unwrap().into()
    }

    fn multiplier(text: &str) -> Multiplier {
        Multiplier::parse(text).unwrap()
    }

    #[test]
    fn an_amount_is_rounded_once_half_to_even() {
        let rounded = |picos: i128| NanoUsd::try_from(ExactUsd(picos * PER_PICO)).unwrap().nanos();
        let picos = [0, 499, 500, 501, 1_499, 1_500, 1_501, 2_500, -499, -500, -501, -1_500];
        assert_eq!(picos.map(rounded), [0, 0, 0, 1, 1, 2, 2, 2, 0, 0, -1, -2]);
        let just_above_half = ExactUsd(500 * PER_PICO + 1);
        assert_eq!(NanoUsd::try_from(just_above_half).unwrap().nanos(), 1);
        assert!(NanoUsd::try_from(ExactUsd(i128::MAX)).is_err());
        assert!(NanoUsd::try_from(ExactUsd(i128::MIN)).is_err());
    }

    #[test]
    fn five_multipliers_are_exact_and_what_is_not_is_no_rate() {
        let odd = multiplier("1.01");
        let mut product = rate("0.000001");
        for _ in 0..6 {
            product = product.times(odd).unwrap();
        }
        assert_eq!(product.to_string(), "0.000001061520150601");
        assert_eq!(product.times(odd), None);
        assert_eq!(rate("0.003625").times(multiplier("1.1")).unwrap().to_string(), "0.0039875");
        assert_eq!([odd, multiplier("0.5"), multiplier("2.00")].map(|shown| shown.to_string()), ["1.01", "0.5", "2"]);
    }

    #[test]
    fn what_leaves_the_range_has_no_amount() {
        let highest = rate("1000000");
        assert_eq!(highest.for_quantity(1_000_000_000).unwrap().to_string(), "1000000000");
        assert_eq!(highest.for_quantity(i64::MAX), None);
        let most = ExactUsd(i128::MAX);
        assert_eq!(most.checked_add(ExactUsd(1)), None);
        let mut rate = highest;
        let thousandfold = multiplier("1000");
        for _ in 0..4 {
            rate = rate.times(thousandfold).unwrap();
        }
        assert_eq!(rate.times(thousandfold), None);
    }

    #[test]
    fn amounts_and_rates_are_shown_exactly() {
        assert_eq!(rate("0.003625").to_string(), "0.003625");
        assert_eq!(rate("10").to_string(), "10");
        assert_eq!(rate("0.003625").for_quantity(3).unwrap().to_string(), "0.000000010875");
        assert_eq!(rate("2.5").for_quantity(-1).unwrap().to_string(), "-0.0000025");
        assert_eq!(ExactRate::from(NanoUsd::parse("0.01").unwrap()).to_string(), "10000");
        assert_eq!(ExactUsd::default().to_string(), "0");
    }

    #[test]
    fn a_multiplier_has_two_decimals_and_is_not_zero() {
        for text in ["0.01", "1", "1.1", "1.67", "1000", "1.10"] {
            assert!(Multiplier::parse(text).is_ok(), "{text}");
        }
        for text in ["0", "-1", "1.001", "1000.01", "x", ""] {
            assert!(Multiplier::parse(text).is_err(), "{text}");
        }
    }
}
