//! What must hold of any body. Used by the fuzz target `json_body` and, on the inputs that it has stored, by every test run.
//!
//! A body is read in both ways, as a document and as lines. Every item of it is either accepted or refused with a code and a
//! short reason, and what is accepted is found again by whoever reads its record. The judges are `serde_json`'s own tree and
//! apache-avro.

use std::sync::LazyLock;

use apache_avro::types::Value;
use apache_avro::{Schema, from_avro_datum};
use bytes::Bytes;
use opstream_schemas::avro::{FRAME_LENGTH, OPERATION_V1, encode_operation};
use opstream_schemas::validate::{AcceptedTimes, DEFAULT_RETENTION_FLOOR};
use opstream_schemas::{Operation, UtcMicros};

use super::admission::Admission;
use super::document::Document;
use super::identity::{IdempotencyKey, Source};
use super::item::{Flaw, read_line, read_operation};
use super::lines::{Line, LineSplitter};
use crate::ContentCapture;

const NOW: UtcMicros = UtcMicros::from_micros(1_790_000_000_000_000);
/// Times that ids may have.
pub(crate) const ACCEPTED: AcceptedTimes = AcceptedTimes::at(NOW.to_millis(), DEFAULT_RETENTION_FLOOR);
/// Longest line that is taken.
const MOST_LINE_BYTES: usize = 2000;
/// Longest reason and name of a field: reasons quote values, which may be megabytes.
const MOST_REASON_CHARACTERS: usize = 1000;

/// Reads a body in both ways and gives back what was accepted.
///
/// # Panics
/// When anything is not as it must be.
pub(crate) fn check(body: &[u8]) -> Vec<Operation> {
    let mut items = of_document(body);
    items.extend(of_lines(body));
    let admission = Admission {
        accepted_times: ACCEPTED,
        now: NOW,
        idempotency_key: body
            .len()
            .is_multiple_of(2)
            .then(|| IdempotencyKey::new(b"a key").expect("visible characters")),
        content: ContentCapture::On,
        subject: None,
    };
    let mut accepted = Vec::new();
    for (index, (item, text)) in (0..).zip(items) {
        match item.and_then(|operation| admission.admit(operation, Source { index, text: &text })) {
            Ok((operation, _)) => {
                find_again(&operation);
                accepted.push(operation);
            }
            Err(flaw) => {
                assert!(!flaw.code.is_empty() && !flaw.reason.is_empty(), "{flaw:?}");
                assert!(flaw.reason.chars().count() <= MOST_REASON_CHARACTERS, "{flaw:?}");
                assert!(
                    flaw.field.is_none_or(|field| field.chars().count() <= MOST_REASON_CHARACTERS),
                    "{}",
                    flaw.code
                );
            }
        }
    }
    accepted
}

/// What was read, or why it was not, and its text.
type Item = (Result<Operation, Flaw>, Vec<u8>);

fn of_document(body: &[u8]) -> Vec<Item> {
    let expected = serde_json::from_slice::<serde_json::Value>(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body));
    let document = match Document::check(body.to_vec()) {
        Ok(document) => document,
        Err(error) => {
            assert!(
                !expected.is_ok_and(|value| value.is_object() || value.is_array()),
                "a document is refused: {error}"
            );
            return Vec::new();
        }
    };
    let items: Vec<Item> = document.items().map(|item| (read_operation(item), item.as_bytes().to_vec())).collect();
    match expected {
        Ok(serde_json::Value::Array(elements)) => assert_eq!(items.len(), elements.len(), "an item is lost"),
        Ok(_) => assert_eq!(items.len(), 1),
        // Towers of brackets and numbers beyond a float are no tree of `serde_json`; their items are refused one by one.
        Err(_) => {}
    }
    items
}

fn of_lines(body: &[u8]) -> Vec<Item> {
    // The same however the body arrives: whole, and in pieces of a size that the body itself gives.
    let lines = lines(&[body]);
    let size = usize::from(body.first().copied().unwrap_or_default()) + 1;
    assert_eq!(lines, self::lines(&body.chunks(size).collect::<Vec<_>>()), "lines depend on how they arrive");
    let blank = |line: &[u8]| line.iter().all(u8::is_ascii_whitespace);
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    assert_eq!(lines.len(), text.split(|byte| *byte == b'\n').filter(|line| !blank(line)).count(), "a line is lost");
    let items = lines.into_iter().filter_map(|line| line.content.ok());
    items.map(|text| (read_line(&text), text.to_vec())).collect()
}

fn lines(pieces: &[&[u8]]) -> Vec<Line> {
    let mut splitter = LineSplitter::new(MOST_LINE_BYTES);
    let mut lines = Vec::new();
    for piece in pieces {
        let mut piece = Bytes::copy_from_slice(piece);
        while let Some(line) = splitter.next_line(&mut piece) {
            lines.push(line);
        }
        assert!(splitter.held_bytes() <= MOST_LINE_BYTES);
    }
    lines.extend(splitter.last_line());
    lines
}

/// Reads the record of an accepted operation as any client would.
fn find_again(operation: &Operation) {
    static SCHEMA: LazyLock<Schema> =
        LazyLock::new(|| Schema::parse_str(OPERATION_V1).expect("our schema is one of Avro"));
    let mut record = Vec::new();
    encode_operation(operation, &mut record);
    let mut datum = &record[FRAME_LENGTH..];
    let Ok(Value::Record(fields)) = from_avro_datum(&SCHEMA, &mut datum, None) else { panic!("not a record") };
    assert!(datum.is_empty(), "{} bytes are left over", datum.len());
    let sent = serde_json::to_value(operation).expect("an operation is JSON");
    let cost = operation.reported_cost_usd.map_or(serde_json::Value::Null, |cost| cost.nanos().into());
    for (name, found) in fields {
        match found {
            Value::Fixed(_, bytes) => assert_eq!(bytes, operation.operation_id.bytes()),
            Value::TimestampMicros(micros) => assert_eq!(micros, operation.started_at.micros()),
            found if name == "reported_cost_nano_usd" => assert_eq!(json_of(found), cost),
            found => assert_eq!(json_of(found), sent.get(&name).cloned().unwrap_or_default(), "{name}"),
        }
    }
}

/// A value as JSON; nothing in a list or map is nothing.
fn json_of(value: Value) -> serde_json::Value {
    match value {
        Value::Union(_, value) => json_of(*value),
        Value::Null => serde_json::Value::Null,
        Value::Boolean(value) => value.into(),
        Value::Int(value) => value.into(),
        Value::Long(value) => value.into(),
        Value::Double(value) => value.into(),
        Value::String(value) => value.into(),
        Value::Array(items) if items.is_empty() => serde_json::Value::Null,
        Value::Array(items) => items.into_iter().map(json_of).collect(),
        Value::Map(entries) if entries.is_empty() => serde_json::Value::Null,
        Value::Map(entries) => entries.into_iter().map(|(key, value)| (key, json_of(value))).collect(),
        other => panic!("our schema has no {other:?}"),
    }
}

#[cfg(test)]
#[test]
fn the_stored_inputs_of_the_fuzzer_are_read_or_refused() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/json_body");
    let mut accepted = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let checked = std::panic::catch_unwind(|| check(&bytes).len());
        accepted += checked.unwrap_or_else(|_| panic!("{}", path.display()));
    }
    assert!(accepted > 0, "no input of {corpus} is accepted");
}
