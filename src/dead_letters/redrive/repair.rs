//! Repaired letters: JSON lines with the place of a letter and the operation that its record should have been.
//!
//! The repaired operation is checked as the front door checks one. Its id is, in this order: the one it names; that of its record,
//! unless the id is what is wrong; else one that follows from the letter's place. So the same repair is the same operation in
//! every run.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::Context as _;
use opstream_records::decode::WriterSchemas;
use opstream_schemas::avro::encode_operation_as;
use opstream_schemas::database::Database;
use opstream_schemas::validate::check_operation;
use opstream_schemas::{Operation, OperationId, UtcMicros};
use serde::Deserialize;

use crate::import::lines::{Line, next_line};
use opstream_api::dead_letters::CONTENT;
use opstream_api::dead_letters::Letter;
use opstream_api::dead_letters::ValueView;
use opstream_api::dead_letters::Writers;
use opstream_api::dead_letters::redrive::{Candidate, Fate, PAGE_BYTES, PAGE_LETTERS, Record, Rules, headers};
use opstream_api::dead_letters::{Place, PlaceError};

/// Reasons that say that the id itself is wrong.
const WRONG_ID: [&str; 4] = ["id_not_uuid7", "before_retention_floor", "too_far_ahead", "id_of_another_workspace"];

/// A file of repaired letters, read line by line.
pub(super) struct RepairFile {
    source: Box<dyn BufRead + Send>,
    name: String,
    number: u64,
    writers: Writers,
    buffer: Vec<u8>,
}

/// What a line must hold; it may hold more, such as what `show --json` writes.
#[derive(Debug, Deserialize)]
struct Repair {
    place: String,
    /// None where `show --json` could not read the record.
    #[serde(deserialize_with = "Option::deserialize")]
    operation: Option<Operation>,
    /// Fields to be taken from the record, because whoever repaired it did not see them.
    #[serde(default)]
    content_withheld: Vec<String>,
}

/// Why a line does not repair a letter.
#[derive(Debug, thiserror::Error)]
enum RepairError {
    /// The line is no text.
    #[error("the line is not UTF-8 text")]
    NotText,
    /// It is text.
    #[error("the line is not JSON: {0}")]
    NotJson(String),
    /// Nobody wrote what the record should have been.
    #[error("`operation` is null: this record could not be read; write the operation yourself")]
    NoOperation,
    /// An operation of which nothing is known.
    #[error("`operation` is empty: nothing in it says what it was; write the operation, or leave the line out")]
    EmptyOperation,
    /// The line has not what it must have.
    #[error("{0}")]
    Line(String),
    /// The place is none.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Nobody knows when the operation was.
    #[error("the operation has neither operation_id nor started_at, and its record no timestamp")]
    NoTime,
    /// The record does not hold what was withheld.
    #[error("{field} is in content_withheld, but not in the record; write it into the operation, or take it out there")]
    NoContent { field: String },
    /// A rule is broken.
    #[error(transparent)]
    Violation(#[from] opstream_schemas::validate::Violation),
}

impl RepairFile {
    /// Opens the file; `-` is standard input.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn open(path: &Path, writers: Writers) -> anyhow::Result<Self> {
        let (source, name): (Box<dyn BufRead + Send>, String) = if path == Path::new("-") {
            (Box::new(BufReader::new(std::io::stdin())), "standard input".to_owned())
        } else {
            let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
            (Box::new(BufReader::new(file)), path.display().to_string())
        };
        Ok(Self { source, name, number: 0, writers, buffer: Vec::new() })
    }

