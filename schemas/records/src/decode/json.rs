//! JSON columns: text that both databases can cast and search, whatever a record holds.
//!
//! One value that cannot be cast makes a query over the whole table fail, so what Postgres' `jsonb` or SQLite's `->>`
//! refuses although JSON allows it is changed or wrapped here: NUL characters, halves of surrogate pairs, very deep nesting
//! and very large numbers.

use std::borrow::Cow;
use std::fmt;

use opstream_schemas::lake::{CONTENT_COLUMNS, ColumnKind, OPERATION_COLUMNS};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Brackets up to which nesting cannot be too deep: SQLite takes 1000 levels, `serde_json` 128.
const FEW_BRACKETS: usize = 127;
/// Digits in a row that every number type of both databases takes; a 64-bit float has 309 before the point.
const FEW_DIGITS: usize = 300;

/// Whether the values of this column are JSON.
pub(super) fn is_column(name: &str) -> bool {
    let mut columns = OPERATION_COLUMNS.iter().chain(CONTENT_COLUMNS);
    columns.any(|column| column.name == name && column.kind == ColumnKind::Json)
}

/// Appends text as a JSON string.
pub(super) fn push_text(json: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(json, &*without_nul(text)).expect("memory takes every byte");
}

/// The text if it can be cast as it is, else with NUL characters replaced, else as a JSON string.
pub(super) fn castable(text: &str) -> Cow<'_, str> {
    let is_json = if is_plain(text) {
        serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
    } else {
        !has_many_digits(text) && serde_json::from_str::<Castable>(text).is_ok()
    };
    if is_json {
        return without_escaped_nul(text);
    }
    Cow::Owned(to_json(&without_nul(text)))
}

/// Whether a look at the bytes tells that valid JSON can be cast; anything else is parsed in full, which takes longer.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let has_escapes = bytes.windows(2).any(|pair| pair == b"\\u");
    let has_exponents = bytes.windows(2).any(|pair| pair[0].is_ascii_digit() && matches!(pair[1], b'e' | b'E'));
    let brackets = bytes.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
    !has_escapes && !has_exponents && brackets <= FEW_BRACKETS && !has_many_digits(text)
}

/// JSON that is read in full and kept nowhere. `IgnoredAny` passes over halves of surrogate pairs and numbers beyond a float, and
/// a tree of values takes a hundred bytes for each byte of the text.
struct Castable;

impl<'de> Deserialize<'de> for Castable {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        source.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Castable {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

fn has_many_digits(text: &str) -> bool {
    text.len() > FEW_DIGITS
        && text
            .as_bytes()
            .chunk_by(|one, next| one.is_ascii_digit() && next.is_ascii_digit())
            .any(|run| run.len() > FEW_DIGITS)
}

/// Replaces the escape of NUL in valid JSON by that of U+FFFD.
fn without_escaped_nul(text: &str) -> Cow<'_, str> {
    const NUL: &str = "\\u0000";
    if !text.contains(NUL) {
        return Cow::Borrowed(text);
    }
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find('\\') {
        let (before, escape) = rest.split_at(place);
        replaced.push_str(before);
        let (kept, length) = if escape.starts_with(NUL) {
            ("\\ufffd", NUL.len())
        } else {
            // The character after a backslash belongs to it: two backslashes do not escape what follows them.
            let length = escape.chars().take(2).map(char::len_utf8).sum();
            (&escape[..length], length)
        };
        replaced.push_str(kept);
        rest = &escape[length..];
    }
    replaced.push_str(rest);
    Cow::Owned(replaced)
}

pub(super) fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("text and maps of text always serialise")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_can_be_cast_stays_as_it_is() {
        for text in ["{}", r#"{"a":[1,2.5e3,"x\n\u00e9"]}"#, "null", "3", r#""C:\\u0000""#, r#"{"id":"3e5f"}"#] {
            assert_eq!(castable(text), text);
        }
    }

    #[test]
    fn nul_is_replaced_and_nothing_else_is_touched() {
        assert_eq!(castable(r#"{"a\u0000":"\\\u0000\\u0000é\n"}"#), r#"{"a\ufffd":"\\\ufffd\\u0000é\n"}"#);
        assert_eq!(castable("not\0json"), "\"not\u{fffd}json\"");
    }

    #[test]
    fn what_a_database_cannot_cast_becomes_a_string() {
        let deep = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
        let digits = format!("[{}]", "1".repeat(200_000));
        let fraction = format!("0.{}1", "0".repeat(20_000));
        for text in [
            "",
            "{",
            r#""\ud800""#,
            r#"{"a":"\udc00x"}"#,
            r#"{"\ud800":1}"#,
            "[{},1e999999]",
            &deep,
            &digits,
            &fraction,
        ] {
            let stored = castable(text);
            let back: String = serde_json::from_str(&stored).unwrap();
            assert_eq!(back, text);
        }
    }
}
