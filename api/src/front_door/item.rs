//! Reads the JSON of one operation. Pure: text in, operation or refusal out.
//!
//! Fields that hold JSON may be written as JSON or as text that contains it. A field that operations do not have is
//! refused by name: a misspelt `input_token` must not become a zero. One more field is taken, `usage`, of which counts are
//! derived ([`super::usage`]).

use opstream_schemas::Operation;
use serde::Serialize;
use serde::de::IgnoredAny;
use utoipa::ToSchema;

use super::document::value_length;
use super::usage::{USAGE_FIELD, fill_counts};
use super::words;

/// Fields whose text is JSON; a JSON value in their place is kept as its text.
pub(crate) const JSON_FIELDS: [&str; 6] =
    ["request_parameters", "billable_units", "input_messages", "output_messages", "tool_definitions", "metadata"];
/// Longest reason, in characters: reasons quote values, which may be megabytes.
const MAX_REASON_CHARACTERS: usize = 300;

/// Why an item is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Refusal {
    /// Position of the item in the request, from 0.
    pub(crate) index: u64,
    /// Line of the item, from 1; NDJSON only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<u64>,
    /// The field that is wrong; null when the item as a whole is.
    pub(crate) field: Option<String>,
    /// Stable code of the reason.
    pub(crate) code: &'static str,
    /// What is wrong and what is allowed.
    pub(crate) reason: String,
}

/// What is wrong with an item, before it is known where the item stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// The field; none for the item as a whole.
    pub(crate) field: Option<String>,
    /// Stable code.
    pub(crate) code: &'static str,
    /// Text for people.
    pub(crate) reason: String,
}

impl Flaw {
    /// A flaw of one field.
    pub(crate) fn of_field(field: &str, code: &'static str, reason: impl Into<String>) -> Self {
        Self { field: Some(excerpt(field, 100)), code, reason: reason.into() }
    }

    /// A flaw of the item as a whole.
    pub(crate) fn of_item(code: &'static str, reason: impl Into<String>) -> Self {
        Self { field: None, code, reason: reason.into() }
    }

    /// The refusal of the item at this place.
    pub(crate) fn at(self, index: u64, line: Option<u64>) -> Refusal {
        Refusal { index, line, field: self.field, code: self.code, reason: self.reason }
    }
}

/// Reads one operation.
///
/// # Errors
/// Names the first field that is unknown or of another type, or the column at which the text stops being JSON.
pub(crate) fn read_operation(item: &str) -> Result<Operation, Flaw> {
    // A list of values would be taken for the fields in their order.
    let is_object = item.trim_ascii_start().starts_with('{');
    if is_object && let Ok(operation) = serde_json::from_str(item) {
        return Ok(operation);
    }
    // Second reading, slower: with JSON in place of text, without usage, and with the path of what is wrong.
    serde_json::from_str::<IgnoredAny>(item).map_err(|error| malformed(&error))?;
    if !is_object {
        return Err(Flaw::of_item("not_an_object", "expected an operation as a JSON object"));
    }
    let parted = Parted::of(item)?;
    let mut source = serde_json::Deserializer::from_str(&parted.operation);
    let mut operation = serde_path_to_error::deserialize(&mut source).map_err(|error| flaw_of(&error))?;
    if let Some(usage) = parted.usage {
        fill_counts(&mut operation, &usage, |field| parted.given.iter().any(|given| given == field))?;
    }
    Ok(operation)
}

/// Reads the bytes of one line.
///
/// # Errors
/// Those of [`read_operation`], and when the bytes are not UTF-8.
pub(crate) fn read_line(line: &[u8]) -> Result<Operation, Flaw> {
    let text = std::str::from_utf8(line).map_err(|error| {
        Flaw::of_item(
            "invalid_utf8",
            format!("not UTF-8: byte {} of the line starts no character", error.valid_up_to()),
        )
    })?;
    read_operation(text)
}

/// An item, taken apart.
struct Parted {
    /// The item without its usage, and with every JSON value of a JSON field replaced by its text.
    operation: String,
    /// The JSON of its usage.
    usage: Option<String>,
    /// Names of the fields that it gives a value.
    given: Vec<String>,
}

