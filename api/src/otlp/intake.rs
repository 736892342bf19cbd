//! From a request's bytes to records that the broker has acknowledged, whatever protocol brought them.

use std::collections::HashMap;

use axum::http::{HeaderMap, StatusCode};
use opstream_schemas::validate::AcceptedTimes;
use opstream_schemas::{Operation, UtcMicros};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::answer::{Encoding, Failure, Partial};
use super::budget::DecodeError;
use super::convert::{Item, convert};
use super::label::{SPAN, label_of};
use super::operation::Terms;
use crate::error::ApiError;
use crate::front_door::{Admission, BodyError, Flaw, Grant, Halt, IntakeAnswer, Submission};
use crate::state::Shared;

/// A larger body is converted when no other large one is: its spans take several times its memory meanwhile.
const LARGE_BYTES: usize = 1 << 20;
/// Bytes of content below which no broker finds an operation too large.
const MAY_BE_TOO_LARGE: usize = 256 << 10;
/// Reasons that an answer names.
pub(super) const NAMED_REASONS: usize = 5;
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
    grant: Grant,
) -> Result<Option<Partial>, Failure> {
    let terms = Terms { workspace: workspace(headers)?, content: state.content };
    let (mut slices, conversion) = convert_aside(state, (body, encoding), terms, grant.deadline).await?;
    let now = UtcMicros::now();
    let admission = Admission {
        accepted_times: AcceptedTimes::at(now.to_millis(), state.retention_floor.get()),
        now,
        idempotency_key: None,
        content: state.content,
        subject: Some(SPAN),
    };
    let mut submission = Submission::new(&state.producer, admission, grant);
    let (mut halt, mut large) = (Ok(()), LargeSpans::default());
    while halt.is_ok()
        && let Some(slice) = slices.recv().await
    {
        halt = take_slice(&mut submission, slice, &mut large).await;
    }
    // Whoever waits to pass the next slice on learns that nobody wants it.
    drop(slices);
    let converted = conversion.await.map_err(|error| Failure::from(ApiError::Internal(error.into())))?;
    crate::metrics::count_surroundings(converted?);
    let (outcome, halt) = submission.finish(halt.err()).await;
    let is_halted = halt.is_some();
    let (status, answer) = outcome.finish(halt);
    crate::metrics::count_accepted(answer.accepted);
    if is_halted {
        let message = answer.error.map(|error| error.message).unwrap_or_default();
        return Err(Failure { status, message });
    }
    Ok(partial_of(&answer, &large))
}

/// Spans that the broker may find too large: when it does, their operations are gone.
#[derive(Debug, Default)]
struct LargeSpans {
    /// Items that were taken.
    items: u64,
    /// What refusals call those that are large, by their place.
    labels: HashMap<u64, String>,
}

impl LargeSpans {
    fn note(&mut self, item: &Item) {
        if let Ok(operation) = item
            && content_bytes(operation) > MAY_BE_TOO_LARGE
        {
            self.labels.insert(self.items, label_of(operation));
        }
        self.items += 1;
    }
}

fn content_bytes(operation: &Operation) -> usize {
    let contents =
        [&operation.system_prompt, &operation.input_messages, &operation.output_messages, &operation.tool_definitions];
    contents.into_iter().flatten().map(String::len).sum()
}

async fn take_slice(submission: &mut Submission<'_>, slice: Vec<Item>, large: &mut LargeSpans) -> Result<(), Halt> {
    for item in slice {
        large.note(&item);
        let item = item.map_err(|reason| Flaw::of_item("no_operation", reason));
        submission.take(item, b"", None).await?;
    }
    Ok(())
}

/// Converts on a thread where that holds up nobody; it waits there for each slice to be taken.
async fn convert_aside(
    state: &Shared,
    (body, encoding): (Vec<u8>, Encoding),
    terms: Terms,
    deadline: Instant,
) -> Result<(mpsc::Receiver<Vec<Item>>, JoinHandle<Result<u64, DecodeError>>), Failure> {
    let turn = turn(state, body.len(), deadline).await?;
    let (passed_on, slices) = mpsc::channel(1);
    let conversion = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        convert(&body, encoding, &terms, |slice| passed_on.blocking_send(slice).is_ok())
    });
    Ok((slices, conversion))
}

/// Waits for the turn of a large body; a small one needs none.
pub(super) async fn turn(
    state: &Shared,
    bytes: usize,
    deadline: Instant,
) -> Result<Option<OwnedSemaphorePermit>, ApiError> {
    if bytes <= LARGE_BYTES {
        return Ok(None);
    }
    let turn = timeout_at(deadline, state.large_conversions.clone().acquire_owned()).await;
    let busy = || ApiError::Busy { message: "other large requests are being read; try again".to_owned() };
    turn.ok().and_then(Result::ok).map(Some).ok_or_else(busy)
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        let status = match error {
            DecodeError::Damaged(_) | DecodeError::TooDeep => StatusCode::BAD_REQUEST,
            DecodeError::TooMany { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        };
        Self { status, message: error.to_string() }
    }
}

fn partial_of(answer: &IntakeAnswer, large: &LargeSpans) -> Option<Partial> {
    let listed = u64::try_from(answer.refused.len()).unwrap_or(u64::MAX);
    let rejected = listed + answer.refused_not_listed;
    if rejected == 0 {
        return None;
    }
    let reasons = answer.refused.iter().take(NAMED_REASONS).map(|refusal| {
        let by_broker = large.labels.get(&refusal.index).filter(|label| !refusal.reason.starts_with(label.as_str()));
        by_broker.map_or_else(|| refusal.reason.clone(), |label| format!("{label}: {}", refusal.reason))
    });
    let reasons: Vec<String> = reasons.collect();
    let more = if rejected > NAMED_REASONS as u64 { "; …" } else { "" };
    Some(Partial { rejected, message: reasons.join("; ") + more, ..Partial::default() })
}

pub(super) fn workspace(headers: &HeaderMap) -> Result<Option<String>, Failure> {
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
