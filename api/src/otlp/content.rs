//! Prompts, answers and tool definitions of a span, in the shape of OpenTelemetry's messages: `[{role, parts: [{type, …}]}]`.
//!
//! `OpenInference` and `OpenLLMetry` write them as one attribute for each leaf (`llm.input_messages.0.message.role`); these are put together
//! again.

use opstream_schemas::Operation;
use opstream_schemas::span_content::SpanContent;
use serde_json::{Map, Value as Json, json};

use super::dialects::{Meaning, Series};
use super::family::Member;
use super::json_text;
use super::kind::Kind;
use super::model::{Attribute, LogRecord, Value};
use super::said::{Said, clean};
use super::tree::{documents, elements, tree};

/// What a span, or a log record of it, says of its content.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Content {
    system_prompt: Option<String>,
    input: Vec<Json>,
    output: Vec<Json>,
    tools: Vec<Json>,
}

impl Content {
    /// Reads it, current conventions first.
    pub(super) fn of(member: &Member<'_, '_>) -> Self {
        let mut content = Self::default();
        content.read_attributes(&member.said);
        content.read_series(member);
        if content.input.is_empty() && content.output.is_empty() {
            content.read_events(member);
        }
        content.read_texts(member);
        content.settle();
        content
    }

    /// Reads an event that is a log record: messages in its attributes or its body.
    pub(super) fn of_log_record(name: &str, record: &LogRecord<'_>) -> Self {
        let in_body = match &record.body {
            Value::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        let mut content = Self::default();
        content.read_attributes(&Said::of(&record.attributes));
        if content == Self::default() {
            content.read_attributes(&Said::of(in_body));
        }
        if content == Self::default() {
            content.read_event(name, &fields_of(record.attributes.iter().chain(in_body)));
        }
        // Where content is not captured, instrumentations send the bare event.
        let has_parts = |message: &Json| message["parts"].as_array().is_none_or(|parts| !parts.is_empty());
        content.input.retain(has_parts);
        content.output.retain(has_parts);
        content.settle();
        content
    }

    /// Why the answers ended, as far as they say so.
    pub(super) fn finish_reasons(&self) -> Vec<String> {
        let reasons = self.output.iter().filter_map(|message| message.get("finish_reason")?.as_str());
        reasons.filter(|reason| !reason.is_empty()).map(|reason| clean(reason).into_owned()).collect()
    }

    /// Puts it into an operation.
    pub(super) fn apply(self, operation: &mut Operation) {
        operation.system_prompt = self.system_prompt;
        operation.input_messages = list_of(self.input);
        operation.output_messages = list_of(self.output);
        operation.tool_definitions = list_of(self.tools);
    }

    /// Makes it content of its own.
    pub(super) fn into_span_content(self) -> SpanContent {
        SpanContent {
            system_prompt: self.system_prompt.map(|text| clean(&text).into_owned()),
            input_messages: list_of(self.input),
            output_messages: list_of(self.output),
            tool_definitions: list_of(self.tools),
            ..SpanContent::default()
        }
    }

    /// A system prompt that is told nowhere else is among the messages.
    fn settle(&mut self) {
        if self.system_prompt.is_none() {
            self.system_prompt = system_prompt(&self.input);
        }
    }

    fn read_attributes(&mut self, said: &Said<'_, '_>) {
        let list = |meaning| match said.value(meaning).map(Value::to_embedded_json) {
            Some(Json::Array(list)) => list,
            Some(Json::Null) | None => Vec::new(),
            Some(one) => vec![one],
        };
        self.input = list(Meaning::InputMessages);
        self.output = list(Meaning::OutputMessages);
        self.tools = list(Meaning::ToolDefinitions);
        let instructions = list(Meaning::SystemPrompt);
        self.system_prompt = joined(instructions.iter().filter_map(text_of_part));
    }

    fn read_series(&mut self, member: &Member<'_, '_>) {
        let tree = |wanted| tree(&member.said, wanted);
        let of_inference = |node: Json| message(node.get("message").unwrap_or(&Json::Null));
        let of_prompt = |node: Json| message(&node);
        let fill = |target: &mut Vec<Json>, found: Vec<Json>| {
            if target.is_empty() {
                *target = found;
            }
        };
        fill(&mut self.input, tree(Series::InferenceInput).map(of_inference).collect());
        fill(&mut self.input, tree(Series::Prompt).map(of_prompt).collect());
        fill(&mut self.output, tree(Series::InferenceOutput).map(of_inference).collect());
        fill(&mut self.output, tree(Series::Completion).map(of_prompt).collect());
        let schema = |node: Json| node.pointer("/tool/json_schema").map(embedded);
        fill(&mut self.tools, tree(Series::InferenceTools).filter_map(schema).collect());
        fill(&mut self.tools, tree(Series::Functions).collect());
        self.read_documents(member);
    }

    /// Texts that are embedded, completed, found or ranked: one message of several parts.
    fn read_documents(&mut self, member: &Member<'_, '_>) {
        let parts = |series, path| documents(tree(&member.said, series), path);
        if self.input.is_empty() {
            let mut input = parts(Series::Embeddings, "/embedding/text");
            input.extend(parts(Series::PlainPrompts, "/prompt/text"));
            let ranked = parts(Series::DocumentsToRank, "/document/content");
            if !ranked.is_empty() {
                // What they are ranked by.
                input.extend(
                    member.said.text(Meaning::InputText).map(|query| json!({"type": "text", "content": query})),
                );
                input.extend(ranked);
            }
            self.input.extend((!input.is_empty()).then(|| with_role("user", &input)));
        }
        if self.output.is_empty() {
            let mut output = parts(Series::PlainCompletions, "/completion/text");
            output.extend(parts(Series::DocumentsFound, "/document/content"));
            output.extend(parts(Series::DocumentsRanked, "/document/content"));
            self.output.extend((!output.is_empty()).then(|| with_role("assistant", &output)));
        }
    }

    /// Up to 1.36 messages were events. As events of the span they are read here.
    fn read_events(&mut self, member: &Member<'_, '_>) {
        for event in member.span.events.iter().take(MOST_EVENTS) {
            self.read_event(&event.name, &fields_of(&event.attributes));
        }
    }

    fn read_event(&mut self, name: &str, fields: &Map<String, Json>) {
        let role = name.strip_prefix("gen_ai.").and_then(|name| name.strip_suffix(".message"));
        match (role, name) {
            (Some(role @ ("system" | "user" | "assistant" | "tool")), _) => {
                self.input.push(message_of_event(role, fields));
            }
            (_, "gen_ai.choice") => self.output.push(message_of_event("assistant", fields)),
            (_, "gen_ai.content.prompt") => self.input.extend(fields.get("gen_ai.prompt").map(loose_message)),
            (_, "gen_ai.content.completion") => {
                self.output.extend(fields.get("gen_ai.completion").map(loose_message));
            }
            _ => {}
        }
    }

    /// Input and output as one text each.
    fn read_texts(&mut self, member: &Member<'_, '_>) {
        let found = |meaning| member.said.value(meaning).map(Value::to_embedded_json);
        let name = member.said.text(Meaning::Action);
        if self.input.is_empty()
            && let Some(input) = found(Meaning::InputText)
        {
            self.input.push(if member.kind == Kind::Tool {
                json!({"role": "assistant", "parts": [{"type": "tool_call", "name": name, "arguments": input}]})
            } else {
                json!({"role": "user", "parts": [{"type": "text", "content": text_of(&input)}]})
            });
        }
        if self.output.is_empty()
            && let Some(output) = found(Meaning::OutputText)
        {
            self.output.push(if member.kind == Kind::Tool {
                json!({"role": "tool", "parts": [{"type": "tool_call_response", "response": output}]})
            } else {
                json!({"role": "assistant", "parts": [{"type": "text", "content": text_of(&output)}]})
            });
        }
    }
}

fn list_of(list: Vec<Json>) -> Option<String> {
    (!list.is_empty()).then(|| Json::Array(list).to_string())
}

fn fields_of<'s, 'a: 's>(attributes: impl IntoIterator<Item = &'s Attribute<'a>>) -> Map<String, Json> {
    let attributes = attributes.into_iter();
    attributes.map(|attribute| (attribute.key.to_string(), attribute.value.to_embedded_json())).collect()
}

