//! The range of a question as it was asked for: moments, local dates, or a name such as `last_month`. Pure.

use chrono::{Datelike as _, NaiveDate};
use opstream_schemas::UtcMillis;
use opstream_schemas::calendar::{Resolution, Zone, days_later, months_later};
use opstream_schemas::window::{CoverError, Level};
use serde::Serialize;
use utoipa::ToSchema;

use super::parameters::{invalid, parse_minute};
use super::range::now_up_to_minute;
use super::{Parameters, Range};
use crate::error::ApiError;

/// The range of a question, and the zone that its days are in, if one was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    /// The range.
    pub(crate) range: Range,
    given_zone: Option<Zone>,
    named: Option<NamedRange>,
}

/// The range of an answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct AnsweredPeriod {
    /// First moment of the range; null when it has no start.
    #[schema(value_type = Option<String>, format = "date-time")]
    from: Option<UtcMillis>,
    /// First moment after it. Without an end: of steps the end of the present minute, or of the last step if that is later,
    /// because clocks of producers may be ahead; else null.
    #[schema(value_type = Option<String>, format = "date-time")]
    to: Option<UtcMillis>,
    /// The time zone, when one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<&'static str>,
    /// `from` in the time zone, when one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", example = "2026-11-01T00:00:00+05:30")]
    from_local: Option<String>,
    /// `to` in the time zone, when one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "date-time", example = "2026-12-01T00:00:00+05:30")]
    to_local: Option<String>,
}

/// Whole local days by a name. What is called `this` or `today` ends with the day, week, month or year that it is in, and so is
/// the same range from its first to its last minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NamedRange {
    Today,
    Yesterday,
    /// So many days, of which today is the last.
    LastDays(i64),
    ThisWeek,
    LastWeek,
    /// Months of the calendar from the one in which such a group of them began: of 1, 3 or 12.
    This(i32),
    /// The group before that.
    Last(i32),
}

impl NamedRange {
    const WORDS: [(&'static str, Self); 12] = [
        ("today", Self::Today),
        ("yesterday", Self::Yesterday),
        ("last_7_days", Self::LastDays(7)),
        ("last_30_days", Self::LastDays(30)),
        ("this_week", Self::ThisWeek),
        ("last_week", Self::LastWeek),
        ("this_month", Self::This(1)),
        ("last_month", Self::Last(1)),
        ("this_quarter", Self::This(3)),
        ("last_quarter", Self::Last(3)),
        ("this_year", Self::This(12)),
        ("last_year", Self::Last(12)),
    ];

    /// Its first date, and the first one after it.
    fn dates(self, today: NaiveDate) -> (NaiveDate, NaiveDate) {
        let monday = Resolution::Week.first_date(today);
        match self {
            Self::Today => (today, days_later(today, 1)),
            Self::Yesterday => (days_later(today, -1), today),
            Self::LastDays(days) => (days_later(today, 1 - days), days_later(today, 1)),
            Self::ThisWeek => (monday, days_later(monday, 7)),
            Self::LastWeek => (days_later(monday, -7), monday),
            Self::This(months) => {
                let first = first_of_months(today, months);
                (first, months_later(first, months))
            }
            Self::Last(months) => {
                let first = first_of_months(today, months);
                (months_later(first, -months), first)
            }
        }
    }
}

impl Period {
    /// Reads `zone`, `range`, `from` and `to`.
    ///
    /// # Errors
    /// When an end is neither a whole UTC minute nor, with a zone, a date; or a range has both a name and ends.
    pub(crate) fn read(parameters: &mut Parameters, now: UtcMillis) -> Result<Self, ApiError> {
        let given_zone = parameters.take_zone()?;
        let named = parameters.take_choice("range", &NamedRange::WORDS)?;
        let from = parameters.take_end("from", given_zone)?;
        let to = parameters.take_end("to", given_zone)?;
        let range = match named {
            None => Range { from, to },
            Some(_) if from.is_some() || to.is_some() => {
                return Err(invalid("range", "is given beside from or to; which of them is meant?"));
            }
            Some(named) => {
                let zone = given_zone.unwrap_or(Zone::UTC);
                let (first, after) = named.dates(zone.date(now));
                Range { from: Some(zone.day_start(first)), to: Some(zone.day_start(after)) }
            }
        };
        match range {
            Range { from: Some(from), to: Some(to) } if to < from => Err(CoverError::Reversed { from, to }.into()),
            _ => Ok(Self { range, given_zone, named }),
        }
    }

