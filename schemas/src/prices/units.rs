//! What is billed apart from tokens: searches, requests and whatever else a provider counts.
//!
//! A price file names dollars per thousand. Three names are opstream's: `web_search` is an operation's `web_searches`,
//! `request` the operation itself; any other is that of a number in its `billable_units`.

use std::fmt;

use serde::de::{Deserializer as _, Error as _, MapAccess, Visitor};

use super::explanation::Reason;
use crate::NanoUsd;
use crate::validate::MAX_COUNT;

/// The unit of an operation's `web_searches`.
pub const WEB_SEARCH: &str = "web_search";
/// The unit of which every operation has one.
pub const REQUEST: &str = "request";

/// Prices of a model's units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitPrices(Vec<(String, NanoUsd)>);

impl UnitPrices {
    /// The price of one such unit.
    pub fn get(&self, unit: &str) -> Option<NanoUsd> {
        self.0.iter().find(|(name, _)| name == unit).map(|(_, price)| *price)
    }

    /// Every unit and its price, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, NanoUsd)> {
        self.0.iter().map(|(name, price)| (name.as_str(), *price))
    }
}

impl FromIterator<(String, NanoUsd)> for UnitPrices {
    fn from_iter<T: IntoIterator<Item = (String, NanoUsd)>>(units: T) -> Self {
        let mut units: Vec<_> = units.into_iter().collect();
        units.sort_unstable();
        Self(units)
    }
}

/// Gives each name and count of `billable_units` to `take`, in the order of the text. Allocates nothing.
///
/// # Errors
/// `Units` for anything but an object of plain names and whole numbers of 0 to [`MAX_COUNT`]; else what `take` refuses.
pub(super) fn read_units<'a>(
    billable_units: &'a str,
    take: impl FnMut(&'a str, i64) -> Result<(), Reason>,
) -> Result<(), Reason> {
    let mut reader = serde_json::Deserializer::from_str(billable_units);
    let mut reading = Reading { take, refused: None };
    let read = reader.deserialize_map(&mut reading);
    match reading.refused {
        Some(reason) => Err(reason),
        None if read.is_err() || reader.end().is_err() => Err(Reason::Units),
        None => Ok(()),
    }
}

struct Reading<F> {
    take: F,
    refused: Option<Reason>,
}

impl<'a, F: FnMut(&'a str, i64) -> Result<(), Reason>> Visitor<'a> for &mut Reading<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of names and counts")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut units: A) -> Result<(), A::Error> {
        while let Some((name, count)) = units.next_entry::<&'a str, i64>()? {
            if !(0..=MAX_COUNT).contains(&count) {
                return Err(A::Error::custom("not a count"));
            }
            if let Err(reason) = (self.take)(name, count) {
                self.refused = Some(reason);
                return Err(A::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(&str, i64)>, Reason> {
        let mut units = Vec::new();
        read_units(text, |name, count| {
            units.push((name, count));
            Ok(())
        })
        .map(|()| units)
    }

    #[test]
    fn units_are_an_object_of_counts() {
        assert_eq!(read("{}"), Ok(vec![]));
        assert_eq!(read(r#" {"pages": 3, "search_units": 0} "#), Ok(vec![("pages", 3), ("search_units", 0)]));
        for text in [
            "",
            "[]",
            "null",
            "{",
            r#"{"pages": 1.5}"#,
            r#"{"pages": -1}"#,
            r#"{"pages": "1"}"#,
            r#"{"pages": 1000000001}"#,
            r#"{"pages": 1} x"#,
        ] {
            assert_eq!(read(text), Err(Reason::Units), "{text}");
        }
    }

    #[test]
    fn a_refusal_is_handed_on() {
        let refused = read_units(r#"{"pages": 1}"#, |_, _| Err(Reason::UnknownModel));
        assert_eq!(refused, Err(Reason::UnknownModel));
    }
}
