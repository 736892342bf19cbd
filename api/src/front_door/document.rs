//! Takes a JSON document apart: the elements of an array, or the one object, as slices of its text. Pure.
//!
//! The whole text is checked first, so that a document that breaks off at its end sends nothing; the items are then
//! found one by one, so that a document of a million items costs no more memory than its text.

use serde::de::IgnoredAny;

use super::words;

/// Most elements of an array. An operation takes a hundred bytes of the topic, however few its element has; lines, which are
/// taken as they come, may be as many as the bytes of a body hold.
const MOST_ITEMS: usize = 500_000;

/// A checked document.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    text: String,
}

/// Items of a document, in order.
pub(crate) struct Items<'a> {
    rest: &'a str,
}

/// A body that is no JSON document of operations.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DocumentError {
    /// Not text.
    #[error("the body is not UTF-8: byte {byte} (line {line}) starts no character")]
    NotUtf8 {
        /// Position of the first wrong byte, from 0.
        byte: usize,
        /// Its line, from 1.
        line: usize,
    },
    /// Not JSON.
    #[error("the body is not JSON: {reason}")]
    Malformed {
        /// What the parser says, with line and column.
        reason: String,
    },
    /// More than one request may hold.
    #[error(
        "the array has more than {MOST_ITEMS} elements; send the operations in several requests, or as a line each"
    )]
    TooManyItems,
    /// JSON, but nothing that could be operations.
    #[error("the body is a JSON {found}; expected one operation as an object, or an array of them")]
    NotOperations {
        /// Kind of the value.
        found: &'static str,
    },
}

impl DocumentError {
    /// Stable code.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::NotUtf8 { .. } => "invalid_utf8",
            Self::Malformed { .. } => "malformed_json",
            Self::NotOperations { .. } => "not_operations",
            Self::TooManyItems => "too_many_items",
        }
    }
}

impl Document {
    /// Checks a body from its first to its last byte.
    ///
    /// # Errors
    /// Names the byte, or line and column, of the first thing that is wrong.
    pub(crate) fn check(body: Vec<u8>) -> Result<Self, DocumentError> {
        let text = String::from_utf8(body).map_err(|error| {
            let byte = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..byte].split(|byte| *byte == b'\n').count();
            DocumentError::NotUtf8 { byte, line }
        })?;
        let malformed =
            |error: serde_json::Error| DocumentError::Malformed { reason: words::of_syntax(&error.to_string()) };
        let json = without_mark(&text);
        let first = json.trim_start().as_bytes().first();
        if first == Some(&b'[') {
            // A list of nothing: it counts and takes no memory.
            let elements: Vec<IgnoredAny> = serde_json::from_str(json).map_err(malformed)?;
            return if elements.len() > MOST_ITEMS { Err(DocumentError::TooManyItems) } else { Ok(Self { text }) };
        }
        serde_json::from_str::<IgnoredAny>(json).map_err(malformed)?;
        let found = match first {
            Some(b'{') => return Ok(Self { text }),
            Some(b'"') => "string",
            Some(b't' | b'f') => "boolean",
            Some(b'n') => "null",
            _ => "number",
        };
        Err(DocumentError::NotOperations { found })
    }

    /// The elements of the array, or the one object.
    pub(crate) fn items(&self) -> Items<'_> {
        let text = without_mark(&self.text).trim();
        Items { rest: text.strip_prefix('[').unwrap_or(text) }
    }
}

/// The text without the byte order mark that some editors put in front of it.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let start = self.rest.trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
        if start.is_empty() || start.starts_with(']') {
            return None;
        }
        let (item, rest) = start.split_at(value_length(start)?);
        self.rest = rest;
        Some(item)
    }
}

/// Bytes of the JSON value at the start of `text`; none when there is no whole value.
pub(super) fn value_length(text: &str) -> Option<usize> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    Some(values.byte_offset())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &[u8]) -> Result<Document, DocumentError> {
        Document::check(body.to_vec())
    }

    fn items(text: &str) -> Vec<String> {
        check(text.as_bytes()).unwrap().items().map(str::to_owned).collect()
    }

    #[test]
    fn an_array_gives_its_elements_and_an_object_itself() {
        assert_eq!(items(r#" {"a": [1, 2]} "#), [r#"{"a": [1, 2]}"#]);
        assert_eq!(items("[]"), Vec::<String>::new());
        assert_eq!(
            items(r#"[{"a":"]\","} , 7,null,"x", [1,[2]] ]"#),
            [r#"{"a":"]\","}"#, "7", "null", "\"x\"", "[1,[2]]"]
        );
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        assert_eq!(items("\u{feff}[{}, {\"a\":1}]"), ["{}", "{\"a\":1}"]);
        assert_eq!(items("\u{feff}{}"), ["{}"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let error = check(b"[{}\n,{\"a\":\"\xff\"}]").unwrap_err();
        assert_eq!(error.to_string(), "the body is not UTF-8: byte 11 (line 2) starts no character");
        let error = check(br#"[{"a": 1}, {"a""#).unwrap_err();
        assert!(error.to_string().contains("line 1 column 15"), "{error}");
        assert_eq!(check(b"{}{}").unwrap_err().code(), "malformed_json");
        assert_eq!(check(b"true").unwrap_err(), DocumentError::NotOperations { found: "boolean" });
    }

    #[test]
    fn an_array_of_more_elements_than_operations_may_be_is_refused() {
        let array = |elements: usize| format!("[{}{{}}]", "[],".repeat(elements - 1));
        assert_eq!(items(&array(MOST_ITEMS)).len(), MOST_ITEMS);
        assert_eq!(check(array(MOST_ITEMS + 1).as_bytes()).unwrap_err(), DocumentError::TooManyItems);
    }

    #[test]
    fn a_tower_of_brackets_is_read_without_climbing_it() {
        let open = "[".repeat(1_000_000);
        assert_eq!(check(open.as_bytes()).unwrap_err().code(), "malformed_json");
        let closed = format!("{open}{}", "]".repeat(1_000_000));
        assert_eq!(items(&closed).iter().map(String::len).collect::<Vec<_>>(), [1_999_998]);
    }
}
