//! From `AiCore`'s record to an operation, with `AiCore`'s quirks undone.
//!
//! - Its ULID is minted when the call has ended: the id keeps the ULID's time, `started_at` is that time less the latency.
//!   The record's own timestamp has no zone and is not used.
//! - Cached tokens were added to the output as well; they are taken out again. They are a part of the input already, unless
//!   there are more of them than of the input: then they are added to it.
//! - A failed call repeats the usage of an earlier one (`usage.rs`).
//! - An operation succeeded when it has no error; `AiCore` counts an empty answer as a failure.
//! - A cost of 0 means that `AiCore` had no price, so nothing was reported.

use std::collections::BTreeMap;
use std::time::Duration;

use opstream_schemas::providers::canonical_provider;
use opstream_schemas::{NanoUsd, Operation, OperationId, UtcMicros, UtcMillis};
use serde_json::{Map, Value, json};
use ulid::Ulid;

use super::record::{AicoreRecord, REPEATING, read_map};
use super::remarks::Remarks;
use super::usage::failed_with_usage;
use super::{credentials, messages, parameters};

/// Takes the place of the workspace in the hash: the two stores of one record may disagree about its workspace, and it
/// is still one operation.
const NAMESPACE: &[u8] = b"aicore";
/// Tag with the record's own id, so that it can be searched for.
const ID_TAG: &str = "aicore.operation_id";
/// Tag that names fields which may be wrong.
const DOUBT_TAG: &str = "aicore.doubtful";

/// Which store a record comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Store {
    /// A JSON file: every record has its own workspace and agent.
    Json,
    /// The database: workspace and agent are those of the session's first record.
    Database,
}

/// Why a record is no operation.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConvertError {
    /// The record's id gives no time, and its timestamp has no zone.
    #[error("operation_id {id:?} is not a ULID, so the record has no time that can be trusted")]
    NotUlid {
        /// The id, cut to 64 characters.
        id: String,
    },
    /// The record does not say what it is.
    #[error("operation_type is empty")]
    NoType,
    /// A cost that is no amount.
    #[error("cost: {0}")]
    Cost(#[from] opstream_schemas::money::MoneyError),
}

/// The operation that the record describes, and what is peculiar about it.
///
/// # Errors
/// When the record has no ULID, no type, or a cost that is no amount. Counts are not judged here but at the front door.
pub(super) fn convert(
    record: &AicoreRecord,
    store: Store,
    workspace: &str,
) -> Result<(Operation, Remarks), ConvertError> {
    let id_error = || ConvertError::NotUlid { id: record.operation_id.chars().take(64).collect() };
    let ulid = read_ulid(&record.operation_id).ok_or_else(id_error)?;
    if record.operation_type.is_empty() {
        return Err(ConvertError::NoType);
    }
    let mut remarks = Remarks::default();
    let ended_at = UtcMillis::from_millis(i64::try_from(ulid.timestamp_ms()).map_err(|_| id_error())?);
    let latency_us = record.latency_ms.and_then(micros);
    remarks.without_latency = u64::from(latency_us.is_none());
    let (output_tokens, correction) = output_tokens(record);
    remarks.add(correction);
    let (input_tokens, completion) = input_tokens(record);
    remarks.add(completion);
    remarks.doubtful_usage = u64::from(failed_with_usage(record));

    let arguments = read_map(&record.completion_args);
    let request = parameters::Request::of(record, arguments.as_ref().ok());
    let extras = Extras::of(record, arguments.as_ref().err());
    remarks.without_credentials = u64::from(request.had_credentials || extras.had_credentials);
    remarks.doubtful = u64::from(store == Store::Database);

    let operation = Operation {
        operation_id: OperationId::derive(ended_at, &[NAMESPACE, &u128::from(ulid).to_be_bytes()]),
        workspace: text(&record.workspace).unwrap_or_else(|| workspace.to_owned()),
        project: extras.project,
        team: extras.team,
        session_id: text(&record.session_id),
        agent_id: text(&record.agent_id),
        action_id: text(&record.action_id),
        operation_type: operation_type(&record.operation_type).to_owned(),
        source_type: Some(record.operation_type.clone()),
        provider: text(&canonical_provider(&record.provider)),
        model: request.model,
        stream: request.stream,
        temperature: request.temperature,
        max_tokens: request.max_tokens,
        request_parameters: request.others,
        started_at: UtcMicros::from_micros(UtcMicros::from(ended_at).micros().saturating_sub(latency_us.unwrap_or(0))),
        latency_us,
        success: record.error_message.is_empty(),
        error_type: error_type(&record.error_message),
        error_message: text(&record.error_message),
        input_tokens,
        cache_read_tokens: record.cached_tokens.unwrap_or(0),
        output_tokens,
        reported_cost_usd: record.cost.filter(|usd| *usd != 0.0).map(NanoUsd::from_f64).transpose()?,
        system_prompt: request.system_prompt,
        input_messages: request.input_messages,
        output_messages: messages::output_messages(&record.response),
        tool_definitions: request.tool_definitions,
        tags: tags(record, store),
        metadata: extras.metadata,
        ..Operation::default()
    };
    Ok((operation, remarks))
}

