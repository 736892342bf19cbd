//! Tells an exporter to send more slowly: a `google.rpc.Status` with `RetryInfo`, in the encoding that it speaks.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use prost::Message;
use serde_json::json;

use super::answer::{Any, Encoding, Failure, RpcStatus, rpc_code};
use super::grpc;
use super::protocol::Protocol;

const STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const RETRY_INFO_TYPE: &str = "type.googleapis.com/google.rpc.RetryInfo";

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Duration>,
}

/// `google.protobuf.Duration`
#[derive(Clone, PartialEq, Message)]
struct Duration {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

/// The answer to an exporter that may try again after so many seconds; none for a request that is not one's.
pub(crate) fn throttled(path: &str, headers: &HeaderMap, message: &str, seconds: u64) -> Option<Response> {
    let failure = Failure { status: StatusCode::TOO_MANY_REQUESTS, message: message.to_owned() };
    let mut response = match Protocol::of(path, headers)? {
        Protocol::Grpc => {
            let details = HeaderValue::try_from(BASE64_STANDARD_NO_PAD.encode(status_of(&failure, seconds)));
            let mut response = grpc::respond(Err(failure));
            response.headers_mut().insert(STATUS_DETAILS, details.expect("base64 is visible text"));
            response
        }
        Protocol::Http(Encoding::Protobuf) => Encoding::Protobuf.respond(failure.status, status_of(&failure, seconds)),
        Protocol::Http(Encoding::Json) => {
            let detail = json!({"@type": RETRY_INFO_TYPE, "retryDelay": format!("{seconds}s")});
            let body = json!({"code": rpc_code(failure.status), "message": failure.message, "details": [detail]});
            Encoding::Json.respond(failure.status, body.to_string().into_bytes())
        }
    };
    response.headers_mut().insert(RETRY_AFTER, seconds.into());
    Some(response)
}

fn status_of(failure: &Failure, seconds: u64) -> Vec<u8> {
    let retry_delay = Some(Duration { seconds: i64::try_from(seconds).unwrap_or(i64::MAX) });
    let detail = Any { type_url: RETRY_INFO_TYPE.to_owned(), value: RetryInfo { retry_delay }.encode_to_vec() };
    let (code, message) = (rpc_code(failure.status), failure.message.clone());
    RpcStatus { code, message, details: vec![detail] }.encode_to_vec()
}

#[cfg(test)]
mod tests {
    use axum::http::header::CONTENT_TYPE;

    use super::*;

    async fn answered(path: &str, content_type: &'static str) -> Option<(Response, Vec<u8>)> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        let (head, body) = throttled(path, &headers, "too fast", 7)?.into_parts();
        let body = axum::body::to_bytes(body, 10_000).await.unwrap().to_vec();
        Some((Response::from_parts(head, axum::body::Body::empty()), body))
    }

    /// The seconds of a status.
    fn delay_in(status: &[u8]) -> i64 {
        let status = RpcStatus::decode(status).unwrap();
        assert_eq!((status.code, status.message.as_str(), status.details.len()), (8, "too fast", 1));
        assert_eq!(status.details[0].type_url, RETRY_INFO_TYPE);
        RetryInfo::decode(&*status.details[0].value).unwrap().retry_delay.unwrap().seconds
    }

    #[tokio::test]
    async fn an_exporter_over_http_is_told_in_its_encoding() {
        let (response, body) = answered("/v1/traces", "application/x-protobuf").await.unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()[RETRY_AFTER]), (429, &HeaderValue::from(7)));
        assert_eq!(delay_in(&body), 7);
        let (response, body) = answered("/v1/logs", "application/json; charset=utf-8").await.unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()[RETRY_AFTER]), (429, &HeaderValue::from(7)));
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body,
            json!({"code": 8, "message": "too fast", "details": [{"@type": RETRY_INFO_TYPE, "retryDelay": "7s"}]})
        );
    }

    #[tokio::test]
    async fn an_exporter_over_grpc_finds_the_delay_in_the_details() {
        let (response, _) = answered("/any.Service/Export", "application/grpc+proto").await.unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()["grpc-status"]), (200, &HeaderValue::from(8)));
        let details = BASE64_STANDARD_NO_PAD.decode(&response.headers()[STATUS_DETAILS]).unwrap();
        assert_eq!(delay_in(&details), 7);
    }

    #[tokio::test]
    async fn others_are_no_exporters() {
        assert!(answered("/v1/operations", "application/json").await.is_none());
    }
}
