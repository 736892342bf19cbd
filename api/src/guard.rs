//! What every request passes first: its caller's rate, the token, and the checks against foreign web pages.
//!
//! With a token, everything but `/health/…` and the page's own files asks for it; those files hold no data, and
//! without them nobody could be asked. Without a token, only the machine itself is trusted: a request must name the
//! machine in its Host header, so that a web page whose name suddenly resolves to 127.0.0.1 is refused. In both cases
//! a request that changes something must not come from a page of another origin; answers carry no CORS headers, so
//! that other origins cannot read them, and what they ask of `/v1/` without a reader's click is refused: it could keep others waiting.

mod credentials;
mod host;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::Next;
use axum::response::Response;

use self::credentials::presents;
use self::host::{host_of_origin, host_without_port, is_loopback_name};
use crate::Secret;
use crate::error::ApiError;
use crate::otlp;
use crate::rate::{Meter, RateLimits, refuse};

/// The rules of one listener.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    token: Option<Secret>,
    /// Whether only requests that name this machine are answered.
    is_local_only: bool,
    meter: Arc<Meter>,
}

impl Guard {
    /// For a listener at `listen`.
    pub(crate) fn new(listen: SocketAddr, token: Option<Secret>) -> Self {
        let is_local_only = token.is_none() && listen.ip().is_loopback();
        Self { token, is_local_only, meter: Arc::new(Meter::new(&RateLimits::default())) }
    }

    /// The same rules, with limits of rates. Listeners share one meter: a caller has one allowance at all of them.
    pub(crate) fn with_meter(self, meter: Arc<Meter>) -> Self {
        Self { meter, ..self }
    }

    fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
        let host = request_host(uri, headers);
        if self.is_local_only {
            check_local(host)?;
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            check_same_origin(host, headers)?;
        } else if uri.path().starts_with("/v1/") {
            check_same_site(headers)?;
        }
        match &self.token {
            Some(token) if !is_open(uri.path()) => check_token(token, uri.path(), headers),
            _ => Ok(()),
        }
    }
}

/// Middleware: answers refused requests itself, exporters as they expect it, and passes on the others.
pub(crate) async fn guard(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let has_token = guard.token.as_ref().is_some_and(|token| has_token(token, path, request.headers()));
    let allowance = guard.meter.allowance(&request, has_token);
    // Before the token is asked for: guesses are counted too. Whoever probes health must not be told to come later.
    if !is_health(path)
        && let Err(exceeded) = allowance.take_request()
    {
        return refuse(&request, exceeded);
    }
    if let Err(error) = guard.check(request.method(), request.uri(), request.headers()) {
        return otlp::refused(path, request.headers(), error);
    }
    request.extensions_mut().insert(allowance);
    next.run(request).await
}

/// Whether a path is answered to everybody: health, and the page's files, which hold no data. All else needs the token.
fn is_open(path: &str) -> bool {
    matches!(path, "/" | "/favicon.svg") || is_health(path) || path.starts_with("/assets/")
}

fn is_health(path: &str) -> bool {
    matches!(path, "/health/live" | "/health/ready")
}

/// Clients of schema registries send a user and a password; the password is the token.
fn is_registry(path: &str) -> bool {
    path.starts_with("/registry")
}

fn has_token(token: &Secret, path: &str, headers: &HeaderMap) -> bool {
    presents(headers, token, is_registry(path))
}

fn check_token(token: &Secret, path: &str, headers: &HeaderMap) -> Result<(), ApiError> {
    if has_token(token, path, headers) {
        return Ok(());
    }
    let challenge = if is_registry(path) { "Basic realm=\"opstream\"" } else { "Bearer realm=\"opstream\"" };
    Err(ApiError::Unauthorized { challenge })
}

fn check_local(host: Option<&str>) -> Result<(), ApiError> {
    match host.map(host_without_port) {
        Some(name) if !is_loopback_name(name) => Err(ApiError::Forbidden {
            message: format!(
                "this server answers requests to localhost only, not to {:?}; start it with --token-file to use another name",
                name.chars().take(100).collect::<String>()
            ),
        }),
        // Only browsers are the danger here, and they always send the header.
        _ => Ok(()),
    }
}

fn check_same_origin(host: Option<&str>, headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or("");
    if host.is_some_and(|host| host_of_origin(origin).is_some_and(|name| name.eq_ignore_ascii_case(host))) {
        return Ok(());
    }
    let origin: String = origin.chars().take(100).collect();
    Err(ApiError::Forbidden { message: format!("a page of {origin:?} may not send requests here") })
}

/// Refuses what a foreign page asks without its reader's doing: it could not read the answer, but others would wait for it. A link that is
/// followed is the reader's own.
fn check_same_site(headers: &HeaderMap) -> Result<(), ApiError> {
    let says = |name: &str, what: &str| headers.get(name).is_some_and(|value| value.as_bytes() == what.as_bytes());
    if says("sec-fetch-site", "cross-site") && !says("sec-fetch-mode", "navigate") {
        return Err(ApiError::Forbidden { message: "a page of another site may not send requests here".to_owned() });
    }
    Ok(())
}

/// Host and port that the request is for: of the URI in HTTP/2, of the header in HTTP/1.
fn request_host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let authority = uri.authority().map(axum::http::uri::Authority::as_str);
    // A header that is not text names no loopback host; an empty name is refused like any other.
    authority.or_else(|| headers.get(HOST).map(|host| host.to_str().unwrap_or("")))
}

#[cfg(test)]
mod tests;
