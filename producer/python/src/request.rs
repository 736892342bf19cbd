//! The arguments of a call to a provider: model and limits as fields, the prompt as content, what steers sampling as
//! parameters.
//!
//! Other arguments are not kept: headers, clients and keys are among them, and whatever a provider adds next.

use opstream_schemas::Operation;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFloat, PyInt, PyList, PyString};

use crate::content;
use crate::json::{self, TooLarge, type_name, write_text};
use crate::problems::Problems;
use crate::values;

/// Arguments that are kept as `request_parameters`: known, harmless and small.
const PARAMETERS: [&str; 28] = [
    "candidate_count",
    "dimensions",
    "encoding_format",
    "frequency_penalty",
    "include",
    "logprobs",
    "modalities",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "previous_response_id",
    "reasoning",
    "reasoning_effort",
    "repetition_penalty",
    "seed",
    "service_tier",
    "stop",
    "stop_sequences",
    "store",
    "stream_options",
    "thinking",
    "tool_choice",
    "top_k",
    "top_logprobs",
    "top_p",
    "truncation",
    "verbosity",
    "background",
];
/// Names of the limit of tokens, in the order in which they count.
const LIMITS: [&str; 4] = ["max_tokens", "max_completion_tokens", "max_output_tokens", "max_tokens_to_sample"];
/// Types with which SDKs say that an argument was not given.
const ABSENT: [&str; 3] = ["NotGiven", "Omit", "NotGivenOr"];

/// Reads the arguments into the fields that they have; `with_content` says whether prompts are kept.
pub(crate) fn read(operation: &mut Operation, arguments: &Bound<'_, PyDict>, with_content: bool, problems: &Problems) {
    let mut request = Request { operation, parameters: Vec::new(), limit: None };
    for (name, value) in arguments.iter() {
        let Ok(name) = name.cast::<PyString>() else { continue };
        let name = name.to_string_lossy();
        if is_absent(&value) {
            continue;
        }
        let read = request.read_argument(&name, &value);
        let read = if with_content { read.and_then(|()| request.read_content(&name, &value)) } else { read };
        if let Err(reason) = read {
            problems.note(&format!("request.{name}"), &reason);
        }
    }
    request.end();
}

/// A request on its way into an operation.
struct Request<'a> {
    operation: &'a mut Operation,
    /// The beginning of a JSON object; empty without any.
    parameters: Vec<u8>,
    /// Place in [`LIMITS`], and the limit.
    limit: Option<(usize, i64)>,
}

impl Request<'_> {
    fn read_argument(&mut self, name: &str, value: &Bound<'_, PyAny>) -> Result<(), String> {
        match name {
            "model" => self.operation.model = Some(values::text(value)?),
            "temperature" => self.operation.temperature = Some(values::float(value)?),
            "stream" => self.operation.stream = values::claim(value).ok(),
            _ => {
                if let Some(place) = LIMITS.iter().position(|limit| *limit == name) {
                    let limit = values::count(value)?;
                    let counts = limit != 0 && self.limit.is_none_or(|(known, _)| place < known);
                    self.limit = if counts { Some((place, limit)) } else { self.limit };
                } else if PARAMETERS.contains(&name) {
                    let value = json::to_json(value).map_err(too_large)?;
                    self.parameters.push(if self.parameters.is_empty() { b'{' } else { b',' });
                    write_text(&mut self.parameters, name);
                    self.parameters.push(b':');
                    self.parameters.extend_from_slice(value.as_bytes());
                }
            }
        }
        Ok(())
    }

    /// Reads prompt, instructions and tools.
    fn read_content(&mut self, name: &str, value: &Bound<'_, PyAny>) -> Result<(), String> {
        let operation = &mut *self.operation;
        match name {
            "messages" | "input" | "prompt" | "contents" => {
                let prompt = content::prompt(value).map_err(too_large)?;
                operation.system_prompt = operation.system_prompt.take().or(prompt.system);
                operation.input_messages = prompt.messages;
            }
            "system" | "instructions" => {
                operation.system_prompt = content::instructions(value).or(operation.system_prompt.take());
            }
            "tools" | "functions" => {
                let tools = json::to_json(value).map_err(too_large)?;
                operation.tool_definitions = Some(tools).filter(|tools| tools != "[]");
            }
            _ => {}
        }
        Ok(())
    }

    fn end(mut self) {
        self.operation.max_tokens = self.limit.map(|(_, limit)| limit);
        if !self.parameters.is_empty() {
            self.parameters.push(b'}');
            self.operation.request_parameters = Some(json::into_text(self.parameters));
        }
    }
}

fn too_large(_: TooLarge) -> String {
    "is too large".to_owned()
}

/// Whether an argument is as good as not given.
fn is_absent(value: &Bound<'_, PyAny>) -> bool {
    value.is_none() || (is_stranger(value) && ABSENT.contains(&type_name(value).as_str()))
}

/// Whether a value is of none of the types that arguments usually have; the name of a type is dear.
fn is_stranger(value: &Bound<'_, PyAny>) -> bool {
    let is_usual = value.cast::<PyString>().is_ok()
        || value.cast::<PyList>().is_ok()
        || value.cast::<PyDict>().is_ok()
        || value.cast::<PyInt>().is_ok()
        || value.cast::<PyFloat>().is_ok();
    !is_usual
}
