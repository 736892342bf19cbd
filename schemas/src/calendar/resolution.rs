//! The widths of steps, and where the steps of a zone begin. Pure.

use chrono::{Datelike as _, NaiveDate};

use super::zone::{Zone, days_later, months_later};
use crate::UtcMillis;
use crate::window::Level;

/// Width of a step. Hours and wider ones are those of local clocks, so that their lengths differ where clocks are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// A minute.
    Minute,
    /// A quarter of an hour of UTC.
    QuarterHour,
    /// A local hour.
    Hour,
    /// A local day.
    Day,
    /// Monday to Sunday, as ISO 8601 has it.
    Week,
    /// A month of the calendar.
    Month,
}

impl Resolution {
    /// All widths, narrow to wide.
    pub const ALL: [Self; 6] = [Self::Minute, Self::QuarterHour, Self::Hour, Self::Day, Self::Week, Self::Month];

    /// The name in the api.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minute => Level::Minute.name(),
            Self::QuarterHour => Level::QuarterHour.name(),
            Self::Hour => Level::Hour.name(),
            Self::Day => Level::Day.name(),
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The stored windows of this width. They are its steps in UTC; elsewhere where they begin with these.
    pub const fn level(self) -> Option<Level> {
        match self {
            Self::Minute => Some(Level::Minute),
            Self::QuarterHour => Some(Level::QuarterHour),
            Self::Hour => Some(Level::Hour),
            Self::Day => Some(Level::Day),
            Self::Week | Self::Month => None,
        }
    }

    /// Whether the steps of every zone are the stored windows.
    pub const fn is_alike_everywhere(self) -> bool {
        matches!(self, Self::Minute | Self::QuarterHour)
    }

    /// Milliseconds of a step where no clock is set, of a month the fewest.
    pub const fn usual_millis(self) -> i64 {
        match self {
            Self::Minute => Level::Minute.width_millis(),
            Self::QuarterHour => Level::QuarterHour.width_millis(),
            Self::Hour => Level::Hour.width_millis(),
            Self::Day => Level::Day.width_millis(),
            Self::Week => 7 * Level::Day.width_millis(),
            Self::Month => 28 * Level::Day.width_millis(),
        }
    }

    /// Start of the step that contains a moment.
    pub fn start(self, zone: Zone, at: UtcMillis) -> UtcMillis {
        match self {
            Self::Minute => Level::Minute.window_start(at),
            Self::QuarterHour => Level::QuarterHour.window_start(at),
            Self::Hour => zone.hour_start(at),
            Self::Day | Self::Week | Self::Month => zone.day_start(self.first_date(zone.date(at))),
        }
    }

    /// First moment after the step that contains a moment.
    pub fn end(self, zone: Zone, at: UtcMillis) -> UtcMillis {
        let first = || self.first_date(zone.date(at));
        match self {
            Self::Minute => Level::Minute.window_end(Level::Minute.window_start(at)),
            Self::QuarterHour => Level::QuarterHour.window_end(Level::QuarterHour.window_start(at)),
            Self::Hour => zone.hour_end(at),
            Self::Day => zone.day_start(days_later(first(), 1)),
            Self::Week => zone.day_start(days_later(first(), 7)),
            Self::Month => zone.day_start(months_later(first(), 1)),
        }
    }

    /// The first date of the week or month that contains a date; of a day itself.
    pub fn first_date(self, date: NaiveDate) -> NaiveDate {
        match self {
            Self::Week => days_later(date, -i64::from(date.weekday().num_days_from_monday())),
            Self::Month => date.with_day(1).unwrap_or(date),
            Self::Minute | Self::QuarterHour | Self::Hour | Self::Day => date,
        }
    }
}

#[cfg(test)]
mod tests;
