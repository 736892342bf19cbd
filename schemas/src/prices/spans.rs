//! Prices that hold for a span of time: intervals, and the tiers, schedules and variants beside them.
//!
//! Checks that no moment has two prices and that nothing is left to the order of evaluation.

use toml::value::Datetime;

use super::entry::{DailyWindow, Interval, Schedule, Tier, Variant};
use super::file::{IntervalEntry, RateTexts, ScheduleEntry, TierEntry, VariantEntry};
use super::place::{CatalogueError, Place, Problem};
use super::rates::Rates;
use crate::UtcMicros;
use crate::money::PicoUsdPerToken;

const MINUTES_PER_DAY: u16 = 1440;

impl Place<'_> {
    pub(super) fn intervals(self, entries: &[IntervalEntry]) -> Result<Vec<Interval>, CatalogueError> {
        if entries.is_empty() {
            return Err(self.refuse("interval", Problem::Missing));
        }
        let mut intervals: Vec<Interval> = Vec::with_capacity(entries.len());
        for (number, entry) in entries.iter().enumerate() {
            let field = format!("interval[{number}]");
            let (valid_from, valid_to) = self.span(&field, entry.valid_from, entry.valid_to)?;
            let rates = self.rates(&field, &entry.rates)?;
            let tiers = self.tiers(&field, &entry.tiers)?;
            let schedules = self.schedules(&field, &entry.schedules)?;
            if let Some(before) = intervals.last()
                && before.valid_to.is_none_or(|end| valid_from.is_none_or(|start| start < end))
            {
                return Err(self.refuse(&field, Problem::Overlap));
            }
            intervals.push(Interval { valid_from, valid_to, rates, tiers, schedules });
        }
        Ok(intervals)
    }

    pub(super) fn variants(self, entries: Vec<VariantEntry>) -> Result<Vec<Variant>, CatalogueError> {
        let mut variants: Vec<Variant> = Vec::with_capacity(entries.len());
        for (number, entry) in entries.into_iter().enumerate() {
            let field = format!("variant[{number}]");
            if entry.when.values().is_empty() {
                return Err(self.refuse(&format!("{field}.when"), Problem::Missing));
            }
            for value in entry.when.values() {
                self.check_name(&format!("{field}.when"), value)?;
            }
            let (valid_from, valid_to) = self.span(&field, entry.valid_from, entry.valid_to)?;
            let is_clash = |other: &Variant| {
                other.when.overlaps(&entry.when)
                    && other.valid_to.is_none_or(|end| valid_from.is_none_or(|start| start < end))
            };
            if variants.iter().any(is_clash) {
                return Err(self.refuse(&field, Problem::Overlap));
            }
            let rates = self.rates(&field, &entry.rates)?;
            let tiers = self.tiers(&field, &entry.tiers)?;
            variants.push(Variant { when: entry.when, valid_from, valid_to, rates, tiers });
        }
        Ok(variants)
    }

    fn tiers(self, parent: &str, entries: &[TierEntry]) -> Result<Vec<Tier>, CatalogueError> {
        let mut tiers: Vec<Tier> = Vec::with_capacity(entries.len());
        for (number, entry) in entries.iter().enumerate() {
            let field = format!("{parent}.tiers[{number}]");
            let starts_at = match (entry.above, entry.from) {
                (Some(above), None) if above > 0 => above.checked_add(1),
                (None, Some(from)) if from > 0 => Some(from),
                _ => None,
            };
            let Some(starts_at) = starts_at else {
                let found = format!("above = {:?}, from = {:?}", entry.above, entry.from);
                return Err(self.refuse(&field, Problem::Unexpected { found, expected: "one of them, above 0" }));
            };
            if tiers.last().is_some_and(|before| starts_at <= before.starts_at) {
                return Err(self.refuse(&field, Problem::NotAscending));
            }
            tiers.push(Tier { starts_at, rates: self.rates(&field, &entry.rates)? });
        }
        Ok(tiers)
    }

    fn schedules(self, parent: &str, entries: &[ScheduleEntry]) -> Result<Vec<Schedule>, CatalogueError> {
        let mut schedules = Vec::with_capacity(entries.len());
        for (number, entry) in entries.iter().enumerate() {
            let field = format!("{parent}.schedules[{number}]");
            self.check_name(&format!("{field}.name"), &entry.name)?;
            let is_ascending = entry.days.windows(2).all(|pair| pair[0] < pair[1]);
            if entry.days.is_empty() || !is_ascending || !entry.days.iter().all(|day| (1..=7).contains(day)) {
                let expected = "ascending ISO weekdays, Monday = 1 to Sunday = 7";
                let problem = Problem::Unexpected { found: format!("{:?}", entry.days), expected };
                return Err(self.refuse(&format!("{field}.days"), problem));
            }
            if entry.windows.is_empty() {
                return Err(self.refuse(&format!("{field}.windows"), Problem::Missing));
            }
            let windows =
                entry.windows.iter().map(|texts| self.daily_window(&field, texts)).collect::<Result<_, _>>()?;
            let rates = self.rates(&field, &entry.rates)?;
            schedules.push(Schedule { name: entry.name.clone(), days: entry.days.clone(), windows, rates });
        }
        Ok(schedules)
    }

    fn daily_window(self, parent: &str, texts: &[String; 2]) -> Result<DailyWindow, CatalogueError> {
        let [start, end] = texts;
        match (minute_of_day(start), minute_of_day(end)) {
            (Some(start_minute), Some(end_minute))
                if start_minute != end_minute && start_minute < MINUTES_PER_DAY && end_minute > 0 =>
            {
                Ok(DailyWindow { start_minute, end_minute })
            }
            _ => {
                let expected = "two different UTC times of day, such as 01:00 and 04:00, at most 24:00";
                let problem = Problem::Unexpected { found: format!("{texts:?}"), expected };
                Err(self.refuse(&format!("{parent}.windows"), problem))
            }
        }
    }

    fn rates(self, parent: &str, texts: &RateTexts) -> Result<Rates, CatalogueError> {
        if texts.is_empty() {
            return Err(self.refuse(&format!("{parent}.rates"), Problem::Missing));
        }
        let mut rates = Rates::default();
        for (class, text) in texts {
            let rate = PicoUsdPerToken::from_usd_per_mtok(text)
                .map_err(|error| self.refuse(&format!("{parent}.rates.{class}"), error.into()))?;
            rates.set(*class, rate);
        }
        Ok(rates)
    }

    fn span(
        self,
        parent: &str,
        from: Option<Datetime>,
        to: Option<Datetime>,
    ) -> Result<(Option<UtcMicros>, Option<UtcMicros>), CatalogueError> {
        let moment = |name: &str, value: Datetime| {
            UtcMicros::parse_rfc3339(&value.to_string()).map_err(|_| {
                let expected = "a moment with a zone, such as 2026-12-01T00:00:00Z";
                let problem = Problem::Unexpected { found: value.to_string(), expected };
                self.refuse(&format!("{parent}.{name}"), problem)
            })
        };
        let from = from.map(|value| moment("valid_from", value)).transpose()?;
        let to = to.map(|value| moment("valid_to", value)).transpose()?;
        if from.zip(to).is_some_and(|(from, to)| to <= from) {
            return Err(self.refuse(parent, Problem::Backwards));
        }
        Ok((from, to))
    }
}

/// Minutes after midnight of `HH:MM`, 0 to 1440.
fn minute_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |digits: &str| {
        let is_two_digits = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_two_digits.then(|| digits.parse::<u16>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= MINUTES_PER_DAY).then_some(minute)
}
