//! An operation from a span: pure, and the same every time the span is sent.

use opstream_schemas::operation::DEFAULT_WORKSPACE;
use opstream_schemas::validate::MAX_IDENTIFIER_BYTES;
use opstream_schemas::{NanoUsd, Operation, OperationId, UtcMicros};
use serde_json::{Map, Value as Json};

use super::content::Content;
use super::dialects::{Meaning, Series};
use super::family::{Family, Inherited, Member, associations};
use super::kept::{Kept, LONGEST_NAME, cut};
use super::model::Value;
use super::said::{Said, clean};
use crate::ContentCapture;
use crate::front_door::shape;

/// Separates ids of spans from ids that are derived of anything else.
const DERIVATION: &[u8] = b"otlp-span";

/// What a request says of all its spans.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// Of the request's header; else the resource's `service.namespace`.
    pub(crate) workspace: Option<String>,
    /// Whether content is read.
    pub(crate) content: ContentCapture,
}

/// The operation of the span at this place.
///
/// # Errors
/// What is missing to tell it from others.
pub(super) fn operation_of(family: &Family<'_, '_>, place: usize, terms: &Terms) -> Result<Operation, String> {
    let member = &family.members[place];
    let Member { span, said, kind, operation_type, .. } = member;
    let of_resource = &family.resources[member.resource];
    let [trace_id, span_id] = [hex_of(&span.trace_id, 16, "trace"), hex_of(&span.span_id, 8, "span")];
    let (trace_id, span_id) = (trace_id?, span_id?);
    if span.start_time_unix_nano == 0 {
        return Err("it has no start".to_owned());
    }
    let started_at = micros(span.start_time_unix_nano);
    let of = |meaning| said.text(meaning).or_else(|| of_resource.text(meaning));
    let workspace =
        terms.workspace.clone().or_else(|| of(Meaning::Workspace)).unwrap_or_else(|| DEFAULT_WORKSPACE.to_owned());
    let parts = [workspace.as_bytes(), DERIVATION, &span.trace_id, &span.span_id];
    let inherited = family.inherited(place);
    let mut operation = Operation {
        operation_id: OperationId::derive(started_at.to_millis(), &parts),
        workspace,
        trace_id: Some(trace_id),
        span_id: Some(span_id),
        parent_span_id: hex_of(&span.parent_span_id, 8, "parent").ok(),
        call_id: said.text(Meaning::Call),
        attempt: said.int(Meaning::Attempt).and_then(|attempt| i32::try_from(attempt).ok()).unwrap_or(1),
        response_id: said.text(Meaning::ResponseId),
        project: of(Meaning::Project),
        team: of(Meaning::Team),
        environment: of(Meaning::Environment),
        service: of(Meaning::Service),
        operation_type: operation_type.to_string(),
        provider: said.text(Meaning::Provider),
        model: said.text(Meaning::Model),
        response_model: said.text(Meaning::ResponseModel),
        endpoint: said.text(Meaning::Endpoint).map(|endpoint| cut(&endpoint, shape::LONGEST_TEXT)),
        service_tier: said.text(Meaning::ServiceTier),
        stream: said.bool(Meaning::Stream),
        temperature: said.double(Meaning::Temperature),
        max_tokens: said.int(Meaning::MaxTokens),
        started_at,
        latency_us: latency(span.start_time_unix_nano, span.end_time_unix_nano),
        ttft_us: said.double(Meaning::TimeToFirstSeconds).and_then(micros_of_seconds),
        finish_reasons: said.value(Meaning::FinishReasons).map(texts).map(finish_reasons).unwrap_or_default(),
        ..Operation::default()
    };
    inherit(&mut operation, inherited);
    set_outcome(&mut operation, member);
    if kind.is_billed() {
        set_counts(&mut operation, said);
    }
    set_parameters(&mut operation, said);
    let is_wanted = terms.content == ContentCapture::On;
    if is_wanted || operation.finish_reasons.is_empty() {
        let content = Content::of(member);
        if operation.finish_reasons.is_empty() {
            operation.finish_reasons = finish_reasons(content.finish_reasons());
        }
        if is_wanted {
            content.apply(&mut operation);
        }
    }
    set_open_ends(&mut operation, member, of_resource);
    Ok(operation)
}

fn inherit(operation: &mut Operation, inherited: Inherited) {
    let Inherited { session_id, user_id, agent_id, agent_name, action_id } = inherited;
    (operation.session_id, operation.user_id) = (session_id, user_id);
    (operation.agent_id, operation.agent_name) = (agent_id.or_else(|| agent_name.clone()), agent_name);
    operation.action_id = action_id;
}

