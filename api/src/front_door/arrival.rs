//! What arrives of a body, as it arrives, for as long as its client may be waited for.
//!
//! A client may not be silent for long, and what it sends must amount to something: else a byte now and then would keep a
//! request and its memory for the whole of its time. Only time that is spent waiting for the client counts.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::body::{BodyBounds, BodyError, check_size};

/// How long a client may leave us without the next piece. A connection that is merely slow has a piece every second.
pub(super) const PIECE_PATIENCE: Duration = Duration::from_secs(10);
/// In how much waiting a body must get ahead. Well above the pauses of a telephone that changes its cell.
pub(super) const PROGRESS_PATIENCE: Duration = Duration::from_secs(20);
/// Bytes that are getting ahead: half a KiB a second, which the slowest of mobile networks carry.
const LEAST_PROGRESS: usize = 10 << 10;
/// The part of a body that is getting ahead when much of it is there already: who sends evenly brings a third in the last
/// 20 s of a minute.
const LARGEST_PART: u64 = 8;
/// Requests that may take longer: the part is what came in as many seconds, so a quarter of what even sending brings.
const SECONDS_OF_PART: u64 = 5;

/// A body on its way.
pub(super) struct Arrival {
    stream: BodyDataStream,
    bounds: BodyBounds,
    progress: Progress,
}

/// How a body gets ahead. Pure.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    bytes: usize,
    /// Bytes that there were when it last got ahead.
    bytes_before: usize,
    /// How long its client had been waited for then.
    waited_before: Duration,
    /// How long it has been waited for since.
    waited: Duration,
}

impl Arrival {
    /// Within these bounds.
    pub(super) fn of(body: Body, bounds: BodyBounds) -> Self {
        Self { stream: body.into_data_stream(), bounds, progress: Progress::default() }
    }

    /// Bytes that have arrived.
    pub(super) const fn bytes(&self) -> usize {
        self.progress.bytes
    }

    /// What arrives next; nothing at the end.
    ///
    /// # Errors
    /// When there is none that may still be taken.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let begun = Instant::now();
        let silence = begun + self.bounds.patience;
        let slowness = begun + self.bounds.progress_patience.saturating_sub(self.progress.waited);
        let until = silence.min(slowness).min(self.bounds.deadline);
        let piece = match timeout_at(until, self.stream.next()).await {
            Ok(None) => return Ok(None),
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(error))) => return Err(BodyError::BrokenOff { reason: error.to_string() }),
            Err(_) if until == self.bounds.deadline => return Err(BodyError::OutOfTime),
            Err(_) if until == silence => {
                return Err(BodyError::BrokenOff { reason: format!("nothing came for {:?}", self.bounds.patience) });
            }
            Err(_) => return Err(self.too_slow()),
        };
        self.progress.note(piece.len(), begun.elapsed());
        check_size(self.progress.bytes, self.bounds.max_bytes)?;
        Ok(Some(piece))
    }

    fn too_slow(&self) -> BodyError {
        let (wanted, patience) = (self.progress.wanted(), self.bounds.progress_patience);
        let reason = format!(
            "less than {wanted} bytes of it came in {patience:?}; send less at once, or over a faster connection"
        );
        BodyError::BrokenOff { reason }
    }
}

impl Progress {
    /// So much more came after such a wait.
    fn note(&mut self, bytes: usize, waited: Duration) {
        self.bytes += bytes;
        self.waited += waited;
        if self.bytes - self.bytes_before >= self.wanted() {
            let waited_before = self.waited_before + self.waited;
            *self = Self { bytes: self.bytes, bytes_before: self.bytes, waited_before, waited: Duration::ZERO };
        }
    }

    /// Bytes that are getting ahead now.
    fn wanted(&self) -> usize {
        let parts = LARGEST_PART.max(self.waited_before.as_secs() / SECONDS_OF_PART);
        LEAST_PROGRESS.max(self.bytes_before / usize::try_from(parts).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_mins(10);

    fn bounds() -> BodyBounds {
        BodyBounds { max_bytes: 1 << 20, patience: LONG, progress_patience: LONG, deadline: Instant::now() + LONG }
    }

    /// A body that sends one piece and then nothing, neither more nor its end.
    fn stopping() -> Body {
        let piece = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"[{}"))]);
        Body::from_stream(piece.chain(stream::pending()))
    }

    async fn end_of(body: Body, bounds: BodyBounds) -> BodyError {
        let mut arrival = Arrival::of(body, bounds);
        loop {
            match arrival.next().await {
                Ok(piece) => assert!(piece.is_some(), "it has no end"),
                Err(error) => return error,
            }
        }
    }

    #[tokio::test]
    async fn a_client_that_stops_in_the_middle_is_not_waited_for() {
        let error = end_of(stopping(), BodyBounds { patience: SHORT, ..bounds() }).await;
        assert_eq!(error.to_string(), "the body broke off: nothing came for 20ms");
    }

    #[tokio::test]
    async fn a_byte_now_and_then_is_not_waited_for() {
        let bytes = stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"[")), ()))
        });
        let error = end_of(Body::from_stream(bytes), BodyBounds { progress_patience: SHORT, ..bounds() }).await;
        assert!(error.to_string().contains("less than 10240 bytes of it came in 20ms; send less"), "{error}");
    }

    #[tokio::test]
    async fn the_time_of_the_request_ends_the_body_too() {
        let deadline = Instant::now() + SHORT;
        assert!(matches!(end_of(stopping(), BodyBounds { deadline, ..bounds() }).await, BodyError::OutOfTime));
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_client_that_only_pretends_does_not_get_ahead() {
        let mut pretending = Progress::default();
        for _ in 0..20 {
            pretending.note(100, SECOND);
        }
        assert_eq!(pretending.waited, PROGRESS_PATIENCE);
    }

    #[test]
    fn whoever_has_sent_much_must_go_on_with_more() {
        let mut sent = Progress::default();
        sent.note(8 << 20, Duration::ZERO);
        for _ in 0..20 {
            sent.note(20 << 10, SECOND);
        }
        assert_eq!(sent.waited, PROGRESS_PATIENCE);
        sent.note(1 << 20, Duration::ZERO);
        assert_eq!(sent.waited, Duration::ZERO);
    }

    #[test]
    fn even_sending_is_getting_ahead_however_long_it_takes() {
        for bytes_a_second in [1 << 10, 10 << 10, 500 << 10] {
            let mut even = Progress::default();
            for _ in 0..2000 {
                even.note(bytes_a_second, SECOND);
                assert!(even.waited < PROGRESS_PATIENCE);
            }
        }
    }
}
