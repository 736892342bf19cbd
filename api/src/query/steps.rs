//! A range cut into steps of one width. Pure.

use opstream_schemas::UtcMillis;
use opstream_schemas::window::{Level, WindowSpan};

use super::range::now_up_to_minute;
use super::{Parameters, Range};
use crate::error::ApiError;

/// Names of the widths.
const LEVELS: [(&str, Level); 4] = [
    (Level::Minute.name(), Level::Minute),
    (Level::QuarterHour.name(), Level::QuarterHour),
    (Level::Hour.name(), Level::Hour),
    (Level::Day.name(), Level::Day),
];
/// Steps that a chart shows well; an unnamed resolution is the narrowest one with at most so many.
const PLEASANT_STEPS: i64 = 300;
/// Most steps of an answer: a week of minutes.
const MAX_STEPS: i64 = 10_080;

/// Steps of a range, and the windows that are exactly that range and no wider than a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Steps {
    /// Start of the range.
    pub(crate) from: UtcMillis,
    /// End of the range; of one that is open, the end of the present minute.
    pub(crate) to: UtcMillis,
    /// Width of the steps.
    pub(crate) resolution: Level,
    /// The windows. Those of an open range have no end either: clocks of producers may be ahead.
    pub(crate) spans: Vec<WindowSpan>,
}

/// What the steps of a range depend on beside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Present {
    /// Now.
    pub(crate) now: UtcMillis,
    /// The first minute whose windows of a minute are kept.
    pub(crate) minutes_kept_from: UtcMillis,
}

impl Parameters {
    /// The name of a width.
    ///
    /// # Errors
    /// When it is another word, or given twice.
    pub(crate) fn take_level(&mut self, name: &'static str) -> Result<Option<Level>, ApiError> {
        self.take_choice(name, &LEVELS)
    }
}

impl Steps {
    /// The steps of `range`; without `resolution` they are the narrowest ones that a chart shows well.
    ///
    /// # Errors
    /// When the range has no start, too many steps, or windows that are no longer kept.
    pub(crate) fn of(range: Range, resolution: Option<Level>, present: Present) -> Result<Self, ApiError> {
        let Some(from) = range.from else {
            return Err(ApiError::invalid("missing_parameter", "parameter from is missing; steps need a start"));
        };
        let to = range.to.unwrap_or_else(|| now_up_to_minute(present.now).max(from));
        let resolution = resolution.unwrap_or_else(|| pleasant_resolution(from, to, present.minutes_kept_from));
        let steps = to.millis().saturating_sub(from.millis()) / resolution.width_millis();
        if steps > MAX_STEPS {
            let message = format!(
                "the range has {steps} steps of a {}, more than {MAX_STEPS}; take a wider resolution",
                resolution.name()
            );
            return Err(ApiError::invalid("too_many_steps", message));
        }
        let spans = narrow(range.spans(present.minutes_kept_from)?, resolution);
        check_minutes_kept(&spans, present.minutes_kept_from)?;
        Ok(Self { from, to, resolution, spans })
    }
}

/// Replaces windows that are wider than a step by those of its width; each width divides the next.
fn narrow(spans: Vec<WindowSpan>, resolution: Level) -> Vec<WindowSpan> {
    spans.into_iter().map(|span| WindowSpan { level: span.level.min(resolution), ..span }).collect()
}

/// Refuses windows of a minute that are no longer kept: they would read as minutes without operations.
fn check_minutes_kept(spans: &[WindowSpan], floor: UtcMillis) -> Result<(), ApiError> {
    if spans.iter().any(|span| span.level == Level::Minute && span.from < floor) {
        let message = format!("single minutes are kept only since {floor}; take a wider resolution or a later from");
        return Err(ApiError::invalid("invalid_range", message));
    }
    Ok(())
}

fn pleasant_resolution(from: UtcMillis, to: UtcMillis, minutes_kept_from: UtcMillis) -> Level {
    let length = to.millis().saturating_sub(from.millis());
    let is_pleasant = |level: &Level| {
        let is_kept = *level != Level::Minute || from >= minutes_kept_from;
        is_kept && length / level.width_millis() <= PLEASANT_STEPS
    };
    Level::ALL.into_iter().find(is_pleasant).unwrap_or(Level::Day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(number: i64) -> UtcMillis {
        UtcMillis::from_millis(number * 60_000)
    }

    #[test]
    fn an_unnamed_resolution_gives_a_pleasant_chart() {
        for (minutes, level) in [
            (60, Level::Minute),
            (300, Level::Minute),
            (1440, Level::QuarterHour),
            (3 * 1440, Level::QuarterHour),
            (7 * 1440, Level::Hour),
            (90 * 1440, Level::Day),
        ] {
            assert_eq!(pleasant_resolution(minute(0), minute(minutes), minute(0)), level, "{minutes} minutes");
        }
    }

    #[test]
    fn no_window_is_wider_than_a_step() {
        let range = Range { from: Some(minute(30)), to: Some(minute(3 * 1440 + 17)) };
        let spans = narrow(range.spans(minute(0)).unwrap(), Level::Hour);
        assert!(spans.iter().all(|span| span.level <= Level::Hour));
        assert_eq!((spans[0].from, spans.last().unwrap().to), (minute(30), minute(3 * 1440 + 17)));
    }

    #[test]
    fn an_unnamed_resolution_never_asks_for_minutes_that_are_gone() {
        let hour = Range { from: Some(minute(60)), to: Some(minute(120)) };
        let resolution = |kept_from| {
            let present = Present { now: minute(99_999), minutes_kept_from: minute(kept_from) };
            Steps::of(hour, None, present).unwrap().resolution
        };
        assert_eq!((resolution(60), resolution(61)), (Level::Minute, Level::QuarterHour));
    }
}
