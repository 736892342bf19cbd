//! The fleet's operations as an application with `OpenInference` exports them. What Phoenix is measured with carries the same.

use opstream_schemas::Operation;
use prost::{Message, Oneof};
use serde_json::{Value, json};

/// `ExportTraceServiceRequest`, as far as it is needed here; the numbers are the protocol's.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Request {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start: u64,
    #[prost(fixed64, tag = "8")]
    end: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<Attribute>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Scalar", tags = "1, 3")]
    value: Option<Scalar>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Scalar {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(int64, tag = "3")]
    Count(i64),
}

const CLIENT: i32 = 3;
const OK: i32 = 1;
const ERROR: i32 = 2;

impl Request {
    /// One span for each operation.
    pub(super) fn of(operations: impl Iterator<Item = Operation>) -> Self {
        let spans = operations.map(|operation| Span::of(&operation)).collect();
        Self { resource_spans: vec![ResourceSpans { scope_spans: vec![ScopeSpans { spans }] }] }
    }

    /// The protocol's JSON.
    pub(super) fn to_json(&self) -> Value {
        let spans =
            self.resource_spans.iter().flat_map(|resource| &resource.scope_spans).flat_map(|scope| &scope.spans);
        let spans: Vec<Value> = spans.map(Span::to_json).collect();
        json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
    }
}

impl Span {
    fn of(operation: &Operation) -> Self {
        let nanoseconds = |microseconds: i64| u64::try_from(microseconds).unwrap_or_default() * 1_000;
        let start = operation.started_at.micros();
        let kind = match operation.operation_type.as_str() {
            "execute_tool" => "TOOL",
            "embeddings" => "EMBEDDING",
            _ => "LLM",
        };
        let texts = [
            ("openinference.span.kind", Some(kind)),
            ("llm.provider", operation.provider.as_deref()),
            ("llm.model_name", operation.model.as_deref()),
            ("session.id", operation.session_id.as_deref()),
            ("user.id", operation.user_id.as_deref()),
            ("agent.name", operation.agent_name.as_deref()),
        ];
        let metadata =
            json!({"team": operation.team, "project": operation.project, "release": "2026.11.3"}).to_string();
        let counts = [
            ("llm.token_count.prompt", operation.input_tokens),
            ("llm.token_count.completion", operation.output_tokens),
        ];
        let texts = texts.into_iter().filter_map(|(key, text)| Some((key, Scalar::Text(text?.to_owned()))));
        let counts = counts.into_iter().filter_map(|(key, count)| Some((key, Scalar::Count(count?))));
        let all = texts.chain([("metadata", Scalar::Text(metadata))]).chain(counts);
        Self {
            trace_id: id(operation.trace_id.as_deref()),
            id: id(operation.span_id.as_deref()),
            parent_id: id(operation.parent_span_id.as_deref()),
            name: operation.operation_type.clone(),
            kind: CLIENT,
            start: nanoseconds(start),
            end: nanoseconds(start + operation.latency_us.unwrap_or_default()),
            attributes: all.map(|(key, value)| Attribute::new(key, value)).collect(),
            status: Some(Status { code: if operation.success { OK } else { ERROR } }),
        }
    }

    fn to_json(&self) -> Value {
        let attributes: Vec<Value> = self.attributes.iter().map(Attribute::to_json).collect();
        json!({
            "traceId": hex::encode(&self.trace_id),
            "spanId": hex::encode(&self.id),
            "parentSpanId": hex::encode(&self.parent_id),
            "name": self.name,
            "kind": self.kind,
            "startTimeUnixNano": self.start.to_string(),
            "endTimeUnixNano": self.end.to_string(),
            "attributes": attributes,
            "status": {"code": self.status.as_ref().map(|status| status.code)},
        })
    }
}

impl Attribute {
    fn new(key: &str, value: Scalar) -> Self {
        Self { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
    }

    fn to_json(&self) -> Value {
        let value = match self.value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(Scalar::Text(text)) => json!({"stringValue": text}),
            Some(Scalar::Count(count)) => json!({"intValue": count.to_string()}),
            None => json!({}),
        };
        json!({"key": self.key, "value": value})
    }
}

fn id(text: Option<&str>) -> Vec<u8> {
    text.map(|text| hex::decode(text).expect("the fleet's ids are hexadecimal")).unwrap_or_default()
}
