//! The one shape of gRPC that OTLP has: a message in, a message out, each in a frame of its own.
//!
//! ```text
//! frame  packed, 0 or 1 (1) │ length of the message (4, big-endian) │ message
//! ```
//!
//! The status follows in the trailers. A library for gRPC would bring its own limits of sizes and times beside those that hold here for
//! every request.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};

use super::answer::{Encoding, Failure, Partial, rpc_code};
use crate::front_door::{BodyError, BodyMemory, Packing, Unpacker};

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// Flag and length.
const PREFIX: usize = 5;

/// Refuses requests that are not gRPC.
///
/// # Errors
/// Says what is spoken here.
pub(crate) fn check_content_type(headers: &HeaderMap) -> Result<(), Failure> {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    if sent.starts_with("application/grpc") && !sent.starts_with("application/grpc-web") {
        return Ok(());
    }
    let message = format!("content-type {sent:?} is not application/grpc; over plain HTTP post to /v1/traces");
    Err(Failure { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, message })
}

/// The message in a body, of at most so many bytes once it is unpacked, in memory that is counted.
///
/// # Errors
/// When it is not one whole frame, too large, or packed with something else than gzip.
pub(crate) async fn unframe(
    mut body: Vec<u8>,
    headers: &HeaderMap,
    max_bytes: usize,
    memory: &mut BodyMemory,
) -> Result<Vec<u8>, Failure> {
    let bad = |message: &str| Failure { status: StatusCode::BAD_REQUEST, message: message.to_owned() };
    let Some((prefix, rest)) = body.split_first_chunk::<PREFIX>() else { return Err(bad("the body holds no message")) };
    let [flag, length @ ..] = *prefix;
    if usize::try_from(u32::from_be_bytes(length)).ok() != Some(rest.len()) {
        return Err(bad("the body is not one whole message"));
    }
    match flag {
        0 => {
            body.drain(..PREFIX);
            Ok(body)
        }
        1 => {
            let encoding = headers.get(GRPC_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
            if encoding != "gzip" {
                let message = format!("grpc-encoding {encoding:?} is not supported; send gzip or the message as it is");
                return Err(Failure { status: StatusCode::NOT_IMPLEMENTED, message });
            }
            Ok(unpack(Bytes::from(body).slice(PREFIX..), max_bytes, memory).await?)
        }
        _ => Err(bad("the flag before the message is neither 0 nor 1")),
    }
}

async fn unpack(mut packed: Bytes, max_bytes: usize, memory: &mut BodyMemory) -> Result<Vec<u8>, BodyError> {
    let (mut message, packed_bytes) = (Vec::new(), packed.len());
    let Some(mut unpacker) = Unpacker::new(Packing::Gzip)? else { return Ok(packed.to_vec()) };
    loop {
        let is_last = packed.is_empty();
        let piece = if is_last { unpacker.last_piece()? } else { unpacker.next_piece(&mut packed)? };
        if is_last && piece.is_empty() {
            return Ok(message);
        }
        if message.len() + piece.len() > max_bytes {
            return Err(BodyError::TooLarge { max_bytes });
        }
        memory.wait_to_hold(packed_bytes + message.len() + piece.len() + unpacker.held_bytes()).await?;
        message.extend_from_slice(&piece);
        // A few packets can become hundreds of pieces, between which others have their turn.
        tokio::task::coop::consume_budget().await;
    }
}

/// Answers a request.
pub(crate) fn respond(taken: Result<Option<Partial>, Failure>) -> Response {
    match taken {
        Ok(partial) => {
            let message = Encoding::Protobuf.response_message(partial);
            let mut frame = vec![0];
            frame.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
            frame.extend_from_slice(&message);
            let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]);
            let body = Full::new(Bytes::from(frame)).with_trailers(async move { Some(Ok(trailers)) });
            respond_with(Body::new(body))
        }
        Err(Failure { status, message }) => {
            let mut response = respond_with(Body::empty());
            let headers = response.headers_mut();
            headers.insert(GRPC_STATUS, HeaderValue::from(rpc_code(status)));
            headers.insert(GRPC_MESSAGE, percent_encoded(&message));
            response
        }
    }
}

fn respond_with(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response.headers_mut().insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    response
}

/// What a header can carry of a message: the specification percent-encodes everything but visible ASCII.
fn percent_encoded(message: &str) -> HeaderValue {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            _ => {
                use std::fmt::Write as _;
                write!(encoded, "%{byte:02X}").expect("writing into memory does not fail");
            }
        }
    }
    HeaderValue::try_from(encoded).unwrap_or(HeaderValue::from_static("the request failed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::gzip;
    use crate::front_door::BodyBudget;

    fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&[flag], &length[..], message].concat()
    }

    fn gzip_headers() -> HeaderMap {
        HeaderMap::from_iter([(GRPC_ENCODING, HeaderValue::from_static("gzip"))])
    }

    async fn unframed(body: Vec<u8>, headers: &HeaderMap, max_bytes: usize) -> Result<Vec<u8>, Failure> {
        let soon = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
        let mut memory = BodyBudget::for_bodies_of(max_bytes).for_one(soon);
        unframe(body, headers, max_bytes, &mut memory).await
    }

    #[tokio::test]
    async fn a_message_comes_packed_or_not() {
        let headers = gzip_headers();
        assert_eq!(unframed(framed(0, b"spans"), &headers, 100).await.unwrap(), b"spans");
        assert_eq!(unframed(framed(1, &gzip(b"spans")), &headers, 100).await.unwrap(), b"spans");
        assert_eq!(unframed(framed(0, b""), &HeaderMap::new(), 100).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn what_is_no_message_has_a_status() {
        let status = async |body, headers: &HeaderMap| unframed(body, headers, 1000).await.unwrap_err().status.as_u16();
        let headers = gzip_headers();
        for body in
            [Vec::new(), framed(0, b"spans")[..9].to_vec(), [framed(0, b"a"), framed(0, b"b")].concat(), framed(7, b"")]
        {
            assert_eq!(status(body.clone(), &headers).await, 400, "{body:?}");
        }
        assert_eq!(status(framed(1, b"not packed"), &headers).await, 400);
        assert_eq!(status(framed(1, &gzip(b"spans")[..20]), &headers).await, 400);
        assert_eq!(status(framed(1, &gzip(b"spans")), &HeaderMap::new()).await, 501);
        assert_eq!(status(framed(1, &gzip(&vec![0; 1_000_000])), &headers).await, 413);
    }

    #[tokio::test]
    async fn the_status_is_in_the_trailers_or_takes_the_place_of_a_body() {
        let partial = Partial { rejected: 2, message: "old".to_owned(), ..Partial::default() };
        let collected = respond(Ok(Some(partial))).into_body().collect().await.unwrap();
        assert_eq!(collected.trailers().unwrap()[GRPC_STATUS], "0");
        let body = collected.to_bytes();
        assert_eq!(body[..5], [0, 0, 0, 0, 9], "a frame with a message of nine bytes");
        let failure = Failure { status: StatusCode::SERVICE_UNAVAILABLE, message: "away".to_owned() };
        let response = respond(Err(failure));
        assert_eq!(
            (response.status().as_u16(), &response.headers()[GRPC_STATUS]),
            (200, &HeaderValue::from_static("14"))
        );
        assert_eq!(response.headers()[GRPC_MESSAGE], "away");
    }

    #[test]
    fn a_message_with_any_character_is_a_header() {
        assert_eq!(percent_encoded("100% ü\n"), "100%25 %C3%BC%0A");
    }
}
