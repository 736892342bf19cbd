//! What a refusal calls a span: whoever sent it knows its name and id, and nothing of the operation that it would have become.

use opstream_schemas::Operation;
use serde_json::Value as Json;

use crate::front_door::{Subject, excerpt};

/// Where an operation keeps the name of its span.
pub(super) const SPAN_NAME: &str = "otel.span.name";
/// Longest name and longest id that are repeated, in characters and in bytes.
const LONGEST_NAME: usize = 100;
const LONGEST_ID: usize = 16;

/// Operations that are made of spans, to the front door.
pub(super) const SPAN: Subject = Subject { label: label_of, time: "startTimeUnixNano" };

/// A span by its name and id.
pub(super) fn label(name: &str, span_id: &[u8]) -> String {
    let id = hex::encode(&span_id[..span_id.len().min(LONGEST_ID)]);
    format!("span {:?} ({})", excerpt(name, LONGEST_NAME), if id.is_empty() { "without an id" } else { &id })
}

/// The span that an operation was made of.
pub(super) fn label_of(operation: &Operation) -> String {
    let metadata = operation.metadata.as_deref().and_then(|text| serde_json::from_str::<Json>(text).ok());
    let name = metadata.as_ref().and_then(|metadata| metadata.get(SPAN_NAME)?.as_str()).unwrap_or_default();
    let span_id = operation.span_id.as_deref().and_then(|id| hex::decode(id).ok());
    label(name, &span_id.unwrap_or_default())
}
