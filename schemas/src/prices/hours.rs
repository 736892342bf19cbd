//! Prices by time of day, read from a price file.

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::file::ScheduleEntry;
use super::place::{CatalogueError, Place, Problem};
use super::schedule::{DailyWindow, Schedule};

const MINUTES_PER_DAY: u16 = 1440;

impl Place<'_> {
    pub(super) fn schedules(self, parent: &str, entries: &[ScheduleEntry]) -> Result<Vec<Schedule>, CatalogueError> {
        let schedule = |(number, entry)| self.schedule(&format!("{parent}.schedules[{number}]"), entry);
        entries.iter().enumerate().map(schedule).collect()
    }

    fn schedule(self, field: &str, entry: &ScheduleEntry) -> Result<Schedule, CatalogueError> {
        self.check_word(&format!("{field}.name"), &entry.name)?;
        let is_ascending = entry.days.windows(2).all(|pair| pair[0] < pair[1]);
        if entry.days.is_empty() || !is_ascending || !entry.days.iter().all(|day| (1..=7).contains(day)) {
            let expected = "ascending ISO weekdays, Monday = 1 to Sunday = 7";
            let problem = Problem::Unexpected { found: format!("{:?}", entry.days), expected };
            return Err(self.refuse(&format!("{field}.days"), problem));
        }
        if entry.windows.is_empty() {
            return Err(self.refuse(&format!("{field}.windows"), Problem::Missing));
        }
        let windows = entry.windows.iter().map(|texts| self.daily_window(field, texts));
        Ok(Schedule {
            name: entry.name.clone(),
            zone: self.zone(field, entry.tz.as_deref())?,
            days: entry.days.clone(),
            holidays: self.holidays(field, entry)?,
            windows: windows.collect::<Result<_, _>>()?,
            card: self.card(field, &entry.rates, &entry.tiers)?,
        })
    }

    fn zone(self, parent: &str, name: Option<&str>) -> Result<Tz, CatalogueError> {
        let Some(name) = name else { return Ok(Tz::UTC) };
        name.parse().map_err(|_| {
            let expected = "a time zone of the IANA, such as Asia/Shanghai";
            self.refuse(&format!("{parent}.tz"), Problem::Unexpected { found: format!("{name:?}"), expected })
        })
    }

    fn holidays(self, parent: &str, entry: &ScheduleEntry) -> Result<Vec<NaiveDate>, CatalogueError> {
        let field = format!("{parent}.holidays");
        let holidays: Vec<NaiveDate> =
            entry.holidays.iter().map(|date| self.date(&field, *date)).collect::<Result<_, _>>()?;
        if let Some(pair) = holidays.windows(2).find(|pair| pair[0] >= pair[1]) {
            let problem = Problem::Unexpected { found: pair[1].to_string(), expected: "ascending dates" };
            return Err(self.refuse(&field, problem));
        }
        Ok(holidays)
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
                let expected = "two different times of day, such as 01:00 and 04:00, at most 24:00";
                let problem = Problem::Unexpected { found: format!("{texts:?}"), expected };
                Err(self.refuse(&format!("{parent}.windows"), problem))
            }
        }
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