impl Parted {
    /// Wants valid JSON of an object. What is not looked at is copied as it is.
    fn of(item: &str) -> Result<Self, Flaw> {
        let mut operation = String::with_capacity(item.len() + item.len() / 8);
        let (mut usage, mut given) = (None, Vec::new());
        let mut copied = 0;
        for Member { name, name_start, start, end } in members(item) {
            let value = &item[start..end];
            if name == USAGE_FIELD {
                if usage.is_some() {
                    return Err(given_twice(USAGE_FIELD));
                }
                // JSON, or text that contains it.
                usage = Some(serde_json::from_str(value).unwrap_or_else(|_| Some(value.to_owned())));
                operation.push_str(&item[copied..name_start]);
                let rest = item[end..].trim_ascii_start();
                if let Some(behind_comma) = rest.strip_prefix(',') {
                    copied = item.len() - behind_comma.len();
                } else {
                    // It was the last: the comma before it has nothing to part any more.
                    operation.truncate(operation.trim_end_matches([',', ' ', '\t', '\r', '\n']).len());
                    copied = end;
                }
                continue;
            }
            if JSON_FIELDS.contains(&name.as_str()) && value.starts_with(['{', '[']) {
                operation.push_str(&item[copied..start]);
                operation.push_str(&serde_json::Value::from(value).to_string());
                copied = end;
            }
            if value != "null" {
                given.push(name);
            }
        }
        operation.push_str(&item[copied..]);
        Ok(Self { operation, usage: usage.flatten(), given })
    }
}

/// A member of an object: its name, and where name and value stand in the text.
struct Member {
    name: String,
    name_start: usize,
    start: usize,
    end: usize,
}

/// The object's members, in order.
fn members(item: &str) -> impl Iterator<Item = Member> {
    let mut at = skip(item, 0, '{');
    std::iter::from_fn(move || {
        let name_start = skip(item, at, ',');
        let name_end = name_start + value_length(&item[name_start..])?;
        let name = serde_json::from_str(&item[name_start..name_end]).ok()?;
        let start = skip(item, name_end, ':');
        let end = start + value_length(&item[start..])?;
        at = end;
        Some(Member { name, name_start, start, end })
    })
}

/// The next place that is neither white space nor this punctuation.
fn skip(item: &str, from: usize, punctuation: char) -> usize {
    let rest = &item[from..];
    item.len() - rest.trim_start_matches(|c: char| c == punctuation || c.is_ascii_whitespace()).len()
}

fn flaw_of(error: &serde_path_to_error::Error<serde_json::Error>) -> Flaw {
    let text = error.inner().to_string();
    if let Some((_, rest)) = text.split_once("unknown field `") {
        let field = rest.split_once("`, expected").map_or(rest, |(field, _)| field);
        let reason =
            "operations have no such field; /v1/openapi.json lists them, and tags or metadata take anything else";
        return Flaw::of_field(field, "unknown_field", reason);
    }
    // The column would be that of the text with the quotes.
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
    if let Some(field) = reason.strip_prefix("duplicate field `") {
        return given_twice(field.trim_end_matches('`'));
    }
    let mut reason = excerpt(&words::of_value(reason), MAX_REASON_CHARACTERS);
    let path = error.path().to_string();
    if path == "." {
        return Flaw::of_item("invalid_value", reason);
    }
    if path == "operation_id" && is_ulid_like(&reason) {
        reason.push_str(
            "; this looks like a ULID: send it as call_id, with started_at and an Idempotency-Key header, \
                         and the id is derived",
        );
    }
    Flaw::of_field(&path, "invalid_value", reason)
}

fn given_twice(field: &str) -> Flaw {
    Flaw::of_field(field, "invalid_value", "the field is given twice; leave one of them out")
}

/// Whether the refused id, which the reason quotes first, is 26 characters of Crockford's base 32.
fn is_ulid_like(reason: &str) -> bool {
    let quoted = reason.split('"').nth(1).unwrap_or_default();
    quoted.len() == 26 && quoted.bytes().all(|byte| byte.is_ascii_alphanumeric() && !b"iloILO".contains(&byte))
}

