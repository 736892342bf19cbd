//! The memory that request bodies may take together.
//!
//! A body is given memory as it arrives, not as it is announced: whoever announces much and sends little holds little. Only
//! the first piece is waited for; who holds some already is refused instead, so that no two wait for each other.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Memory is given out in pieces of this size.
const PIECE_BYTES: usize = 1 << 20;
/// Pieces that there are at least.
const MIN_PIECES: usize = 64;

/// What there is for all bodies. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct BodyBudget(Arc<Semaphore>);

/// What one body holds of it, until it is dropped.
#[derive(Debug)]
pub(crate) struct BodyMemory {
    budget: Arc<Semaphore>,
    held: OwnedSemaphorePermit,
}

/// Other bodies hold the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("other requests hold the memory that there is for bodies; try again, or send less at once")]
pub(crate) struct OutOfMemory;

impl BodyBudget {
    /// Room for two bodies of the largest size, and for 64 MiB at least.
    pub(crate) fn for_bodies_of(max_bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((2 * pieces(max_bytes)).clamp(MIN_PIECES, Semaphore::MAX_PERMITS))))
    }

    /// Waits for the first piece; back-pressure reaches the client's socket.
    ///
    /// # Errors
    /// When there is none before `deadline`.
    pub(crate) async fn begin(&self, deadline: Instant) -> Result<BodyMemory, OutOfMemory> {
        match timeout_at(deadline, self.0.clone().acquire_owned()).await {
            Ok(Ok(held)) => Ok(BodyMemory { budget: self.0.clone(), held }),
            _ => Err(OutOfMemory),
        }
    }
}

impl BodyMemory {
    /// Holds `bytes` in all from now on, or more if it held more before.
    ///
    /// # Errors
    /// When there is not so much left; then it holds what it held.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        let missing = pieces(bytes).saturating_sub(self.held.num_permits());
        if missing > 0 {
            let missing = u32::try_from(missing).map_err(|_| OutOfMemory)?;
            self.held.merge(self.budget.clone().try_acquire_many_owned(missing).map_err(|_| OutOfMemory)?);
        }
        Ok(())
    }
}

fn pieces(bytes: usize) -> usize {
    bytes.div_ceil(PIECE_BYTES)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[tokio::test]
    async fn memory_is_held_as_it_is_used_and_comes_back() {
        let budget = BodyBudget(Arc::new(Semaphore::new(3)));
        let mut first = budget.begin(soon()).await.unwrap();
        let mut second = budget.begin(soon()).await.unwrap();
        first.hold(2 * PIECE_BYTES).unwrap();
        assert_eq!(second.hold(PIECE_BYTES + 1), Err(OutOfMemory));
        second.hold(PIECE_BYTES).unwrap();
        assert_eq!(budget.begin(soon()).await.unwrap_err(), OutOfMemory);
        drop(first);
        second.hold(3 * PIECE_BYTES).unwrap();
    }

    #[test]
    fn two_of_the_largest_bodies_fit_whatever_is_configured() {
        for mebibytes in [1, 32, 1024] {
            let BodyBudget(budget) = BodyBudget::for_bodies_of(mebibytes << 20);
            assert_eq!(budget.available_permits(), (2 * mebibytes).max(64));
        }
    }
}