    /// The next letters; none at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read on, or the database does not answer.
    pub(super) async fn page(&mut self, database: &Database, rules: Rules) -> anyhow::Result<Vec<Candidate>> {
        let (mut page, mut bytes) = (Vec::new(), 0);
        while page.len() < PAGE_LETTERS && bytes < PAGE_BYTES {
            self.number += 1;
            let name = format!("{}:{}", self.name, self.number);
            let line = tokio::task::block_in_place(|| next_line(&mut self.source, &mut self.buffer));
            let fate = match line.with_context(|| format!("cannot read on at {name}"))? {
                Line::End => break,
                Line::TooLong { .. } => refused(&"the line is longer than a record may be"),
                Line::Text { .. } if self.buffer.trim_ascii().is_empty() => continue,
                Line::Text { .. } => fate(&self.buffer, database, &mut self.writers, rules).await?,
            };
            if let Fate::Send { record, .. } = &fate {
                bytes += record.size();
            }
            page.push(Candidate { name, fate });
        }
        Ok(page)
    }
}

/// What becomes of a line. An error is one of the database or the registry, everything else is the line's own.
async fn fate(line: &[u8], database: &Database, writers: &mut Writers, rules: Rules) -> anyhow::Result<Fate> {
    let read = read(line).and_then(|repair| Ok((repair.place.parse::<Place>()?, repair)));
    let (place, repair) = match read {
        Ok(read) => read,
        Err(error) => return Ok(refused(&error)),
    };
    let Some(letter) = Letter::find(database, place).await.context("cannot read the dead letter")? else {
        return Ok(refused(&format!("there is no dead letter {place}")));
    };
    if letter.redriven_at.is_some() && !rules.again {
        return Ok(Fate::AlreadyRedriven);
    }
    let schemas = writers.schemas_of(std::slice::from_ref(&letter)).await?;
    Ok(match record(&letter, schemas, repair, rules) {
        Ok(record) => Fate::Send { place, cluster_id: letter.cluster_id, record },
        Err(error) => refused(&error),
    })
}

fn refused(reason: &impl ToString) -> Fate {
    Fate::Refused { code: "not_repaired", reason: reason.to_string() }
}

fn read(line: &[u8]) -> Result<Repair, RepairError> {
    let text = std::str::from_utf8(line).map_err(|_| RepairError::NotText)?.trim_start_matches('\u{feff}');
    let mut json = serde_json::Deserializer::from_str(text);
    // With the path of what is wrong; the parser's own line is always 1.
    let read: Result<Repair, _> = serde_path_to_error::deserialize(&mut json);
    read.map_err(|error| {
        let text = error.to_string().replacen(" at line 1 column ", " at column ", 1);
        if error.inner().is_data() { RepairError::Line(text) } else { RepairError::NotJson(text) }
    })
}

/// The record of a repaired operation.
fn record(letter: &Letter, schemas: &WriterSchemas, repair: Repair, rules: Rules) -> Result<Record, RepairError> {
    let Repair { operation, content_withheld, .. } = repair;
    let mut operation = operation.ok_or(RepairError::NoOperation)?;
    if operation == Operation::default() {
        return Err(RepairError::EmptyOperation);
    }
    put_content_back(&mut operation, letter, schemas, &content_withheld)?;
    identify(&mut operation, letter)?;
    check_operation(&operation, rules.accepted)?;
    let session = operation.session_id.clone().filter(|session| !session.is_empty());
    let key = session.unwrap_or_else(|| operation.operation_id.to_string()).into_bytes();
    let mut value = Vec::new();
    encode_operation_as(&operation, rules.schema_id, &mut value);
    Ok(Record { key: Some(key), value: Some(value), headers: headers(letter) })
}

fn put_content_back(
    operation: &mut Operation,
    letter: &Letter,
    schemas: &WriterSchemas,
    fields: &[String],
) -> Result<(), RepairError> {
    if fields.is_empty() {
        return Ok(());
    }
    let mut content = ValueView::content(letter.value.as_deref(), schemas);
    for field in fields {
        let place = match CONTENT.iter().position(|name| name == field) {
            Some(0) => &mut operation.system_prompt,
            Some(1) => &mut operation.input_messages,
            Some(2) => &mut operation.output_messages,
            Some(_) => &mut operation.tool_definitions,
            None => return Err(RepairError::NoContent { field: field.clone() }),
        };
        if place.is_none() {
            let found = content.iter().position(|(name, _)| name == field);
            let found = found.ok_or_else(|| RepairError::NoContent { field: field.clone() })?;
            *place = Some(content.swap_remove(found).1);
        }
    }
    Ok(())
}

