//! Prompts and answers as text in OpenTelemetry's message shape, from the shapes of the providers' SDKs.
//!
//! Knows chat messages, Anthropic's content blocks and the items of OpenAI's Responses interface, as maps or as models of the
//! SDKs. What it does not know is passed on as it is: readers of this shape tolerate unknown parts. It is called only where
//! content is captured; what is cut or blacked out of it is the producer's business.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use serde::de::IgnoredAny;

use crate::json::{self, TooLarge, write_text};

/// Types of items of an answer that are messages although they name no role.
const ITEMS: [&str; 4] = ["message", "function_call", "function_call_output", "reasoning"];

/// What was sent to the model.
#[derive(Debug, Default)]
pub(crate) struct Prompt {
    /// Texts of the messages that instruct the model, one per line.
    pub(crate) system: Option<String>,
    /// The other messages, JSON.
    pub(crate) messages: Option<String>,
}

/// Reads the messages of a request: a text, or a list of messages.
///
/// # Errors
/// When they are longer than a message of the topic can be.
pub(crate) fn prompt(messages: &Bound<'_, PyAny>) -> Result<Prompt, TooLarge> {
    let mut prompt = Prompt::default();
    let mut out = begun();
    if let Ok(text) = messages.cast::<PyString>() {
        write_said(&mut out, "user", &text.to_string_lossy());
    } else {
        for source in items(messages) {
            match source.cast::<PyString>() {
                Ok(text) => write_said(&mut out, "user", &text.to_string_lossy()),
                Err(_) => write_prompt_message(&mut out, &source, &mut prompt)?,
            }
        }
    }
    out.push(b']');
    prompt.messages = (out.len() > 2).then(|| json::into_text(out));
    Ok(prompt)
}

/// Reads an answer: a text, a list of messages or items, or anything else, which is shown as JSON text. None when it is empty.
///
/// # Errors
/// When it is longer than a message of the topic can be.
pub(crate) fn answer(response: &Bound<'_, PyAny>) -> Result<Option<String>, TooLarge> {
    if response.is_none() {
        return Ok(None);
    }
    let mut out = begun();
    if let Ok(text) = response.cast::<PyString>() {
        let text = text.to_string_lossy();
        if text.is_empty() {
            return Ok(None);
        }
        write_said(&mut out, "assistant", &text);
    } else if is_messages(response) {
        for source in items(response) {
            if let Some(source) = as_map(&source) {
                write_message(&mut out, &source, "assistant")?;
            }
        }
    } else {
        let text = json::to_json(response)?;
        write_said(&mut out, "assistant", &text);
    }
    out.push(b']');
    Ok((out.len() > 2).then(|| json::into_text(out)))
}

