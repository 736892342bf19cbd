//! JSON columns: text that both databases can cast and search, whatever a record holds.
//!
//! One value that cannot be cast makes a query over the whole table fail, so what Postgres' `jsonb` or SQLite's `->>`
//! refuses although JSON allows it is changed or wrapped here: NUL characters, halves of surrogate pairs, very deep nesting
//! and very large numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, StringArray};

/// Brackets up to which nesting cannot be too deep: SQLite takes 1000 levels, `serde_json` 128.
const FEW_BRACKETS: usize = 127;
/// Digits in a row that every number type of both databases takes; a 64-bit float has 309 before the point.
const FEW_DIGITS: usize = 300;

/// Lists of text as JSON arrays; an empty list becomes null.
pub(super) fn lists(column: &ArrayRef) -> StringArray {
    let lists = column.as_list::<i32>();
    let items = lists.values().as_string::<i32>();
    let text = |(start, length): (usize, usize)| -> Option<String> {
        let list: Vec<Cow<'_, str>> = (start..start + length).map(|place| without_nul(items.value(place))).collect();
        (!list.is_empty()).then(|| to_json(&list))
    };
    spans(lists.offsets()).map(text).collect()
}

/// Maps of text as JSON objects; an empty map becomes null.
pub(super) fn maps(column: &ArrayRef) -> StringArray {
    let maps = column.as_map();
    let (keys, values) = (maps.keys().as_string::<i32>(), maps.values().as_string::<i32>());
    let text = |(start, length): (usize, usize)| -> Option<String> {
        let entry = |place| (without_nul(keys.value(place)), without_nul(values.value(place)));
        let entries: BTreeMap<Cow<'_, str>, Cow<'_, str>> = (start..start + length).map(entry).collect();
        (!entries.is_empty()).then(|| to_json(&entries))
    };
    spans(maps.offsets()).map(text).collect()
}

/// Text as valid JSON; what is none becomes a JSON string.
pub(super) fn valid(column: &StringArray) -> StringArray {
    if column.iter().flatten().all(|text| matches!(castable(text), Cow::Borrowed(_))) {
        return column.clone();
    }
    column.iter().map(|text| text.map(castable)).collect()
}

fn spans(offsets: &arrow_buffer::OffsetBuffer<i32>) -> impl Iterator<Item = (usize, usize)> + '_ {
    offsets.windows(2).map(|pair| {
        let start = usize::try_from(pair[0]).expect("arrow offsets are not negative");
        let end = usize::try_from(pair[1]).expect("arrow offsets are not negative");
        (start, end - start)
    })
}

/// The text if it can be cast as it is, else with NUL characters replaced, else as a JSON string.
fn castable(text: &str) -> Cow<'_, str> {
    let is_json = if is_plain(text) {
        serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
    } else {
        !has_many_digits(text) && serde_json::from_str::<serde_json::Value>(text).is_ok()
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

fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("text and maps of text always serialise")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{ListBuilder, MapBuilder, StringBuilder};

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
        for text in ["", "{", r#""\ud800""#, r#"{"a":"\udc00x"}"#, "1e999999", &deep, &digits, &fraction] {
            let stored = castable(text);
            let back: String = serde_json::from_str(&stored).unwrap();
            assert_eq!(back, text);
        }
    }

    #[test]
    fn lists_and_maps_hold_no_nul() {
        let mut list = ListBuilder::new(StringBuilder::new());
        list.values().append_value("a\0");
        list.append(true);
        list.append(true);
        let list: ArrayRef = Arc::new(list.finish());
        assert_eq!(lists(&list), StringArray::from(vec![Some("[\"a\u{fffd}\"]"), None]));
        let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        map.keys().append_value("k\0");
        map.values().append_value("\0v");
        map.append(true).unwrap();
        let map: ArrayRef = Arc::new(map.finish());
        assert_eq!(maps(&map), StringArray::from(vec![Some("{\"k\u{fffd}\":\"\u{fffd}v\"}")]));
    }
}
