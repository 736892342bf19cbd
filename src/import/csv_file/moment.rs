//! Times as files write them.

use std::str::FromStr;

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, FixedOffset, NaiveDateTime};
use opstream_schemas::UtcMicros;

/// Forms without a zone that `auto` reads; seconds may have a fraction of any length.
const FORMS_WITHOUT_ZONE: [&str; 4] =
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S%.f"];
/// Forms with a zone other than RFC 3339's.
const FORMS_WITH_ZONE: [&str; 2] = ["%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f %z"];

/// How times are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TimeFormat {
    /// RFC 3339, or nearly so; the zone may be missing.
    Auto,
    /// Numbers since 1970, of which one is so many microseconds.
    Unix {
        /// Decimals that reach down to a microsecond: 6 for seconds, 3 for milliseconds, 0 for microseconds.
        decimals: usize,
    },
    /// A pattern of strftime's letters; `%z` makes it one with a zone.
    Pattern(String),
}

/// Offset of times that name no zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UtcOffset(FixedOffset);

/// A text that is no time in the format.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MomentError {
    /// Nothing that `auto` knows.
    #[error(
        "{text:?} is not a time; expected RFC 3339 such as 2026-11-23T08:00:00Z, or name its form by --time-format"
    )]
    Unknown {
        /// The cell.
        text: String,
    },
    /// No number of seconds, milliseconds or microseconds.
    #[error("{text:?} is not a number since 1970")]
    Number {
        /// The cell.
        text: String,
    },
    /// Not of the pattern.
    #[error("{text:?} does not fit the time format {pattern:?}")]
    Pattern {
        /// The cell.
        text: String,
        /// The pattern.
        pattern: String,
    },
}

/// An option that is no format or no offset.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum OptionError {
    /// Neither a name nor a pattern.
    #[error("expected auto, unix, unix-ms, unix-us, or a pattern with % such as '%d.%m.%Y %H:%M:%S'")]
    Format,
    /// A pattern with a letter that means nothing.
    #[error("the pattern has a % that no known letter follows; expected one such as '%d.%m.%Y %H:%M:%S'")]
    Pattern,
    /// Not +HH:MM.
    #[error("expected an offset from UTC such as +02:00")]
    Offset,
}

impl FromStr for TimeFormat {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        Ok(match text {
            "auto" => Self::Auto,
            "unix" => Self::Unix { decimals: 6 },
            "unix-ms" => Self::Unix { decimals: 3 },
            "unix-us" => Self::Unix { decimals: 0 },
            pattern if StrftimeItems::new(pattern).any(|item| item == Item::Error) => {
                return Err(OptionError::Pattern);
            }
            pattern if pattern.contains('%') => Self::Pattern(pattern.to_owned()),
            _ => return Err(OptionError::Format),
        })
    }
}

impl FromStr for UtcOffset {
    type Err = OptionError;

    fn from_str(text: &str) -> Result<Self, OptionError> {
        text.parse().map(Self).map_err(|_| OptionError::Offset)
    }
}

impl Default for UtcOffset {
    /// UTC itself.
    fn default() -> Self {
        Self(FixedOffset::east_opt(0).expect("zero is within a day"))
    }
}

impl TimeFormat {
    /// The moment that the text names; digits beyond the microsecond are dropped.
    ///
    /// # Errors
    /// When the text is not of this format.
    pub(super) fn read(&self, text: &str, offset: UtcOffset) -> Result<UtcMicros, MomentError> {
        let shown = || text.chars().take(40).collect::<String>();
        match self {
            Self::Auto => read_auto(text, offset).ok_or_else(|| MomentError::Unknown { text: shown() }),
            Self::Unix { decimals } => read_unix(text, *decimals).ok_or_else(|| MomentError::Number { text: shown() }),
            Self::Pattern(pattern) => {
                let with_zone = DateTime::parse_from_str(text, pattern).ok().map(|moment| moment.timestamp_micros());
                let moment = with_zone.or_else(|| without_zone(text, pattern, offset));
                let misfit = || MomentError::Pattern { text: shown(), pattern: pattern.clone() };
                moment.map(UtcMicros::from_micros).ok_or_else(misfit)
            }
        }
    }
}

fn read_auto(text: &str, offset: UtcOffset) -> Option<UtcMicros> {
    let with_zone = || FORMS_WITH_ZONE.iter().find_map(|form| DateTime::parse_from_str(text, form).ok());
    let zoned = DateTime::parse_from_rfc3339(text).ok().or_else(with_zone).map(|moment| moment.timestamp_micros());
    let micros = zoned.or_else(|| FORMS_WITHOUT_ZONE.iter().find_map(|form| without_zone(text, form, offset)));
    micros.map(UtcMicros::from_micros)
}

fn without_zone(text: &str, form: &str, offset: UtcOffset) -> Option<i64> {
    let local = NaiveDateTime::parse_from_str(text, form).ok()?;
    local.and_local_timezone(offset.0).single().map(|moment| moment.timestamp_micros())
}

/// Reads digits, not a float: sixteen of them do not fit one.
fn read_unix(text: &str, decimals: usize) -> Option<UtcMicros> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let kept: String = fraction.chars().chain(std::iter::repeat('0')).take(decimals).collect();
    format!("{whole}{kept}").parse().ok().map(UtcMicros::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &str, offset: &str, text: &str) -> Result<String, MomentError> {
        let format: TimeFormat = format.parse().unwrap();
        format.read(text, offset.parse().unwrap()).map(|moment| moment.to_string())
    }

    #[test]
    fn a_time_without_a_zone_is_utc_unless_an_offset_is_given() {
        let azure = "2023-11-16 18:17:03.9799600";
        assert_eq!(read("auto", "+00:00", azure).unwrap(), "2023-11-16T18:17:03.979960Z");
        assert_eq!(read("auto", "+02:00", azure).unwrap(), "2023-11-16T16:17:03.979960Z");
        assert_eq!(read("auto", "+02:00", "2023-11-16T18:17:03Z").unwrap(), "2023-11-16T18:17:03.000000Z");
        assert_eq!(read("auto", "+00:00", "2023-11-16 18:17:03.5+0100").unwrap(), "2023-11-16T17:17:03.500000Z");
    }

    #[test]
    fn numbers_since_1970_need_their_unit_named() {
        assert!(read("auto", "+00:00", "1700158623").is_err());
        for (format, text) in
            [("unix", "1700158623.97996"), ("unix-ms", "1700158623979.9601"), ("unix-us", "1700158623979960")]
        {
            assert_eq!(read(format, "+00:00", text).unwrap(), "2023-11-16T18:17:03.979960Z");
        }
        assert!(read("unix", "+00:00", "1e9").is_err());
    }

    #[test]
    fn a_pattern_reads_what_it_describes() {
        assert_eq!(read("%d.%m.%Y %H:%M", "+01:00", "24.12.2025 18:00").unwrap(), "2025-12-24T17:00:00.000000Z");
        let error = read("%d.%m.%Y %H:%M", "+01:00", "12/24/2025").unwrap_err().to_string();
        assert!(error.contains("does not fit the time format"), "{error}");
        assert_eq!("seconds".parse::<TimeFormat>(), Err(OptionError::Format));
    }

    #[test]
    fn a_pattern_that_no_time_could_fit_is_refused_at_once() {
        for pattern in ["%Q", "%d.%m.%Y %", "%Y-%m-%d %H:%M:%J"] {
            assert_eq!(pattern.parse::<TimeFormat>(), Err(OptionError::Pattern), "{pattern}");
        }
    }
}