/// Most events of a span that are looked at for messages.
const MOST_EVENTS: usize = 10_000;
/// A message of `OpenInference` (without its wrapper) or `OpenLLMetry`.
fn message(node: &Json) -> Json {
    let mut parts = Vec::new();
    if let Some(content) = node.get("content").filter(|content| **content != json!("")) {
        push_content(&mut parts, &embedded(content));
    }
    for element in elements(node.get("contents")) {
        push_content(&mut parts, element.get("message_content").unwrap_or(element));
    }
    for element in elements(node.get("tool_calls")) {
        parts.push(tool_call(element.get("tool_call").unwrap_or(element)));
    }
    let mut message = with_role(node.get("role").and_then(Json::as_str).unwrap_or("user"), &parts);
    if let Some(id) = node.get("tool_call_id") {
        message["tool_call_id"] = id.clone();
    }
    if let Some(reason) = node.get("finish_reason") {
        message["finish_reason"] = reason.clone();
    }
    message
}

/// An event's message: `content` and `tool_calls`, perhaps within `message` or as one text.
fn message_of_event(role: &str, body: &Map<String, Json>) -> Json {
    let inner = body.get("message").or_else(|| body.get("gen_ai.event.content")).and_then(Json::as_object);
    let field = |name: &str| inner.and_then(|inner| inner.get(name)).or_else(|| body.get(name));
    let mut parts = Vec::new();
    if let Some(content) = field("content") {
        push_content(&mut parts, content);
    }
    if let Some(Json::Array(calls)) = field("tool_calls") {
        parts.extend(calls.iter().map(tool_call));
    }
    let role = field("role").and_then(Json::as_str).unwrap_or(role).to_owned();
    let mut message = with_role(&role, &parts);
    if let Some(reason) = body.get("finish_reason") {
        message["finish_reason"] = reason.clone();
    }
    message
}