    /// The period before this one, to compare with; none where the range has no start. Of a range that still runs it is as long as what has
    /// passed of it: the first five days of last month, on the fifth day of this one. Ends before `minutes_kept_from` are quarter-hours.
    pub(crate) fn previous(self, now: UtcMillis, minutes_kept_from: UtcMillis) -> Option<Range> {
        let from = self.range.from?;
        let now = now_up_to_minute(now);
        let to = self.range.to.unwrap_or(now).max(from);
        let before = self.start_before(from, to);
        let passed = to.min(now).max(from).millis() - from.millis();
        let end = if passed < to.millis() - from.millis() { before.plus_millis(passed).min(from) } else { from };
        let kept = |at: UtcMillis| if at < minutes_kept_from { Level::QuarterHour.window_start(at) } else { at };
        Some(Range { from: Some(kept(before)), to: Some(kept(end)) })
    }

    /// Where the period begins that is as long as this one, in days or months of the calendar if it is whole ones, and ends where it begins.
    fn start_before(self, from: UtcMillis, to: UtcMillis) -> UtcMillis {
        let zone = self.zone();
        let (first, after) = (zone.date(from), zone.date(to));
        let are_days = zone.day_start(first) == from && zone.day_start(after) == to && to > from;
        match self.named {
            Some(NamedRange::This(months) | NamedRange::Last(months)) => zone.day_start(months_later(first, -months)),
            _ if are_days => zone.day_start(days_later(first, -(after - first).num_days())),
            _ => from.plus_millis(from.millis() - to.millis()),
        }
    }

    /// The zone of the steps.
    pub(crate) fn zone(self) -> Zone {
        self.given_zone.unwrap_or(Zone::UTC)
    }

    /// What is told of a moment in local time: nothing where no zone was given.
    pub(crate) fn local_text(self, at: UtcMillis) -> Option<String> {
        self.given_zone.map(|zone| zone.local_text(at))
    }

    /// The range as the answer tells it; `to` in place of an end that is open.
    pub(crate) fn answered(self, to: Option<UtcMillis>) -> AnsweredPeriod {
        let from = self.range.from;
        let to = self.range.to.or(to);
        let local_text = |at: UtcMillis| self.local_text(at);
        AnsweredPeriod {
            from,
            to,
            zone: self.given_zone.map(Zone::name),
            from_local: from.and_then(local_text),
            to_local: to.and_then(local_text),
        }
    }
}

impl Parameters {
    /// A whole UTC minute, or the start of a local date.
    fn take_end(&mut self, name: &'static str, zone: Option<Zone>) -> Result<Option<UtcMillis>, ApiError> {
        let Some(text) = self.take(name)? else { return Ok(None) };
        if let Some(date) = parse_date(&text) {
            let Some(zone) = zone else {
                let reason = "is a date; say where its day begins, such as zone=Europe/Berlin or zone=UTC";
                return Err(invalid(name, reason));
            };
            return Ok(Some(zone.day_start(date)));
        }
        parse_minute(name, &text).map(Some)
    }
}

/// A date such as 2026-11-01.
fn parse_date(text: &str) -> Option<NaiveDate> {
    // Years of more digits are left to the error about moments.
    if text.len() != "2026-11-01".len() || !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

/// The first date of the group of months that contains a date: of its month, quarter or year.
fn first_of_months(date: NaiveDate, months: i32) -> NaiveDate {
    let first = Resolution::Month.first_date(date);
    months_later(first, -(i32::try_from(first.month0()).unwrap_or(0) % months))
}

#[cfg(test)]
mod tests;
