//! When to ask again: as the answer says, else after pauses that double and vary.

use std::time::Duration;

use chrono::DateTime;
use opstream_schemas::UtcMillis;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// First pause without advice from the answer.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Shortest pause, so that advice of 0 s does not make a tight loop.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause, advised or not, so that a wrong clock on the other side cannot park an import for hours.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Pauses that double up to half a minute; each varies by a quarter, so that several imports do not march in step.
#[derive(Debug)]
pub(super) struct Pauses {
    next: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { next: FIRST_PAUSE }
    }
}

impl Pauses {
    /// The pause before the next attempt.
    pub(super) fn next_pause(&mut self) -> Duration {
        let pause = self.next.mul_f64(rand::random_range(0.75..1.25)).min(LONGEST_PAUSE);
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        pause
    }
}

/// Whether an answer means "not now" instead of "no".
pub(super) fn is_busy(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// The pause that a `Retry-After` header asks for, in seconds or until a date; none when it is absent or unreadable.
pub(super) fn retry_after(headers: &HeaderMap, now: UtcMillis) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let until_date = || {
        let until = DateTime::parse_from_rfc2822(text).ok()?.timestamp_millis();
        Some(Duration::from_millis(u64::try_from(until.saturating_sub(now.millis())).unwrap_or(0)))
    };
    let pause = text.parse().ok().map(Duration::from_secs).or_else(until_date)?;
    Some(pause.clamp(SHORTEST_PAUSE, LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &'static str) -> Option<Duration> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
        retry_after(&headers, UtcMillis::from_millis(784_111_767_000))
    }

    #[test]
    fn the_pause_is_the_one_that_the_answer_asks_for_within_limits() {
        assert_eq!(asked("3"), Some(Duration::from_secs(3)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:00:00 GMT"), Some(SHORTEST_PAUSE));
        assert_eq!(asked("86400"), Some(LONGEST_PAUSE));
        assert_eq!(asked("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), UtcMillis::default()), None);
    }

    #[test]
    fn pauses_grow_and_end_at_half_a_minute() {
        let mut pauses = Pauses::default();
        let all: Vec<Duration> = (0..12).map(|_| pauses.next_pause()).collect();
        assert!(all[0] < FIRST_PAUSE * 2, "{all:?}");
        assert!(all[5] > all[0], "{all:?}");
        assert!(all.iter().all(|pause| *pause <= LONGEST_PAUSE), "{all:?}");
    }
}