/// A message of unknown shape.
fn loose_message(content: &Json) -> Json {
    let mut parts = Vec::new();
    push_content(&mut parts, content);
    with_role("user", &parts)
}

/// A call of a tool, flat or with its function within.
fn tool_call(call: &Json) -> Json {
    let function = call.get("function").unwrap_or(call);
    json!({
        "type": "tool_call",
        "id": call.get("id"),
        "name": function.get("name"),
        "arguments": function.get("arguments").map(embedded),
    })
}

fn with_role(role: &str, parts: &[Json]) -> Json {
    json!({"role": role, "parts": parts})
}

/// Content is a text, a list of parts as providers have them, or one such part.
fn push_content(parts: &mut Vec<Json>, content: &Json) {
    match content {
        Json::Null => {}
        Json::Array(list) => list.iter().for_each(|part| push_content(parts, part)),
        Json::Object(part) => parts.push(match part.get("text").and_then(Json::as_str) {
            Some(text) => json!({"type": "text", "content": text}),
            None => content.clone(),
        }),
        other => parts.push(json!({"type": "text", "content": text_of(other)})),
    }
}

/// JSON that is written as text, as arguments and lists of parts are.
fn embedded(value: &Json) -> Json {
    match value {
        Json::String(text) if text.trim_start().starts_with(['{', '[']) => {
            json_text::read_embedded(text).unwrap_or_else(|| value.clone())
        }
        other => other.clone(),
    }
}

fn text_of(value: &Json) -> String {
    match value {
        Json::String(text) => clean(text).into_owned(),
        other => other.to_string(),
    }
}

/// The system prompt among the messages.
fn system_prompt(messages: &[Json]) -> Option<String> {
    let is_system =
        |message: &&Json| matches!(message.get("role").and_then(Json::as_str), Some("system" | "developer"));
    let parts = messages.iter().filter(is_system).filter_map(|message| message.get("parts")?.as_array()).flatten();
    joined(parts.filter_map(text_of_part))
}

fn text_of_part(part: &Json) -> Option<&str> {
    part.as_str().or_else(|| part.get("content")?.as_str())
}

fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> Option<String> {
    let texts: Vec<&str> = texts.collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}