/// Gives an operation without an id the one that it has in every run, and one without a start that of its id.
fn identify(operation: &mut Operation, letter: &Letter) -> Result<(), RepairError> {
    let is_timed = operation.started_at != UtcMicros::default();
    if operation.operation_id == OperationId::MIN {
        let own = letter.operation_id.filter(|_| !WRONG_ID.contains(&letter.reason_code.as_str()));
        operation.operation_id = match own {
            Some(id) => id,
            None => derived(operation, letter, is_timed)?,
        };
    }
    if !is_timed {
        operation.started_at = operation.operation_id.time().into();
    }
    Ok(())
}

/// The id that follows from where the record was.
fn derived(operation: &Operation, letter: &Letter, is_timed: bool) -> Result<OperationId, RepairError> {
    let named = is_timed.then(|| operation.started_at.to_millis());
    let at = named.or(letter.timestamp).ok_or(RepairError::NoTime)?;
    let Place { partition, offset, .. } = letter.place;
    let parts: [&[u8]; 7] = [
        operation.workspace.as_bytes(),
        b"dead_letter",
        letter.cluster_id.as_bytes(),
        letter.topic.as_bytes(),
        letter.topic_id.as_bytes(),
        &partition.to_be_bytes(),
        &offset.to_be_bytes(),
    ];
    Ok(OperationId::derive(at, &parts))
}

#[cfg(test)]
mod tests {
    use opstream_records::trial::try_value;
    use opstream_schemas::UtcMillis;
    use opstream_schemas::avro::OPERATION_V1_ID;
    use opstream_schemas::validate::{AcceptedTimes, DEFAULT_RETENTION_FLOOR};
    use serde_json::json;

    use super::*;
    use crate::dead_letters::test_letters::{STARTED_AT, letter, operation};

    fn accepted() -> AcceptedTimes {
        AcceptedTimes::at(STARTED_AT.to_millis(), DEFAULT_RETENTION_FLOOR)
    }

    fn repaired(letter: &Letter, operation: &serde_json::Value, withheld: &[&str]) -> Result<Record, String> {
        let line = json!({"place": "1/0/7", "operation": operation, "content_withheld": withheld, "reason": "ignored"});
        let repair = read(line.to_string().as_bytes()).map_err(|error| error.to_string())?;
        let rules = Rules { accepted: accepted(), again: false, unchecked: false, schema_id: OPERATION_V1_ID };
        record(letter, &WriterSchemas::default(), repair, rules).map_err(|error| error.to_string())
    }

    fn id(record: &Record) -> OperationId {
        try_value(record.value.as_deref(), &WriterSchemas::default(), accepted()).unwrap()
    }

    #[test]
    fn the_id_of_the_record_stays_unless_it_is_what_is_wrong() {
        let dead = letter(7);
        let operation = json!({"session_id": "s", "input_tokens": 5, "started_at": 1_790_000_000_000_000_i64});
        assert_eq!(Some(id(&repaired(&dead, &operation, &[]).unwrap())), dead.operation_id);
        let taken = Letter { reason_code: "id_of_another_workspace".to_owned(), ..dead.clone() };
        let derived = id(&repaired(&taken, &operation, &[]).unwrap());
        assert_ne!(Some(derived), dead.operation_id);
        let given = OperationId::generate(STARTED_AT.to_millis());
        let named = json!({"operation_id": given.to_string(), "started_at": 1_790_000_000_000_000_i64});
        assert_eq!(id(&repaired(&dead, &named, &[]).unwrap()), given);
    }

