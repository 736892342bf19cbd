//! Tells the outside how a producer fares: metrics on every round, warnings at a limited rate. Runs on the delivering
//! thread, so that neither costs a caller anything.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::delivery::Shared;
use crate::ledger::Counters;
use crate::metrics::{record_content_dropped, record_outcome, record_queue, record_spool, record_spool_outcome};
use crate::spool::books::SpoolCounters;

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

    /// Whether something was noted since the last success.
    pub(crate) fn is_present(&self) -> bool {
        self.present.load(Ordering::Acquire)
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
    /// When dropped content was warned about, and how much it was.
    warned_of_content: Option<(Instant, u64)>,
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
    pub(crate) fn publish(&mut self, shared: &Shared, now: Instant) {
        let counters = shared.ledger.counters();
        let queued_bytes = shared.ledger.queued_bytes();
        record_outcome("sent", counters.sent.saturating_sub(self.published.sent));
        record_outcome("dropped", counters.dropped.saturating_sub(self.published.dropped));
        record_outcome("failed", counters.failed.saturating_sub(self.published.failed));
        record_outcome("spooled", counters.spooled.saturating_sub(self.published.spooled));
        if (counters.queued, queued_bytes) != (self.published.queued, self.published_bytes) {
            let added_operations = counters.queued as f64 - self.published.queued as f64;
            record_queue(added_operations, queued_bytes as f64 - self.published_bytes as f64);
        }
        publish_spool(self.published.spool, counters.spool);
        let content_dropped = counters.content_dropped.saturating_sub(self.published.content_dropped);
        record_content_dropped(content_dropped);
        self.warn_of_content(counters.content_dropped, now);
        self.published = counters;
        self.published_bytes = queued_bytes;
        self.log(counters, shared, now);
    }

    /// Publishes for the last time. What is left on disk is no longer this producer's; the next one counts it again.
    pub(crate) fn end(mut self, shared: &Shared, now: Instant) {
        self.publish(shared, now);
        let SpoolCounters { waiting, bytes, .. } = self.published.spool;
        record_spool(-(waiting as f64), -(bytes as f64));
    }

    fn warn_of_content(&mut self, content_dropped: u64, now: Instant) {
        let before = self.warned_of_content.map_or(0, |(_, dropped)| dropped);
        let is_due = self.warned_of_content.is_none_or(|(at, _)| now.saturating_duration_since(at) >= WARN_EVERY);
        if content_dropped > before && is_due {
            warn!(content_dropped, "the redaction hook panicked: texts were dropped, and the operations kept");
            self.warned_of_content = Some((now, content_dropped));
        }
    }

    fn log(&mut self, counters: Counters, shared: &Shared, now: Instant) {
        let troubles = Troubles { broker: shared.trouble.is_present(), disk: shared.disk_trouble.is_present() };
        match next_line(self.warned, counters, troubles, now) {
            Line::Nothing => {}
            Line::Warning => {
                warn_of(counters, shared);
                self.warned = Some(Warned { at: now, counters, recovered: false });
            }
            Line::Recovery => {
                let Counters { sent, dropped, failed, spooled, spool, .. } = counters;
                let SpoolCounters { resent, discarded, damaged, .. } = spool;
                info!(sent, dropped, failed, spooled, resent, discarded, damaged, "operations are delivered again");
                self.warned = self.warned.map(|warned| Warned { recovered: true, ..warned });
            }
        }
    }
}

fn publish_spool(before: SpoolCounters, now: SpoolCounters) {
    record_spool_outcome("inherited", now.inherited.saturating_sub(before.inherited));
    record_spool_outcome("resent", now.resent.saturating_sub(before.resent));
    record_spool_outcome("discarded", now.discarded.saturating_sub(before.discarded));
    record_spool_outcome("damaged", now.damaged.saturating_sub(before.damaged));
    record_spool_outcome("refused", now.refused.saturating_sub(before.refused));
    if (now.waiting, now.bytes) != (before.waiting, before.bytes) {
        record_spool(now.waiting as f64 - before.waiting as f64, now.bytes as f64 - before.bytes as f64);
    }
}

