//! Images, audio and files: found by where they stand, by their first bytes, or because no text looks like that.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value};

use super::media::{Media, sniff};

/// Names under which any base64 is a payload: Bedrock; images of OpenAI; files; LangChain.
const PAYLOAD_NAMES: [&str; 8] =
    ["bytes", "b64_json", "partial_image_b64", "file_data", "fileData", "base64", "image_base64", "audio_base64"];
/// Names under which base64 is a payload where something says of what: a media type, a format, or `image` around it.
const PAYLOAD_NAMES_OF_MEDIA: [&str; 2] = ["data", "delta"];
/// Where the place says that it is a payload, shorter texts are not: such as names.
const SHORTEST_IN_PLACE: usize = 16;
/// Of a payload that is known by its first bytes, base64 characters.
const SHORTEST_KNOWN: usize = 64;
/// Of what is known by nothing: no sentence is that long without a space, no hash, no token.
const SHORTEST_UNKNOWN: usize = 512;

static DATA_URL: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = concat!(
        r"(?-u:\b)(?i-u:data):([A-Za-z]{1,16}/[A-Za-z0-9.+-]{1,80})?(?:;[A-Za-z0-9.+_-]{1,32}=[^;,\s]{1,64}){0,4}",
        r"(?i-u:;base64),([A-Za-z0-9+/_%=-]*)",
    );
    Regex::new(pattern).expect("the pattern is tested")
});

/// Where a value stands in JSON.
#[derive(Clone, Debug, Default)]
pub(super) struct Place<'a> {
    name: &'a str,
    pub(super) media: Media,
}

impl<'a> Place<'a> {
    /// The field of this name of an object of which `media` is known.
    pub(super) fn named(name: &'a str, media: &Media) -> Self {
        Self { name, media: media.under(name) }
    }

    fn is_of_payload(&self) -> bool {
        PAYLOAD_NAMES.contains(&self.name)
            || (PAYLOAD_NAMES_OF_MEDIA.contains(&self.name) && self.media.is_known())
            || (self.name == "content" && self.media.is_blob())
    }
}

/// What stands in the place of a value that is a payload as a whole.
pub(super) fn find(value: &Value, place: &Place<'_>) -> Option<String> {
    match value {
        Value::String(text) => {
            let length = base64_length(text)?;
            let is_payload = (length >= SHORTEST_IN_PLACE && place.is_of_payload()) || looks_like_payload(text, length);
            is_payload.then(|| place.media.marker(sniff(text), decoded(length)))
        }
        Value::Array(items) if place.is_of_payload() => {
            let is_payload = items.len() >= SHORTEST_IN_PLACE && items.iter().all(is_byte);
            is_payload.then(|| place.media.marker(None, items.len()))
        }
        Value::Object(fields) if place.is_of_payload() && are_bytes(fields) => {
            Some(place.media.marker(None, fields.len()))
        }
        _ => None,
    }
}

/// Payloads in text: data URLs anywhere, and base64 that is the whole text.
pub(super) fn redact_text(text: &str) -> Option<String> {
    if let Some(length) = base64_length(text).filter(|length| looks_like_payload(text, *length)) {
        return Some(Media::default().marker(sniff(text), decoded(length)));
    }
    let replaced = DATA_URL.replace_all(text, |found: &Captures<'_>| {
        let media_type = found.get(1).map(|media_type| media_type.as_str().to_ascii_lowercase());
        let length = base64_length(&found[2].replace("%3D", "=").replace("%3d", "=")).unwrap_or(found[2].len());
        Media::stated(media_type).marker(sniff(&found[2]), decoded(length))
    });
    match replaced {
        Cow::Borrowed(_) => None,
        Cow::Owned(text) => Some(text),
    }
}

fn looks_like_payload(text: &str, length: usize) -> bool {
    if length >= SHORTEST_KNOWN && sniff(text).is_some() {
        return true;
    }
    let has = |of: fn(&u8) -> bool| text.bytes().any(|byte| of(&byte));
    length >= SHORTEST_UNKNOWN && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit)
}

/// Number of base64 characters, either alphabet, without padding and line breaks; none when there is anything else.
fn base64_length(text: &str) -> Option<usize> {
    let mut length = 0;
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'-' | b'_' => length += 1,
            b'=' | b'\r' | b'\n' => {}
            _ => return None,
        }
    }
    Some(length)
}

/// Bytes in so many base64 characters.
fn decoded(length: usize) -> usize {
    length / 4 * 3 + (length % 4) * 3 / 4
}

fn is_byte(value: &Value) -> bool {
    value.as_u64().is_some_and(|number| number < 256)
}

/// What `JSON.stringify` makes of a `Uint8Array`: `{"0": 137, "1": 80, …}`.
fn are_bytes(fields: &Map<String, Value>) -> bool {
    let is_index = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    fields.len() >= SHORTEST_IN_PLACE && fields.iter().all(|(name, value)| is_index(name) && is_byte(value))
}

#[cfg(test)]
mod tests;
