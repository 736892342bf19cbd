//! Prices with conditions, of which the last one that holds counts, as intervals and schedules.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::prices::{Prices, prices};
use crate::price::import::draft::{DraftInterval, DraftSchedule};

const EVERY_DAY: [u8; 7] = [1, 2, 3, 4, 5, 6, 7];

/// Prices with or without a condition.
#[derive(Deserialize)]
pub(super) struct Conditional {
    #[serde(default)]
    pub(super) constraint: Option<Constraint>,
    pub(super) prices: BTreeMap<String, Box<RawValue>>,
}

/// When prices hold.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Constraint {
    /// From this day on.
    Start { start_date: String },
    /// At these hours of each day, UTC.
    Hours { start_time: String, end_time: String },
}

/// The standard prices of a model.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Standard {
    pub(super) intervals: Vec<DraftInterval>,
    /// Of the newest prices.
    pub(super) units: BTreeMap<String, String>,
    pub(super) missing: Vec<String>,
}

/// Orders prices by time.
///
/// # Errors
/// Why a price file cannot say it.
pub(super) fn intervals(entries: Vec<Conditional>) -> Result<Standard, String> {
    let mut standard = Standard::default();
    for (place, Conditional { constraint, prices: fields }) in entries.into_iter().enumerate() {
        let Prices { card, units, missing } = prices(&fields)?;
        match constraint {
            Some(Constraint::Hours { start_time, end_time }) => {
                let last = standard.intervals.last().ok_or("its first prices hold at certain hours only")?;
                if !card.rates.keys().eq(last.card.rates.keys()) {
                    return Err("its prices by the hour are of other classes than the standard ones".to_owned());
                }
                let [from, to] = [clock(&start_time)?, clock(&end_time)?];
                let name = format!("from-{}", from.replace(':', ""));
                let windows = vec![(from, if to == "00:00" { "24:00".to_owned() } else { to })];
                let schedule = DraftSchedule { name, days: EVERY_DAY.to_vec(), windows, tz: None, card };
                // The last that holds counts in the list, the first in a price file; and no date is a condition of these.
                standard.intervals.iter_mut().for_each(|interval| interval.schedules.insert(0, schedule.clone()));
            }
            // The first prices count where no others do.
            None | Some(Constraint::Start { .. }) if place == 0 => {
                standard.intervals.push(DraftInterval { card, ..DraftInterval::default() });
                (standard.units, standard.missing) = (units, missing);
            }
            Some(Constraint::Start { start_date }) => {
                let last = standard.intervals.last_mut().ok_or("its first prices hold at certain hours only")?;
                if last.from.as_ref().is_some_and(|from| *from >= start_date) {
                    return Err("its prices begin in no order of time".to_owned());
                }
                if units != standard.units {
                    return Err("prices of units that change with time have no place in a price file".to_owned());
                }
                last.to = Some(start_date.clone());
                standard.intervals.push(DraftInterval { from: Some(start_date), card, ..DraftInterval::default() });
                standard
                    .missing
                    .extend(missing.into_iter().filter(|field| !standard.missing.contains(field)).collect::<Vec<_>>());
            }
            None => return Err("it has several prices without a condition".to_owned()),
        }
    }
    Ok(standard)
}

/// `01:00` of `01:00:00Z`.
fn clock(time: &str) -> Result<String, String> {
    let refused = || format!("the hour {time} is not understood");
    let (clock, rest) = time.split_at_checked(5).ok_or_else(refused)?;
    if matches!(rest, "" | ":00" | ":00Z" | ":00+00:00" | "Z") { Ok(clock.to_owned()) } else { Err(refused()) }
}
