//! Durations of one operation, from a monotonic clock. Reads no clock itself.

use std::time::{Duration, Instant};

use opstream_schemas::Operation;
use opstream_schemas::validate::MAX_MICROS;

/// The instants of an operation that is under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    began: Instant,
    sent: Option<Instant>,
    first_token: Option<Instant>,
    answered: Option<Instant>,
}

impl Stopwatch {
    pub(crate) fn start(now: Instant) -> Self {
        Self { began: now, sent: None, first_token: None, answered: None }
    }

    /// The request leaves now; of several calls the first counts.
    pub(crate) fn note_sent(&mut self, now: Instant) {
        self.sent.get_or_insert(now);
    }

    /// A token is there now; of several calls the first counts.
    pub(crate) fn note_first_token(&mut self, now: Instant) {
        self.first_token.get_or_insert(now);
    }

    /// The answer is complete now; of several calls the first counts.
    pub(crate) fn note_answered(&mut self, now: Instant) {
        self.answered.get_or_insert(now);
    }

    /// Writes the durations that are known and that the operation does not have.
    pub(crate) fn write(&self, operation: &mut Operation, now: Instant) {
        let end = self.answered.unwrap_or(now);
        let since = |from: Instant, to: Instant| micros(to.saturating_duration_since(from));
        let durations = [
            (&mut operation.latency_us, Some(since(self.began, end))),
            (&mut operation.queue_us, self.sent.map(|sent| since(self.began, sent))),
            (&mut operation.ttft_us, self.first_token.map(|first| since(self.began, first))),
            (&mut operation.generation_us, self.first_token.map(|first| since(first, end))),
        ];
        for (field, duration) in durations {
            *field = field.or(duration);
        }
    }
}

/// Microseconds, held at the longest duration that an operation may have.
fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(MAX_MICROS).min(MAX_MICROS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn durations(operation: &Operation) -> [Option<i64>; 4] {
        [operation.latency_us, operation.queue_us, operation.ttft_us, operation.generation_us]
    }

    #[test]
    fn each_duration_is_between_its_two_instants() {
        let began = Instant::now();
        let at = |micros| began + Duration::from_micros(micros);
        let mut watch = Stopwatch::start(began);
        let mut operation = Operation::default();
        watch.write(&mut operation, at(700));
        assert_eq!(durations(&operation), [Some(700), None, None, None]);

        watch.note_sent(at(20));
        watch.note_first_token(at(300));
        for later in [at(301), at(302)] {
            watch.note_sent(later);
            watch.note_first_token(later);
        }
        let mut operation = Operation::default();
        watch.write(&mut operation, at(1_000));
        assert_eq!(durations(&operation), [Some(1_000), Some(20), Some(300), Some(700)]);

        watch.note_answered(at(900));
        watch.note_answered(at(950));
        let mut operation = Operation::default();
        watch.write(&mut operation, at(5_000));
        assert_eq!(durations(&operation), [Some(900), Some(20), Some(300), Some(600)]);
    }

    #[test]
    fn what_the_caller_measured_stays() {
        let began = Instant::now();
        let mut operation = Operation { latency_us: Some(5), ..Operation::default() };
        Stopwatch::start(began).write(&mut operation, began + Duration::from_secs(1));
        assert_eq!(operation.latency_us, Some(5));
    }

    #[test]
    fn a_token_behind_the_answer_and_a_month_are_held_in_range() {
        let began = Instant::now();
        let mut watch = Stopwatch::start(began);
        watch.note_answered(began);
        watch.note_first_token(began + Duration::from_micros(9));
        let mut operation = Operation::default();
        watch.write(&mut operation, began);
        assert_eq!(durations(&operation), [Some(0), None, Some(9), Some(0)]);
        let mut operation = Operation::default();
        Stopwatch::start(began).write(&mut operation, began + Duration::from_hours(24 * 30));
        assert_eq!(operation.latency_us, Some(MAX_MICROS));
    }
}
