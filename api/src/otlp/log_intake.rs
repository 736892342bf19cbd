//! From a request of log records to content that the broker has acknowledged.

use axum::http::{HeaderMap, StatusCode};
use opstream_schemas::UtcMicros;
use opstream_schemas::span_content::SpanContent;
use opstream_schemas::validate::AcceptedTimes;

use super::answer::{Encoding, Failure, Partial, Signal};
use super::intake::{NAMED_REASONS, turn, workspace};
use super::logged::{Clock, Logged, convert_logs};
use super::operation::Terms;
use crate::ContentCapture;
use crate::content_topic::NotSent;
use crate::error::ApiError;
use crate::front_door::Grant;
use crate::state::Shared;

/// Why nothing is kept.
const OFF: &str = "prompts and answers are not kept here (the server's --content is off, or --no-content is set); OTEL_LOGS_EXPORTER=none \
                   saves sending them";

/// Sends the prompts and answers of a request to their topic, within its time.
///
/// # Errors
/// When not everything was acknowledged, or nothing could be read.
pub(crate) async fn record_logs(
    state: &Shared,
    headers: &HeaderMap,
    (body, encoding): (Vec<u8>, Encoding),
    grant: Grant,
) -> Result<Option<Partial>, Failure> {
    let terms = Terms { workspace: workspace(headers)?, content: state.content };
    if state.content == ContentCapture::Off {
        return Ok(Some(Partial { of: Signal::LogRecords, ..Partial::warning(OFF) }));
    }
    let now = UtcMicros::now();
    let clock = Clock { now, accepted_times: AcceptedTimes::at(now.to_millis(), state.retention_floor.get()) };
    let turn = turn(state, body.len(), grant.deadline).await?;
    let conversion = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        convert_logs(&body, encoding, &terms, clock)
    });
    let converted = conversion.await.map_err(|error| Failure::from(ApiError::Internal(error.into())))?;
    let Logged { contents, passed_over, mut refused } = converted?;
    let contents = within_size(contents, state.limits.item_bytes, &mut refused);
    let sent = contents.len();
    for _ in 0..sent {
        grant.allowance.take_operation();
    }
    let too_large = state.content_topic.send(contents, grant.deadline).await?;
    crate::metrics::count_contents(sent - too_large.len());
    refused.extend(too_large.iter().map(|_| "a log record is larger than the broker takes".to_owned()));
    Ok(partial_of(&refused, passed_over))
}

/// Those that one record of the topic may hold.
fn within_size(mut contents: Vec<SpanContent>, most: usize, refused: &mut Vec<String>) -> Vec<SpanContent> {
    contents.retain(|content| {
        let bytes = content.bytes();
        if bytes > most {
            refused.push(format!("log record {:?} has {bytes} bytes; at most {most} are allowed", content.event_name));
        }
        bytes <= most
    });
    contents
}

fn partial_of(refused: &[String], passed_over: u64) -> Option<Partial> {
    let mut reasons: Vec<String> = refused.iter().take(NAMED_REASONS).cloned().collect();
    if refused.len() > NAMED_REASONS {
        reasons.push("…".to_owned());
    }
    if passed_over > 0 {
        reasons.push(format!("{passed_over} log records hold no prompt or answer of a span and are not kept"));
    }
    if reasons.is_empty() {
        return None;
    }
    let rejected = u64::try_from(refused.len()).unwrap_or(u64::MAX);
    Some(Partial { rejected, of: Signal::LogRecords, message: reasons.join("; ") })
}

impl From<NotSent> for Failure {
    fn from(error: NotSent) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, message: error.to_string() }
    }
}