    #[test]
    fn a_derived_id_follows_from_the_place_alone() {
        let unread = |offset| Letter { operation_id: None, ..letter(offset) };
        let of = |letter: &Letter, tokens: i64, workspace: &str| {
            let operation =
                json!({"workspace": workspace, "input_tokens": tokens, "started_at": 1_790_000_000_000_000_i64});
            id(&repaired(letter, &operation, &[]).unwrap())
        };
        let first = of(&unread(7), 1, "core");
        assert_eq!(first, of(&unread(7), 2, "core"), "whatever else was repaired");
        assert_ne!(first, of(&unread(8), 1, "core"));
        assert_ne!(first, of(&unread(7), 1, "lab"));
        let other_topic = Letter { topic_id: "recreated".to_owned(), ..unread(7) };
        assert_ne!(first, of(&other_topic, 1, "core"));
        assert_eq!(first.time(), STARTED_AT.to_millis());
    }

    #[test]
    fn a_time_is_found_or_asked_for() {
        let unread = Letter { operation_id: None, ..letter(7) };
        let record = repaired(&unread, &json!({"input_tokens": 1}), &[]).unwrap();
        assert_eq!(Some(id(&record).time()), unread.timestamp, "that of the record");
        let timeless = Letter { timestamp: None, ..unread };
        assert!(repaired(&timeless, &json!({"input_tokens": 1}), &[]).unwrap_err().contains("started_at"));
    }

    #[test]
    fn content_that_was_withheld_comes_from_the_record_unless_it_was_written_anew() {
        let system_prompt = |operation, withheld: &[&str]| {
            let record = repaired(&letter(7), &operation, withheld).unwrap();
            ValueView::content(record.value.as_deref(), &WriterSchemas::default())
        };
        let prompt = |text: &str| vec![("system_prompt".to_owned(), text.to_owned())];
        assert_eq!(system_prompt(json!({"input_tokens": 1}), &["system_prompt"]), prompt("the secret prompt"));
        assert_eq!(system_prompt(json!({"system_prompt": "new"}), &["system_prompt"]), prompt("new"));
        assert_eq!(system_prompt(json!({"input_tokens": 1}), &[]), []);
        let missing = repaired(&letter(7), &json!({"input_tokens": 1}), &["tool_definitions"]).unwrap_err();
        assert!(missing.contains("tool_definitions"), "{missing}");
    }

    #[test]
    fn the_record_lies_under_its_session_and_names_the_letter() {
        let record = repaired(&letter(7), &json!({"session_id": "other", "input_tokens": 1}), &[]).unwrap();
        assert_eq!(record.key.as_deref(), Some(&b"other"[..]));
        let expected = [("app", "hi"), ("opstream.redriven_from", "1/0/7")];
        let expected = expected.map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec())));
        assert_eq!(record.headers, expected);
    }

    #[test]
    fn what_is_still_wrong_is_named() {
        let error = |operation| repaired(&letter(7), &operation, &[]).unwrap_err();
        assert!(error(json!({"input_tokens": -3})).contains("input_tokens is -3"));
        let path = error(json!({"metadata": {"a": 1}}));
        assert!(path.contains("operation.metadata"), "{path}");
        assert!(error(json!({"input_token": 3})).contains("input_token"));
        let late = json!({"started_at": 1_790_000_000_000_000_i64, "operation_id": OperationId::generate(UtcMillis::from_millis(1)).to_string()});
        assert!(error(late).contains("retention floor"));
        assert!(read(b"{}").unwrap_err().to_string().contains("place"));
        assert!(read(br#"{"place":"1/0/7"}"#).unwrap_err().to_string().contains("missing field `operation`"));
        assert!(error(json!(null)).contains("write the operation yourself"));
        assert!(error(json!({})).contains("nothing in it says what it was"));
        for no_json in ["s-0,5", "{\"place\":\"1/0/7\",", "{\"place\":\"1/0/7\",}"] {
            let text = read(no_json.as_bytes()).unwrap_err().to_string();
            assert!(text.starts_with("the line is not JSON"), "{text}");
        }
        assert_eq!(operation(7).input_tokens, Some(-1));
    }
}
