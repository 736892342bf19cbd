//! Makes a text as short as a limit wants it: plain text at its end, JSON in its longest texts.

use serde_json::Value;

/// Stands where something was cut.
const ELLIPSIS: &str = "…";
/// Names of roles and types are shorter. Where texts would have to be cut below it, the structure is given up.
const SHORTEST_TEXT: usize = 32;

/// The text in at most `limit` bytes, cut between two characters; JSON stays JSON. None when not even an empty JSON string
/// fits.
pub(super) fn shorten(text: &str, limit: usize) -> Option<String> {
    match serde_json::from_str(text) {
        Ok(value) => shorten_texts(value, limit).or_else(|| quote_beginning(text, limit)),
        Err(_) => Some(cut(text, limit, char::len_utf8)),
    }
}

/// Cuts the longest texts to one length. None when too little of them would be left.
fn shorten_texts(mut value: Value, limit: usize) -> Option<String> {
    let whole = value.to_string().len();
    let mut texts = Vec::new();
    collect_texts(&mut value, &mut texts);
    let mut lengths: Vec<usize> = texts.iter().map(|text| json_length(text)).collect();
    let around = whole - lengths.iter().sum::<usize>();
    let length = common_length(&mut lengths, limit.checked_sub(around)?);
    if length < SHORTEST_TEXT {
        return None;
    }
    for text in texts {
        if json_length(text) > length {
            *text = cut(text, length, json_length_of);
        }
    }
    Some(value.to_string())
}

/// The beginning of a text as one JSON string.
fn quote_beginning(text: &str, limit: usize) -> Option<String> {
    Some(Value::String(cut(text, limit.checked_sub(2)?, json_length_of)).to_string())
}

/// Every text in the value, names of fields left out.
fn collect_texts<'a>(value: &'a mut Value, into: &mut Vec<&'a mut String>) {
    match value {
        Value::String(text) => into.push(text),
        Value::Array(items) => items.iter_mut().for_each(|item| collect_texts(item, into)),
        Value::Object(fields) => fields.values_mut().for_each(|field| collect_texts(field, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The largest length to which all may be cut so that together they have at most `room`.
fn common_length(lengths: &mut [usize], mut room: usize) -> usize {
    lengths.sort_unstable();
    let n_texts = lengths.len();
    for (index, length) in lengths.iter().enumerate() {
        let share = room / (n_texts - index);
        if *length > share {
            return share;
        }
        room -= length;
    }
    usize::MAX
}

/// The longest beginning that has, with the ellipsis, at most so many bytes by this measure of characters.
fn cut(text: &str, room: usize, length: fn(char) -> usize) -> String {
    let Some(room) = room.checked_sub(ELLIPSIS.len()) else { return String::new() };
    let mut used = 0;
    let end = text.char_indices().find(|(_, character)| {
        used += length(*character);
        used > room
    });
    let beginning = &text[..end.map_or(text.len(), |(at, _)| at)];
    format!("{beginning}{ELLIPSIS}")
}

/// Bytes of a text within a JSON string.
fn json_length(text: &str) -> usize {
    text.len() + text.bytes().map(escape_length).sum::<usize>()
}

/// Bytes of a character within a JSON string.
fn json_length_of(character: char) -> usize {
    character.len_utf8() + u8::try_from(character).map_or(0, escape_length)
}

/// What the escape of a byte adds to it.
fn escape_length(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 1,
        0..0x20 => 5,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_text_is_cut_between_two_characters() {
        assert_eq!(shorten("grüße an alle", 7).as_deref(), Some("grü…"));
        assert_eq!(shorten("grüße an alle", 6).as_deref(), Some("gr…"));
        assert_eq!(shorten("grüße", 2).as_deref(), Some(""));
    }

    #[test]
    fn of_json_the_longest_texts_are_cut_and_to_one_length() {
        let text = json!([
            {"role": "user", "content": "a".repeat(400)},
            {"role": "assistant", "content": "short"},
            {"role": "user", "content": "\n".repeat(300)},
        ]);
        let short: Value = serde_json::from_str(&shorten(&text.to_string(), 320).unwrap()).unwrap();
        assert_eq!((&short[1], &short[0]["role"]), (&text[1], &text[0]["role"]));
        let lengths = [&short[0], &short[2]].map(|message| message["content"].as_str().unwrap().len());
        assert!(lengths[0].abs_diff(2 * lengths[1]) <= 4, "a line feed takes two bytes: {lengths:?}");
    }

    #[test]
    fn escapes_count_as_long_as_they_are_written() {
        let text = json!("\u{1}".repeat(100)).to_string();
        let expected = format!("\"{}…\"", "\\u0001".repeat(16));
        assert_eq!(shorten(&text, 101), Some(expected.clone()));
        assert_eq!(expected.len(), 101);
    }

    #[test]
    fn json_of_numbers_alone_becomes_the_beginning_of_its_text() {
        let numbers = json!((0..100).collect::<Vec<_>>()).to_string();
        assert_eq!(shorten(&numbers, 13).as_deref(), Some(r#""[0,1,2,3…""#));
        assert_eq!(shorten(&numbers, 2).as_deref(), Some("\"\""));
        assert_eq!(shorten(&numbers, 1), None);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,80}".prop_map(Value::from),
            "[\\x00-\\x7f]{0,80}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map("\\PC{0,8}", inner, 0..8)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_stays_json_within_the_limit(value in any_json(), limit in 2_usize..2_000) {
            let short = shorten(&value.to_string(), limit).unwrap();
            prop_assert!(short.len() <= limit, "{} bytes: {short}", short.len());
            prop_assert!(serde_json::from_str::<Value>(&short).is_ok(), "{short}");
        }

        #[test]
        fn text_keeps_its_beginning(text in "\\PC{1,200}", limit in 3_usize..200) {
            let short = cut(&text, limit, char::len_utf8);
            prop_assert!(short.len() <= limit);
            prop_assert!(text.starts_with(short.strip_suffix(ELLIPSIS).unwrap()));
        }
    }
}