/// A ULID in any case of letters; none for text that would not fit its 128 bits.
fn read_ulid(text: &str) -> Option<Ulid> {
    let fits = text.len() == 26 && text.starts_with(|first: char| first.is_digit(8));
    fits.then(|| Ulid::from_string(text).ok()).flatten()
}

/// `AiCore`'s names for a chat; anything else is taken to be one of OpenTelemetry's.
fn operation_type(source_type: &str) -> &str {
    match source_type {
        "completion" | "acompletion" | "acompletion.tool_call" => "chat",
        other => other,
    }
}

/// Output tokens without the cached tokens that `AiCore` added to them.
fn output_tokens(record: &AicoreRecord) -> (Option<i64>, Remarks) {
    let untouched = (record.output_tokens, Remarks::default());
    let (Some(stored), Some(cached)) = (record.output_tokens, record.cached_tokens) else { return untouched };
    if cached <= 0 {
        return untouched;
    }
    if stored < cached {
        return (Some(stored), Remarks { not_corrected: 1, ..Remarks::default() });
    }
    (Some(stored - cached), Remarks { corrected: 1, corrected_tokens: cached, ..Remarks::default() })
}

/// Input tokens together with the cached ones, which are a part of them in `AiCore`'s own calls. A caller that passes counts
/// itself may have passed the rest of the input alone, as Anthropic's answers do.
fn input_tokens(record: &AicoreRecord) -> (Option<i64>, Remarks) {
    match (record.input_tokens, record.cached_tokens) {
        (Some(input), Some(cached)) if input >= 0 && cached > input => {
            (input.checked_add(cached), Remarks { completed: 1, ..Remarks::default() })
        }
        (input, _) => (input, Remarks::default()),
    }
}

/// Milliseconds as microseconds; none for what a wall clock that was set back leaves behind.
fn micros(millis: f64) -> Option<i64> {
    let latency = Duration::try_from_secs_f64(millis / 1000.0).ok()?;
    i64::try_from(latency.as_micros()).ok()
}

/// The exception's class at the head of `AiCore`'s error text (`RateLimitError: 429 …`), else OpenTelemetry's `_OTHER`.
fn error_type(message: &str) -> Option<String> {
    text(message)?;
    let class = message.split(':').next().unwrap_or_default().trim();
    let is_class = class.starts_with(|first: char| first.is_ascii_alphabetic())
        && class.len() <= 128
        && class.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
        && message.contains(':');
    Some(if is_class { class } else { "_OTHER" }.to_owned())
}

fn tags(record: &AicoreRecord, store: Store) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::from([(ID_TAG.to_owned(), record.operation_id.clone())]);
    let mut doubtful = Vec::new();
    if store == Store::Database {
        doubtful.extend(["workspace", "agent_id"]);
    }
    if failed_with_usage(record) {
        doubtful.extend(["tokens", "cost"]);
    }
    if !doubtful.is_empty() {
        tags.insert(DOUBT_TAG.to_owned(), doubtful.join(","));
    }
    tags
}

/// What the application added, taken apart.
struct Extras {
    project: Option<String>,
    team: Option<String>,
    metadata: Option<String>,
    had_credentials: bool,
}

impl Extras {
    /// Takes `project` and `team` as dimensions and keeps the rest, together with what else has no field of its own.
    fn of(record: &AicoreRecord, unread_arguments: Option<&Value>) -> Self {
        let mut rest = read_map(&record.extras).unwrap_or_else(|other| Map::from_iter([("extras".to_owned(), other)]));
        let mut dimension = |name: &str| match rest.get(name) {
            Some(Value::String(value)) => {
                let value = text(value);
                rest.remove(name);
                value
            }
            _ => None,
        };
        let (project, team) = (dimension("project"), dimension("team"));
        let unknown = record.others.iter().filter(|(name, _)| !REPEATING.contains(&name.as_str()));
        rest.extend(unknown.map(|(name, value)| (name.clone(), value.clone())));
        if let Some(arguments) = unread_arguments {
            rest.insert("aicore.completion_args".to_owned(), arguments.clone());
        }
        let had_credentials = credentials::remove_from(&mut rest);
        if !record.timestamp.is_empty() {
            rest.insert("aicore.timestamp".to_owned(), json!(record.timestamp));
        }
        let metadata = (!rest.is_empty()).then(|| Value::Object(rest).to_string());
        Self { project, team, metadata, had_credentials }
    }
}