/// Instructions: a text, or a list of texts and text parts, which are joined by line ends.
pub(crate) fn instructions(system: &Bound<'_, PyAny>) -> Option<String> {
    if let Ok(text) = system.cast::<PyString>() {
        return Some(text.to_string_lossy().into_owned()).filter(|text| !text.is_empty());
    }
    let texts: Vec<String> = items(system)
        .into_iter()
        .filter_map(|part| match part.cast::<PyString>() {
            Ok(text) => Some(text.to_string_lossy().into_owned()),
            Err(_) => text_of(&as_map(&part)?, intern!(part.py(), "text")),
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// The first item decides: a list is of one kind.
fn is_messages(response: &Bound<'_, PyAny>) -> bool {
    let Some(first) = items(response).into_iter().next() else { return false };
    let Some(first) = as_map(&first) else { return false };
    let is_item = text_of(&first, intern!(first.py(), "type")).is_some_and(|kind| ITEMS.contains(&kind.as_str()));
    is_item || get(&first, intern!(first.py(), "role")).is_some()
}

/// A list that has been opened, with room for a usual message.
fn begun() -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.push(b'[');
    out
}

fn write_prompt_message(out: &mut Vec<u8>, source: &Bound<'_, PyAny>, prompt: &mut Prompt) -> Result<(), TooLarge> {
    let Some(source) = as_map(source) else { return Ok(()) };
    let role = text_of(&source, intern!(source.py(), "role"));
    if matches!(role.as_deref(), Some("system" | "developer")) {
        if let Some(text) = get(&source, intern!(source.py(), "content")).and_then(|content| instructions(&content)) {
            let system = prompt.system.get_or_insert_default();
            if !system.is_empty() {
                system.push('\n');
            }
            system.push_str(&text);
        }
        return Ok(());
    }
    write_message(out, &source, "user")
}

fn write_message(out: &mut Vec<u8>, source: &Bound<'_, PyDict>, role_unless_named: &str) -> Result<(), TooLarge> {
    let kind = text_of(source, intern!(source.py(), "type"));
    let role = text_of(source, intern!(source.py(), "role")).unwrap_or_else(|| {
        let by_kind = match kind.as_deref() {
            Some("function_call_output") => "tool",
            Some("function_call" | "reasoning") => "assistant",
            _ => role_unless_named,
        };
        by_kind.to_owned()
    });
    separate(out);
    out.extend_from_slice(b"{\"role\":");
    write_text(out, &role);
    if let Some(name) = text_of(source, intern!(source.py(), "name")).filter(|_| kind.is_none()) {
        out.extend_from_slice(b",\"name\":");
        write_text(out, &name);
    }
    out.extend_from_slice(b",\"parts\":[");
    match kind.as_deref() {
        Some("function_call" | "function_call_output" | "reasoning") => write_part(out, source)?,
        _ if role == "tool" || role == "function" => {
            write_tool_response(
                out,
                get(source, intern!(source.py(), "tool_call_id")),
                get(source, intern!(source.py(), "content")),
            )?;
        }
        _ => write_parts(out, get(source, intern!(source.py(), "content")))?,
    }
    for call in get(source, intern!(source.py(), "tool_calls")).map(|calls| items(&calls)).unwrap_or_default() {
        let Some(call) = as_map(&call) else { continue };
        let Some(function) = get(&call, intern!(call.py(), "function")).and_then(|function| as_map(&function)) else {
            continue;
        };
        write_tool_call(
            out,
            get(&call, intern!(call.py(), "id")),
            get(&function, intern!(function.py(), "name")),
            get(&function, intern!(function.py(), "arguments")),
        )?;
    }
    out.extend_from_slice(b"]}");
    Ok(())
}

fn write_parts(out: &mut Vec<u8>, content: Option<Bound<'_, PyAny>>) -> Result<(), TooLarge> {
    let Some(content) = content else { return Ok(()) };
    if let Ok(text) = content.cast::<PyString>() {
        let text = text.to_string_lossy();
        if !text.is_empty() {
            write_text_part(out, &text);
        }
        return Ok(());
    }
    for part in items(&content) {
        match (part.cast::<PyString>(), as_map(&part)) {
            (Ok(text), _) => write_text_part(out, &text.to_string_lossy()),
            (_, Some(part)) => write_part(out, &part)?,
            (_, None) => write_text_part(out, &json::to_json(&part)?),
        }
    }
    Ok(())
}

fn write_part(out: &mut Vec<u8>, part: &Bound<'_, PyDict>) -> Result<(), TooLarge> {
    match text_of(part, intern!(part.py(), "type")).as_deref() {
        Some("text" | "input_text" | "output_text") => {
            write_text_part(out, &text_of(part, intern!(part.py(), "text")).unwrap_or_default());
        }
        Some("thinking") => {
            separate(out);
            out.extend_from_slice(b"{\"type\":\"reasoning\",\"content\":");
            write_text(out, &text_of(part, intern!(part.py(), "thinking")).unwrap_or_default());
            out.push(b'}');
        }
        Some("tool_use") => write_tool_call(
            out,
            get(part, intern!(part.py(), "id")),
            get(part, intern!(part.py(), "name")),
            get(part, intern!(part.py(), "input")),
        )?,
        Some("tool_result") => write_tool_response(
            out,
            get(part, intern!(part.py(), "tool_use_id")),
            get(part, intern!(part.py(), "content")),
        )?,
        Some("function_call") => write_tool_call(
            out,
            get(part, intern!(part.py(), "call_id")),
            get(part, intern!(part.py(), "name")),
            get(part, intern!(part.py(), "arguments")),
        )?,
        Some("function_call_output") => {
            write_tool_response(
                out,
                get(part, intern!(part.py(), "call_id")),
                get(part, intern!(part.py(), "output")),
            )?;
        }
        Some(_) => {
            separate(out);
            json::write(out, part)?;
        }
        None => write_text_part(out, &json::to_json(part)?),
    }
    Ok(())
}

fn write_said(out: &mut Vec<u8>, role: &str, text: &str) {
    separate(out);
    out.extend_from_slice(b"{\"role\":");
    write_text(out, role);
    out.extend_from_slice(b",\"parts\":[");
    write_text_part(out, text);
    out.extend_from_slice(b"]}");
}

fn write_text_part(out: &mut Vec<u8>, text: &str) {
    separate(out);
    out.extend_from_slice(b"{\"type\":\"text\",\"content\":");
    write_text(out, text);
    out.push(b'}');
}

/// Arguments are JSON text at OpenAI and a map at Anthropic; both become a map where they can.
fn write_tool_call(
    out: &mut Vec<u8>,
    id: Option<Bound<'_, PyAny>>,
    name: Option<Bound<'_, PyAny>>,
    arguments: Option<Bound<'_, PyAny>>,
) -> Result<(), TooLarge> {
    separate(out);
    out.extend_from_slice(b"{\"type\":\"tool_call\"");
    write_member(out, "id", id)?;
    write_member(out, "name", name)?;
    let text = arguments.as_ref().and_then(|arguments| arguments.cast::<PyString>().ok());
    let text = text.map(|text| text.to_string_lossy());
    match text.filter(|text| serde_json::from_str::<IgnoredAny>(text).is_ok()) {
        Some(json) => {
            out.extend_from_slice(b",\"arguments\":");
            out.extend_from_slice(json.as_bytes());
        }
        None => write_member(out, "arguments", arguments)?,
    }
    out.push(b'}');
    Ok(())
}

fn write_tool_response(
    out: &mut Vec<u8>,
    id: Option<Bound<'_, PyAny>>,
    response: Option<Bound<'_, PyAny>>,
) -> Result<(), TooLarge> {
    separate(out);
    out.extend_from_slice(b"{\"type\":\"tool_call_response\"");
    write_member(out, "id", id)?;
    write_member(out, "response", response)?;
    out.push(b'}');
    Ok(())
}

fn write_member(out: &mut Vec<u8>, name: &str, value: Option<Bound<'_, PyAny>>) -> Result<(), TooLarge> {
    let Some(value) = value else { return Ok(()) };
    out.push(b',');
    write_text(out, name);
    out.push(b':');
    json::write(out, &value)
}

/// A comma, unless something has just been opened.
fn separate(out: &mut Vec<u8>) {
    if !matches!(out.last(), Some(b'[' | b'{')) {
        out.push(b',');
    }
}

/// The elements of a list or tuple; a single map or model is one, and a text none.
fn items<'py>(values: &Bound<'py, PyAny>) -> Vec<Bound<'py, PyAny>> {
    if let Ok(list) = values.cast::<PyList>() {
        return list.iter().collect();
    }
    if let Ok(tuple) = values.cast::<PyTuple>() {
        return tuple.iter().collect();
    }
    let is_one = values.cast::<PyDict>().is_ok() || values.hasattr(intern!(values.py(), "model_dump")).unwrap_or(false);
    if is_one { vec![values.clone()] } else { Vec::new() }
}

fn as_map<'py>(value: &Bound<'py, PyAny>) -> Option<Bound<'py, PyDict>> {
    match value.cast::<PyDict>() {
        Ok(map) => Some(map.clone()),
        Err(_) => json::dumped(value),
    }
}

fn get<'py>(map: &Bound<'py, PyDict>, name: &Bound<'py, PyString>) -> Option<Bound<'py, PyAny>> {
    map.get_item(name).ok().flatten().filter(|value| !value.is_none())
}

fn text_of<'py>(map: &Bound<'py, PyDict>, name: &Bound<'py, PyString>) -> Option<String> {
    let value = get(map, name)?;
    value.cast::<PyString>().ok().map(|text| text.to_string_lossy().into_owned())
}
