//! Reads the fields of a condition, and refuses those that mean nothing for its kind.

use super::decimal::Decimal;
use super::{AnomalyMeasure, BudgetPeriod, Condition, DurationMeasure, RateWindow, RuleError, RuleText, UnpricedLimit};
use crate::NanoUsd;
use crate::calendar::{Resolution, Zone};
use crate::money::MoneyError;

/// A millionth of the operations, in billionths of a percent.
pub(super) const PPM_NANOS: i64 = 100_000;
/// A thousandth, in billionths.
pub(super) const THOUSANDTH_NANOS: i64 = 1_000_000;

const PERIODS: [Resolution; 4] = [Resolution::Hour, Resolution::Day, Resolution::Week, Resolution::Month];
/// Hours of a leap year.
const MAX_ROLLING_HOURS: u32 = 366 * 24;
const MAX_THRESHOLDS: usize = 20;
const MAX_THRESHOLD: u32 = 10_000;
const MAX_WINDOW_MINUTES: u32 = 1440;
const DEFAULT_MIN_OPERATIONS: u32 = 20;
const MAX_FACTOR_THOUSANDTHS: i64 = 1_000_000;
const MAX_WEEKS: u8 = 12;

/// Whether a text may name a rule or a webhook.
pub(super) fn is_name(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    // In addresses those two lead elsewhere.
    (1..=100).contains(&text.len()) && text.chars().all(is_allowed) && !matches!(text, "." | "..")
}

