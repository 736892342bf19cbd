//! Points in time as types: milliseconds for ids, windows and partitions, microseconds for `started_at`.
//!
//! Both count from the Unix epoch in UTC and may be negative. Durations are `std::time::Duration` or carry their unit in
//! the name. The wall clock is read in one place, [`UtcMicros::now`].

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds of one UTC day.
pub const DAY_MILLIS: i64 = 86_400_000;

/// Milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcMillis(i64);

/// Microseconds since the Unix epoch, UTC. In JSON an RFC 3339 text with a zone, or the integer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcMicros(i64);

impl UtcMillis {
    /// The moment `millis` after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Start of the UTC day that contains this moment; rounds down before 1970 too.
    #[must_use]
    pub const fn day_start(self) -> Self {
        Self(self.0 - self.0.rem_euclid(DAY_MILLIS))
    }

    /// This moment plus `millis` (negative: earlier), held at the ends of the range.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// The current wall clock.
    pub fn now() -> Self {
        UtcMicros::now().to_millis()
    }
}

impl UtcMicros {
    /// The moment `micros` after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The millisecond that contains this moment; rounds down before 1970 too.
    pub const fn to_millis(self) -> UtcMillis {
        UtcMillis(self.0.div_euclid(1000))
    }

    /// The current wall clock. Callers pass it down as an argument, so that everything below them is a pure function.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn now() -> Self {
        Self(Utc::now().timestamp_micros())
    }

    /// Reads RFC 3339 text, which must name its zone.
    ///
    /// # Errors
    /// Says what is expected when the text is something else.
    pub fn parse_rfc3339(text: &str) -> Result<Self, TimeError> {
        DateTime::parse_from_rfc3339(text)
            .map(|moment| Self(moment.timestamp_micros()))
            .map_err(|_| TimeError { text: text.chars().take(40).collect() })
    }
}

/// Text that is no moment in time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{text:?} is not a time; expected RFC 3339 with a zone, such as 2026-11-23T08:00:00Z")]
pub struct TimeError {
    text: String,
}

impl From<UtcMillis> for UtcMicros {
    fn from(moment: UtcMillis) -> Self {
        Self(moment.0.saturating_mul(1000))
    }
}

impl fmt::Display for UtcMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_timestamp_millis(self.0) {
            Some(moment) => f.write_str(&moment.to_rfc3339_opts(SecondsFormat::Millis, true)),
            None => write!(f, "{} ms", self.0),
        }
    }
}

impl fmt::Display for UtcMicros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_timestamp_micros(self.0) {
            Some(moment) => f.write_str(&moment.to_rfc3339_opts(SecondsFormat::Micros, true)),
            None => write!(f, "{} µs", self.0),
        }
    }
}

impl Serialize for UtcMillis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for UtcMicros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UtcMicros {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MomentVisitor;

        impl de::Visitor<'_> for MomentVisitor {
            type Value = UtcMicros;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 time with a zone, or integer microseconds since 1970")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<UtcMicros, E> {
                UtcMicros::parse_rfc3339(text).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, micros: i64) -> Result<UtcMicros, E> {
                Ok(UtcMicros(micros))
            }

            fn visit_u64<E: de::Error>(self, micros: u64) -> Result<UtcMicros, E> {
                i64::try_from(micros).map(UtcMicros).map_err(|_| E::custom("time is out of range"))
            }
        }

        deserializer.deserialize_any(MomentVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_round_down() {
        assert_eq!(UtcMicros::from_micros(-1).to_millis(), UtcMillis::from_millis(-1));
        assert_eq!(UtcMillis::from_millis(-1).day_start(), UtcMillis::from_millis(-DAY_MILLIS));
    }

    #[test]
    fn a_time_without_a_zone_is_refused() {
        assert!(UtcMicros::parse_rfc3339("2026-11-23T08:00:00").is_err());
        let east = UtcMicros::parse_rfc3339("2026-11-23T08:00:00.25+05:30").unwrap();
        assert_eq!(east.to_string(), "2026-11-23T02:30:00.250000Z");
    }
}
