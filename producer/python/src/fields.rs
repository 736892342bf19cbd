//! The keyword arguments of `opstream.record()`: fields of an operation by their names, and a few others that become fields.
//!
//! A value that cannot be used is left out and counted; the rest of the operation is recorded.

use opstream_schemas::Operation;
use opstream_schemas::provider_usage::{ProviderUsage, UsageError};
use opstream_schemas::providers::canonical_provider;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

use crate::json::{self, TooLarge};
use crate::problems::Problems;
use crate::{content, request, values};

/// How a call's values become an operation.
pub(crate) struct Reader<'a> {
    /// Whether prompts, answers and tool definitions are kept.
    pub(crate) with_content: bool,
    pub(crate) problems: &'a Problems,
}

impl Reader<'_> {
    /// Reads the fields into an operation whose workspace is empty where none is named.
    ///
    /// What the caller states itself stands above what a request or a usage object says.
    pub(crate) fn read(&self, fields: &Bound<'_, PyDict>) -> Operation {
        let mut operation = Operation { workspace: String::new(), ..Operation::default() };
        if let Some(provider) = present(fields, "provider") {
            self.note_failure("provider", set_provider(&mut operation, &provider));
        }
        if let Some(arguments) = present(fields, "request") {
            match arguments.cast::<PyDict>() {
                Ok(arguments) => request::read(&mut operation, arguments, self.with_content, self.problems),
                Err(_) => {
                    self.problems.note("request", &format!("expected a dict, not {}", json::type_name(&arguments)));
                }
            }
        }
        if let Some(usage) = present(fields, "usage") {
            self.note_failure("usage", read_usage(&mut operation, &usage));
        }
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_none()) {
            let Ok(name) = name.cast::<PyString>() else { continue };
            let name = name.to_string_lossy();
            if !matches!(&*name, "provider" | "request" | "usage") {
                self.note_failure(&name, self.set(&mut operation, &name, &value));
            }
        }
        operation
    }

    pub(crate) fn note_failure(&self, field: &str, result: Result<(), String>) {
        if let Err(reason) = result {
            self.problems.note(field, &reason);
        }
    }

    pub(crate) fn set(&self, operation: &mut Operation, name: &str, value: &Bound<'_, PyAny>) -> Result<(), String> {
        if let Some(field) = text_field(operation, name) {
            *field = Some(values::text(value)?).filter(|text| !text.is_empty());
        } else if let Some(field) = part_field(operation, name) {
            *field = values::count(value)?;
        } else if let Some(field) = number_field(operation, name) {
            *field = Some(values::count(value)?);
        } else if !self.set_content(operation, name, value)? && !set_other(operation, name, value)? {
            return Err("is no field of an operation; docs/python.md lists them".to_owned());
        }
        Ok(())
    }

    /// True when the name is one of content, kept or not.
    fn set_content(&self, operation: &mut Operation, name: &str, value: &Bound<'_, PyAny>) -> Result<bool, String> {
        let too_large = |TooLarge| "is too large".to_owned();
        match name {
            "system_prompt" | "messages" | "response" | "tools" if !self.with_content => {}
            "system_prompt" => operation.system_prompt = content::instructions(value),
            "messages" => {
                let prompt = content::prompt(value).map_err(too_large)?;
                operation.system_prompt = operation.system_prompt.take().or(prompt.system);
                operation.input_messages = prompt.messages;
            }
            "response" => operation.output_messages = content::answer(value).map_err(too_large)?,
            "tools" => operation.tool_definitions = Some(json::to_json(value).map_err(too_large)?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// A field that holds text.
pub(crate) fn text_field<'a>(operation: &'a mut Operation, name: &str) -> Option<&'a mut Option<String>> {
    Some(match name {
        "call_id" => &mut operation.call_id,
        "trace_id" => &mut operation.trace_id,
        "span_id" => &mut operation.span_id,
        "parent_span_id" => &mut operation.parent_span_id,
        "response_id" => &mut operation.response_id,
        "project" => &mut operation.project,
        "team" => &mut operation.team,
        "environment" => &mut operation.environment,
        "service" => &mut operation.service,
        "session_id" => &mut operation.session_id,
        "user_id" => &mut operation.user_id,
        "agent_id" => &mut operation.agent_id,
        "agent_name" => &mut operation.agent_name,
        "action_id" => &mut operation.action_id,
        "source_type" => &mut operation.source_type,
        "model" => &mut operation.model,
        "response_model" => &mut operation.response_model,
        "endpoint" => &mut operation.endpoint,
        "service_tier" => &mut operation.service_tier,
        "processing" => &mut operation.processing,
        "error_type" => &mut operation.error_type,
        "error_message" => &mut operation.error_message,
        _ => return None,
    })
}

/// A count that is part of another and 0 where nothing is said.
pub(crate) fn part_field<'a>(operation: &'a mut Operation, name: &str) -> Option<&'a mut i64> {
    Some(match name {
        "cache_read_tokens" => &mut operation.cache_read_tokens,
        "cache_write_tokens" => &mut operation.cache_write_tokens,
        "cache_write_1h_tokens" => &mut operation.cache_write_1h_tokens,
        "reasoning_tokens" => &mut operation.reasoning_tokens,
        "input_audio_tokens" => &mut operation.input_audio_tokens,
        "output_audio_tokens" => &mut operation.output_audio_tokens,
        "input_image_tokens" => &mut operation.input_image_tokens,
        "output_image_tokens" => &mut operation.output_image_tokens,
        "web_searches" => &mut operation.web_searches,
        _ => return None,
    })
}

