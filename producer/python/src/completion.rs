//! AiCore's `record_completion`: its arguments and what they mean, with the quirks of its collector left out.
//!
//! - Cached tokens are a part of the input, and are not added to the output. Where there are more of them than of the input, the
//!   caller passed the rest of the input alone, as Anthropic counts, and they are added to it.
//! - An operation succeeded when it has no error, also with an empty answer.
//! - A cost of 0 means that there was no price, so nothing was reported.
//! - An answer of any type is recorded.

use opstream_schemas::{NanoUsd, Operation};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::fields::{Reader, json_object, present, set_provider};
use crate::{content, request, values};

/// The error type of a text that begins with no exception's name; OpenTelemetry's word.
const OTHER_ERROR: &str = "_OTHER";
/// Longest name of an exception's class.
const LONGEST_CLASS: usize = 128;

impl Reader<'_> {
    /// Reads the arguments of `record_completion` into an operation whose workspace is empty where none is named.
    pub(crate) fn read_completion(&self, arguments: &Bound<'_, PyDict>) -> Operation {
        let mut operation = Operation { workspace: String::new(), ..Operation::default() };
        let mut cached = 0;
        for (name, value) in arguments.iter().filter(|(_, value)| !value.is_none()) {
            let Ok(name) = name.cast::<PyString>() else { continue };
            let name = name.to_string_lossy();
            let read = match &*name {
                "completion_args" => self.read_request(&mut operation, &value),
                "operation_type" => values::text(&value).map(|source_type| set_type(&mut operation, source_type)),
                "provider" => set_provider(&mut operation, &value),
                "cached_tokens" => values::count(&value).map(|count| cached = count),
                "cost" => values::dollars(&value).map(|cost| set_cost(&mut operation, cost)),
                "error_message" => values::text(&value).map(|message| set_error(&mut operation, message)),
                "response" => self.read_response(&mut operation, &value),
                "extras" => read_extras(&mut operation, &value),
                // AiCore writes 0 where it does not know.
                "input_tokens" | "output_tokens" | "latency_ms" if is_zero(&value) => Ok(()),
                _ => self.set(&mut operation, &name, &value),
            };
            self.note_failure(&name, read);
        }
        add_cached(&mut operation, cached);
        operation
    }

    fn read_request(&self, operation: &mut Operation, completion_args: &Bound<'_, PyAny>) -> Result<(), String> {
        let read = match completion_args.cast::<PyString>() {
            Ok(text) => parsed(text),
            Err(_) => completion_args.cast::<PyDict>().ok().cloned(),
        };
        let completion_args = read.ok_or_else(|| "expected a dict, or the JSON text of one".to_owned())?;
        request::read(operation, &completion_args, self.with_content, self.problems);
        Ok(())
    }

    fn read_response(&self, operation: &mut Operation, response: &Bound<'_, PyAny>) -> Result<(), String> {
        if self.with_content {
            operation.output_messages = content::answer(response).map_err(|_| "is too large".to_owned())?;
        }
        Ok(())
    }
}

/// `project` and `team` are dimensions; everything is metadata.
fn read_extras(operation: &mut Operation, extras: &Bound<'_, PyAny>) -> Result<(), String> {
    let is_empty_text = extras.cast::<PyString>().is_ok_and(|text| text.to_string_lossy().is_empty());
    if is_empty_text {
        return Ok(());
    }
    operation.metadata = json_object(extras)?;
    let Ok(extras) = extras.cast::<PyDict>() else { return Ok(()) };
    let text = |name: &str| values::text(&present(extras, name)?).ok().filter(|text| !text.is_empty());
    operation.project = text("project");
    operation.team = text("team");
    Ok(())
}

fn set_cost(operation: &mut Operation, cost: NanoUsd) {
    operation.reported_cost_usd = Some(cost).filter(|cost| *cost != NanoUsd::ZERO);
}

fn set_error(operation: &mut Operation, message: String) {
    if !message.is_empty() {
        operation.success = false;
        operation.error_type = Some(error_type(&message));
        operation.error_message = Some(message);
    }
}

/// AiCore's names for a chat become OpenTelemetry's; any other stays.
fn set_type(operation: &mut Operation, source_type: String) {
    let is_chat = matches!(source_type.as_str(), "completion" | "acompletion" | "acompletion.tool_call");
    if !is_chat && !source_type.is_empty() {
        operation.operation_type.clone_from(&source_type);
    }
    operation.source_type = Some(source_type).filter(|source_type| is_chat && !source_type.is_empty());
}

fn add_cached(operation: &mut Operation, cached: i64) {
    operation.cache_read_tokens = cached;
    if cached <= 0 {
        return;
    }
    let input = operation.input_tokens.unwrap_or(0);
    if cached > input {
        operation.input_tokens = Some(input.saturating_add(cached));
    }
}

/// The exception's class at the head of the text (`RateLimitError: 429 …`).
fn error_type(message: &str) -> String {
    let class = message.split_once(':').map_or("", |(class, _)| class.trim());
    let is_class = class.starts_with(|first: char| first.is_ascii_alphabetic())
        && class.len() <= LONGEST_CLASS
        && class.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
    if is_class { class.to_owned() } else { OTHER_ERROR.to_owned() }
}

fn is_zero(value: &Bound<'_, PyAny>) -> bool {
    value.extract::<f64>().is_ok_and(|number| number == 0.0)
}

/// A dict from its JSON text, by Python's own parser.
fn parsed<'py>(text: &Bound<'py, PyString>) -> Option<Bound<'py, PyDict>> {
    let json = text.py().import("json").ok()?;
    json.call_method1("loads", (text,)).ok()?.cast_into::<PyDict>().ok()
}
