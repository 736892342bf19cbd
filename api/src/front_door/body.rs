//! Reads request bodies up to a limit of bytes, of time and of the memory that all bodies together may take.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::memory::{BodyMemory, OutOfMemory};
use crate::error::ApiError;

/// How long a client may leave us without the next piece. A connection that is merely slow has a piece every second.
const PIECE_PATIENCE: Duration = Duration::from_secs(10);

/// The pieces of a body as they arrive.
pub(crate) struct Pieces {
    stream: BodyDataStream,
    total_bytes: usize,
    bounds: BodyBounds,
}

/// What one body may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyBounds {
    /// Most bytes.
    pub(crate) max_bytes: usize,
    /// How long there may be no next piece.
    pub(crate) patience: Duration,
    /// When the request must have been answered.
    pub(crate) deadline: Instant,
}

/// Why a body ends before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// Send less at once.
    #[error("the body has more than {max_bytes} bytes; send the operations in several requests")]
    TooLarge {
        /// The limit.
        max_bytes: usize,
    },
    /// The client went away, stopped in the middle, or its transfer encoding is broken.
    #[error("the body broke off: {reason}")]
    BrokenOff {
        /// What is known.
        reason: String,
    },
    /// The time of the request is over.
    #[error("the body did not arrive in the time that a request may take; send the operations in several requests")]
    OutOfTime,
    /// Other bodies hold the memory.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        let message = error.to_string();
        match error {
            BodyError::TooLarge { .. } => Self::TooLarge { message },
            BodyError::BrokenOff { .. } => Self::invalid("body_broken_off", message),
            BodyError::OutOfTime => Self::SlowBody { message },
            BodyError::OutOfMemory(_) => Self::Busy { message },
        }
    }
}

impl BodyBounds {
    /// At most so many bytes until `deadline`.
    pub(crate) const fn new(max_bytes: usize, deadline: Instant) -> Self {
        Self { max_bytes, patience: PIECE_PATIENCE, deadline }
    }
}

impl Pieces {
    /// The pieces of `body`.
    pub(crate) fn of(body: Body, bounds: BodyBounds) -> Self {
        Self { stream: body.into_data_stream(), total_bytes: 0, bounds }
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// When there is none that may still be taken.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let patience = Instant::now() + self.bounds.patience;
        let until = patience.min(self.bounds.deadline);
        let piece = match timeout_at(until, self.stream.next()).await {
            Ok(None) => return Ok(None),
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(error))) => return Err(BodyError::BrokenOff { reason: error.to_string() }),
            Err(_) if until < patience => return Err(BodyError::OutOfTime),
            Err(_) => {
                let reason = format!("nothing came for {:?}", self.bounds.patience);
                return Err(BodyError::BrokenOff { reason });
            }
        };
        self.total_bytes += piece.len();
        if self.total_bytes > self.bounds.max_bytes {
            return Err(BodyError::TooLarge { max_bytes: self.bounds.max_bytes });
        }
        Ok(Some(piece))
    }
}

/// Takes a whole body into memory that is counted.
///
/// # Errors
/// When it exceeds its bounds or the memory, or breaks off.
pub(crate) async fn read_body(body: Body, bounds: BodyBounds, memory: &mut BodyMemory) -> Result<Vec<u8>, BodyError> {
    let mut pieces = Pieces::of(body, bounds);
    let mut whole = Vec::new();
    while let Some(piece) = pieces.next().await? {
        memory.hold(whole.len() + piece.len())?;
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

/// Takes a whole body of at most `max_bytes` bytes, few enough not to be counted.
///
/// # Errors
/// When it has more bytes or breaks off.
pub(crate) async fn read_small_body(body: Body, max_bytes: usize) -> Result<Vec<u8>, BodyError> {
    // Whoever calls this has a limit of time around the whole request.
    let mut pieces = Pieces::of(body, BodyBounds::new(max_bytes, Instant::now() + Duration::from_mins(1)));
    let mut whole = Vec::new();
    while let Some(piece) = pieces.next().await? {
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

/// Refuses a body whose Content-Length says that it is too large, before any of it is read.
///
/// # Errors
/// Names the limit.
pub(crate) fn check_announced_length(headers: &HeaderMap, max_bytes: usize) -> Result<(), BodyError> {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    match length {
        Some(bytes) if bytes > max_bytes => Err(BodyError::TooLarge { max_bytes }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    /// A body that sends one piece and then nothing, neither more nor its end.
    fn stopping() -> Body {
        let piece = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"[{}"))]);
        Body::from_stream(piece.chain(stream::pending()))
    }

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_mins(10);

    async fn end_of_stopping(patience: Duration, time: Duration) -> BodyError {
        let bounds = BodyBounds { max_bytes: 100, patience, deadline: Instant::now() + time };
        let mut pieces = Pieces::of(stopping(), bounds);
        assert_eq!(pieces.next().await.unwrap().unwrap(), "[{}");
        pieces.next().await.unwrap_err()
    }

    #[tokio::test]
    async fn a_client_that_stops_in_the_middle_is_not_waited_for() {
        let error = end_of_stopping(SHORT, LONG).await;
        assert_eq!(error.to_string(), "the body broke off: nothing came for 20ms");
    }

    #[tokio::test]
    async fn the_time_of_the_request_ends_the_body_too() {
        assert!(matches!(end_of_stopping(LONG, SHORT).await, BodyError::OutOfTime));
    }
}
