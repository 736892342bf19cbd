//! `GET /`: the first page and its files, which `build.rs` embeds when they have been built.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;

/// Files of `dashboard/dist` by their path in it; none when Node was not there to build them.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/dashboard_files.rs"));

/// Shown when the dashboard is not part of the binary.
const WITHOUT_DASHBOARD: &str = include_str!("page/without_dashboard.html");
/// The page itself is asked for again each time; it names its other files by their content.
const REVALIDATED: &str = "no-cache";
/// Files whose names change with their content.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// The page.
pub(crate) async fn index() -> Response {
    let page = file("index.html").unwrap_or(WITHOUT_DASHBOARD.as_bytes());
    serve("index.html", page, REVALIDATED)
}

/// The page's icon.
pub(crate) async fn favicon() -> Result<Response, ApiError> {
    let icon = file("favicon.svg").ok_or_else(|| missing("favicon.svg"))?;
    Ok(serve("favicon.svg", icon, REVALIDATED))
}

/// A script or style sheet of the page.
pub(crate) async fn asset(Path(name): Path<String>) -> Result<Response, ApiError> {
    let path = format!("assets/{name}");
    let content = file(&path).ok_or_else(|| missing(&path))?;
    Ok(serve(&path, content, IMMUTABLE))
}

fn file(path: &str) -> Option<&'static [u8]> {
    FILES.iter().find(|(name, _)| *name == path).map(|(_, content)| *content)
}

fn serve(path: &str, content: &'static [u8], caching: &'static str) -> Response {
    let media_type = match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    ([(CONTENT_TYPE, media_type), (CACHE_CONTROL, caching)], content).into_response()
}

fn missing(path: &str) -> ApiError {
    ApiError::NotFound { message: format!("{} is no file of the page", path.chars().take(100).collect::<String>()) }
}