fn warn_of(counters: Counters, shared: &Shared) {
    let Counters { sent, dropped, failed, queued, spooled, spool, .. } = counters;
    let SpoolCounters { waiting: on_disk, discarded, damaged, refused, .. } = spool;
    let broker = shared.trouble.text();
    let reason = match (broker, shared.disk_trouble.text()) {
        (Some(broker), Some(disk)) => format!("{broker}; {disk}"),
        (Some(reason), None) | (None, Some(reason)) => reason,
        (None, None) => "the broker is slower than the application".to_owned(),
    };
    if (spooled, on_disk) == (0, 0) {
        warn!(sent, dropped, failed, queued, reason, "operations do not reach their destination or are lost");
    } else {
        warn!(
            sent,
            dropped,
            failed,
            queued,
            on_disk,
            discarded,
            damaged,
            refused,
            reason,
            "operations wait for their destination or are lost"
        );
    }
}

/// With what something is wrong.
#[derive(Clone, Copy, Debug, Default)]
struct Troubles {
    broker: bool,
    disk: bool,
}

/// Operations that are lost for good.
fn lost(counters: Counters) -> u64 {
    let SpoolCounters { discarded, damaged, refused, .. } = counters.spool;
    counters.dropped + counters.failed + discarded + damaged + refused
}

/// Operations that have still to reach their destination.
fn waiting(counters: Counters) -> u64 {
    counters.queued + counters.spool.waiting
}

fn next_line(warned: Option<Warned>, counters: Counters, troubles: Troubles, now: Instant) -> Line {
    let before = warned.map(|warned| warned.counters).unwrap_or_default();
    let lost = lost(counters) > lost(before);
    // A broker closes idle connections, which sounds like trouble: with nothing to send it counts only before the first
    // success, when it means a wrong address.
    let stuck = troubles.broker && (waiting(counters) > 0 || (delivered(counters) == 0 && warned.is_none()));
    let in_trouble = troubles.broker || troubles.disk;
    match warned {
        Some(warned) if now.saturating_duration_since(warned.at) < WARN_EVERY && !warned.recovered => {
            if in_trouble || lost || waiting(counters) > 0 { Line::Nothing } else { recovery(before, counters) }
        }
        Some(warned) if now.saturating_duration_since(warned.at) < WARN_EVERY => Line::Nothing,
        _ if lost || stuck || troubles.disk => Line::Warning,
        Some(warned) if !warned.recovered && !in_trouble && waiting(counters) == 0 => recovery(before, counters),
        _ => Line::Nothing,
    }
}

fn recovery(before: Counters, now: Counters) -> Line {
    if delivered(now) > delivered(before) { Line::Recovery } else { Line::Nothing }
}