fn set_outcome(operation: &mut Operation, member: &Member<'_, '_>) {
    let Member { span, said, .. } = member;
    let exception = span.events.iter().rev().find(|event| event.name == "exception");
    let of_exception = |key: &str| {
        let found = exception?.attributes.iter().find(|attribute| attribute.key == key)?;
        Some(clean(&found.value.to_text()).into_owned()).filter(|text| !text.is_empty())
    };
    // What is wrong is no identity, which another text would change.
    let cut_to = |bytes| move |text: String| cut(&text, bytes);
    operation.error_type = said.text(Meaning::ErrorType).map(cut_to(MAX_IDENTIFIER_BYTES));
    operation.success = !span.status.is_error() && operation.error_type.is_none();
    if !operation.success {
        operation.error_type =
            operation.error_type.take().or_else(|| of_exception("exception.type")).map(cut_to(MAX_IDENTIFIER_BYTES));
        let message = Some(clean(&span.status.message).into_owned()).filter(|text| !text.is_empty());
        operation.error_message = message
            .or_else(|| said.text(Meaning::ErrorMessage))
            .or_else(|| of_exception("exception.message"))
            .map(cut_to(shape::LONGEST_TEXT));
    }
    let status = said.int(Meaning::HttpStatus).or_else(|| operation.error_type.as_ref()?.parse().ok());
    operation.http_status =
        status.and_then(|status| i32::try_from(status).ok()).filter(|status| (100..600).contains(status));
}

/// The counts of a billed span. Parts that are larger than the whole are told beside it and not within: some instrumentations pass on
/// what the provider excludes.
fn set_counts(operation: &mut Operation, said: &Said<'_, '_>) {
    let count = |meaning| said.int(meaning).filter(|count| *count >= 0);
    let part = |meaning| count(meaning).unwrap_or(0);
    let [read, write] = [Meaning::CacheReadTokens, Meaning::CacheWriteTokens].map(part);
    let reasoning = part(Meaning::ReasoningTokens);
    let total = count(Meaning::TotalTokens);
    let (mut input, mut output) = (count(Meaning::InputTokens), count(Meaning::OutputTokens));
    if input.is_none() {
        input = total.zip(output).and_then(|(total, output)| total.checked_sub(output)).filter(|input| *input >= 0);
    } else if output.is_none() {
        output = total.zip(input).and_then(|(total, input)| total.checked_sub(input)).filter(|output| *output >= 0);
    }
    let cached = read.saturating_add(write);
    operation.input_tokens = input
        .map(|input| if cached > input { input.saturating_add(cached) } else { input })
        .or((cached > 0).then_some(cached));
    operation.output_tokens = output
        .map(|output| if reasoning > output { output.saturating_add(reasoning) } else { output })
        .or((reasoning > 0).then_some(reasoning));
    (operation.cache_read_tokens, operation.cache_write_tokens) = (read, write);
    operation.reasoning_tokens = reasoning;
    operation.input_audio_tokens = part(Meaning::InputAudioTokens);
    operation.output_audio_tokens = part(Meaning::OutputAudioTokens);
    operation.input_image_tokens = part(Meaning::InputImageTokens);
    operation.output_image_tokens = part(Meaning::OutputImageTokens);
    let cost = said.double(Meaning::ReportedCost).filter(|cost| *cost >= 0.0);
    operation.reported_cost_usd = cost.and_then(|cost| NanoUsd::from_f64(cost).ok());
}

/// Parameters of the request: those with a field of their own, and the others as one JSON object.
fn set_parameters(operation: &mut Operation, said: &Said<'_, '_>) {
    let mut parameters = match said.value(Meaning::InvocationParameters).map(Value::to_embedded_json) {
        Some(Json::Object(parameters)) => parameters,
        _ => Map::new(),
    };
    for (_, name, value) in said
        .series
        .iter()
        .filter(|(series, ..)| matches!(series, Series::RequestParameter | Series::OldRequestParameter))
    {
        parameters.insert(clean(name).into_owned(), value.to_json());
    }
    set_asked_model(operation, said, parameters.get("model").and_then(Json::as_str));
    // Fields of their own, and content.
    for name in ["model", "messages", "input", "tools"] {
        parameters.remove(name);
    }
    let number = |parameters: &Map<String, Json>, name| parameters.get(name).and_then(Json::as_f64);
    if operation.temperature.is_none() {
        operation.temperature = number(&parameters, "temperature");
    }
    for name in ["max_tokens", "max_completion_tokens", "max_output_tokens"] {
        operation.max_tokens = operation.max_tokens.or_else(|| parameters.get(name)?.as_i64());
    }
    if operation.stream.is_none() {
        operation.stream = parameters.get("stream").and_then(Json::as_bool);
    }
    for name in ["temperature", "max_tokens", "max_completion_tokens", "max_output_tokens", "stream"] {
        parameters.remove(name);
    }
    let mut kept = Kept::default();
    parameters.into_iter().for_each(|(name, value)| kept.insert(&name, value));
    let parameters = kept.into_object();
    if !parameters.is_empty() {
        operation.request_parameters = Some(Json::Object(parameters).to_string());
    }
}

/// `OpenInference` has names that stand for the model that was asked for until there is an answer, and for the one that answered from then on.
const EITHER_MODEL: [&str; 2] = ["llm.model_name", "embedding.model_name"];

