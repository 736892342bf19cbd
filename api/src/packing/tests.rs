//! Packed answers as clients see them.

use std::io::Read as _;

use axum::http::Request;

use super::*;
use crate::fixture::Fixture;

async fn get(api: &Fixture, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Vec<u8>) {
    let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    let response = api.answer(request.body(Body::empty()).unwrap()).await;
    let (head, body) = response.into_parts();
    (head.status, head.headers, axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec())
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut text).unwrap();
    text
}

#[tokio::test]
async fn large_json_is_compressed_for_whoever_takes_it() {
    let api = Fixture::new().await;
    let (_, headers, plain) = get(&api, "/v1/openapi.json", &[]).await;
    assert!(!headers.contains_key(CONTENT_ENCODING));
    let (_, headers, packed) = get(&api, "/v1/openapi.json", &[("accept-encoding", "br, gzip;q=0.5")]).await;
    assert!(headers[CONTENT_ENCODING] == "gzip" && headers[VARY] == "accept-encoding");
    assert!(packed.len() * 3 < plain.len() && unpacked(&packed) == plain);
    for refusal in ["gzip;q=0", "gzip;q=0, *", "*;q=0.5, gzip;Q=0.0", "*;q=0", "identity"] {
        let (_, headers, _) = get(&api, "/v1/openapi.json", &[("accept-encoding", refusal)]).await;
        assert!(!headers.contains_key(CONTENT_ENCODING), "{refusal}");
    }
    let (_, headers, _) = get(&api, "/v1/progress", &[("accept-encoding", "gzip")]).await;
    assert!(!headers.contains_key(CONTENT_ENCODING), "it is too small");
}

#[tokio::test]
async fn what_a_client_has_already_is_not_sent_again() {
    let api = Fixture::new().await;
    let path = "/v1/totals?workspace=w";
    let (_, headers, _) = get(&api, path, &[]).await;
    let tag = headers[ETAG].to_str().unwrap().to_owned();
    let (status, headers, body) = get(&api, path, &[("if-none-match", &tag)]).await;
    assert_eq!(
        (status, body.len(), &headers[ETAG]),
        (StatusCode::NOT_MODIFIED, 0, &HeaderValue::try_from(&tag).unwrap())
    );
    api.count(&crate::fixture::windows::Counted::call(1_790_000_000_000, ("openai", "a"), 5, 7)).await;
    let (status, headers, body) = get(&api, path, &[("if-none-match", &tag)]).await;
    assert!(status == StatusCode::OK && headers[ETAG] != tag.as_str() && !body.is_empty());
    let (status, headers, _) = get(&api, "/v1/totals?workspace=", &[("if-none-match", "*")]).await;
    assert_eq!((status, headers.get(ETAG)), (StatusCode::BAD_REQUEST, None), "refusals have no tag");
}
