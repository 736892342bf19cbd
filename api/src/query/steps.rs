//! A range cut into steps, each of which is exactly some windows. Pure.

use opstream_schemas::UtcMillis;
use opstream_schemas::calendar::{Resolution, Zone};
use opstream_schemas::validate::MAX_AHEAD_MILLIS;
use opstream_schemas::window::{CoverError, Level, WindowSpan, cover};
use serde::Serialize;
use utoipa::ToSchema;

use super::range::now_up_to_minute;
use super::windows::{SpanOfStep, StepBy};
use super::{Period, Range};
use crate::error::ApiError;

/// Steps that a chart shows well; an unnamed resolution is the narrowest one with at most so many, up to a day.
const PLEASANT_STEPS: i64 = 300;
/// Most steps of an answer: a week of minutes.
const MAX_STEPS: i64 = 10_080;

/// Steps of a range, and the windows that they are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Steps {
    /// End of the range; of one that is open, the end of the present minute.
    pub(crate) to: UtcMillis,
    /// Width of the steps.
    pub(crate) resolution: Resolution,
    /// The windows of the whole range. Those of an open range have no end either: clocks of producers may be ahead.
    pub(crate) spans: Vec<WindowSpan>,
    /// How windows are told apart by step.
    pub(crate) step_by: StepBy,
    period: Period,
}

/// What the steps of a range depend on beside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Present {
    /// Now.
    pub(crate) now: UtcMillis,
    /// The first minute whose windows of a minute are kept.
    pub(crate) minutes_kept_from: UtcMillis,
}

/// When a step is. The first and last step of a range may be cut by it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct StepTimes {
    /// Start of the step.
    #[schema(value_type = String, format = "date-time")]
    pub(crate) start: UtcMillis,
    /// First moment after the step: days are 23 or 25 hours long where clocks are set.
    #[schema(value_type = String, format = "date-time")]
    end: UtcMillis,
    /// `start` in the time zone, when one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", example = "2026-11-01T00:00:00+05:30")]
    start_local: Option<String>,
}

impl Steps {
    /// The steps of a period; without `resolution` they are the narrowest ones that a chart shows well.
    ///
    /// # Errors
    /// When the range has no start, too many steps, or windows that are no longer kept.
    pub(crate) fn of(period: Period, resolution: Option<Resolution>, present: Present) -> Result<Self, ApiError> {
        let Range { from: Some(from), to } = period.range else {
            let message = "parameter from is missing; steps need a start, or a range such as range=this_month";
            return Err(ApiError::invalid("missing_parameter", message));
        };
        let end = to.unwrap_or_else(|| now_up_to_minute(present.now).max(from));
        let resolution = resolution.unwrap_or_else(|| pleasant_resolution(from, end, present.minutes_kept_from));
        check_count(from, end, resolution)?;
        let spans = period.range.spans(present.minutes_kept_from)?;
        // Steps of an open range go on to where the clock of a producer may be.
        let furthest = end.max(present.now.plus_millis(2 * MAX_AHEAD_MILLIS));
        let last = to.unwrap_or_else(|| resolution.end(period.zone(), furthest));
        let (spans, step_by) = if let Some(level) = stored_level(resolution, period.zone(), from, last) {
            let spans = narrow(spans, level);
            check_minutes_kept(&spans, present.minutes_kept_from)?;
            (spans, StepBy::Level(level))
        } else {
            let cut = Cut { resolution, zone: period.zone(), minutes_kept_from: present.minutes_kept_from };
            (spans, StepBy::Spans(cut.spans(from, last)?))
        };
        Ok(Self { to: end, resolution, spans, step_by, period })
    }

    /// When the step is that begins at `start`.
    pub(crate) fn times(&self, start: UtcMillis) -> StepTimes {
        let end = self.resolution.end(self.period.zone(), start);
        StepTimes { start, end, start_local: self.period.local_text(start) }
    }

