//! Time zones: which local day a moment is in, and when local days and hours begin. Pure.

use chrono::{
    DateTime, Days, MappedLocalTime, Months, NaiveDate, NaiveTime, Offset as _, SecondsFormat, TimeZone as _,
};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};

use crate::UtcMillis;
use crate::window::Level;

/// A zone of the IANA database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(Tz);

impl Zone {
    /// What days are in where no zone is given.
    pub const UTC: Self = Self(Tz::UTC);

    /// The zone with this IANA name, in capitals or small letters.
    pub fn from_name(name: &str) -> Option<Self> {
        TZ_VARIANTS.into_iter().find(|zone| zone.name().eq_ignore_ascii_case(name)).map(Self)
    }

    /// The IANA name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The local date and time with their distance from UTC, RFC 3339.
    pub fn local_text(self, at: UtcMillis) -> String {
        moment(at).with_timezone(&self.0).to_rfc3339_opts(SecondsFormat::AutoSi, false)
    }

    /// The local date.
    pub fn date(self, at: UtcMillis) -> NaiveDate {
        moment(at).with_timezone(&self.0).date_naive()
    }

    /// The first moment of a local date; of one that the zone skipped, that of the next.
    pub fn day_start(self, date: NaiveDate) -> UtcMillis {
        let midnight = date.and_time(NaiveTime::MIN);
        let first = match self.0.from_local_datetime(&midnight) {
            MappedLocalTime::Single(first) | MappedLocalTime::Ambiguous(first, _) => Some(first),
            // Clocks were set forward at midnight or across it.
            MappedLocalTime::None => GapInfo::new(&midnight, &self.0).and_then(|gap| gap.end),
        };
        UtcMillis::from_millis(first.map_or(midnight.and_utc().timestamp_millis(), |first| first.timestamp_millis()))
    }

    /// Start of the local hour that contains a moment. An hour in which clocks are set is cut there: one that they repeat is two.
    pub fn hour_start(self, at: UtcMillis) -> UtcMillis {
        let offset = self.offset_millis(at);
        let start = Level::Hour.window_start(at.plus_millis(offset)).plus_millis(-offset);
        if self.offset_millis(start) == offset { start } else { self.change_between(start, at) }
    }

    /// First moment after the local hour that contains a moment.
    pub fn hour_end(self, at: UtcMillis) -> UtcMillis {
        let offset = self.offset_millis(at);
        let end = Level::Hour.window_end(Level::Hour.window_start(at.plus_millis(offset))).plus_millis(-offset);
        let last = end.plus_millis(-1);
        if self.offset_millis(last) == offset { end } else { self.change_between(at, last) }
    }

    /// The moment at which local clocks show the same time some days before; none where they skip it, the first where it comes twice.
    pub fn days_earlier(self, at: UtcMillis, days: i64) -> Option<UtcMillis> {
        let local = moment(at).with_timezone(&self.0).naive_local();
        let earlier = days_later(local.date(), -days).and_time(local.time());
        let first = match self.0.from_local_datetime(&earlier) {
            MappedLocalTime::Single(first) | MappedLocalTime::Ambiguous(first, _) => first,
            MappedLocalTime::None => return None,
        };
        Some(UtcMillis::from_millis(first.timestamp_millis()))
    }

    /// How far local clocks are ahead of UTC.
    fn offset_millis(self, at: UtcMillis) -> i64 {
        let offset = self.0.offset_from_utc_datetime(&moment(at).naive_utc()).fix();
        i64::from(offset.local_minus_utc()) * 1000
    }

    /// The moment at which clocks are set, of two moments within an hour that are to the left and right of it.
    fn change_between(self, left: UtcMillis, right: UtcMillis) -> UtcMillis {
        let before = self.offset_millis(left);
        let (mut before_it, mut after_it) = (left, right);
        while before_it.plus_millis(1) < after_it {
            let middle = before_it.plus_millis((after_it.millis() - before_it.millis()) / 2);
            if self.offset_millis(middle) == before { before_it = middle } else { after_it = middle }
        }
        after_it
    }
}

/// The date some days later, or earlier; held at the ends of the calendar, which no parameter reaches.
pub fn days_later(date: NaiveDate, days: i64) -> NaiveDate {
    let distance = Days::new(days.unsigned_abs());
    if days < 0 { date.checked_sub_days(distance) } else { date.checked_add_days(distance) }.unwrap_or(date)
}

/// The date some months later, or earlier; of the first of a month.
pub fn months_later(first: NaiveDate, months: i32) -> NaiveDate {
    let distance = Months::new(months.unsigned_abs());
    if months < 0 { first.checked_sub_months(distance) } else { first.checked_add_months(distance) }.unwrap_or(first)
}

/// Moments beyond the calendar, some 260,000 years away, are held at 1970: no parameter names one.
fn moment(at: UtcMillis) -> DateTime<chrono::Utc> {
    DateTime::from_timestamp_millis(at.millis()).unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests;