fn malformed(error: &serde_json::Error) -> Flaw {
    // The parser counts lines within the item; beside the item's own line in the body, "line 1" would mislead.
    let reason = error.to_string().replacen(" at line 1 column ", " at column ", 1);
    Flaw::of_item("malformed_json", format!("not JSON: {}", words::of_syntax(&reason)))
}

/// The first characters of a text, with a sign that there are more.
pub(crate) fn excerpt(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw(item: &str) -> Flaw {
        read_operation(item).unwrap_err()
    }

    #[test]
    fn json_in_place_of_text_is_kept_as_its_text() {
        let operation = read_operation(
            r#"{"model": "gpt-5", "metadata": {"a": "\"x\" {"}, "input_messages" : [ {"role":"user"} ],
                "output_messages": "[]", "billable_units": null, "tags": {"metadata": "[1]"}}"#,
        )
        .unwrap();
        assert_eq!(operation.metadata.as_deref(), Some(r#"{"a": "\"x\" {"}"#));
        assert_eq!(operation.input_messages.as_deref(), Some(r#"[ {"role":"user"} ]"#));
        assert_eq!(operation.output_messages.as_deref(), Some("[]"));
        assert_eq!((operation.billable_units, operation.tags["metadata"].as_str()), (None, "[1]"));
    }

    #[test]
    fn a_refusal_names_the_field() {
        assert_eq!(flaw(r#"{"model":"m","input_token":3}"#).field.as_deref(), Some("input_token"));
        assert_eq!(flaw(r#"{"input_token":3}"#).code, "unknown_field");
        assert_eq!(flaw(r#"{"tags":{"a":1}}"#).field.as_deref(), Some("tags.a"));
        assert_eq!(flaw(r#"{"finish_reasons":["stop",null]}"#).field.as_deref(), Some("finish_reasons[1]"));
        assert_eq!(
            flaw(r#"{"input_tokens":"3"}"#),
            Flaw {
                field: Some("input_tokens".to_owned()),
                code: "invalid_value",
                reason: "expected a whole number, not the text \"3\"".to_owned(),
            }
        );
    }

    #[test]
    fn only_an_object_is_an_operation() {
        for item in
            ["7", "null", "\"x\"", "[]", "[\"018f0000-0000-7000-8000-000000000000\", \"w\"]", &"[".repeat(100_000)]
        {
            assert_eq!(flaw(item).field, None, "{item:.20}");
        }
        assert_eq!(flaw("[]").code, "not_an_object");
    }

    #[test]
    fn an_id_that_is_no_uuid7_is_refused_and_a_ulid_gets_a_way_out() {
        let refused = flaw(r#"{"operation_id":"01JD7S8VQ5B3Y0Z1K2M4N6P8R0"}"#);
        assert_eq!(refused.field.as_deref(), Some("operation_id"));
        assert!(refused.reason.contains("Idempotency-Key"), "{}", refused.reason);
        let refused = flaw(r#"{"operation_id":"9f1b2c3d-4e5f-4a6b-8c7d-0e1f2a3b4c5d"}"#);
        assert!(refused.reason.contains("version 4") && !refused.reason.contains("ULID"), "{}", refused.reason);
    }

    #[test]
    fn text_that_is_not_json_is_refused_with_its_column() {
        assert_eq!(
            flaw(r#"{"model": nope}"#).reason,
            "not JSON: expected null, true, false or a text in quotes at column 12"
        );
        assert_eq!(flaw("{} {}").code, "malformed_json");
        assert_eq!(
            read_line(b"{\"model\":\"\xc3\x28\"}").unwrap_err().reason,
            "not UTF-8: byte 10 of the line starts no character"
        );
    }

    #[test]
    fn a_field_that_is_given_twice_is_named() {
        let refused = flaw(r#"{"model": "a", "input_tokens": 1, "model": "b"}"#);
        assert_eq!((refused.field.as_deref(), refused.code), (Some("model"), "invalid_value"));
        assert!(refused.reason.contains("given twice"), "{}", refused.reason);
    }

    #[test]
    fn a_huge_value_is_quoted_in_short() {
        let item = format!(r#"{{"input_tokens":"{}"}}"#, "x".repeat(5_000_000));
        assert!(flaw(&item).reason.len() < 1000);
    }
}
