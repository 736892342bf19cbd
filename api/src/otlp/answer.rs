//! What an exporter is answered, in the encoding that it speaks: an export response, or a `google.rpc.Status`.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use prost::Message;
use serde_json::{Value as Json, json};

/// Seconds after which an exporter should try again.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("2");
const BAD_REQUEST_TYPE: &str = "type.googleapis.com/google.rpc.BadRequest";

/// How request and answer are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// `application/x-protobuf`
    Protobuf,
    /// `application/json`
    Json,
}

/// Parts of a request that became nothing, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Partial {
    pub(crate) rejected: u64,
    pub(crate) of: Signal,
    pub(crate) message: String,
}

/// What a request consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Signal {
    #[default]
    Spans,
    LogRecords,
    Metrics,
}

impl Partial {
    /// Rejecting nothing with a text is a warning.
    pub(crate) fn warning(message: &str) -> Self {
        Self { message: message.to_owned(), ..Self::default() }
    }
}

impl Signal {
    /// What JSON calls the number of those that were rejected.
    const fn rejected(self) -> &'static str {
        match self {
            Self::Spans => "rejectedSpans",
            Self::LogRecords => "rejectedLogRecords",
            Self::Metrics => "rejectedDataPoints",
        }
    }
}

/// A request that failed as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

#[derive(Clone, PartialEq, Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Any {
    #[prost(string, tag = "1")]
    pub(super) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    field_violations: Vec<FieldViolation>,
}

#[derive(Clone, PartialEq, Message)]
struct FieldViolation {
    #[prost(string, tag = "1")]
    field: String,
    #[prost(string, tag = "2")]
    description: String,
}

impl Encoding {
    /// The encoding of a request.
    ///
    /// # Errors
    /// When it is neither of both; the answer is JSON then.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        match sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/x-protobuf" | "application/protobuf" => Ok(Self::Protobuf),
            "application/json" => Ok(Self::Json),
            _ => Err(Failure {
                status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
                message: format!(
                    "content-type {sent:?} is not supported; send application/x-protobuf or application/json"
                ),
            }),
        }
    }

    /// Answers that every span was taken, or all but some.
    pub(crate) fn success(self, partial: Option<Partial>) -> Response {
        self.respond(StatusCode::OK, self.response_message(partial))
    }

    /// The message of that answer.
    pub(super) fn response_message(self, partial: Option<Partial>) -> Vec<u8> {
        match self {
            Self::Protobuf => {
                let partial_success = partial.map(|partial| PartialSuccess {
                    rejected: i64::try_from(partial.rejected).unwrap_or(i64::MAX),
                    error_message: partial.message,
                });
                ExportResponse { partial_success }.encode_to_vec()
            }
            Self::Json => match partial {
                None => b"{}".to_vec(),
                Some(Partial { rejected, of, message }) => {
                    let mut partial = json!({"errorMessage": message});
                    if rejected > 0 {
                        // 64-bit numbers are text in protobuf's JSON.
                        partial[of.rejected()] = rejected.to_string().into();
                    }
                    json!({"partialSuccess": partial}).to_string().into_bytes()
                }
            },
        }
    }

    /// Answers that nothing, or not everything, was taken.
    pub(crate) fn failure(self, failure: &Failure) -> Response {
        let Failure { status, message } = failure;
        let code = rpc_code(*status);
        let is_bad = *status == StatusCode::BAD_REQUEST;
        let body = match self {
            Self::Protobuf => {
                let violation = FieldViolation { field: "body".to_owned(), description: message.clone() };
                let bad_request = BadRequest { field_violations: vec![violation] };
                let detail = Any { type_url: BAD_REQUEST_TYPE.to_owned(), value: bad_request.encode_to_vec() };
                let details = if is_bad { vec![detail] } else { Vec::new() };
                RpcStatus { code, message: message.clone(), details }.encode_to_vec()
            }
            Self::Json => {
                let violations = json!([{"field": "body", "description": message}]);
                let detail = json!({"@type": BAD_REQUEST_TYPE, "fieldViolations": violations});
                let details = if is_bad { json!([detail]) } else { Json::Array(Vec::new()) };
                json!({"code": code, "message": message, "details": details}).to_string().into_bytes()
            }
        };
        let mut response = self.respond(*status, body);
        if matches!(*status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        response
    }

    pub(super) fn respond(self, status: StatusCode, body: Vec<u8>) -> Response {
        let content_type = match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }
}

/// The code of `google.rpc.Code` that says the same.
pub(super) fn rpc_code(status: StatusCode) -> i32 {
    match status {
        StatusCode::BAD_REQUEST => 3,
        StatusCode::FORBIDDEN => 7,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::PAYLOAD_TOO_LARGE => 8,
        StatusCode::UNSUPPORTED_MEDIA_TYPE | StatusCode::NOT_IMPLEMENTED => 12,
        StatusCode::SERVICE_UNAVAILABLE => 14,
        StatusCode::UNAUTHORIZED => 16,
        _ => 2,
    }
}
