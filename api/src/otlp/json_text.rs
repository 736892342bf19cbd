//! Reads a request in JSON, with what exporters write that serde would refuse: halves of surrogate pairs. Pure.

use serde::Deserialize;

use super::budget::{DEPTH, DecodeError, check_structure};
use super::model::{Attribute, Value};

/// Reads a body. `mended` holds what is read in its place, should that be necessary.
///
/// # Errors
/// When it is no JSON object of this shape, or holds too much.
pub(super) fn read_body<'a, T: Deserialize<'a>>(body: &'a [u8], mended: &'a mut Vec<u8>) -> Result<T, DecodeError> {
    check_structure(body)?;
    // A list would be taken for the fields in their order.
    if body.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(DecodeError::Damaged("a request is a JSON object".to_owned()));
    }
    let error = match serde_json::from_slice(body) {
        Ok(read) => return Ok(read),
        Err(error) => error,
    };
    if let Some(whole) = without_halves(body) {
        *mended = whole;
        return serde_json::from_slice(mended).map_err(|error| error_of(&error));
    }
    Err(error_of(&error))
}

/// Refuses what a body in protobuf may not have either: that would depend on how many brackets lie around a value.
///
/// # Errors
/// When values lie too deep in each other.
pub(super) fn check_depth(attributes: &[Attribute<'_>]) -> Result<(), DecodeError> {
    attributes.iter().try_for_each(|attribute| attribute.value.check_depth(0))
}

impl Value<'_> {
    /// The same of one value, which lies in so many others.
    pub(super) fn check_depth(&self, depth: usize) -> Result<(), DecodeError> {
        match self {
            _ if depth > DEPTH => Err(DecodeError::TooDeep),
            Self::List(values) => values.iter().try_for_each(|value| value.check_depth(depth + 1)),
            Self::Map(entries) => entries.iter().try_for_each(|entry| entry.value.check_depth(depth + 1)),
            _ => Ok(()),
        }
    }
}

/// JSON within a text, mended as a body is.
pub(super) fn read_embedded(text: &str) -> Option<serde_json::Value> {
    let read = serde_json::from_str(text).ok();
    read.or_else(|| serde_json::from_slice(&without_halves(text.as_bytes())?).ok())
}

fn error_of(error: &serde_json::Error) -> DecodeError {
    let reason = error.to_string();
    if reason.starts_with("recursion limit exceeded") { DecodeError::TooDeep } else { DecodeError::Damaged(reason) }
}

/// Bytes of `\u` and four digits.
const ESCAPE: usize = 6;

/// The JSON with U+FFFD for every escaped half of a surrogate pair; none when there is no such. `JSON.stringify` writes them where a
/// text was cut between both halves, and nobody who exports spans could send it better.
fn without_halves(json: &[u8]) -> Option<Vec<u8>> {
    let mut mended: Option<Vec<u8>> = None;
    let mut place = 0;
    // A backslash stands nowhere but in texts.
    while let Some(next) = json.get(place..).and_then(|rest| rest.iter().position(|byte| *byte == b'\\')) {
        place += next;
        match unit_at(json, place) {
            Some(0xd800..0xdc00) if matches!(unit_at(json, place + ESCAPE), Some(0xdc00..0xe000)) => {
                place += 2 * ESCAPE;
            }
            Some(0xd800..0xe000) => {
                mended.get_or_insert_with(|| json.to_vec())[place..place + ESCAPE].copy_from_slice(br"\ufffd");
                place += ESCAPE;
            }
            Some(_) => place += ESCAPE,
            // Another escape, perhaps of a backslash.
            None => place += 2,
        }
    }
    mended
}

/// The number of the escape that begins here.
fn unit_at(json: &[u8], place: usize) -> Option<u16> {
    let digits = json.get(place..place + ESCAPE)?.strip_prefix(br"\u")?;
    let is_number = digits.iter().all(u8::is_ascii_hexdigit);
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    #[test]
    fn halves_of_surrogate_pairs_become_a_sign_of_what_is_lost() {
        for (given, expected) in [
            (r#""a\ud83d""#, "a\u{fffd}"),
            (r#""\uDE00b""#, "\u{fffd}b"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (r#""\ud83d\\ude00""#, "\u{fffd}\\ude00"),
            (r#""\\\ud83d\n""#, "\\\u{fffd}\n"),
            (r#""\ud83dA\u0041""#, "\u{fffd}AA"),
        ] {
            assert!(serde_json::from_str::<Json>(given).is_err(), "{given}");
            assert_eq!(read_embedded(given), Some(json!(expected)), "{given}");
        }
        for whole in [r#""\ud83d\ude00""#, r#""\\ud83d""#, r#""\\\\ude00 \u00e9""#, r#""\u""#, r#""\ud83"#, "\"\\"] {
            assert_eq!(without_halves(whole.as_bytes()), None, "{whole}");
        }
    }

    fn escaped(units: impl Iterator<Item = u16>) -> String {
        units.map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat()
    }

    proptest::proptest! {
        #[test]
        fn what_can_be_read_stays_as_it_is(text in ".*") {
            let units = escaped(text.encode_utf16());
            proptest::prop_assert_eq!(without_halves(units.as_bytes()), None);
            proptest::prop_assert_eq!(without_halves(json!(text).to_string().as_bytes()), None);
        }

        #[test]
        fn any_units_can_be_read(units in proptest::collection::vec(proptest::prelude::any::<u16>(), 0..8)) {
            let json = escaped(units.iter().copied());
            proptest::prop_assert_eq!(read_embedded(&format!("\"{json}\"")), Some(json!(String::from_utf16_lossy(&units))));
        }
    }
}
