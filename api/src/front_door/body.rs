//! Reads request bodies up to a limit of bytes, of time and of the memory that all bodies together may take. Packed ones are unpacked as
//! they are read, and the limit of bytes holds for what comes and for what comes out.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use tokio::time::Instant;

use super::arrival::{Arrival, PIECE_PATIENCE, PROGRESS_PATIENCE};
use super::memory::{BodyMemory, OutOfMemory};
use super::unpack::{Packing, UnpackError, Unpacker};
use crate::error::ApiError;
use crate::rate::Allowance;

/// The pieces of a body as they arrive, unpacked.
pub(crate) struct Pieces {
    arrival: Arrival,
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
    /// How long a little may take to come.
    pub(crate) progress_patience: Duration,
    /// When the request must have been answered.
    pub(crate) deadline: Instant,
}

/// Why a body ends before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// Send less at once.
    #[error(
        "the body has more than {max_bytes} bytes; send the operations in several requests (the server's --max-body-mib sets the limit)"
    )]
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
        Self { max_bytes, patience: PIECE_PATIENCE, progress_patience: PROGRESS_PATIENCE, deadline }
    }
}

impl Pieces {
    /// The pieces of `body`, which is packed like this.
    ///
    /// # Errors
    /// When there is no memory to unpack it.
    pub(crate) fn of(body: Body, packing: Packing, bounds: BodyBounds) -> Result<Self, BodyError> {
        Ok(Self {
            arrival: Arrival::of(body, bounds),
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
        let bytes = self.arrival.bytes().max(self.unpacked_bytes);
        self.allowance.take_bytes(bytes - self.charged_bytes);
        self.charged_bytes = bytes;
        next
    }

    async fn read_next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let Some(unpacker) = &mut self.unpacker else {
            return self.arrival.next().await;
        };
        loop {
            let is_last = self.packed.is_empty() && {
                let received = self.arrival.next().await?;
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

pub(super) fn check_size(bytes: usize, max_bytes: usize) -> Result<(), BodyError> {
    if bytes > max_bytes { Err(BodyError::TooLarge { max_bytes }) } else { Ok(()) }
}

/// Takes a whole body into memory that is counted.
///
/// # Errors
/// When it exceeds its bounds or the memory, or breaks off.
pub(crate) async fn read_body(mut pieces: Pieces, memory: &mut BodyMemory) -> Result<Vec<u8>, BodyError> {
    let mut whole = Vec::new();
    while let Some(piece) = pieces.next().await? {
        memory.wait_to_hold(whole.len() + piece.len() + pieces.held_bytes()).await?;
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
    use super::super::memory::BodyBudget;
    use super::*;

    #[tokio::test]
    async fn the_window_of_a_packed_body_is_memory_too() {
        let budget = BodyBudget::for_bodies_of(1 << 20);
        let (soon, later) = (Instant::now() + Duration::from_millis(20), Instant::now() + Duration::from_mins(10));
        let [mut others, mut other, mut memory] = [(); 3].map(|()| budget.for_one(soon));
        others.hold(58 << 20).unwrap();
        other.hold(6 << 20).unwrap();
        let packed = zstd::encode_all(&b"[]"[..], 1).unwrap();
        let body = || Pieces::of(packed.clone().into(), Packing::Zstd, BodyBounds::new(100, later)).unwrap();
        assert!(matches!(read_body(body(), &mut memory).await, Err(BodyError::OutOfMemory(_))));
        drop(other);
        assert_eq!(read_body(body(), &mut memory).await.unwrap(), b"[]");
    }
}
