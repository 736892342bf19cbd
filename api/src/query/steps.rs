//! A range cut into steps of one width.

use opstream_schemas::UtcMillis;
use opstream_schemas::database::Database;
use opstream_schemas::window::{Level, WindowSpan};

use super::range::{now_up_to_minute, retained_spans};
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
    /// End of the range.
    pub(crate) to: UtcMillis,
    /// Width of the steps.
    pub(crate) resolution: Level,
    /// The windows.
    pub(crate) spans: Vec<WindowSpan>,
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

/// The steps of `range`, which ends at the present when it has no end.
///
/// # Errors
/// When the range has no start, too many steps, or windows that are no longer kept; what the database answers.
pub(crate) async fn read_steps(
    database: &Database,
    range: Range,
    resolution: Option<Level>,
    now: UtcMillis,
) -> Result<Steps, ApiError> {
    let Some(from) = range.from else {
        return Err(ApiError::invalid("missing_parameter", "parameter from is missing; steps need a start"));
    };
    let to = range.to.unwrap_or_else(|| now_up_to_minute(now).max(from));
    let resolution = resolution.unwrap_or_else(|| pleasant_resolution(from, to));
    let steps = to.millis().saturating_sub(from.millis()) / resolution.width_millis();
    if steps > MAX_STEPS {
        let message = format!(
            "the range has {steps} steps of a {}, more than {MAX_STEPS}; take a wider resolution",
            resolution.name()
        );
        return Err(ApiError::invalid("too_many_steps", message));
    }
    let spans = retained_spans(database, Range { from: Some(from), to: Some(to) }).await?;
    let spans = narrow(spans, resolution);
    super::range::check_minutes_kept(database, &spans).await?;
    Ok(Steps { from, to, resolution, spans })
}

/// Replaces windows that are wider than a step by those of its width; each width divides the next.
fn narrow(spans: Vec<WindowSpan>, resolution: Level) -> Vec<WindowSpan> {
    spans.into_iter().map(|span| WindowSpan { level: span.level.min(resolution), ..span }).collect()
}

fn pleasant_resolution(from: UtcMillis, to: UtcMillis) -> Level {
    let length = to.millis().saturating_sub(from.millis());
    let is_pleasant = |level: &Level| length / level.width_millis() <= PLEASANT_STEPS;
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
            assert_eq!(pleasant_resolution(minute(0), minute(minutes)), level, "{minutes} minutes");
        }
    }

    #[test]
    fn no_window_is_wider_than_a_step() {
        let range = Range { from: Some(minute(30)), to: Some(minute(3 * 1440 + 17)) };
        let spans = narrow(range.spans(minute(0)).unwrap(), Level::Hour);
        assert!(spans.iter().all(|span| span.level <= Level::Hour));
        assert_eq!((spans[0].from, spans.last().unwrap().to), (minute(30), minute(3 * 1440 + 17)));
    }
}
