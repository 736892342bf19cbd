//! Counters of the api. Labels have few values: the route's pattern, never a path; a reason's code, never its text.

use std::time::Duration;

use axum::extract::{MatchedPath, Request};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;

/// Requests answered, by route, method and status.
const REQUESTS: &str = "opstream_api_requests_total";
/// Seconds from a request's head to its answer's head, by route.
const REQUEST_SECONDS: &str = "opstream_api_request_seconds";
/// Operations that the broker has acknowledged to the front door.
const ACCEPTED: &str = "opstream_api_operations_accepted_total";
/// Prompts and answers of log records that the broker has acknowledged to the front door.
const CONTENTS: &str = "opstream_api_contents_accepted_total";
/// Operations that the front door has refused, by reason.
const REFUSED: &str = "opstream_api_operations_refused_total";
/// Requests that were not taken because their caller had taken what it may, by limit.
const THROTTLED: &str = "opstream_api_requests_throttled_total";
/// Spans that are no operations: what surrounds them, or a second telling of one.
const SURROUNDINGS: &str = "opstream_api_spans_passed_over_total";

/// Gives the counters their help texts; before a recorder is installed it does nothing.
pub(crate) fn describe() {
    metrics::describe_counter!(REQUESTS, "Requests answered, by route, method and status.");
    metrics::describe_histogram!(REQUEST_SECONDS, metrics::Unit::Seconds, "Seconds until the answer began, by route.");
    metrics::describe_counter!(ACCEPTED, "Operations that the broker has acknowledged to the front door.");
    metrics::describe_counter!(CONTENTS, "Prompts and answers of log records that the broker has acknowledged.");
    metrics::describe_counter!(SURROUNDINGS, "Spans that are no operations, or tell one that another span tells.");
    metrics::describe_counter!(
        THROTTLED,
        "Requests refused or broken off by a limit of requests, operations or bytes."
    );
    metrics::describe_counter!(REFUSED, "Operations that the front door has refused, by reason.");
}

/// Middleware: measures every request.
pub(crate) async fn measure(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = method_label(request.method());
    let started = Instant::now();
    let response = next.run(request).await;
    count_request(route, method, response.status(), started.elapsed());
    response
}

/// Notes what became of a request.
fn count_request(route: String, method: &'static str, status: StatusCode, took: Duration) {
    metrics::counter!(REQUESTS, "route" => route.clone(), "method" => method, "status" => status.as_u16().to_string())
        .increment(1);
    metrics::histogram!(REQUEST_SECONDS, "route" => route).record(took.as_secs_f64());
}

/// Notes operations that became records.
pub(crate) fn count_accepted(operations: u64) {
    metrics::counter!(ACCEPTED).increment(operations);
}

/// Notes prompts and answers of log records that became records.
pub(crate) fn count_contents(contents: usize) {
    metrics::counter!(CONTENTS).increment(contents as u64);
}

/// Notes spans that are no operations.
pub(crate) fn count_surroundings(spans: u64) {
    metrics::counter!(SURROUNDINGS).increment(spans);
}

/// Notes a request that a rate was too high for.
pub(crate) fn count_throttled(limit: &'static str) {
    metrics::counter!(THROTTLED, "limit" => limit).increment(1);
}

/// Notes an operation that was refused.
pub(crate) fn count_refused(code: &'static str) {
    metrics::counter!(REFUSED, "reason" => code).increment(1);
}

/// A client may send any word as its method: only the known ones become labels.
fn method_label(method: &axum::http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
