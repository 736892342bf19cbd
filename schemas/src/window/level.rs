//! The four widths of windows.

use crate::UtcMillis;
use crate::time::DAY_MILLIS;

/// Width of a window. Each is a multiple of the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// One minute; kept for seven days.
    Minute,
    /// 15 minutes, so that days are right in every time zone.
    QuarterHour,
    /// 60 minutes.
    Hour,
    /// One UTC day.
    Day,
}

impl Level {
    /// All levels, narrow to wide.
    pub const ALL: [Self; 4] = [Self::Minute, Self::QuarterHour, Self::Hour, Self::Day];

    /// The number in `windows.level`.
    pub const fn code(self) -> i64 {
        match self {
            Self::Minute => 0,
            Self::QuarterHour => 1,
            Self::Hour => 2,
            Self::Day => 3,
        }
    }

    /// The level with this number in `windows.level`.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.code() == code)
    }

    /// The name on the topic and in the api.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::QuarterHour => "quarter_hour",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// The level with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// Width in milliseconds.
    pub const fn width_millis(self) -> i64 {
        match self {
            Self::Minute => 60_000,
            Self::QuarterHour => 15 * 60_000,
            Self::Hour => 60 * 60_000,
            Self::Day => DAY_MILLIS,
        }
    }

    /// Start of the window that contains `at`: a moment at exactly `start + width` belongs to the next window. Rounds
    /// down before 1970 too.
    pub const fn window_start(self, at: UtcMillis) -> UtcMillis {
        at.plus_millis(-at.millis().rem_euclid(self.width_millis()))
    }

    /// First moment after the window that begins at `start`.
    pub const fn window_end(self, start: UtcMillis) -> UtcMillis {
        start.plus_millis(self.width_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_half_open_and_round_down_before_1970() {
        for level in Level::ALL {
            let width = level.width_millis();
            assert_eq!(level.window_start(UtcMillis::from_millis(width)).millis(), width);
            assert_eq!(level.window_start(UtcMillis::from_millis(width - 1)).millis(), 0);
            assert_eq!(level.window_start(UtcMillis::from_millis(-1)).millis(), -width);
            assert_eq!(Level::from_code(level.code()), Some(level));
            assert_eq!(Level::from_name(level.name()), Some(level));
        }
    }
}
