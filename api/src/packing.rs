//! Answers in fewer bytes: JSON is compressed for clients that take gzip, and an answer that a client has already is not sent again.
//!
//! An answer's tag is made from its text, so that it is exact whatever the answer was read from; it saves the way, not the work. Streams,
//! whose length nobody knows, pass as they are.

use std::io::Write as _;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use opstream_schemas::lake::value_hash;

/// Smaller answers fit a packet or two anyway.
const SMALLEST: usize = 1024;
/// Larger ones are compressed beside the threads that answer.
const LARGE: usize = 128 << 10;

/// Middleware: tags and compresses JSON that is there as a whole.
pub(crate) async fn pack(request: Request, next: Next) -> Response {
    let is_read = request.method() == Method::GET;
    let packs = takes_gzip(request.headers());
    let known: Vec<HeaderValue> = request.headers().get_all(IF_NONE_MATCH).iter().cloned().collect();
    let response = next.run(request).await;
    if !is_read || !is_whole_json(&response) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(text) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if head.status == StatusCode::OK {
        let tag = tag(&text);
        if known.iter().any(|known| has_tag(known, &tag)) {
            head.status = StatusCode::NOT_MODIFIED;
            head.headers.remove(CONTENT_LENGTH);
            head.headers.remove(CONTENT_TYPE);
            head.headers.insert(ETAG, tag);
            return Response::from_parts(head, Body::empty());
        }
        head.headers.insert(ETAG, tag);
    }
    head.headers.append(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
    if !packs || text.len() <= SMALLEST {
        return Response::from_parts(head, Body::from(text));
    }
    let packed = if text.len() > LARGE {
        let packing = tokio::task::spawn_blocking({
            let text = text.clone();
            move || gzip(&text, Compression::fast())
        });
        match packing.await {
            Ok(packed) => packed,
            Err(_) => return Response::from_parts(head, Body::from(text)),
        }
    } else {
        gzip(&text, Compression::fast())
    };
    head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, Body::from(packed))
}

/// Whether a client takes `gzip`, by its name or as any encoding.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let offers = offers.flat_map(|value| value.split(',')).map(|offer| offer.split_once(';').unwrap_or((offer, "")));
    let offers: Vec<(String, bool)> = offers
        .map(|(name, weight)| {
            let weight = weight.trim().to_ascii_lowercase();
            let is_refused = weight.strip_prefix("q=").is_some_and(|q| q.trim().parse() == Ok(0.0));
            (name.trim().to_ascii_lowercase(), !is_refused)
        })
        .collect();
    // What is said of gzip counts more than what is said of any encoding.
    let said = |wanted: &str| offers.iter().find(|(name, _)| name == wanted).map(|(_, is_taken)| *is_taken);
    said("gzip").or_else(|| said("*")).unwrap_or(false)
}

/// The text compressed.
pub(crate) fn gzip(text: &[u8], how: Compression) -> Bytes {
    let mut packer = GzEncoder::new(Vec::with_capacity(text.len() / 4), how);
    let packed = packer.write_all(text).and_then(|()| packer.finish());
    packed.expect("memory takes everything").into()
}

fn is_whole_json(response: &Response) -> bool {
    let headers = response.headers();
    let is_json = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    is_json && !headers.contains_key(CONTENT_ENCODING) && response.body().size_hint().exact().is_some()
}

/// Weak, because the same answer may come compressed or not.
fn tag(text: &[u8]) -> HeaderValue {
    let tag = format!("W/\"{:x}-{:016x}\"", text.len(), value_hash(text));
    HeaderValue::try_from(tag).expect("digits and quotes are visible")
}

/// Whether a list of tags has this one, whatever it says of their strength.
fn has_tag(known: &HeaderValue, tag: &HeaderValue) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let tag = opaque(tag.to_str().unwrap_or_default());
    let known = known.to_str().unwrap_or_default();
    known.split(',').any(|known| known.trim() == "*" || opaque(known) == tag)
}

#[cfg(test)]
mod tests;
