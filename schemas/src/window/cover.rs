//! Which windows cover a range of time: as few as possible, pure arithmetic.

use super::Level;
use crate::UtcMillis;

/// Neighbouring windows of one level: all that start in `[from, to)`, which is aligned to the level's width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSpan {
    /// Width of the windows.
    pub level: Level,
    /// Start of the first window.
    pub from: UtcMillis,
    /// End of the last window.
    pub to: UtcMillis,
}

/// A range that kept windows do not cover exactly.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CoverError {
    /// An end within a minute.
    #[error("{moment} is not a whole UTC minute; `from` and `to` must be")]
    NotWholeMinute {
        /// The end that was refused.
        moment: UtcMillis,
    },
    /// The end before the start.
    #[error("`to` ({to}) is before `from` ({from})")]
    Reversed {
        /// Start of the range.
        from: UtcMillis,
        /// End of the range.
        to: UtcMillis,
    },
    /// An end between quarter-hours where minutes are no longer kept.
    #[error("{moment} is not a quarter-hour, and single minutes are kept only since {minutes_kept_from}")]
    MinutesExpired {
        /// The end that would need minutes.
        moment: UtcMillis,
        /// First minute that is kept.
        minutes_kept_from: UtcMillis,
    },
}

impl WindowSpan {
    /// How many windows the span has.
    pub const fn windows(self) -> i64 {
        (self.to.millis() - self.from.millis()) / self.level.width_millis()
    }
}

/// The fewest windows that together are exactly `[from, to)`, in order of time. An empty range has none.
///
/// `minutes_kept_from` is the setting `window_minute_floor_ms`: older minute windows do not exist.
///
/// # Errors
/// When an end is not a whole minute, the ends are reversed, or an end needs minutes that are no longer kept.
pub fn cover(from: UtcMillis, to: UtcMillis, minutes_kept_from: UtcMillis) -> Result<Vec<WindowSpan>, CoverError> {
    if let Some(moment) = [from, to].into_iter().find(|moment| Level::Minute.window_start(*moment) != *moment) {
        return Err(CoverError::NotWholeMinute { moment });
    }
    if to < from {
        return Err(CoverError::Reversed { from, to });
    }
    let mut spans = Vec::new();
    cover_with(&[Level::Day, Level::Hour, Level::QuarterHour, Level::Minute], from, to, &mut spans);
    match spans.iter().find(|span| span.level == Level::Minute && span.from < minutes_kept_from) {
        Some(span) => {
            let moment = if Level::QuarterHour.window_start(span.from) == span.from { span.to } else { span.from };
            Err(CoverError::MinutesExpired { moment, minutes_kept_from })
        }
        None => Ok(spans),
    }
}

/// Each width divides the next, so taking all whole windows of the widest level first is the fewest.
fn cover_with(levels: &[Level], from: UtcMillis, to: UtcMillis, spans: &mut Vec<WindowSpan>) {
    let Some((level, narrower)) = levels.split_first() else { return };
    let last = level.window_start(to);
    let first = match level.window_start(from) {
        start if start == from => from,
        start => level.window_end(start),
    };
    if from >= to {
        return;
    }
    if first >= last {
        cover_with(narrower, from, to, spans);
        return;
    }
    cover_with(narrower, from, first, spans);
    spans.push(WindowSpan { level: *level, from: first, to: last });
    cover_with(narrower, last, to, spans);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALWAYS: UtcMillis = UtcMillis::from_millis(i64::MIN);

    fn minute(number: i64) -> UtcMillis {
        UtcMillis::from_millis(number * 60_000)
    }

    /// The other way to the fewest: from each place the widest window that begins there and fits.
    fn greedy_count(from: i64, to: i64) -> i64 {
        let (mut at, mut count) = (from, 0);
        while at < to {
            at += [1440, 60, 15, 1].into_iter().find(|width| at.rem_euclid(*width) == 0 && at + width <= to).unwrap();
            count += 1;
        }
        count
    }

    proptest! {
        #[test]
        fn the_spans_are_the_range_aligned_and_as_few_as_possible(from in -5000_i64..5000, length in 0_i64..6000) {
            let spans = cover(minute(from), minute(from + length), ALWAYS).unwrap();
            let mut at = minute(from);
            for span in &spans {
                prop_assert_eq!(span.from, at);
                prop_assert!(span.to > span.from);
                prop_assert_eq!(span.level.window_start(span.from), span.from);
                prop_assert_eq!(span.level.window_start(span.to), span.to);
                at = span.to;
            }
            prop_assert_eq!(at, minute(from + length));
            prop_assert_eq!(spans.iter().map(|span| span.windows()).sum::<i64>(), greedy_count(from, from + length));
        }
    }

    #[test]
    fn ends_that_windows_cannot_meet_are_refused_with_the_reason() {
        let odd = UtcMillis::from_millis(61_000);
        assert_eq!(cover(odd, minute(5), ALWAYS), Err(CoverError::NotWholeMinute { moment: odd }));
        assert_eq!(cover(minute(5), minute(4), ALWAYS), Err(CoverError::Reversed { from: minute(5), to: minute(4) }));
        let floor = minute(1440);
        assert_eq!(cover(minute(15), minute(2000), floor).unwrap()[0].level, Level::QuarterHour);
        let expired = |moment| Err(CoverError::MinutesExpired { moment: minute(moment), minutes_kept_from: floor });
        assert_eq!(cover(minute(16), minute(2000), floor), expired(16));
        assert_eq!(cover(minute(15), minute(31), floor), expired(31));
        assert_eq!(cover(minute(1441), minute(1442), floor).unwrap().len(), 1);
    }
}
