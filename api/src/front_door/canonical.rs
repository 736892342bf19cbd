//! One text for all ways to write the same JSON: no white space between its parts, members in one order, characters unescaped.
//! Numbers stay as they were written. Pure.
//!
//! What is done to a hostile text is bounded: nothing climbs its brackets, and beyond [`DEEPEST`] members stay in their order.

/// How deep in each other objects are whose members are put in order. Each level may copy all that lies within it.
const DEEPEST: usize = 32;

/// An object or list that has begun.
struct Open {
    is_object: bool,
    /// Where its members begin in the canonical text.
    members: Vec<usize>,
}

/// The canonical text of valid JSON; of anything else some text that follows from it.
pub(super) fn canonical(json: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(json.len());
    let mut open: Vec<Open> = Vec::new();
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(&byte) = json.get(at) {
        let start = at;
        at += 1;
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'"' => {
                at = end_of_string(json, start);
                push_string(&mut text, &json[start..at]);
            }
            b'{' | b'[' => {
                text.push(byte);
                depth += 1;
                if depth <= DEEPEST {
                    let is_object = byte == b'{';
                    open.push(Open { is_object, members: if is_object { vec![text.len()] } else { Vec::new() } });
                }
            }
            b'}' | b']' => {
                if depth <= DEEPEST
                    && let Some(closed) = open.pop()
                {
                    put_in_order(&mut text, &closed.members);
                }
                depth = depth.saturating_sub(1);
                text.push(byte);
            }
            b',' => {
                text.push(byte);
                if depth <= DEEPEST
                    && let Some(Open { is_object: true, members }) = open.last_mut()
                {
                    members.push(text.len());
                }
            }
            _ => text.push(byte),
        }
    }
    text
}

/// The place after the string that begins here.
fn end_of_string(json: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

/// Half of a surrogate pair, which is no text, stays as it was written.
fn push_string(text: &mut Vec<u8>, string: &[u8]) {
    let is_escaped = string.contains(&b'\\');
    let unescaped = is_escaped.then(|| serde_json::from_slice::<String>(string).ok()).flatten();
    match unescaped.and_then(|string| serde_json::to_vec(&string).ok()) {
        Some(string) => text.extend_from_slice(&string),
        None => text.extend_from_slice(string),
    }
}

/// Sorts the members of the object that ends the text. Any order does that does not depend on the one in which they came.
fn put_in_order(text: &mut Vec<u8>, starts: &[usize]) {
    let Some(&first) = starts.first() else { return };
    let ends = starts.iter().skip(1).map(|next| next - 1).chain([text.len()]);
    let mut members: Vec<&[u8]> = starts.iter().zip(ends).map(|(start, end)| &text[*start..end]).collect();
    if members.is_sorted() {
        return;
    }
    members.sort_unstable();
    let sorted = members.join(&b',');
    text.truncate(first);
    text.extend_from_slice(&sorted);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn text(json: &str) -> String {
        String::from_utf8(canonical(json.as_bytes())).unwrap()
    }

    #[test]
    fn the_same_json_has_one_text_however_it_is_written() {
        let expected = r#"{"a":{"c":[1,{"x":null,"y":""}],"d":"A, \"b\" : ]"},"model":"m ö","started_at":"t"}"#;
        for json in [
            expected,
            "{\"started_at\":\"t\",\"model\":\"m \\u00f6\",\"a\":{\"d\":\"\\u0041, \\\"b\\\" : ]\",\"c\":[1,{\"y\":\"\",\"x\":null}]}}\r",
            " { \"model\" : \"m ö\",\n\t\"a\" : { \"c\" : [ 1 , { \"x\" : null, \"y\":\"\" } ], \"d\": \"A, \\\"b\\\" : ]\" },\r\n\"started_at\" :\"t\" } ",
        ] {
            assert_eq!(text(json), expected, "{json}");
        }
    }

    #[test]
    fn what_says_something_else_has_another_text() {
        let texts = [
            "{}",
            "[]",
            "[1,2]",
            "[2,1]",
            "[12]",
            "1",
            "1.0",
            "1e0",
            "\"1\"",
            "\"1 \"",
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":2,"b":1}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":"b\",\"c"}"#,
            r#"{"a":"b","c":""}"#,
            r#""\ud800""#,
            r#""\ud801""#,
        ];
        let distinct: std::collections::BTreeSet<String> = texts.iter().map(|json| text(json)).collect();
        assert_eq!(distinct.len(), texts.len(), "{distinct:?}");
    }

    #[test]
    fn towers_and_what_is_no_json_are_passed_through() {
        let tower = "[{\"b\":".repeat(500_000);
        assert_eq!(text(&tower), tower);
        for broken in ["", "\"", "\"\\", "}", "]]", "{,", ",", "{\"a\":1,,}"] {
            text(broken);
        }
        let unsorted = r#"{"b":1,"a":"#;
        let height = 100_000;
        let deep = text(&format!("{}0{}", unsorted.repeat(height), "}".repeat(height)));
        assert!(deep.starts_with(r#"{"a":{"a":"#) && deep.ends_with(r#","b":1},"b":1}"#), "{deep:.100}");
    }

    /// A JSON value of a few levels.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ab\",:{}\\[\\]\\\\\n é\u{1}]{0,6}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::vec(("[ab\", ]{0,2}", inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn compact_and_pretty_texts_are_the_same_and_mean_what_they_meant(value in value()) {
            let compact = text(&value.to_string());
            prop_assert_eq!(&compact, &text(&serde_json::to_string_pretty(&value).unwrap()));
            prop_assert_eq!(&compact, &text(&compact));
            prop_assert_eq!(serde_json::from_str::<Value>(&compact).unwrap(), value);
        }
    }
}
