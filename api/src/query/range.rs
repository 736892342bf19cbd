//! The range of time that a question is about, and the windows that are exactly that range. Pure.

use opstream_schemas::UtcMillis;
use opstream_schemas::window::{CoverError, Level, WindowSpan, cover};

use crate::error::ApiError;

/// Half-open range; an end that is missing is open: everything before, everything after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// First moment of the range.
    pub(crate) from: Option<UtcMillis>,
    /// First moment after it.
    pub(crate) to: Option<UtcMillis>,
}

impl Range {
    /// The fewest windows that are exactly this range. `minutes_kept_from` is the first minute that is kept.
    ///
    /// # Errors
    /// When the ends are reversed, or one needs minutes that are no longer kept.
    pub(crate) fn spans(self, minutes_kept_from: UtcMillis) -> Result<Vec<WindowSpan>, CoverError> {
        const ALWAYS: UtcMillis = UtcMillis::from_millis(i64::MIN);
        const NEVER: UtcMillis = UtcMillis::from_millis(i64::MAX);
        let days = |from, to| WindowSpan { level: Level::Day, from, to };
        match (self.from, self.to) {
            (None, None) => Ok(vec![days(ALWAYS, NEVER)]),
            (Some(from), Some(to)) => cover(from, to, minutes_kept_from),
            (None, Some(to)) => {
                let day = Level::Day.window_start(to);
                let mut spans = vec![days(ALWAYS, day)];
                spans.extend(cover(day, to, minutes_kept_from)?);
                Ok(spans)
            }
            (Some(from), None) => {
                let start = Level::Day.window_start(from);
                let day = if start == from { from } else { Level::Day.window_end(start) };
                let mut spans = cover(from, day, minutes_kept_from)?;
                spans.push(days(day, NEVER));
                Ok(spans)
            }
        }
    }
}

/// The client's mistake: it asks for a range that windows do not cover.
impl From<CoverError> for ApiError {
    fn from(error: CoverError) -> Self {
        Self::invalid("invalid_range", error.to_string())
    }
}

/// The end of the minute that contains `now`: where a range ends that is open to the present.
pub(crate) fn now_up_to_minute(now: UtcMillis) -> UtcMillis {
    Level::Minute.window_end(Level::Minute.window_start(now))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEPT: UtcMillis = UtcMillis::from_millis(i64::MIN);

    fn minute(number: i64) -> UtcMillis {
        UtcMillis::from_millis(number * 60_000)
    }

    fn holds(spans: &[WindowSpan], at: UtcMillis) -> usize {
        spans.iter().filter(|span| span.from <= at && at < span.to).count()
    }

    #[test]
    fn an_open_end_takes_everything_there() {
        let all = Range { from: None, to: None }.spans(KEPT).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(holds(&all, minute(-1_000_000)), 1);
        assert_eq!(Range { from: Some(minute(1440)), to: None }.spans(KEPT).unwrap().len(), 1);
    }

    proptest! {
        #[test]
        fn an_operation_counts_once_inside_the_range_and_never_outside(
            from in proptest::option::of(-3000_i64..3000),
            to in proptest::option::of(-3000_i64..3000),
            at in -6000_i64..6000,
        ) {
            let range = Range { from: from.map(minute), to: to.map(minute) };
            let is_inside = from.is_none_or(|from| from <= at) && to.is_none_or(|to| at < to);
            match range.spans(KEPT) {
                Ok(spans) => prop_assert_eq!(holds(&spans, minute(at)), usize::from(is_inside)),
                Err(error) => {
                    prop_assert!(to < from, "{}", error);
                }
            }
        }
    }
}
