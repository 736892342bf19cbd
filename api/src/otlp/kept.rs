//! Attributes that are kept as JSON, up to a number, a size and a depth. What is beyond is left out or cut, and counted: nobody who exports
//! spans could send them better.

use serde_json::{Map, Value as Json};

use super::said::clean;
use crate::front_door::shape;

/// Most attributes of a span that are kept without a home, and of its resource.
pub(super) const MOST_KEPT: usize = 256;
/// Longest of their names, in bytes. Longer ones are left out.
pub(super) const LONGEST_NAME: usize = shape::LONGEST_NAME;
/// Longest of their values, in bytes. Longer ones are cut.
pub(super) const LONGEST_VALUE: usize = 8 << 10;
/// Bytes of all of them together: several of these objects make one JSON that the front door takes.
const MOST_BYTES: usize = 256 << 10;
/// How deep a value that came as JSON text may be, to be kept as JSON.
const DEEPEST: usize = super::budget::DEPTH;

/// A growing object.
#[derive(Debug, Default)]
pub(super) struct Kept {
    object: Map<String, Json>,
    bytes: usize,
    dropped: usize,
}

impl Kept {
    /// Keeps an attribute; of equal names the last.
    pub(super) fn insert(&mut self, name: &str, value: Json) {
        let (value, value_bytes) = shortened(value);
        let bytes = text_bytes(name) + value_bytes;
        let is_known = self.object.contains_key(name);
        let is_full = self.object.len() >= MOST_KEPT && !is_known;
        if name.len() > LONGEST_NAME || is_full || self.bytes + bytes > MOST_BYTES {
            self.dropped += 1;
            return;
        }
        self.bytes += bytes;
        self.object.insert(clean(name).into_owned(), value);
    }

    /// How many attributes were left out.
    pub(super) const fn dropped(&self) -> usize {
        self.dropped
    }

    /// What was kept.
    pub(super) fn into_object(self) -> Map<String, Json> {
        self.object
    }
}

/// A value of bounded length and depth, cut, a structured one as the text of its JSON; and the bytes of its JSON.
fn shortened(value: Json) -> (Json, usize) {
    let text = match value {
        Json::String(text) => text,
        Json::Array(_) | Json::Object(_) => {
            let text = value.to_string();
            if text.len() <= LONGEST_VALUE && shape::depth(&text) <= DEEPEST {
                return (value, text.len());
            }
            text
        }
        // No number is longer.
        other => return (other, 25),
    };
    let is_kept = text.len() <= LONGEST_VALUE && !text.contains('\0');
    let text = if is_kept { text } else { cut(&text, LONGEST_VALUE) };
    let bytes = text_bytes(&text);
    (Json::String(text), bytes)
}

/// Bytes of a text in JSON, with its quotes and escapes.
fn text_bytes(text: &str) -> usize {
    let bytes = text.bytes().map(|byte| match byte {
        0..0x20 => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    });
    2 + bytes.sum::<usize>()
}

/// The first bytes of a text, up to the end of a character.
pub(super) fn cut(text: &str, bytes: usize) -> String {
    let text = clean(text);
    text[..text.floor_char_boundary(bytes)].to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_beyond_a_limit_is_cut_or_left_out_and_counted() {
        let mut kept = Kept::default();
        kept.insert("text", "é".repeat(LONGEST_VALUE).into());
        kept.insert("list", vec![7; LONGEST_VALUE].into());
        kept.insert("deep", (0..DEEPEST).fold(json!(1), |inner, _| json!([inner])));
        kept.insert("deeper", (0..=DEEPEST).fold(json!(1), |inner, _| json!([inner])));
        kept.insert(&"n".repeat(LONGEST_NAME + 1), json!(1));
        assert_eq!(kept.dropped(), 1);
        let object = kept.into_object();
        assert_eq!(object["text"].as_str().unwrap().len(), LONGEST_VALUE);
        assert!(object["list"].as_str().unwrap().starts_with("[7,7,"));
        assert!(object["deep"].is_array() && object["deeper"].is_string());
    }

    #[test]
    fn their_number_and_their_size_together_are_limited() {
        let mut kept = Kept::default();
        for number in 0..=MOST_KEPT {
            kept.insert(&number.to_string(), json!(number));
        }
        kept.insert("0", json!("again"));
        assert_eq!((kept.dropped(), kept.object.len(), &kept.object["0"]), (1, MOST_KEPT, &json!("again")));
        let mut kept = Kept::default();
        for number in 0..100 {
            kept.insert(&number.to_string(), "x".repeat(LONGEST_VALUE).into());
        }
        assert_eq!(text_bytes("\u{1}\"ü\\"), Json::from("\u{1}\"ü\\").to_string().len());
        assert!(kept.dropped() > 60 && Json::Object(kept.into_object()).to_string().len() <= MOST_BYTES + 1000);
    }
}
