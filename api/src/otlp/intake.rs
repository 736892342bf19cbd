//! From a request's bytes to records that the broker has acknowledged, whatever protocol brought them.

use axum::http::{HeaderMap, StatusCode};
use opstream_schemas::UtcMicros;
use opstream_schemas::validate::AcceptedTimes;
use tokio::time::Instant;

use super::answer::{Encoding, Failure, Partial};
use super::budget::DecodeError;
use super::convert::{Converted, convert};
use super::operation::Terms;
use crate::error::ApiError;
use crate::front_door::{Admission, BodyError, Flaw, IntakeAnswer, Submission};
use crate::state::Shared;

/// Bodies of up to this size are converted in about a millisecond.
const QUICKLY_CONVERTED_BYTES: usize = 128 << 10;
/// Reasons that an answer names.
const NAMED_REASONS: usize = 5;
/// Names the workspace of a request's spans.
const WORKSPACE: &str = "opstream-workspace";

/// Records the operations of a request, within its time. Some spans may be refused for good.
///
/// # Errors
/// When not everything was acknowledged, or nothing could be read.
pub(crate) async fn record_spans(
    state: &Shared,
    headers: &HeaderMap,
    (body, encoding): (Vec<u8>, Encoding),
    deadline: Instant,
) -> Result<Option<Partial>, Failure> {
    let terms = Terms { workspace: workspace(headers)?, content: state.content };
    let Converted { items, surroundings } = convert_aside(body, encoding, terms).await?;
    crate::metrics::count_surroundings(surroundings);
    let now = UtcMicros::now();
    let admission = Admission {
        accepted_times: AcceptedTimes::at(now.to_millis(), state.retention_floor.get()),
        now,
        idempotency_key: None,
        content: state.content,
    };
    let mut submission = Submission::new(&state.producer, admission, deadline);
    let mut halt = Ok(());
    for item in items {
        let item = item.map_err(|reason| Flaw::of_item("no_operation", reason));
        halt = submission.take(item, b"", None).await;
        if halt.is_err() {
            break;
        }
    }
    let (outcome, halt) = submission.finish(halt.err()).await;
    let is_halted = halt.is_some();
    let (status, answer) = outcome.finish(halt);
    crate::metrics::count_accepted(answer.accepted);
    if is_halted {
        let message = answer.error.map(|error| error.message).unwrap_or_default();
        return Err(Failure { status, message });
    }
    Ok(partial_of(&answer))
}

async fn convert_aside(body: Vec<u8>, encoding: Encoding, terms: Terms) -> Result<Converted, Failure> {
    let converted = if body.len() > QUICKLY_CONVERTED_BYTES {
        let converting = tokio::task::spawn_blocking(move || convert(&body, encoding, &terms));
        converting.await.map_err(|error| Failure::from(ApiError::Internal(error.into())))?
    } else {
        convert(&body, encoding, &terms)
    };
    converted.map_err(|error| {
        let status = match error {
            DecodeError::Damaged(_) => StatusCode::BAD_REQUEST,
            DecodeError::TooMany { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        };
        Failure { status, message: error.to_string() }
    })
}

fn partial_of(answer: &IntakeAnswer) -> Option<Partial> {
    let listed = u64::try_from(answer.refused.len()).unwrap_or(u64::MAX);
    let rejected = listed + answer.refused_not_listed;
    if rejected == 0 {
        return None;
    }
    let reasons: Vec<&str> = answer.refused.iter().take(NAMED_REASONS).map(|refusal| refusal.reason.as_str()).collect();
    let more = if rejected > NAMED_REASONS as u64 { "; …" } else { "" };
    Some(Partial { rejected, message: reasons.join("; ") + more })
}

fn workspace(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get(WORKSPACE) else { return Ok(None) };
    let name = value.to_str().map(str::trim).unwrap_or_default();
    if name.is_empty() {
        let message = format!("the header {WORKSPACE} is not visible ASCII text; name the workspace or leave it out");
        return Err(Failure { status: StatusCode::BAD_REQUEST, message });
    }
    Ok(Some(name.to_owned()))
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self { status: error.status(), message: error.to_string() }
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        ApiError::from(error).into()
    }
}