/// The model that the request's parameters name.
fn set_asked_model(operation: &mut Operation, said: &Said<'_, '_>, asked: Option<&str>) {
    let Some(asked) = asked.map(clean).filter(|asked| !asked.is_empty()) else { return };
    let is_either = said.attribute(Meaning::Model).is_none_or(|attribute| EITHER_MODEL.contains(&&*attribute.key));
    if is_either {
        let named = operation.model.replace(asked.into_owned()).filter(|named| Some(named) != operation.model.as_ref());
        operation.response_model = operation.response_model.take().or(named);
    }
}

fn set_open_ends(operation: &mut Operation, member: &Member<'_, '_>, of_resource: &Said<'_, '_>) {
    let Member { span, scope, said, kind, .. } = member;
    let mut dropped = said.dropped + set_tags(operation, said);
    let mut kept = Kept::default();
    if let Some(Json::Object(metadata)) = said.value(Meaning::Metadata).map(Value::to_embedded_json) {
        metadata.into_iter().for_each(|(name, value)| kept.insert(&name, value));
    }
    let usage_of_agent = if kind.is_billed() { Vec::new() } else { unbilled(said) };
    for attribute in said.rest.iter().copied().chain(usage_of_agent) {
        kept.insert(&attribute.key, attribute.value.to_json());
    }
    let mut kept_of_resource = Kept::default();
    for attribute in of_resource.rest.iter().filter(|attribute| !attribute.key.starts_with("telemetry.sdk.")) {
        kept_of_resource.insert(&attribute.key, attribute.value.to_json());
    }
    dropped += kept.dropped() + kept_of_resource.dropped();
    let mut metadata = kept.into_object();
    if dropped > 0 {
        metadata.insert("otel.dropped_attributes".to_owned(), dropped.into());
    }
    metadata.insert("otel.span.name".to_owned(), cut(&span.name, LONGEST_NAME).into());
    if !scope.name.is_empty() {
        metadata.insert("otel.scope.name".to_owned(), cut(&scope.name, LONGEST_NAME).into());
    }
    let of_resource = kept_of_resource.into_object();
    if !of_resource.is_empty() {
        metadata.insert("resource".to_owned(), Json::Object(of_resource));
    }
    operation.metadata = Some(Json::Object(metadata).to_string());
}

/// Names and values that are too long are cut. Returns how many tags were left out.
fn set_tags(operation: &mut Operation, said: &Said<'_, '_>) -> usize {
    let names = said.value(Meaning::Tags).map(texts).unwrap_or_default();
    let named = names.iter().map(|name| (name.as_str(), "true".to_owned()));
    let mut dropped = 0;
    for (name, value) in associations(said).chain(named) {
        if operation.tags.len() >= shape::MOST_TAGS {
            dropped += 1;
        } else {
            operation.tags.insert(cut(name, LONGEST_NAME), cut(&value, LONGEST_NAME));
        }
    }
    dropped
}

/// Counts and costs of a span that is not billed, kept under their own names.
fn unbilled<'s, 'a>(said: &Said<'s, 'a>) -> Vec<&'s super::model::Attribute<'a>> {
    use Meaning::{
        CacheReadTokens, CacheWriteTokens, InputTokens, OutputTokens, ReasoningTokens, ReportedCost, TotalTokens,
    };
    let counts =
        [InputTokens, OutputTokens, TotalTokens, CacheReadTokens, CacheWriteTokens, ReasoningTokens, ReportedCost];
    counts.into_iter().filter_map(|meaning| said.attribute(meaning)).collect()
}

fn finish_reasons(reasons: Vec<String>) -> Vec<String> {
    reasons.into_iter().take(shape::MOST_REASONS).map(|reason| cut(&reason, shape::LONGEST_REASON)).collect()
}

fn texts(value: &Value<'_>) -> Vec<String> {
    let of_one = |value: &Value<'_>| Some(clean(&value.to_text()).into_owned()).filter(|text| !text.is_empty());
    match value {
        Value::List(list) => list.iter().filter_map(of_one).collect(),
        Value::Text(text) if text.trim_start().starts_with('[') => {
            serde_json::from_str::<Vec<String>>(text).unwrap_or_else(|_| of_one(value).into_iter().collect())
        }
        one => of_one(one).into_iter().collect(),
    }
}

pub(super) fn hex_of(id: &[u8], bytes: usize, what: &str) -> Result<String, String> {
    if id.len() != bytes || id.iter().all(|byte| *byte == 0) {
        return Err(format!("its {what} id is not {} hexadecimal digits, or all of them are 0", 2 * bytes));
    }
    Ok(hex::encode(id))
}

pub(super) fn micros(nanos: u64) -> UtcMicros {
    UtcMicros::from_micros(i64::try_from(nanos / 1_000).unwrap_or(i64::MAX))
}

/// Microseconds from one moment to another; none when the span has no end, or ends before it begins.
fn latency(start: u64, end: u64) -> Option<i64> {
    end.checked_sub(start).and_then(|nanos| i64::try_from(nanos / 1_000).ok())
}

#[expect(clippy::cast_possible_truncation, reason = "bounded above, and fractions of a microsecond do not count")]
fn micros_of_seconds(seconds: f64) -> Option<i64> {
    (0.0..1e9).contains(&seconds).then(|| (seconds * 1e6).round() as i64)
}
