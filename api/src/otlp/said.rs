//! What the attributes of a span or resource say, by meaning and whatever type they came in.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::dialects::{self, MEANINGS, Meaning, Series};
use super::model::{Attribute, Value};

/// Attributes sorted by what they mean.
pub(super) struct Said<'s, 'a> {
    slots: [Option<(u8, &'s Attribute<'a>)>; MEANINGS],
    /// Those of names that repeat: the series, the rest of the name, the value.
    pub(super) series: Vec<(Series, &'s str, &'s Value<'a>)>,
    /// Those without a home, and those that another one contradicts.
    pub(super) rest: Vec<&'s Attribute<'a>>,
    /// How many of repeating names were passed over.
    pub(super) dropped: usize,
}

/// Most attributes of repeating names: a conversation of thousands of messages.
const MOST_OF_SERIES: usize = 20_000;

impl<'s, 'a> Said<'s, 'a> {
    /// Sorts them. Of several that mean the same the lowest rank is taken; of equal names the last.
    pub(super) fn of(attributes: &'s [Attribute<'a>]) -> Self {
        let mut said = Self { slots: [None; MEANINGS], series: Vec::new(), rest: Vec::new(), dropped: 0 };
        for attribute in attributes {
            if matches!(attribute.value, Value::Null) {
                continue;
            }
            if let Some(known) = dialects::known(&attribute.key) {
                said.place(known, attribute);
            } else if let Some((series, rest)) = dialects::series(&attribute.key) {
                if said.series.len() < MOST_OF_SERIES {
                    said.series.push((series, rest, &attribute.value));
                } else {
                    said.dropped += 1;
                }
            } else {
                said.rest.push(attribute);
            }
        }
        said
    }

    fn place(&mut self, known: dialects::Known, attribute: &'s Attribute<'a>) {
        let slot = &mut self.slots[known.meaning as usize];
        let beaten = match *slot {
            Some((rank, _)) if rank < known.rank => Some(attribute),
            other => {
                *slot = Some((known.rank, attribute));
                other.map(|(_, before)| before)
            }
        };
        let taken = slot.map(|(_, taken)| &taken.value);
        if let Some(beaten) = beaten.filter(|beaten| Some(&beaten.value) != taken) {
            self.rest.push(beaten);
        }
    }

    /// The attribute that says this.
    pub(super) fn attribute(&self, meaning: Meaning) -> Option<&'s Attribute<'a>> {
        self.slots[meaning as usize].map(|(_, attribute)| attribute)
    }

    /// Its value.
    pub(super) fn value(&self, meaning: Meaning) -> Option<&'s Value<'a>> {
        self.attribute(meaning).map(|attribute| &attribute.value)
    }

    /// As text, if there is any.
    pub(super) fn text(&self, meaning: Meaning) -> Option<String> {
        let text = self.value(meaning)?.to_text();
        let text = text.trim();
        (!text.is_empty()).then(|| clean(text).into_owned())
    }

    /// As a whole number.
    pub(super) fn int(&self, meaning: Meaning) -> Option<i64> {
        self.value(meaning)?.to_int()
    }

    /// As a number.
    pub(super) fn double(&self, meaning: Meaning) -> Option<f64> {
        self.value(meaning)?.to_double()
    }

    /// As a truth value.
    pub(super) fn bool(&self, meaning: Meaning) -> Option<bool> {
        match self.value(meaning)? {
            Value::Bool(value) => Some(*value),
            Value::Int(value) => Some(*value != 0),
            Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }
}

/// U+0000 is valid text, but none that SQL can hold; nobody who exports spans could send it better.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

/// Doubles below this are whole numbers exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Value<'_> {
    /// A whole number, also one that is written as text or double.
    pub(super) fn to_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Double(value) => whole(*value),
            Self::Text(text) => {
                let text = text.trim();
                text.parse().ok().or_else(|| whole(text.parse().ok()?))
            }
            _ => None,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "parameters and seconds, which are far smaller")]
    pub(super) fn to_double(&self) -> Option<f64> {
        let value = match self {
            Self::Int(value) => Some(*value as f64),
            Self::Double(value) => Some(*value),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        value.filter(|value| value.is_finite())
    }

    /// Text as it is, everything else as JSON.
    pub(super) fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            other => Cow::Owned(other.to_json().to_string()),
        }
    }

    /// The value as JSON; bytes are base64.
    pub(super) fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Text(text) => Json::String(clean(text).into_owned()),
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(value) => Json::from(*value),
            // JSON has no number for them; so does protobuf's.
            Self::Double(value) if value.is_nan() => Json::from("NaN"),
            Self::Double(value) if value.is_infinite() => {
                Json::from(if *value > 0.0 { "Infinity" } else { "-Infinity" })
            }
            Self::Double(value) => Json::from(*value),
            Self::Bytes(bytes) => {
                use base64::Engine as _;
                Json::String(base64::prelude::BASE64_STANDARD.encode(bytes))
            }
            Self::List(list) => Json::Array(list.iter().map(Value::to_json).collect()),
            Self::Map(entries) => Json::Object(
                entries.iter().map(|entry| (clean(&entry.key).into_owned(), entry.value.to_json())).collect(),
            ),
        }
    }

    /// JSON that is written as text, or structured: both are ways to send messages.
    pub(super) fn to_embedded_json(&self) -> Json {
        match self {
            Self::Text(text) => super::json_text::read_embedded(text).unwrap_or_else(|| self.to_json()),
            other => other.to_json(),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and exact")]
fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < EXACT).then_some(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(key: &'static str, value: Value<'static>) -> Attribute<'static> {
        Attribute { key: key.into(), value }
    }

    #[test]
    fn the_newer_name_wins_in_any_order_and_what_it_contradicts_is_kept() {
        let attributes = [
            attribute("gen_ai.system", Value::Text("OpenAI".into())),
            attribute("gen_ai.provider.name", Value::Text("azure.ai.openai".into())),
            attribute("llm.provider", Value::Text("azure.ai.openai".into())),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let attributes = order.map(|index| attributes[index].clone());
            let said = Said::of(&attributes);
            assert_eq!(said.text(Meaning::Provider).as_deref(), Some("azure.ai.openai"));
            let rest: Vec<_> = said.rest.iter().map(|attribute| &*attribute.key).collect();
            assert_eq!(rest, ["gen_ai.system"]);
        }
    }

    #[test]
    fn numbers_come_in_any_type() {
        for value in [Value::Int(12), Value::Double(12.0), Value::Text(" 12 ".into()), Value::Text("12.0".into())] {
            assert_eq!((value.to_int(), value.to_double()), (Some(12), Some(12.0)), "{value:?}");
        }
        for value in [Value::Double(1.5), Value::Double(f64::NAN), Value::Double(1e300), Value::Text("x".into())] {
            assert_eq!(value.to_int(), None, "{value:?}");
        }
        assert_eq!(Value::Double(f64::INFINITY).to_double(), None);
    }

    #[test]
    fn hostile_keys_are_only_keys() {
        let entries = ["__proto__", "a\0b", ""].map(|key| attribute(key, Value::Map(Vec::new())));
        let json = Value::Map(entries.to_vec()).to_json().to_string();
        assert_eq!(json, r#"{"":{},"__proto__":{},"a�b":{}}"#);
    }
}
