//! `GET /`: the first page and its files, which `build.rs` embeds when they have been built.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};

use flate2::Compression;

use crate::error::ApiError;
use crate::packing::{gzip, takes_gzip};

/// Files of `dashboard/dist` by their path in it; none when Node was not there to build them.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/dashboard_files.rs"));

/// The same compressed, as far as that makes them smaller: once, when the first of them is asked for.
static PACKED: LazyLock<HashMap<&'static str, Bytes>> = LazyLock::new(|| {
    let packed = FILES.iter().map(|(name, content)| (*name, gzip(content, Compression::best()), content.len()));
    packed.filter(|(_, packed, plain)| packed.len() < *plain).map(|(name, packed, _)| (name, packed)).collect()
});

/// Shown when the dashboard is not part of the binary.
const WITHOUT_DASHBOARD: &str = include_str!("page/without_dashboard.html");
/// The page itself is asked for again each time; it names its other files by their content.
const REVALIDATED: &str = "no-cache";
/// Files whose names change with their content.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// The icon keeps its name; browsers ask for it again with every view, and it rarely changes.
const DAILY: &str = "public, max-age=86400";

/// The page.
pub(crate) async fn index(headers: HeaderMap) -> Response {
    let page = file("index.html").unwrap_or(WITHOUT_DASHBOARD.as_bytes());
    serve("index.html", page, REVALIDATED, &headers)
}

/// The page's icon.
pub(crate) async fn favicon(headers: HeaderMap) -> Result<Response, ApiError> {
    let icon = file("favicon.svg").ok_or_else(|| missing("favicon.svg"))?;
    Ok(serve("favicon.svg", icon, DAILY, &headers))
}

/// A script or style sheet of the page.
pub(crate) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, ApiError> {
    let path = format!("assets/{name}");
    let content = file(&path).ok_or_else(|| missing(&path))?;
    Ok(serve(&path, content, IMMUTABLE, &headers))
}

fn file(path: &str) -> Option<&'static [u8]> {
    FILES.iter().find(|(name, _)| *name == path).map(|(_, content)| *content)
}

fn serve(path: &str, content: &'static [u8], caching: &'static str, asked: &HeaderMap) -> Response {
    let media_type = match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let headers = [(CONTENT_TYPE, media_type), (CACHE_CONTROL, caching)];
    let packed = if takes_gzip(asked) { PACKED.get(path) } else { None };
    let mut response = match packed {
        Some(packed) => ([(CONTENT_ENCODING, "gzip")], headers, packed.clone()).into_response(),
        None => (headers, content).into_response(),
    };
    response.headers_mut().append(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
    response
}

fn missing(path: &str) -> ApiError {
    ApiError::NotFound { message: format!("{} is no file of the page", path.chars().take(100).collect::<String>()) }
}