/// The fields of a text, and which of them its kind knows.
pub(super) struct Fields<'a> {
    text: &'a RuleText,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(super) const fn of(text: &'a RuleText) -> Self {
        Self { text, known: Vec::new() }
    }

    pub(super) fn condition(&mut self) -> Result<Condition, RuleError> {
        let kinds = "budget, failure_rate, latency, unpriced or anomaly";
        match self.text.kind.as_deref() {
            None => Err(RuleError::new("kind", format!("is missing; it is {kinds}"))),
            Some("budget") => self.budget(),
            Some("failure_rate") => Ok(Condition::FailureRate { ppm: self.ppm()?, window: self.window()? }),
            Some("latency") => self.latency(),
            Some("unpriced") => self.unpriced(),
            Some("anomaly") => self.anomaly(),
            Some(other) => {
                let other: String = other.chars().take(60).collect();
                Err(RuleError::new("kind", format!("is {other:?}; it is {kinds}")))
            }
        }
    }

    /// A field of another kind was written for something that would not happen.
    pub(super) fn refuse_others(&self, condition: &Condition) -> Result<(), RuleError> {
        let text = self.text;
        let given = [
            ("amount_usd", text.amount_usd.is_some()),
            ("period", text.period.is_some()),
            ("rolling", text.rolling.is_some()),
            ("zone", text.zone.is_some()),
            ("thresholds", text.thresholds.is_some()),
            ("window_minutes", text.window_minutes.is_some()),
            ("min_operations", text.min_operations.is_some()),
            ("percent", text.percent.is_some()),
            ("count", text.count.is_some()),
            ("percentile", text.percentile.is_some()),
            ("above_ms", text.above_ms.is_some()),
            ("measure", text.measure.is_some()),
            ("factor", text.factor.is_some()),
            ("minimum", text.minimum.is_some()),
            ("weeks", text.weeks.is_some()),
        ];
        match given.iter().find(|(name, is_given)| *is_given && !self.known.contains(name)) {
            None => Ok(()),
            Some((name, _)) => {
                let (kind, known) = (condition.kind(), self.known.join(", "));
                Err(RuleError::new(name, format!("means nothing in a rule of the kind {kind}, which has {known}")))
            }
        }
    }

    fn budget(&mut self) -> Result<Condition, RuleError> {
        self.known.extend(["amount_usd", "period", "rolling", "thresholds"]);
        let amount = required("amount_usd", self.text.amount_usd.as_ref())?;
        let amount = match NanoUsd::parse_exact(amount.as_str()) {
            Ok(NanoUsd::ZERO) | Err(MoneyError::Negative { .. }) => Err("is not above 0".to_owned()),
            amount => amount.map_err(|error| error.to_string()),
        };
        let amount = amount.map_err(|reason| RuleError::new("amount_usd", reason))?;
        Ok(Condition::Budget { amount, period: self.period()?, thresholds: self.thresholds()? })
    }

    fn period(&mut self) -> Result<BudgetPeriod, RuleError> {
        let words = "hour, day, week or month";
        match (&self.text.period, &self.text.rolling) {
            (Some(name), None) => {
                let resolution = PERIODS.into_iter().find(|resolution| resolution.name() == name);
                let resolution =
                    resolution.ok_or_else(|| RuleError::new("period", format!("is {name:?}; it is {words}")))?;
                Ok(BudgetPeriod::Calendar { resolution, zone: self.zone()? })
            }
            (None, Some(_)) if self.text.zone.is_some() => Err(RuleError::new(
                "zone",
                "means nothing beside rolling, whose hours are the same everywhere; leave it out",
            )),
            (None, Some(text)) => rolling_hours(text).map(|hours| BudgetPeriod::Rolling { hours }),
            (None, None) => {
                Err(RuleError::new("period", format!("is missing; it is {words}, or rolling is, such as 24h")))
            }
            (Some(_), Some(_)) => Err(RuleError::new("rolling", "is given beside period; which of them is meant?")),
        }
    }

    fn zone(&mut self) -> Result<Zone, RuleError> {
        self.known.push("zone");
        let Some(name) = &self.text.zone else { return Ok(Zone::UTC) };
        Zone::from_name(name).ok_or_else(|| {
            let name: String = name.chars().take(60).collect();
            RuleError::new("zone", format!("is {name:?}, which is no IANA time zone, such as Europe/Berlin or UTC"))
        })
    }

    fn thresholds(&self) -> Result<Vec<u32>, RuleError> {
        let Some(given) = &self.text.thresholds else { return Ok(vec![100]) };
        let mut thresholds = given.clone();
        thresholds.sort_unstable();
        thresholds.dedup();
        let is_allowed = |percent: &u32| (1..=MAX_THRESHOLD).contains(percent);
        if thresholds.is_empty() || thresholds.len() > MAX_THRESHOLDS || !thresholds.iter().all(is_allowed) {
            let reason = format!("are not 1 to {MAX_THRESHOLDS} whole numbers of percent from 1 to {MAX_THRESHOLD}");
            return Err(RuleError::new("thresholds", reason));
        }
        Ok(thresholds)
    }

    fn latency(&mut self) -> Result<Condition, RuleError> {
        self.known.extend(["measure", "percentile", "above_ms"]);
        let measure = match &self.text.measure {
            None => DurationMeasure::Latency,
            Some(name) => choice("measure", name, &DurationMeasure::NAMES)?,
        };
        let percentile = in_range("percentile", self.text.percentile, 50..=99)?;
        let above_ms = in_range("above_ms", self.text.above_ms, 1..=86_400_000)?;
        Ok(Condition::Latency { measure, percentile, above_us: i64::from(above_ms) * 1000, window: self.window()? })
    }

    fn unpriced(&mut self) -> Result<Condition, RuleError> {
        self.known.extend(["count", "percent"]);
        let limit = match (self.text.count, &self.text.percent) {
            (Some(count), None) => UnpricedLimit::Count(i64::from(in_range("count", Some(count), 1..=u32::MAX)?)),
            (None, Some(_)) => UnpricedLimit::Ppm(self.ppm()?),
            (None, None) => {
                return Err(RuleError::new("count", "is missing; it is a number of operations, or percent is given"));
            }
            (Some(_), Some(_)) => {
                return Err(RuleError::new("count", "is given beside percent; which of them is meant?"));
            }
        };
        Ok(Condition::Unpriced { limit, window: self.window()? })
    }

    fn anomaly(&mut self) -> Result<Condition, RuleError> {
        self.known.extend(["measure", "factor", "minimum", "weeks"]);
        let measure = choice("measure", required("measure", self.text.measure.as_ref())?, &AnomalyMeasure::NAMES)?;
        let factor = required("factor", self.text.factor.as_ref())?.units(THOUSANDTH_NANOS);
        let factor_thousandths = factor.filter(|factor| (1001..=MAX_FACTOR_THOUSANDTHS).contains(factor));
        let factor_thousandths = factor_thousandths.ok_or_else(|| {
            RuleError::new("factor", "is no number above 1, at most 1000, with at most three decimals")
        })?;
        let minimum = required("minimum", self.text.minimum.as_ref())?.units(measure.minimum_nanos());
        let minimum = minimum.filter(|minimum| *minimum > 0).ok_or_else(|| {
            let unit = match measure {
                AnomalyMeasure::Cost => "US dollars above 0, such as 5",
                AnomalyMeasure::Operations | AnomalyMeasure::Failures => "operations, a whole number above 0",
                AnomalyMeasure::Latency => "milliseconds above 0",
            };
            RuleError::new("minimum", format!("is no number of {unit}"))
        })?;
        let weeks = in_range("weeks", Some(self.text.weeks.unwrap_or(4)), 1..=MAX_WEEKS)?;
        Ok(Condition::Anomaly { measure, factor_thousandths, minimum, weeks, zone: self.zone()? })
    }

    fn ppm(&mut self) -> Result<i64, RuleError> {
        self.known.push("percent");
        let ppm = required("percent", self.text.percent.as_ref())?.units(PPM_NANOS);
        let allowed = "is no number above 0, at most 100, with at most four decimals";
        ppm.filter(|ppm| (1..=1_000_000).contains(ppm)).ok_or_else(|| RuleError::new("percent", allowed))
    }

    fn window(&mut self) -> Result<RateWindow, RuleError> {
        self.known.extend(["window_minutes", "min_operations"]);
        let minutes = in_range("window_minutes", self.text.window_minutes, 1..=MAX_WINDOW_MINUTES)?;
        let min_operations = self.text.min_operations.unwrap_or(DEFAULT_MIN_OPERATIONS);
        let min_operations = in_range("min_operations", Some(min_operations), 1..=u32::MAX)?;
        Ok(RateWindow { minutes, min_operations: i64::from(min_operations) })
    }
}

