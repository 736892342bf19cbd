//! Requests as browsers and clients send them, against the rules.

use super::*;

const TOKEN: &str = "0123456789abcdef";

fn guard_at(listen: &str, token: Option<&str>) -> Guard {
    Guard::new(listen.parse().unwrap(), token.map(|token| Secret::new(token).unwrap()))
}

fn status(guard: &Guard, method: &Method, path: &'static str, headers: &[(&'static str, &str)]) -> u16 {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (axum::http::HeaderName::from_static(name), value.parse().unwrap()))
        .collect();
    match guard.check(method, &Uri::from_static(path), &headers) {
        Ok(()) => 200,
        Err(error) => axum::response::IntoResponse::into_response(error).status().as_u16(),
    }
}

#[test]
fn a_rebound_name_cannot_read_the_local_server() {
    let guard = guard_at("127.0.0.1:8080", None);
    assert_eq!(status(&guard, &Method::GET, "/v1/totals", &[("host", "localhost:8080")]), 200);
    assert_eq!(status(&guard, &Method::GET, "/v1/totals", &[("host", "127.0.0.1:8080")]), 200);
    assert_eq!(status(&guard, &Method::GET, "/v1/totals", &[]), 200);
    assert_eq!(status(&guard, &Method::GET, "/v1/totals", &[("host", "evil.example:8080")]), 403);
    assert_eq!(status(&guard, &Method::GET, "http://evil.example/v1/totals", &[("host", "localhost")]), 403);
}

#[test]
fn a_server_with_a_token_or_beyond_loopback_has_any_name() {
    let headers = [("host", "opstream.example"), ("authorization", "Bearer 0123456789abcdef")];
    assert_eq!(status(&guard_at("127.0.0.1:8080", Some(TOKEN)), &Method::GET, "/v1/totals", &headers), 200);
    assert_eq!(status(&guard_at("0.0.0.0:8080", None), &Method::GET, "/v1/totals", &headers), 200);
}

#[test]
fn a_foreign_page_cannot_post() {
    let guard = guard_at("127.0.0.1:8080", None);
    let post =
        |origin| status(&guard, &Method::POST, "/v1/operations", &[("host", "localhost:8080"), ("origin", origin)]);
    assert_eq!(post("http://localhost:8080"), 200);
    assert_eq!(post("http://localhost:3000"), 403);
    assert_eq!(post("https://evil.example"), 403);
    assert_eq!(post("null"), 403);
    let get = [("host", "localhost:8080"), ("origin", "https://evil.example")];
    assert_eq!(status(&guard, &Method::GET, "/v1/totals", &get), 200);
}

#[test]
fn the_token_is_asked_for_everywhere_but_at_health_and_the_pages_files() {
    let guard = guard_at("0.0.0.0:8080", Some(TOKEN));
    for path in [
        "/v1/operations",
        "/v1/totals",
        "/v1/unknown",
        "/metrics",
        "/registry",
        "/registry/subjects",
        "/v1/openapi.json",
        "/anything",
    ] {
        assert_eq!(status(&guard, &Method::GET, path, &[]), 401, "{path}");
        assert_eq!(status(&guard, &Method::GET, path, &[("authorization", "Bearer 0123456789abcdef")]), 200, "{path}");
    }
    for path in ["/health/live", "/health/ready", "/", "/assets/index.js"] {
        assert_eq!(status(&guard, &Method::GET, path, &[]), 200, "{path}");
    }
}

#[test]
fn a_foreign_page_cannot_have_something_read_behind_its_readers_back() {
    let guard = guard_at("127.0.0.1:8080", None);
    let of = |mode: &'static str, site: &'static str| {
        [("host", "127.0.0.1:8080"), ("sec-fetch-site", site), ("sec-fetch-mode", mode)]
    };
    assert_eq!(status(&guard, &Method::GET, "/v1/live", &of("cors", "cross-site")), 403);
    assert_eq!(status(&guard, &Method::GET, "/v1/export/operations", &of("no-cors", "cross-site")), 403);
    assert_eq!(status(&guard, &Method::GET, "/v1/totals", &of("navigate", "cross-site")), 200, "a link is followed");
    assert_eq!(status(&guard, &Method::GET, "/v1/totals", &of("cors", "same-origin")), 200);
}
