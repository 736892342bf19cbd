//! Reads request bodies up to a limit of bytes, of time and of the memory that all bodies together may take. Packed ones are unpacked as
//! they are read, and the limit of bytes holds for what comes and for what comes out.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::memory::{BodyMemory, OutOfMemory};
use super::unpack::{Packing, UnpackError, Unpacker};
use crate::error::ApiError;
use crate::rate::Allowance;

/// How long a client may leave us without the next piece. A connection that is merely slow has a piece every second.
const PIECE_PATIENCE: Duration = Duration::from_secs(10);

/// The pieces of a body as they arrive, unpacked.
pub(crate) struct Pieces {
    stream: BodyDataStream,
    received_bytes: usize,
    unpacked_bytes: usize,
    bounds: BodyBounds,
    unpacker: Option<Unpacker>,
    /// Arrived and not unpacked yet.
    packed: Bytes,
    /// At whose expense they are.
    allowance: Allowance,
    charged_bytes: usize,
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
    /// It is not what its `content-encoding` says.
    #[error(transparent)]
    Damaged(#[from] UnpackError),
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
            BodyError::Damaged(_) => Self::invalid("damaged_packing", message),
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
    /// The pieces of `body`, which is packed like this.
    ///
    /// # Errors
    /// When there is no memory to unpack it.
    pub(crate) fn of(body: Body, packing: Packing, bounds: BodyBounds) -> Result<Self, BodyError> {
        Ok(Self {
            stream: body.into_data_stream(),
            received_bytes: 0,
            unpacked_bytes: 0,
            bounds,
            unpacker: Unpacker::new(packing)?,
            packed: Bytes::new(),
            allowance: Allowance::default(),
            charged_bytes: 0,
        })
    }

    /// The same, at the expense of whoever sends them.
    pub(crate) fn charged_to(self, allowance: Allowance) -> Self {
        Self { allowance, ..self }
    }

    /// Bytes of memory that reading takes beside the pieces that were given out.
    pub(crate) fn held_bytes(&self) -> usize {
        self.unpacker.as_ref().map_or(0, Unpacker::held_bytes)
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// When there is none that may still be taken.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let next = self.read_next().await;
        // Whatever it was worth: a body that is refused was read all the same.
        let bytes = self.received_bytes.max(self.unpacked_bytes);
        self.allowance.take_bytes(bytes - self.charged_bytes);
        self.charged_bytes = bytes;
        next
    }

    async fn read_next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let Some(unpacker) = &mut self.unpacker else {
            return receive(&mut self.stream, self.bounds, &mut self.received_bytes).await;
        };
        loop {
            let is_last = self.packed.is_empty() && {
                let received = receive(&mut self.stream, self.bounds, &mut self.received_bytes).await?;
                let is_last = received.is_none();
                self.packed = received.unwrap_or_default();
                is_last
            };
            let piece = if is_last { unpacker.last_piece()? } else { unpacker.next_piece(&mut self.packed)? };
            if piece.is_empty() && is_last {
                return Ok(None);
            }
            // One packet can become hundreds of pieces, between which others have their turn.
            tokio::task::coop::consume_budget().await;
            self.unpacked_bytes += piece.len();
            check_size(self.unpacked_bytes, self.bounds.max_bytes)?;
            if !piece.is_empty() {
                return Ok(Some(piece.into()));
            }
        }
    }
}

/// What arrives next, as it arrives.
async fn receive(
    stream: &mut BodyDataStream,
    bounds: BodyBounds,
    received_bytes: &mut usize,
) -> Result<Option<Bytes>, BodyError> {
    let patience = Instant::now() + bounds.patience;
    let until = patience.min(bounds.deadline);
    let piece = match timeout_at(until, stream.next()).await {
        Ok(None) => return Ok(None),
        Ok(Some(Ok(piece))) => piece,
        Ok(Some(Err(error))) => return Err(BodyError::BrokenOff { reason: error.to_string() }),
        Err(_) if until < patience => return Err(BodyError::OutOfTime),
        Err(_) => {
            let reason = format!("nothing came for {:?}", bounds.patience);
            return Err(BodyError::BrokenOff { reason });
        }
    };
    *received_bytes += piece.len();
    check_size(*received_bytes, bounds.max_bytes)?;
    Ok(Some(piece))
}

fn check_size(bytes: usize, max_bytes: usize) -> Result<(), BodyError> {
    if bytes > max_bytes { Err(BodyError::TooLarge { max_bytes }) } else { Ok(()) }
}

/// Takes a whole body into memory that is counted.
///
/// # Errors
/// When it exceeds its bounds or the memory, or breaks off.
pub(crate) async fn read_body(mut pieces: Pieces, memory: &mut BodyMemory) -> Result<Vec<u8>, BodyError> {
    let mut whole = Vec::new();
    while let Some(piece) = pieces.next().await? {
        memory.hold(whole.len() + piece.len() + pieces.held_bytes())?;
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
    let bounds = BodyBounds::new(max_bytes, Instant::now() + Duration::from_mins(1));
    let mut pieces = Pieces::of(body, Packing::None, bounds)?;
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

    use super::super::memory::BodyBudget;
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
        let mut pieces = Pieces::of(stopping(), Packing::None, bounds).unwrap();
        assert_eq!(pieces.next().await.unwrap().unwrap(), "[{}");
        pieces.next().await.unwrap_err()
    }

    #[tokio::test]
    async fn a_client_that_stops_in_the_middle_is_not_waited_for() {
        let error = end_of_stopping(SHORT, LONG).await;
        assert_eq!(error.to_string(), "the body broke off: nothing came for 20ms");
    }

    #[tokio::test]
    async fn the_window_of_a_packed_body_is_memory_too() {
        let budget = BodyBudget::for_bodies_of(1 << 20);
        let deadline = Instant::now() + LONG;
        let mut others = budget.begin(deadline).await.unwrap();
        others.hold(58 << 20).unwrap();
        let mut memory = budget.begin(deadline).await.unwrap();
        let packed = zstd::encode_all(&b"[]"[..], 1).unwrap();
        let body = || Pieces::of(packed.clone().into(), Packing::Zstd, BodyBounds::new(100, deadline)).unwrap();
        assert!(matches!(read_body(body(), &mut memory).await, Err(BodyError::OutOfMemory(_))));
        drop(others);
        assert_eq!(read_body(body(), &mut memory).await.unwrap(), b"[]");
    }

    #[tokio::test]
    async fn the_time_of_the_request_ends_the_body_too() {
        assert!(matches!(end_of_stopping(LONG, SHORT).await, BodyError::OutOfTime));
    }
}
