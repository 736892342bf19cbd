//! What each caller has taken, for a bounded number of them. Sync, no IO.
//!
//! Two generations of a map: whoever calls is in the recent one; when that is full it becomes the earlier one, and what the earlier one
//! still held is forgotten. So whoever has called among the last [`MOST_RECENT`] addresses is remembered, a flood of other addresses takes
//! a few megabytes and no more, and nothing has to be swept. Crates that limit by key, such as `governor`, remember every key until they are
//! told to look for idle ones, and cannot take more than there is.

use std::collections::HashMap;
use std::mem;

use super::bucket::Bucket;
use super::caller::Caller;

/// Callers of a generation, about 80 bytes each.
const MOST_RECENT: usize = 32_768;

/// What one caller has taken of each limit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    pub(super) requests: Bucket,
    pub(super) operations: Bucket,
    pub(super) bytes: Bucket,
}

/// What every caller has taken. The maps' hashes are seeded: addresses are chosen by their callers.
#[derive(Debug)]
pub(super) struct Callers {
    recent: HashMap<Caller, Taken>,
    earlier: HashMap<Caller, Taken>,
    most_recent: usize,
}

impl Default for Callers {
    fn default() -> Self {
        Self::of_at_most(MOST_RECENT)
    }
}

impl Callers {
    fn of_at_most(most_recent: usize) -> Self {
        Self { recent: HashMap::new(), earlier: HashMap::new(), most_recent }
    }

    /// What this caller has taken; nothing if it is not remembered.
    pub(super) fn of(&mut self, caller: Caller) -> &mut Taken {
        if !self.recent.contains_key(&caller) {
            let taken = self.earlier.remove(&caller).unwrap_or_default();
            if self.recent.len() >= self.most_recent {
                self.earlier = mem::take(&mut self.recent);
            }
            self.recent.insert(caller, taken);
        }
        self.recent.entry(caller).or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::num::NonZeroU64;
    use std::time::Duration;

    use super::super::bucket::{Moment, Rate};
    use super::*;

    fn caller(number: u32) -> Caller {
        Caller::at(Ipv4Addr::from(number).into())
    }

    #[test]
    fn a_flood_of_addresses_is_forgotten_and_who_calls_again_is_not() {
        let rate = Rate::new(NonZeroU64::MIN, Duration::from_secs(1));
        let mut callers = Callers::of_at_most(100);
        let known = Caller::Token;
        callers.of(known).requests.take(&rate, 1_000_000, Moment(0));
        for number in 0..100_000 {
            callers.of(caller(number)).requests.take(&rate, 1, Moment(0));
            assert!(callers.recent.len() <= 100 && callers.earlier.len() <= 100);
            if number % 90 == 0 {
                assert!(callers.of(known).requests.wait(&rate, Moment(0)).is_some(), "after {number} others");
            }
        }
        assert!(callers.of(caller(0)).requests.wait(&rate, Moment(0)).is_none(), "forgotten");
        assert!(callers.of(caller(99_999)).requests.wait(&rate, Moment(0)).is_some(), "remembered");
    }
}
