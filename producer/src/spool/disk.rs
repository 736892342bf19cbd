//! When a disk that refused is asked again.

use std::time::{Duration, Instant};

use crate::delivery::Shared;

/// Time between a refusal and the next attempt; doubles while it refuses.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The disk under the spool.
#[derive(Debug)]
pub(super) struct Disk {
    ask_from: Instant,
    pause: Duration,
}

impl Disk {
    pub(super) fn new(now: Instant) -> Self {
        Self { ask_from: now, pause: FIRST_PAUSE }
    }

    /// Whether the pause after the last refusal is over.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.ask_from
    }

    /// It refused. The reason is told with the next warning.
    pub(super) fn fail(&mut self, reason: &str, shared: &Shared, now: Instant) {
        shared.disk_trouble.note(reason);
        self.ask_from = now + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// It took what was written.
    pub(super) fn succeed(&mut self, shared: &Shared) {
        shared.disk_trouble.clear();
        self.pause = FIRST_PAUSE;
    }
}
