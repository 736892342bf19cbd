//! `/v1/dead-letters`: records that could not become operations, and sending them again as `opstream dead-letters redrive` does.

mod redrive;

use axum::Json;
use axum::extract::{Path, State};
use opstream_schemas::database::Value as Bound;
use opstream_schemas::{OperationId, UtcMillis};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub(crate) use self::redrive::{__path_redrive, redrive};
use crate::dead_letters::redrive::NoSuchLetter;
use crate::dead_letters::{
    Conditions, ContentChoice, Entry, Format, Letter, Place, ValueView, Writers, parse_cursor, read_page,
};
use crate::error::{ApiError, ErrorAnswer};
use crate::query::{Parameters, invalid};
use crate::routes::openapi::{ContentParameters, DeadLetterParameters};
use crate::state::Shared;

/// Letters of an answer that names no limit.
const DEFAULT_LETTERS: u32 = 100;
/// Most letters of an answer.
const MAX_LETTERS: u32 = 1000;
/// Bytes of keys, headers and values that are shown of a letter.
const PREVIEW_BYTES: usize = 4096;

/// A page of dead letters.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLettersAnswer {
    /// The letters, the newest first, without their records.
    letters: Vec<LetterHead>,
    /// `cursor` of the next page; null on the last one.
    next_cursor: Option<String>,
}

/// A dead letter without its record.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LetterHead {
    /// Its name: STREAM/PARTITION/OFFSET.
    letter_id: String,
    /// Topic on which the record was.
    topic: String,
    /// Its partition.
    partition: i32,
    /// Its offset.
    offset: i64,
    /// Stable code of the reason.
    reason_code: String,
    /// The reason in words.
    reason: String,
    /// The operation's id, if the record could be read that far.
    #[schema(value_type = Option<String>, format = "uuid")]
    operation_id: Option<OperationId>,
    /// When it became a dead letter.
    #[schema(value_type = String, format = "date-time")]
    stored_at: UtcMillis,
    /// When it was last sent to the operations topic again.
    #[schema(value_type = Option<String>, format = "date-time")]
    redriven_at: Option<UtcMillis>,
    /// Timestamp of the record.
    #[schema(value_type = Option<String>, format = "date-time")]
    record_timestamp: Option<UtcMillis>,
    /// Length of the record's value; null for a tombstone.
    bytes: Option<i64>,
}

/// A dead letter with what its record says.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LetterAnswer {
    #[serde(flatten)]
    head: LetterHead,
    /// Headers of the record: names and values, as text if they are, else hexadecimal.
    headers: Vec<(String, Option<String>)>,
    /// Key of the record, as text if it is, else hexadecimal; at most 4 KiB.
    key_preview: Option<String>,
    /// The value, as text if it is, else hexadecimal, at most 4 KiB; null unless content is asked for.
    value_preview: Option<String>,
    /// The fields that could be read, as `POST /v1/operations` names them; null when none could.
    #[schema(value_type = Option<Object>)]
    decoded: Option<Map<String, Value>>,
    /// The first thing that is wrong with the value as a record.
    fault: Option<String>,
    /// Fields that are not shown unless content is asked for: prompts, and whatever cannot be told from them.
    withheld: Vec<String>,
}

/// Records that could not become operations, the newest first.
#[utoipa::path(get, path = "/v1/dead-letters", tag = "operations", params(DeadLetterParameters),
    responses((status = 200, body = DeadLettersAnswer)))]
pub(crate) async fn list_dead_letters(
    State(state): State<Shared>,
    mut parameters: Parameters,
) -> Result<Json<DeadLettersAnswer>, ApiError> {
    let limit = i64::from(parameters.take_count("limit", MAX_LETTERS)?.unwrap_or(DEFAULT_LETTERS));
    let mut conditions = Conditions::default();
    let reasons = parameters.take_all("reason_code")?;
    conditions.add_any("reason_code", reasons.into_iter().map(Bound::from));
    conditions = match parameters.take_choice("redriven", &[("true", true), ("false", false)])? {
        Some(true) => conditions.redriven(),
        Some(false) => conditions.not_redriven(),
        None => conditions,
    };
    if let Some(cursor) = parameters.take("cursor")? {
        let cursor = parse_cursor(&cursor).map_err(|_| invalid("cursor", "is no next_cursor of an earlier answer"))?;
        conditions = conditions.beside("<", cursor);
    }
    parameters.finish()?;
    let page = read_page(&state.database, conditions, limit).await?;
    let next_cursor = page.entries.last().filter(|_| page.goes_on).map(|entry| entry.cursor.clone());
    Ok(Json(DeadLettersAnswer { letters: page.entries.into_iter().map(LetterHead::from).collect(), next_cursor }))
}