/// A count or duration that is unknown where nothing is said.
pub(crate) fn number_field<'a>(operation: &'a mut Operation, name: &str) -> Option<&'a mut Option<i64>> {
    Some(match name {
        "input_tokens" => &mut operation.input_tokens,
        "output_tokens" => &mut operation.output_tokens,
        "max_tokens" => &mut operation.max_tokens,
        "latency_us" => &mut operation.latency_us,
        "queue_us" => &mut operation.queue_us,
        "ttft_us" => &mut operation.ttft_us,
        "generation_us" => &mut operation.generation_us,
        _ => return None,
    })
}

/// True when the name is known.
fn set_other(operation: &mut Operation, name: &str, value: &Bound<'_, PyAny>) -> Result<bool, String> {
    let small = |number: i64| i32::try_from(number).map_err(|_| "is out of range".to_owned());
    match name {
        "operation_type" => operation.operation_type = values::text(value)?,
        "workspace" => operation.workspace = values::text(value)?,
        "operation_id" => operation.operation_id = values::operation_id(value)?,
        "started_at" => operation.started_at = values::moment(value)?,
        "latency_ms" => operation.latency_us = Some(values::millis(value)?),
        "ttft_ms" => operation.ttft_us = Some(values::millis(value)?),
        "attempt" => operation.attempt = small(values::count(value)?)?,
        "http_status" => operation.http_status = Some(small(values::count(value)?)?),
        "success" => operation.success = values::claim(value)?,
        "stream" => operation.stream = Some(values::claim(value)?),
        "temperature" => operation.temperature = Some(values::float(value)?),
        "finish_reasons" => operation.finish_reasons = values::texts(value)?,
        "reported_cost_usd" => operation.reported_cost_usd = Some(values::dollars(value)?),
        "request_parameters" => operation.request_parameters = json_object(value)?,
        "billable_units" => operation.billable_units = json_object(value)?,
        "metadata" => operation.metadata = json_object(value)?,
        "tags" => {
            let tags =
                value.cast::<PyDict>().map_err(|_| format!("expected a dict, not {}", json::type_name(value)))?;
            for (name, value) in tags.iter().filter(|(_, value)| !value.is_none()) {
                operation.tags.insert(values::text(&name)?, values::text(&value)?);
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

pub(crate) fn set_provider(operation: &mut Operation, provider: &Bound<'_, PyAny>) -> Result<(), String> {
    let provider = canonical_provider(&values::text(provider)?).into_owned();
    operation.provider = Some(provider).filter(|provider| !provider.is_empty());
    Ok(())
}

/// A JSON object: a map, a model, or the text of one. None for an empty one.
pub(crate) fn json_object(value: &Bound<'_, PyAny>) -> Result<Option<String>, String> {
    let text = json_text(value)?;
    let is_object = value.cast::<PyDict>().is_ok()
        || serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|value| value.is_object());
    if !is_object {
        return Err(format!("expected a dict, not {}", json::type_name(value)));
    }
    Ok(Some(text).filter(|text| text != "{}"))
}

fn json_text(value: &Bound<'_, PyAny>) -> Result<String, String> {
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(text.to_string_lossy().into_owned());
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return String::from_utf8(bytes.as_bytes().to_vec()).map_err(|_| "is not UTF-8".to_owned());
    }
    json::to_json(value).map_err(|TooLarge| "is too large".to_owned())
}

fn read_usage(operation: &mut Operation, usage: &Bound<'_, PyAny>) -> Result<(), String> {
    let usage = ProviderUsage::parse(operation.provider.as_deref(), &json_text(usage)?);
    match usage {
        Ok(usage) => {
            usage.apply_to(operation);
            Ok(())
        }
        // An answer without usage is usual: old servers, streams that were not asked for it.
        Err(UsageError::Missing) => Ok(()),
        // The code and the path, not the value: what is counted must stay few.
        Err(error) => {
            Err(format!("{} at {}; see docs/provider-usage.md", error.code(), error.path().unwrap_or("usage")))
        }
    }
}

/// The value, unless it is None.
pub(crate) fn present<'py>(fields: &Bound<'py, PyDict>, name: &str) -> Option<Bound<'py, PyAny>> {
    fields.get_item(name).ok().flatten().filter(|value| !value.is_none())
}
