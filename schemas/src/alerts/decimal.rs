//! Decimal numbers in rules: numbers of TOML and JSON, or their text. What they are counted in has at most nine decimals.

use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::NanoUsd;

/// A number as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal(String);

impl Decimal {
    /// Of so many units, of which `10^9 / per_unit` make a whole.
    pub(super) fn of_units(units: i64, nanos_per_unit: i64) -> Self {
        let text = NanoUsd::from_nanos(units.saturating_mul(nanos_per_unit)).to_string();
        // Amounts are shown with two decimals at least.
        let text = text.strip_suffix(".00").map_or(text.as_str(), |whole| whole);
        Self(text.to_owned())
    }

    /// How many units of so many billionths it is; none when it is no number or no whole number of them.
    pub(super) fn units(&self, nanos_per_unit: i64) -> Option<i64> {
        let nanos = NanoUsd::parse_exact(&self.0).ok()?.nanos();
        (nanos % nanos_per_unit == 0).then_some(nanos / nanos_per_unit)
    }

    /// As it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DecimalVisitor;

        impl Visitor<'_> for DecimalVisitor {
            type Value = Decimal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or its text, such as 12.5")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
                Ok(Decimal(text.to_owned()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Decimal, E> {
                Ok(Decimal(number.to_string()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Decimal, E> {
                Ok(Decimal(number.to_string()))
            }

            // The shortest text that is this number is what a person wrote.
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Decimal, E> {
                Ok(Decimal(number.to_string()))
            }
        }

        deserializer.deserialize_any(DecimalVisitor)
    }
}
