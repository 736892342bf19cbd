//! Says that a caller has taken what it may, in the protocol of its request.

use axum::extract::{Extension, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::{Allowance, RateExceeded};
use crate::error::ApiError;
use crate::otlp;

/// Answers a request that is not taken: with JSON, or as an exporter expects it.
pub(crate) fn refuse(request: &Request, exceeded: RateExceeded) -> Response {
    crate::metrics::count_throttled(exceeded.limit.as_str());
    let (message, seconds) = (exceeded.to_string(), exceeded.retry_after_s());
    otlp::throttled(request.uri().path(), request.headers(), &message, seconds)
        .unwrap_or_else(|| ApiError::TooManyRequests { message, retry_after_s: seconds }.into_response())
}

/// Middleware of the ways in: passes on what may still be read.
pub(crate) async fn throttle_intake(
    Extension(allowance): Extension<Allowance>,
    request: Request,
    next: Next,
) -> Response {
    match allowance.check_intake() {
        Ok(()) => next.run(request).await,
        Err(exceeded) => refuse(&request, exceeded),
    }
}