fn delivered(counters: Counters) -> u64 {
    counters.sent + counters.spool.resent
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

    use super::*;
    use crate::ledger::Ledger;
    use crate::metrics::{SPOOL_BYTES, SPOOL_WAITING};

    const CALM: Troubles = Troubles { broker: false, disk: false };
    const AWAY: Troubles = Troubles { broker: true, disk: false };

    fn counters(sent: u64, failed: u64, queued: u64) -> Counters {
        Counters { sent, failed, queued, ..Counters::default() }
    }

    #[test]
    fn losses_are_warned_about_at_once_and_then_at_a_limited_rate() {
        let start = Instant::now();
        assert_eq!(next_line(None, counters(0, 1, 0), CALM, start), Line::Warning);
        let warned = Some(Warned { at: start, counters: counters(0, 1, 0), recovered: false });
        assert_eq!(next_line(warned, counters(0, 900, 0), CALM, start + WARN_EVERY / 2), Line::Nothing);
        assert_eq!(next_line(warned, counters(0, 900, 0), CALM, start + WARN_EVERY), Line::Warning);
        assert_eq!(
            next_line(warned, counters(0, 1, 0), CALM, start + WARN_EVERY),
            Line::Nothing,
            "nothing new is lost"
        );
    }

    #[test]
    fn a_broker_that_was_never_reached_is_named_once_and_an_idle_disconnect_never() {
        let start = Instant::now();
        assert_eq!(next_line(None, counters(0, 0, 0), AWAY, start), Line::Warning);
        let warned = Some(Warned { at: start, counters: counters(0, 0, 0), recovered: false });
        assert_eq!(next_line(warned, counters(0, 0, 0), AWAY, start + WARN_EVERY), Line::Nothing);
        assert_eq!(
            next_line(warned, counters(0, 0, 3), AWAY, start + WARN_EVERY),
            Line::Warning,
            "now something waits"
        );
        assert_eq!(next_line(None, counters(10, 0, 0), AWAY, start), Line::Nothing);
    }

    #[test]
    fn recovery_is_told_once_everything_left() {
        let start = Instant::now();
        let warned = Warned { at: start, counters: counters(0, 0, 3), recovered: false };
        assert_eq!(next_line(Some(warned), counters(2, 0, 1), CALM, start), Line::Nothing);
        assert_eq!(next_line(Some(warned), counters(3, 0, 0), CALM, start), Line::Recovery);
        let told = Some(Warned { recovered: true, ..warned });
        assert_eq!(next_line(told, counters(9, 0, 0), CALM, start + WARN_EVERY), Line::Nothing);
    }

    #[test]
    fn a_spool_that_cannot_be_written_is_named_and_one_that_waits_is_no_recovery() {
        let start = Instant::now();
        let full = Troubles { disk: true, ..CALM };
        assert_eq!(next_line(None, counters(5, 0, 0), full, start), Line::Warning);
        let warned = Some(Warned { at: start, counters: counters(5, 0, 0), recovered: false });
        assert_eq!(next_line(warned, counters(5, 0, 9), full, start + WARN_EVERY / 2), Line::Nothing);
        let on_disk = SpoolCounters { waiting: 1, ..SpoolCounters::default() };
        assert_eq!(next_line(warned, Counters { spool: on_disk, ..counters(9, 0, 0) }, CALM, start), Line::Nothing);
        let resent = SpoolCounters { resent: 1, ..SpoolCounters::default() };
        assert_eq!(next_line(warned, Counters { spool: resent, ..counters(5, 0, 0) }, CALM, start), Line::Recovery);
        let discarded = SpoolCounters { discarded: 1, ..SpoolCounters::default() };
        let lost = Counters { spool: discarded, ..counters(5, 0, 0) };
        assert_eq!(next_line(warned, lost, CALM, start + WARN_EVERY), Line::Warning);
    }

    #[test]
    fn dropped_content_is_warned_about_at_once_and_then_at_a_limited_rate() {
        let start = Instant::now();
        let mut report = Report::default();
        let steps = [
            (0, 0, None),
            (1, 0, Some((start, 1))),
            (900, 29, Some((start, 1))),
            (900, 30, Some((start + WARN_EVERY, 900))),
            (900, 90, Some((start + WARN_EVERY, 900))), // nothing new
        ];
        for (dropped, seconds, warned) in steps {
            report.warn_of_content(dropped, start + Duration::from_secs(seconds));
            assert_eq!(report.warned_of_content, warned, "{dropped} after {seconds} s");
        }
    }

    /// Keeps gauges by name and nothing else.
    #[derive(Default)]
    struct Gauges(Mutex<HashMap<String, Arc<AtomicU64>>>);

    impl Gauges {
        fn value(&self, name: &str) -> f64 {
            f64::from_bits(self.0.lock().unwrap()[name].load(Ordering::Relaxed))
        }
    }

    impl Recorder for Gauges {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
            Counter::noop()
        }

        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(Arc::clone(self.0.lock().unwrap().entry(key.name().to_owned()).or_default()))
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    #[test]
    fn what_a_producer_leaves_on_disk_is_not_counted_twice_when_the_next_one_finds_it() {
        let gauges = Gauges::default();
        metrics::with_local_recorder(&gauges, || {
            for _ in 0..2 {
                let shared = Shared::new(Ledger::new(1, 1024));
                shared.ledger.spool.inherited(3);
                shared.ledger.spool.set_bytes(500);
                let mut report = Report::default();
                report.publish(&shared, Instant::now());
                assert_eq!((gauges.value(SPOOL_WAITING), gauges.value(SPOOL_BYTES)), (3.0, 500.0));
                report.end(&shared, Instant::now());
            }
        });
        assert_eq!((gauges.value(SPOOL_WAITING), gauges.value(SPOOL_BYTES)), (0.0, 0.0));
    }
}
