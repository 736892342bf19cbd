//! How an exporter is answered that is refused before its request is read: in the protocol and encoding that it speaks.

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::answer::{Encoding, Failure};
use super::grpc;
use crate::error::ApiError;

/// Where an exporter says its token.
const TOKEN: &str = "; of an exporter: OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20TOKEN";

/// What an exporter speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Grpc,
    Http(Encoding),
}

impl Protocol {
    /// Of a request; none when it is not an exporter's.
    pub(super) fn of(path: &str, headers: &HeaderMap) -> Option<Self> {
        if grpc::check_content_type(headers).is_ok() {
            return Some(Self::Grpc);
        }
        let is_export = matches!(path, "/v1/traces" | "/v1/metrics" | "/v1/logs");
        is_export.then(|| Self::Http(Encoding::of(headers).unwrap_or(Encoding::Json)))
    }
}

/// The answer to a request that the guard does not let pass: JSON, or as an exporter expects it.
pub(crate) fn refused(path: &str, headers: &HeaderMap, error: ApiError) -> Response {
    let Some(protocol) = Protocol::of(path, headers) else { return error.into_response() };
    let mut failure = Failure { status: error.status(), message: error.to_string() };
    if matches!(error, ApiError::Unauthorized { .. }) {
        failure.message += TOKEN;
    }
    let mut response = match protocol {
        Protocol::Grpc => grpc::respond(Err(failure)),
        Protocol::Http(encoding) => encoding.failure(&failure),
    };
    // Its own answer writes the log and says how to authenticate.
    let challenge = error.into_response().headers_mut().remove(WWW_AUTHENTICATE);
    if let Some(challenge) = challenge.filter(|_| protocol != Protocol::Grpc) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The answer to a call of gRPC that nobody here takes; none for a request that is no such call.
pub(crate) fn unknown_call(path: &str, headers: &HeaderMap) -> Option<Response> {
    grpc::check_content_type(headers).ok()?;
    let path: String = path.chars().take(200).collect();
    let message =
        format!("{path} is not served here; spans and log records of OpenTelemetry are, by their services' Export");
    Some(grpc::respond(Err(Failure { status: StatusCode::NOT_IMPLEMENTED, message })))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use axum::http::header::CONTENT_TYPE;
    use prost::Message as _;
    use serde_json::{Value as Json, json};

    use super::super::answer::RpcStatus;
    use super::*;

    const TOKEN_MISSING: ApiError = ApiError::Unauthorized { challenge: "Bearer realm=\"opstream\"" };

    async fn answered(path: &str, content_type: &'static str, error: ApiError) -> (Response, Vec<u8>) {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        let (head, body) = refused(path, &headers, error).into_parts();
        let body = axum::body::to_bytes(body, 10_000).await.unwrap().to_vec();
        (Response::from_parts(head, axum::body::Body::empty()), body)
    }

    fn forbidden() -> ApiError {
        ApiError::Forbidden { message: "not from there".to_owned() }
    }

    #[tokio::test]
    async fn an_exporter_over_http_reads_a_status_in_its_encoding() {
        let (response, body) = answered("/v1/traces", "application/x-protobuf", TOKEN_MISSING).await;
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/x-protobuf");
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer realm=\"opstream\"");
        let status = RpcStatus::decode(&*body).unwrap();
        assert!(
            status.code == 16 && status.message.contains("OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20TOKEN")
        );
        let (response, body) = answered("/v1/logs", "application/json", forbidden()).await;
        assert_eq!(response.status(), 403);
        let body: Json = serde_json::from_slice(&body).unwrap();
        assert_eq!(body, json!({"code": 7, "message": "not from there", "details": []}));
    }

    #[tokio::test]
    async fn an_exporter_over_grpc_reads_trailers_in_place_of_a_body() {
        for (error, code, text) in
            [(TOKEN_MISSING, 16, "OTEL_EXPORTER_OTLP_HEADERS"), (forbidden(), 7, "not from there")]
        {
            let (response, body) = answered("/any.Service/Export", "application/grpc", error).await;
            assert_eq!((response.status().as_u16(), body.len()), (200, 0));
            assert_eq!(response.headers()["grpc-status"], HeaderValue::from(code));
            assert!(response.headers()["grpc-message"].to_str().unwrap().contains(text));
        }
    }

    #[tokio::test]
    async fn others_read_json_of_our_own() {
        let (response, body) = answered("/v1/operations", "application/json", forbidden()).await;
        assert_eq!(response.status(), 403);
        assert_eq!(serde_json::from_slice::<Json>(&body).unwrap()["error"]["code"], "forbidden");
    }
}
