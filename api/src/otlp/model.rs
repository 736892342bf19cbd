//! Requests of spans and of log records as both encodings give them: one shape, borrowed from the body where it can be.
//!
//! The JSON encoding is read by serde into these types, as leniently as [`lenient`] can, with the names of protobuf's JSON and of its
//! files, `resourceSpans` and `resource_spans`; protobuf by
//! [`super::protobuf`].

use std::borrow::Cow;

use serde::Deserialize;

use super::lenient;

/// `ExportTraceServiceRequest`.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct Traces<'a> {
    #[serde(deserialize_with = "lenient::or_default", alias = "resource_spans")]
    pub(crate) resource_spans: Vec<ResourceSpans<'a>>,
}

/// Spans of one resource.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct ResourceSpans<'a> {
    #[serde(deserialize_with = "lenient::or_default")]
    pub(crate) resource: Resource<'a>,
    #[serde(deserialize_with = "lenient::or_default", alias = "scope_spans")]
    pub(crate) scope_spans: Vec<ScopeSpans<'a>>,
}

/// What sent the spans.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct Resource<'a> {
    #[serde(deserialize_with = "lenient::or_default")]
    pub(crate) attributes: Vec<Attribute<'a>>,
}

/// Spans of one instrumentation.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct ScopeSpans<'a> {
    #[serde(deserialize_with = "lenient::or_default")]
    pub(crate) scope: Scope<'a>,
    #[serde(deserialize_with = "lenient::or_default")]
    pub(crate) spans: Vec<Span<'a>>,
}

/// The instrumentation.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct Scope<'a> {
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) name: Cow<'a, str>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) version: Cow<'a, str>,
}

/// One span. An id that is absent is empty; one that is no id has another length.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
#[expect(clippy::struct_field_names, reason = "the names of the protocol")]
pub(crate) struct Span<'a> {
    #[serde(deserialize_with = "lenient::id", alias = "trace_id")]
    pub(crate) trace_id: Cow<'a, [u8]>,
    #[serde(deserialize_with = "lenient::id", alias = "span_id")]
    pub(crate) span_id: Cow<'a, [u8]>,
    #[serde(deserialize_with = "lenient::id", alias = "parent_span_id")]
    pub(crate) parent_span_id: Cow<'a, [u8]>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) name: Cow<'a, str>,
    #[serde(deserialize_with = "lenient::unsigned", alias = "start_time_unix_nano")]
    pub(crate) start_time_unix_nano: u64,
    #[serde(deserialize_with = "lenient::unsigned", alias = "end_time_unix_nano")]
    pub(crate) end_time_unix_nano: u64,
    #[serde(deserialize_with = "lenient::or_default")]
    pub(crate) attributes: Vec<Attribute<'a>>,
    #[serde(deserialize_with = "lenient::or_default")]
    pub(crate) events: Vec<Event<'a>>,
    #[serde(deserialize_with = "lenient::or_default")]
    pub(crate) status: Status<'a>,
}

/// Something that happened within a span.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct Event<'a> {
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) name: Cow<'a, str>,
    #[serde(deserialize_with = "lenient::or_default")]
    pub(crate) attributes: Vec<Attribute<'a>>,
}

/// How a span ended.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct Status<'a> {
    /// 0 unset, 1 well, 2 with an error.
    #[serde(deserialize_with = "lenient::status_code")]
    pub(crate) code: u64,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) message: Cow<'a, str>,
}

/// A name and what it stands for.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct Attribute<'a> {
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) key: Cow<'a, str>,
    #[serde(deserialize_with = "lenient::or_default")]
    pub(crate) value: Value<'a>,
}

/// A value of any type.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Value<'a> {
    #[default]
    Null,
    Text(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(Cow<'a, [u8]>),
    List(Vec<Value<'a>>),
    Map(Vec<Attribute<'a>>),
}

/// `ExportLogsServiceRequest`.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct Logs<'a> {
    #[serde(deserialize_with = "lenient::or_default", alias = "resource_logs")]
    pub(crate) resource_logs: Vec<ResourceLogs<'a>>,
}

/// Log records of one resource.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct ResourceLogs<'a> {
    #[serde(deserialize_with = "lenient::or_default")]
    pub(crate) resource: Resource<'a>,
    #[serde(deserialize_with = "lenient::or_default", alias = "scope_logs")]
    pub(crate) scope_logs: Vec<ScopeLogs<'a>>,
}

/// Log records of one instrumentation.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct ScopeLogs<'a> {
    #[serde(deserialize_with = "lenient::or_default", alias = "log_records")]
    pub(crate) log_records: Vec<LogRecord<'a>>,
}

/// One log record. Ids are as those of a span.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct LogRecord<'a> {
    #[serde(deserialize_with = "lenient::unsigned", alias = "time_unix_nano")]
    pub(crate) time_unix_nano: u64,
    #[serde(deserialize_with = "lenient::unsigned", alias = "observed_time_unix_nano")]
    pub(crate) observed_time_unix_nano: u64,
    #[serde(deserialize_with = "lenient::or_default")]
    pub(crate) body: Value<'a>,
    #[serde(deserialize_with = "lenient::or_default")]
    pub(crate) attributes: Vec<Attribute<'a>>,
    #[serde(deserialize_with = "lenient::id", alias = "trace_id")]
    pub(crate) trace_id: Cow<'a, [u8]>,
    #[serde(deserialize_with = "lenient::id", alias = "span_id")]
    pub(crate) span_id: Cow<'a, [u8]>,
    #[serde(deserialize_with = "lenient::text", alias = "event_name")]
    pub(crate) event_name: Cow<'a, str>,
}

impl Status<'_> {
    pub(super) const ERROR: u64 = 2;

    /// Whether the span failed.
    pub(crate) const fn is_error(&self) -> bool {
        self.code == Self::ERROR
    }
}
