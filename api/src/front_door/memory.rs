//! The memory that request bodies may take together.
//!
//! A body is given memory as it arrives, not as it is announced: whoever announces much and sends little holds little, and nothing
//! before the first byte.
//!
//! A part of it is common. The rest, as much as the largest body takes, is a reserve for one body at a time: whoever finds the
//! common part used up may wait, whatever it holds, until some of it comes back or the reserve is free. Who has the reserve
//! never waits for memory, so it ends and lets the next one have it: no two wait for each other.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::unpack::ZSTD_BYTES;

/// Memory is given out in units of this size.
const UNIT_BYTES: usize = 4 << 10;
/// What there is at least, in bytes.
const LEAST_BYTES: usize = 64 << 20;
/// How long a body waits for memory. Exporters give up after ten seconds, and are to hear before that what they waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What there is for all bodies. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct BodyBudget(Arc<Pools>);

#[derive(Debug)]
struct Pools {
    /// Units for everybody.
    common: Arc<Semaphore>,
    /// Units of the reserve.
    reserve_units: usize,
    /// The one place of the reserve.
    reserve: Arc<Semaphore>,
    patience: Duration,
}

/// What one body holds of it, until it is dropped.
#[derive(Debug)]
pub(crate) struct BodyMemory {
    pools: Arc<Pools>,
    deadline: Instant,
    common: Option<OwnedSemaphorePermit>,
    reserve: Option<OwnedSemaphorePermit>,
}

/// Other bodies hold the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("other requests hold the memory that there is for bodies; try again, or send less at once")]
pub(crate) struct OutOfMemory;

impl BodyBudget {
    /// Room for two bodies of the largest size, and for 64 MiB at least, one of them packed.
    pub(crate) fn for_bodies_of(max_bytes: usize) -> Self {
        let common = max_bytes.max(LEAST_BYTES.saturating_sub(max_bytes));
        let reserve = max_bytes.saturating_add(ZSTD_BYTES);
        Self::of_units(units(common).min(Semaphore::MAX_PERMITS), units(reserve), PATIENCE)
    }

    fn of_units(common: usize, reserve_units: usize, patience: Duration) -> Self {
        let (common, reserve) = (Arc::new(Semaphore::new(common)), Arc::new(Semaphore::new(1)));
        Self(Arc::new(Pools { common, reserve_units, reserve, patience }))
    }

    /// For a body of a request that ends at `deadline`; it holds nothing yet.
    pub(crate) fn for_one(&self, deadline: Instant) -> BodyMemory {
        BodyMemory { pools: self.0.clone(), deadline, common: None, reserve: None }
    }
}

impl BodyMemory {
    /// Holds `bytes` in all from now on, or more if it held more before.
    ///
    /// # Errors
    /// When there is not so much left; then it holds what it held.
    pub(crate) fn hold(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        let missing = self.missing(bytes);
        if self.try_common(missing).is_ok() {
            return Ok(());
        }
        if self.reserve.is_none() {
            self.reserve = Some(self.pools.reserve.clone().try_acquire_owned().map_err(|_| OutOfMemory)?);
        }
        self.try_common(self.missing(bytes))
    }

    /// The same, after waiting for others to give some back.
    ///
    /// # Errors
    /// When they did not in time.
    pub(crate) async fn wait_to_hold(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        let at_once = self.hold(bytes);
        if at_once.is_ok() || self.reserve.is_some() {
            return at_once;
        }
        let missing = permits(self.missing(bytes))?;
        let pools = self.pools.clone();
        let until = self.deadline.min(Instant::now() + pools.patience);
        let given = timeout_at(until, async {
            tokio::select! {
                common = pools.common.clone().acquire_many_owned(missing) => (common.ok(), None),
                reserve = pools.reserve.clone().acquire_owned() => (None, reserve.ok()),
            }
        });
        match given.await {
            Ok((Some(common), _)) => self.keep(common),
            Ok((None, reserve)) => self.reserve = reserve,
            Err(_) => return Err(OutOfMemory),
        }
        self.hold(bytes)
    }

    /// Units beyond what it holds.
    fn missing(&self, bytes: usize) -> usize {
        let common = self.common.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let reserve = self.reserve.as_ref().map_or(0, |_| self.pools.reserve_units);
        units(bytes).saturating_sub(common + reserve)
    }

    fn try_common(&mut self, missing: usize) -> Result<(), OutOfMemory> {
        if missing == 0 {
            return Ok(());
        }
        let more = self.pools.common.clone().try_acquire_many_owned(permits(missing)?).map_err(|_| OutOfMemory)?;
        self.keep(more);
        Ok(())
    }

    fn keep(&mut self, more: OwnedSemaphorePermit) {
        match &mut self.common {
            Some(common) => common.merge(more),
            none => *none = Some(more),
        }
    }
}

fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT_BYTES)
}

fn permits(units: usize) -> Result<u32, OutOfMemory> {
    u32::try_from(units).map_err(|_| OutOfMemory)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_mins(10);

    fn later() -> Instant {
        Instant::now() + LONG
    }

    #[tokio::test]
    async fn memory_is_held_as_it_is_used_and_comes_back() {
        let budget = BodyBudget::of_units(3, 2, SHORT);
        let [mut first, mut second, mut third] = [(); 3].map(|()| budget.for_one(later()));
        first.hold(2 * UNIT_BYTES).unwrap();
        second.hold(UNIT_BYTES).unwrap();
        // The reserve.
        second.hold(3 * UNIT_BYTES).unwrap();
        assert_eq!(second.hold(3 * UNIT_BYTES + 1), Err(OutOfMemory));
        assert_eq!(third.wait_to_hold(1).await, Err(OutOfMemory));
        drop(first);
        third.wait_to_hold(2 * UNIT_BYTES).await.unwrap();
        drop(second);
        third.hold(5 * UNIT_BYTES).unwrap();
    }

    #[tokio::test]
    async fn bodies_that_all_hold_some_and_want_more_are_all_served() {
        let budget = BodyBudget::of_units(8, 4, LONG);
        let mut bodies = tokio::task::JoinSet::new();
        let barrier = Arc::new(tokio::sync::Barrier::new(8));
        for _ in 0..8 {
            let (mut memory, barrier) = (budget.for_one(later()), barrier.clone());
            bodies.spawn(async move {
                memory.hold(UNIT_BYTES).unwrap();
                // Now nothing is left, and each wants three more before it ends.
                barrier.wait().await;
                for units in 2..=4 {
                    memory.wait_to_hold(units * UNIT_BYTES).await.unwrap();
                    tokio::task::yield_now().await;
                }
            });
        }
        tokio::time::timeout(Duration::from_mins(1), bodies.join_all()).await.expect("no two wait for each other");
    }

    #[tokio::test]
    async fn nobody_waits_beyond_the_time_of_its_request() {
        let budget = BodyBudget::of_units(1, 1, LONG);
        let mut other = budget.for_one(later());
        other.hold(2 * UNIT_BYTES).unwrap();
        assert_eq!(budget.for_one(Instant::now() + SHORT).wait_to_hold(1).await.unwrap_err(), OutOfMemory);
    }

    #[test]
    fn two_of_the_largest_bodies_fit_whatever_is_configured() {
        for mebibytes in [1, 32, 1024] {
            let max_bytes = mebibytes << 20;
            let BodyBudget(pools) = BodyBudget::for_bodies_of(max_bytes);
            let all = (pools.common.available_permits() + pools.reserve_units) * UNIT_BYTES;
            assert_eq!(all, (2 * max_bytes).max(LEAST_BYTES) + ZSTD_BYTES);
        }
    }
}
