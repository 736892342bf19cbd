//! Finds or derives the id of a line, and what it adds to the totals.

use opstream_schemas::ids::IdError;
use opstream_schemas::operation::DEFAULT_WORKSPACE;
use opstream_schemas::{NanoUsd, OperationId, UtcMicros};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::import::feed::Counts;
use crate::import::identity::SeenIds;

/// A line whose id is known.
#[derive(Debug)]
pub(super) struct Identified {
    /// The id, as it stands in `json`.
    pub(super) id: OperationId,
    /// The line, with the id put in where it had none.
    pub(super) json: String,
    /// What it adds to the totals.
    pub(super) counts: Counts,
}

/// Why a line has no id.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    /// Something else than `{…}`.
    #[error("the line is not a JSON object")]
    NotAnObject,
    /// Not JSON, or a field of the wrong type. The place names the line of the file; the parser's own is always 1.
    #[error("{}", .0.to_string().replacen(" at line 1 column ", " at column ", 1))]
    BadJson(#[from] serde_json::Error),
    /// Not text.
    #[error("the line is not UTF-8 text")]
    NotText,
    /// An id of another kind.
    #[error("operation_id: {0}")]
    BadId(#[from] IdError),
    /// An id that is not text.
    #[error("operation_id is not text; give a UUIDv7, or leave it out")]
    IdNotText,
    /// Without an id, the time is what the id is made of.
    #[error("the line has neither operation_id nor started_at, so it has no time")]
    NoTime,
}

/// The fields that an import looks at; what the others may be is the front door's business.
#[derive(Debug, Deserialize)]
struct KnownFields {
    #[serde(default, deserialize_with = "given")]
    operation_id: Option<Value>,
    #[serde(default)]
    workspace: Option<String>,
    #[serde(default)]
    started_at: Option<UtcMicros>,
    #[serde(default)]
    input_tokens: Option<i64>,
    #[serde(default)]
    cache_read_tokens: Option<i64>,
    #[serde(default)]
    output_tokens: Option<i64>,
    #[serde(default)]
    reported_cost_usd: Option<NanoUsd>,
}

/// The line with its id; none when an earlier line brought the same one.
///
/// # Errors
/// When the line is no JSON object, or has no id and no time to make one of.
pub(super) fn identify(line: &[u8], seen: &mut SeenIds) -> Result<Option<Identified>, LineError> {
    let text = std::str::from_utf8(line).map_err(|_| LineError::NotText)?.trim_start_matches('\u{feff}').trim_start();
    // Without this look, serde would take an array for the fields in their order.
    if !text.starts_with('{') {
        return Err(LineError::NotAnObject);
    }
    let fields: KnownFields = serde_json::from_str(text)?;
    let counts = Counts {
        input_tokens: fields.input_tokens.unwrap_or(0),
        cache_read_tokens: fields.cache_read_tokens.unwrap_or(0),
        output_tokens: fields.output_tokens.unwrap_or(0),
        reported_cost: fields.reported_cost_usd.unwrap_or_default(),
    };
    if let Some(given) = fields.operation_id {
        let id: OperationId = given.as_str().ok_or(LineError::IdNotText)?.parse()?;
        return Ok(seen.is_first(id).then(|| Identified { id, json: text.to_owned(), counts }));
    }
    let started_at = fields.started_at.ok_or(LineError::NoTime)?;
    let workspace = fields.workspace.as_deref().unwrap_or(DEFAULT_WORKSPACE);
    let id = seen.derive(started_at.to_millis(), &[workspace.as_bytes(), b"jsonl", text.as_bytes()]);
    Ok(Some(Identified { id, json: with_id(text, id), counts }))
}

/// Puts the id in front of the other fields and leaves their text as it is. The object is not empty: it has a time.
fn with_id(object: &str, id: OperationId) -> String {
    let inside = object.strip_prefix('{').unwrap_or(object);
    format!("{{\"operation_id\":\"{id}\",{inside}")
}

/// Tells a field that is null from one that is not there.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
