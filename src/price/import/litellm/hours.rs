//! Prices outside the hours of a provider's peak.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Fields;
use super::field::Priced;
use crate::price::import::draft::{DraftCard, DraftSchedule};
use crate::price::import::json::per_million_of_token;

const EVERY_DAY: [u8; 7] = [1, 2, 3, 4, 5, 6, 7];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Window {
    hours_utc: Hours,
    #[serde(default)]
    weekdays: Option<Vec<u8>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Hours {
    One(String),
    Many(Vec<String>),
}

/// A schedule for each entry of windows, all with the same prices.
///
/// # Errors
/// Why a price file cannot say it.
pub(super) fn schedules(raw: &RawValue) -> Result<Vec<DraftSchedule>, String> {
    let mut fields: Fields = serde_json::from_str(raw.get()).map_err(|_| "it is no object".to_owned())?;
    let windows = fields.remove("windows").ok_or_else(|| "it names no hours".to_owned())?;
    let windows: Vec<Window> =
        serde_json::from_str(windows.get()).map_err(|error| format!("its hours are not understood: {error}"))?;
    let mut card = DraftCard::default();
    for (field, raw) in &fields {
        let priced = Priced::parse(field).filter(|priced| priced.term.is_empty());
        let priced = priced.ok_or_else(|| format!("there is no place for its {field}"))?;
        priced.enter(&mut card, per_million_of_token(raw)?);
    }
    let schedule = |window: Window| {
        let hours = match window.hours_utc {
            Hours::One(hours) => vec![hours],
            Hours::Many(hours) => hours,
        };
        let windows = hours.iter().map(|hours| ends(hours)).collect::<Option<Vec<_>>>();
        Ok(DraftSchedule {
            name: "off-peak".to_owned(),
            days: window.weekdays.unwrap_or_else(|| EVERY_DAY.to_vec()),
            windows: windows.ok_or_else(|| "its hours are not understood".to_owned())?,
            tz: None,
            card: card.clone(),
        })
    };
    windows.into_iter().map(schedule).collect()
}

/// Begin and end of `10:00-00:00`; an end at midnight is that of the day.
fn ends(hours: &str) -> Option<(String, String)> {
    let (from, to) = hours.split_once('-')?;
    let to = if to == "00:00" { "24:00" } else { to };
    Some((from.to_owned(), to.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_read_with_their_days() {
        let text = r#"{"input_cost_per_token":6.6e-07,"windows":[
            {"hours_utc":["00:00-01:00","10:00-00:00"],"weekdays":[1,2]},{"hours_utc":"00:00-00:00","weekdays":[6,7]}]}"#;
        let schedules = schedules(&serde_json::from_str::<Box<RawValue>>(text).unwrap()).unwrap();
        let windows: Vec<_> = schedules.iter().flat_map(|schedule| schedule.windows.clone()).collect();
        let expected = [("00:00", "01:00"), ("10:00", "24:00"), ("00:00", "24:00")];
        assert_eq!(windows, expected.map(|(from, to)| (from.to_owned(), to.to_owned())));
        assert_eq!(schedules[1].days, [6, 7]);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            r#"{"windows":[{"hours_utc":"1","weekdays":[1]}],"input_cost_per_token":1e-6}"#,
            r#"{"windows":[{"hours_utc":"00:00-01:00","zone":"x"}],"input_cost_per_token":1e-6}"#,
            r#"{"windows":[],"weekday_timezone":"Asia/Shanghai","input_cost_per_token":1e-6}"#,
            r#"{"input_cost_per_token":1e-6}"#,
        ] {
            assert!(schedules(&serde_json::from_str::<Box<RawValue>>(text).unwrap()).is_err(), "{text}");
        }
    }
}