/// One dead letter. Prompts, and whatever cannot be told from them, are withheld unless `content=true`.
#[utoipa::path(get, path = "/v1/dead-letters/{stream}/{partition}/{offset}", tag = "operations",
    params(("stream" = i64, Path, description = "As `letter_id` begins"), ("partition" = i32, Path, description = "Partition of the record"),
        ("offset" = i64, Path, description = "Offset of the record"), ContentParameters),
    responses((status = 200, body = LetterAnswer),
        (status = 404, body = ErrorAnswer, description = "There is no such letter")))]
pub(crate) async fn show_dead_letter(
    State(state): State<Shared>,
    Path(place): Path<(String, String, String)>,
    mut parameters: Parameters,
) -> Result<Json<LetterAnswer>, ApiError> {
    let shows = parameters.take_choice("content", &[("true", true), ("false", false)])?.unwrap_or(false);
    parameters.finish()?;
    let name = format!("{}/{}/{}", place.0, place.1, place.2);
    let place: Place = name.parse().map_err(|_| not_found(&name))?;
    let letter = Letter::find(&state.database, place).await?.ok_or_else(|| not_found(&name))?;
    let mut writers = Writers::of(state.schemas.clone());
    // A registry that does not answer leaves the letter unread, not unseen.
    let schemas = match writers.schemas_of(std::slice::from_ref(&letter)).await {
        Ok(schemas) => schemas.clone(),
        Err(error) => {
            tracing::warn!(%error, "a dead letter is shown without the schema of its writer");
            opstream_records::decode::WriterSchemas::default()
        }
    };
    let choice = if shows { ContentChoice::Show } else { ContentChoice::Withhold };
    let view = ValueView::of(letter.value.as_deref(), &schemas, choice);
    Ok(Json(LetterAnswer::of(letter, view, shows)))
}

impl LetterAnswer {
    fn of(letter: Letter, view: ValueView, shows: bool) -> Self {
        let headers = letter.headers.iter().map(|(name, value)| (name.clone(), value.as_deref().map(preview)));
        let is_read = matches!(view.format, Format::Avro { .. } | Format::Json) && !view.fields.is_empty();
        Self {
            headers: headers.collect(),
            key_preview: letter.key.as_deref().map(preview),
            value_preview: letter.value.as_deref().filter(|_| shows).map(preview),
            decoded: is_read.then(|| view.fields.into_iter().collect()),
            fault: view.fault,
            withheld: view.withheld.into_iter().map(|withheld| withheld.field).collect(),
            head: LetterHead {
                letter_id: letter.place.to_string(),
                topic: letter.topic,
                partition: letter.place.partition,
                offset: letter.place.offset,
                reason_code: letter.reason_code,
                reason: letter.reason,
                operation_id: letter.operation_id,
                stored_at: letter.stored_at,
                redriven_at: letter.redriven_at,
                record_timestamp: letter.timestamp,
                bytes: letter.value.map(|value| i64::try_from(value.len()).unwrap_or(i64::MAX)),
            },
        }
    }
}

impl From<Entry> for LetterHead {
    fn from(entry: Entry) -> Self {
        Self {
            letter_id: entry.place.to_string(),
            topic: entry.topic,
            partition: entry.place.partition,
            offset: entry.place.offset,
            reason_code: entry.reason_code,
            reason: entry.reason,
            operation_id: entry.operation_id,
            stored_at: UtcMillis::from_millis(entry.stored_at_ms),
            redriven_at: entry.redriven_at_ms.map(UtcMillis::from_millis),
            record_timestamp: entry.record_timestamp_ms.map(UtcMillis::from_millis),
            bytes: entry.value_bytes,
        }
    }
}

fn preview(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text[..text.floor_char_boundary(PREVIEW_BYTES)].to_owned(),
        Err(_) => hex::encode(&bytes[..bytes.len().min(PREVIEW_BYTES / 2)]),
    }
}

fn not_found(name: &str) -> ApiError {
    let name: String = name.chars().take(100).collect();
    ApiError::NotFound { message: format!("there is no dead letter {name}; /v1/dead-letters lists them") }
}

impl From<&NoSuchLetter> for ApiError {
    fn from(error: &NoSuchLetter) -> Self {
        Self::NotFound { message: format!("{error}; nothing was sent") }
    }
}

#[cfg(test)]
mod tests;