fn required<'a, T>(field: &str, value: Option<&'a T>) -> Result<&'a T, RuleError> {
    value.ok_or_else(|| RuleError::new(field, "is missing"))
}

fn in_range<T: PartialOrd + Copy + std::fmt::Display>(
    field: &str,
    value: Option<T>,
    allowed: std::ops::RangeInclusive<T>,
) -> Result<T, RuleError> {
    let expected = || format!("it is {} to {}", allowed.start(), allowed.end());
    let value = value.ok_or_else(|| RuleError::new(field, format!("is missing; {}", expected())))?;
    if !allowed.contains(&value) {
        return Err(RuleError::new(field, format!("is {value}; {}", expected())));
    }
    Ok(value)
}

fn choice<T: Copy>(field: &str, name: &str, choices: &[(&str, T)]) -> Result<T, RuleError> {
    let found = choices.iter().find(|(word, _)| *word == name).map(|(_, choice)| *choice);
    found.ok_or_else(|| {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let name: String = name.chars().take(60).collect();
        RuleError::new(field, format!("is {name:?}; it is one of {}", words.join(", ")))
    })
}

/// `24h` or `30d`.
fn rolling_hours(text: &str) -> Result<u32, RuleError> {
    let number = |suffix: char, hours: u32| {
        text.strip_suffix(suffix).and_then(|number| number.parse::<u32>().ok()).and_then(|n| n.checked_mul(hours))
    };
    let hours = number('h', 1).or_else(|| number('d', 24)).filter(|hours| (1..=MAX_ROLLING_HOURS).contains(hours));
    hours.ok_or_else(|| {
        let text: String = text.chars().take(60).collect();
        RuleError::new("rolling", format!("is {text:?}; it is hours or days, such as 24h or 30d, at most 366d"))
    })
}

impl From<NanoUsd> for Decimal {
    fn from(amount: NanoUsd) -> Self {
        Self::of_units(amount.nanos(), 1)
    }
}
