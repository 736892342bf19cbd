//! An operation from a span: pure, and the same every time the span is sent.

use opstream_schemas::operation::DEFAULT_WORKSPACE;
use opstream_schemas::validate::MAX_IDENTIFIER_BYTES;
use opstream_schemas::{Operation, OperationId, UtcMicros};

use super::content::Content;
use super::counts::{attempt, http_status, set_counts, time_to_first};
use super::dialects::Meaning;
use super::family::{Family, Inherited, Member};
use super::kept::cut;
use super::model::Value;
use super::open_ends::set_open_ends;
use super::parameters::set_parameters;
use super::said::clean;
use super::screen::Screen;
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
        attempt: attempt(said).unwrap_or(1),
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
        ttft_us: time_to_first(said),
        finish_reasons: said.value(Meaning::FinishReasons).map(texts).map(finish_reasons).unwrap_or_default(),
        ..Operation::default()
    };
    inherit(&mut operation, inherited);
    set_outcome(&mut operation, member);
    if kind.is_billed() {
        set_counts(&mut operation, said);
    }
    let mut screen = Screen::new(terms.content);
    set_parameters(&mut operation, said, &mut screen);
    set_content(&mut operation, member, terms.content);
    set_open_ends(&mut operation, member, of_resource, screen);
    Ok(operation)
}

fn set_content(operation: &mut Operation, member: &Member<'_, '_>, wanted: ContentCapture) {
    let is_wanted = wanted == ContentCapture::On;
    if !is_wanted && !operation.finish_reasons.is_empty() {
        return;
    }
    let content = Content::of(member);
    if operation.finish_reasons.is_empty() {
        operation.finish_reasons = finish_reasons(content.finish_reasons());
    }
    if is_wanted {
        content.apply(operation);
    }
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
    operation.http_status = http_status(status);
}

fn finish_reasons(reasons: Vec<String>) -> Vec<String> {
    reasons.into_iter().take(shape::MOST_REASONS).map(|reason| cut(&reason, shape::LONGEST_REASON)).collect()
}

pub(super) fn texts(value: &Value<'_>) -> Vec<String> {
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
