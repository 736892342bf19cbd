//! Tells the outside how a producer fares: metrics on every round, warnings at a limited rate. Runs on the delivering
//! thread, so that neither costs a caller anything.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::ledger::{Counters, Ledger};
use crate::metrics::{record_outcome, record_queue};

/// Least time between two warnings: an outage of an hour is 120 lines.
const WARN_EVERY: Duration = Duration::from_secs(30);

/// The last that was heard about a connection or file that does not work. Never content.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    present: AtomicBool,
    text: Mutex<Option<String>>,
}

impl Trouble {
    pub(crate) fn note(&self, text: &str) {
        *self.lock() = Some(text.to_owned());
        self.present.store(true, Ordering::Release);
    }

    /// Notes what says less than what may be there already.
    pub(crate) fn note_if_silent(&self, text: &str) {
        self.lock().get_or_insert_with(|| text.to_owned());
        self.present.store(true, Ordering::Release);
    }

    /// A delivery succeeded.
    pub(crate) fn clear(&self) {
        if self.present.load(Ordering::Acquire) {
            self.present.store(false, Ordering::Release);
            *self.lock() = None;
        }
    }

    pub(crate) fn text(&self) -> Option<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was reported so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    published: Counters,
    published_bytes: usize,
    warned: Option<Warned>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Warned {
    at: Instant,
    counters: Counters,
    recovered: bool,
}

/// What is worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Nothing,
    Warning,
    Recovery,
}

impl Report {
    /// Publishes what changed since the last call, and warns when operations are lost or cannot leave.
    pub(crate) fn publish(&mut self, ledger: &Ledger, trouble: &Trouble, now: Instant) {
        let counters = ledger.counters();
        let queued_bytes = ledger.queued_bytes();
        record_outcome("sent", counters.sent.saturating_sub(self.published.sent));
        record_outcome("dropped", counters.dropped.saturating_sub(self.published.dropped));
        record_outcome("failed", counters.failed.saturating_sub(self.published.failed));
        if (counters.queued, queued_bytes) != (self.published.queued, self.published_bytes) {
            let added_operations = counters.queued as f64 - self.published.queued as f64;
            record_queue(added_operations, queued_bytes as f64 - self.published_bytes as f64);
        }
        self.published = counters;
        self.published_bytes = queued_bytes;
        self.log(counters, trouble, now);
    }

    fn log(&mut self, counters: Counters, trouble: &Trouble, now: Instant) {
        let in_trouble = trouble.present.load(Ordering::Acquire);
        match next_line(self.warned, counters, in_trouble, now) {
            Line::Nothing => {}
            Line::Warning => {
                let Counters { sent, dropped, failed, queued } = counters;
                let reason = trouble.text().unwrap_or_else(|| "the broker is slower than the application".to_owned());
                warn!(sent, dropped, failed, queued, reason, "operations do not reach their destination or are lost");
                self.warned = Some(Warned { at: now, counters, recovered: false });
            }
            Line::Recovery => {
                info!(
                    sent = counters.sent,
                    dropped = counters.dropped,
                    failed = counters.failed,
                    "operations are delivered again"
                );
                self.warned = self.warned.map(|warned| Warned { recovered: true, ..warned });
            }
        }
    }
}

fn next_line(warned: Option<Warned>, counters: Counters, in_trouble: bool, now: Instant) -> Line {
    let before = warned.map(|warned| warned.counters).unwrap_or_default();
    let lost = counters.dropped > before.dropped || counters.failed > before.failed;
    // A broker closes idle connections, which sounds like trouble: with nothing to send it counts only before the first
    // success, when it means a wrong address.
    let stuck = in_trouble && (counters.queued > 0 || (counters.sent == 0 && warned.is_none()));
    match warned {
        Some(warned) if now.saturating_duration_since(warned.at) < WARN_EVERY && !warned.recovered => {
            if in_trouble || lost || counters.queued > 0 { Line::Nothing } else { recovery(before, counters) }
        }
        Some(warned) if now.saturating_duration_since(warned.at) < WARN_EVERY => Line::Nothing,
        _ if lost || stuck => Line::Warning,
        Some(warned) if !warned.recovered && !in_trouble && counters.queued == 0 => recovery(before, counters),
        _ => Line::Nothing,
    }
}

fn recovery(before: Counters, now: Counters) -> Line {
    if now.sent > before.sent { Line::Recovery } else { Line::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(sent: u64, failed: u64, queued: u64) -> Counters {
        Counters { sent, dropped: 0, failed, queued }
    }

    #[test]
    fn losses_are_warned_about_at_once_and_then_at_a_limited_rate() {
        let start = Instant::now();
        assert_eq!(next_line(None, counters(0, 1, 0), false, start), Line::Warning);
        let warned = Some(Warned { at: start, counters: counters(0, 1, 0), recovered: false });
        assert_eq!(next_line(warned, counters(0, 900, 0), false, start + WARN_EVERY / 2), Line::Nothing);
        assert_eq!(next_line(warned, counters(0, 900, 0), false, start + WARN_EVERY), Line::Warning);
        assert_eq!(
            next_line(warned, counters(0, 1, 0), false, start + WARN_EVERY),
            Line::Nothing,
            "nothing new is lost"
        );
    }

    #[test]
    fn a_broker_that_was_never_reached_is_named_once_and_an_idle_disconnect_never() {
        let start = Instant::now();
        assert_eq!(next_line(None, counters(0, 0, 0), true, start), Line::Warning);
        let warned = Some(Warned { at: start, counters: counters(0, 0, 0), recovered: false });
        assert_eq!(next_line(warned, counters(0, 0, 0), true, start + WARN_EVERY), Line::Nothing);
        assert_eq!(
            next_line(warned, counters(0, 0, 3), true, start + WARN_EVERY),
            Line::Warning,
            "now something waits"
        );
        assert_eq!(next_line(None, counters(10, 0, 0), true, start), Line::Nothing);
    }

    #[test]
    fn recovery_is_told_once_everything_left() {
        let start = Instant::now();
        let warned = Warned { at: start, counters: counters(0, 0, 3), recovered: false };
        assert_eq!(next_line(Some(warned), counters(2, 0, 1), false, start), Line::Nothing);
        assert_eq!(next_line(Some(warned), counters(3, 0, 0), false, start), Line::Recovery);
        let told = Some(Warned { recovered: true, ..warned });
        assert_eq!(next_line(told, counters(9, 0, 0), false, start + WARN_EVERY), Line::Nothing);
    }
}