/// None for the empty text, which is how `AiCore` writes nothing.
fn text(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ULID: &str = "01M83N1F1FPSWW9RVY3WF6JSM7";

    fn record() -> AicoreRecord {
        AicoreRecord {
            operation_id: ULID.to_owned(),
            operation_type: "completion".to_owned(),
            ..AicoreRecord::default()
        }
    }

    fn converted(record: &AicoreRecord) -> (Operation, Remarks) {
        convert(record, Store::Json, "default").unwrap()
    }

    #[test]
    fn the_id_depends_on_the_whole_ulid_and_on_nothing_else() {
        let id = converted(&record()).0.operation_id;
        let elsewhere = AicoreRecord { workspace: "lab".to_owned(), input_tokens: Some(7), ..record() };
        assert_eq!(convert(&elsewhere, Store::Database, "default").unwrap().0.operation_id, id);
        let lower = AicoreRecord { operation_id: ULID.to_ascii_lowercase(), ..record() };
        assert_eq!(converted(&lower).0.operation_id, id);
        let neighbour = AicoreRecord { operation_id: "01M83N1F1FPSWW9RVY3WF6JSM8".to_owned(), ..record() };
        assert_ne!(converted(&neighbour).0.operation_id, id);
    }

    #[test]
    fn text_that_is_no_ulid_gives_no_time() {
        for id in ["", "op-1", "8ZZZZZZZZZZZZZZZZZZZZZZZZZ", "01M83N1F1FPSWW9RVY3WF6JSM", "01M83N1F1FPSWW9RVY3WF6JSMU"]
        {
            let record = AicoreRecord { operation_id: id.to_owned(), ..record() };
            let error = convert(&record, Store::Json, "default").unwrap_err();
            assert_eq!(error, ConvertError::NotUlid { id: id.to_owned() });
        }
    }

    #[test]
    fn cached_tokens_leave_the_output_only_where_they_can_have_been_added() {
        let of = |output, cached| {
            let record = AicoreRecord { output_tokens: output, cached_tokens: cached, ..record() };
            let (operation, remarks) = converted(&record);
            (operation.output_tokens, remarks.corrected, remarks.not_corrected)
        };
        assert_eq!(of(Some(12), Some(7)), (Some(5), 1, 0));
        assert_eq!(of(Some(7), Some(7)), (Some(0), 1, 0));
        assert_eq!(of(Some(6), Some(7)), (Some(6), 0, 1));
        assert_eq!(of(Some(12), Some(0)), (Some(12), 0, 0));
        assert_eq!(of(None, Some(7)), (None, 0, 0));
    }

    #[test]
    fn an_input_without_its_cached_tokens_is_completed() {
        let of = |input, cached| {
            let (operation, remarks) =
                converted(&AicoreRecord { input_tokens: input, cached_tokens: cached, ..record() });
            (operation.input_tokens, operation.cache_read_tokens, remarks.completed)
        };
        assert_eq!(of(Some(10), Some(5_000)), (Some(5_010), 5_000, 1));
        assert_eq!(of(Some(10), Some(10)), (Some(10), 10, 0));
        assert_eq!(of(None, Some(7)), (None, 7, 0));
    }

    #[test]
    fn usage_of_a_failed_call_is_doubtful() {
        let failed = AicoreRecord { error_message: "Timeout: none".to_owned(), input_tokens: Some(7), ..record() };
        let (operation, remarks) = converted(&failed);
        assert_eq!((operation.tags[DOUBT_TAG].as_str(), remarks.doubtful_usage), ("tokens,cost", 1));
        let without = AicoreRecord { input_tokens: Some(0), ..failed };
        assert!(!converted(&without).0.tags.contains_key(DOUBT_TAG));
    }

    #[test]
    fn a_latency_that_cannot_be_is_unknown() {
        for millis in [None, Some(-3.0), Some(f64::NAN), Some(1e300)] {
            let (operation, remarks) = converted(&AicoreRecord { latency_ms: millis, ..record() });
            assert_eq!((operation.latency_us, remarks.without_latency), (None, 1));
            assert_eq!(operation.started_at.to_millis(), operation.time());
        }
    }

    #[test]
    fn an_error_text_gives_its_class_where_it_has_one() {
        assert_eq!(error_type("RateLimitError: 429 too many requests").as_deref(), Some("RateLimitError"));
        assert_eq!(error_type("openai.APIError: no").as_deref(), Some("openai.APIError"));
        assert_eq!(error_type("something went wrong").as_deref(), Some("_OTHER"));
        assert_eq!(error_type("could not connect: refused").as_deref(), Some("_OTHER"));
        assert_eq!(error_type(""), None);
    }
}