    /// The starts of all steps of an answer whose last step that has operations begins at `last_start`.
    pub(crate) fn starts(&self, last_start: Option<UtcMillis>) -> Vec<UtcMillis> {
        let (zone, from) = (self.period.zone(), self.period.range.from.unwrap_or(self.to));
        steps_between(self.resolution, zone, from, self.end_with(last_start)).map(|(start, _)| start).collect()
    }

    /// Where an answer ends whose last step begins at `last_start`.
    pub(crate) fn end_with(&self, last_start: Option<UtcMillis>) -> UtcMillis {
        match (self.period.range.to, last_start) {
            (None, Some(start)) => self.to.max(self.resolution.end(self.period.zone(), start)),
            _ => self.to,
        }
    }
}

/// The stored windows that are the steps, if any are: hours of a zone that is whole hours away from UTC, say.
fn stored_level(resolution: Resolution, zone: Zone, from: UtcMillis, to: UtcMillis) -> Option<Level> {
    let level = resolution.level()?;
    if zone == Zone::UTC || resolution.is_alike_everywhere() {
        return Some(level);
    }
    let is_stored = |(start, end)| level.window_start(start) == start && level.window_end(start) == end;
    steps_between(resolution, zone, from, to).all(is_stored).then_some(level)
}

/// Start and end of all steps that a range touches.
fn steps_between(
    resolution: Resolution,
    zone: Zone,
    from: UtcMillis,
    to: UtcMillis,
) -> impl Iterator<Item = (UtcMillis, UtcMillis)> {
    let step = move |start| (start, resolution.end(zone, start));
    std::iter::successors(Some(step(resolution.start(zone, from))), move |(_, end)| Some(step(*end)))
        // Where clocks went back across midnight, a date was there twice, and the next one begins where it first came.
        .skip_while(move |(_, end)| *end <= from)
        .take_while(move |(start, _)| *start < to)
}

/// What a range is cut by into steps that are no stored windows.
#[derive(Clone, Copy, Debug)]
struct Cut {
    resolution: Resolution,
    zone: Zone,
    minutes_kept_from: UtcMillis,
}

impl Cut {
    /// The fewest windows of each step, as far as it is in the range.
    fn spans(self, from: UtcMillis, to: UtcMillis) -> Result<Vec<SpanOfStep>, ApiError> {
        let mut spans = Vec::new();
        for (start, end) in steps_between(self.resolution, self.zone, from, to) {
            let covered = cover(start.max(from), end.min(to), self.minutes_kept_from).map_err(|error| {
                // Windows begin at the ends of the range, so it is an end of the step where none does.
                let reason = match error {
                    CoverError::NotWholeMinute { moment } => format!("{moment} is not a whole UTC minute"),
                    error => error.to_string(),
                };
                let (name, zone) = (self.resolution.name(), self.zone.name());
                let message =
                    format!("in {zone} a step of a {name} begins where no window does: {reason}; take a later from");
                ApiError::invalid("invalid_range", message)
            })?;
            spans.extend(covered.into_iter().map(|span| SpanOfStep { step: start, span }));
        }
        Ok(spans)
    }
}

fn check_count(from: UtcMillis, to: UtcMillis, resolution: Resolution) -> Result<(), ApiError> {
    let steps = to.millis().saturating_sub(from.millis()) / resolution.usual_millis();
    if steps > MAX_STEPS {
        let message = format!(
            "the range has {steps} steps of a {}, more than {MAX_STEPS}; take a wider resolution",
            resolution.name()
        );
        return Err(ApiError::invalid("too_many_steps", message));
    }
    Ok(())
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

fn pleasant_resolution(from: UtcMillis, to: UtcMillis, minutes_kept_from: UtcMillis) -> Resolution {
    let length = to.millis().saturating_sub(from.millis());
    let is_pleasant = |resolution: &Resolution| {
        let is_kept = *resolution != Resolution::Minute || from >= minutes_kept_from;
        is_kept && length / resolution.usual_millis() <= PLEASANT_STEPS
    };
    let up_to_day = Resolution::ALL.into_iter().filter(|resolution| resolution.level().is_some());
    up_to_day.into_iter().find(is_pleasant).unwrap_or(Resolution::Day)
}

#[cfg(test)]
mod tests;
