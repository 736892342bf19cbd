//! What a view or dashboard shows, and what of it is refused before it is kept: measures, dimensions and charts that nobody could
//! draw. Pure.

use std::collections::BTreeMap;

use opstream_schemas::calendar::Resolution;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Kind;
use crate::query::{Axis, DURATION_NAMES, Measure};

/// Largest definition, bytes of its JSON.
pub(crate) const MAX_DEFINITION_BYTES: usize = 64 << 10;
const MAX_PANELS: usize = 60;
const MAX_ADDRESS_BYTES: usize = 8 << 10;
const MAX_TITLE_CHARACTERS: usize = 200;
/// Measures or dimensions of a panel.
const MAX_NAMES: usize = 20;
const MAX_FILTER_VALUES: usize = 100;
const MAX_VALUE_BYTES: usize = 1024;
/// As many groups as an answer has at most.
const MAX_LIMIT: u32 = 1000;

const CHARTS: [&str; 6] = ["lines", "bars", "ranking", "table", "number", "distribution"];

/// What a view shows: `address`; what a dashboard shows: `panels`, and perhaps an `address`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Definition {
    /// Of a view: page and query string as the page writes them, such as `#/cost?range=last_7_days`. Of a dashboard: range and
    /// filters to begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// Of a dashboard: what is drawn, at most 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    panels: Option<Vec<Panel>>,
}

/// One drawing of a dashboard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Panel {
    /// What is written above it, 1 to 200 characters.
    title: String,
    /// `lines`, `bars`, `ranking`, `table`, `number` or `distribution`.
    chart: String,
    /// Names of measures as `/v1/query` takes them; of a distribution one of `latency`, `ttft`, `queue` and `generation`.
    measures: Vec<String>,
    /// Dimensions as `by` of `/v1/query` takes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    by: Vec<String>,
    /// Values of dimensions, any of which is meant; an empty one asks for operations without.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    filters: BTreeMap<String, Vec<String>>,
    /// `auto`, or a width of steps as `/v1/query` takes it; none is the whole range at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resolution: Option<String>,
    /// Columns of three that it is wide, 1 to 3; 1 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    width: Option<u8>,
    /// Most groups, 1 to 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
}

/// What is wrong with a definition, with the panel and the field.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub(crate) struct DefinitionError(String);

impl Definition {
    /// Refuses what cannot be shown.
    ///
    /// # Errors
    /// Names the panel, the field, and what is allowed.
    pub(crate) fn check(&self, kind: Kind) -> Result<(), DefinitionError> {
        match (kind, &self.address, &self.panels) {
            (Kind::View, None, _) => wrong("a view has an address, such as #/cost?range=last_7_days"),
            (Kind::View, _, Some(_)) => wrong("a view has no panels; they are a dashboard's"),
            (Kind::Dashboard, _, None) => wrong("a dashboard has panels"),
            (Kind::View, Some(address), None) if !address.starts_with("#/") => {
                wrong("the address of a view begins with #/, as the page writes it")
            }
            (Kind::View, Some(address), None) => check_address(address),
            (Kind::Dashboard, address, Some(panels)) => {
                address.as_deref().map_or(Ok(()), check_address)?;
                if panels.len() > MAX_PANELS {
                    return wrong(&format!("there are {} panels; {MAX_PANELS} may be", panels.len()));
                }
                panels.iter().enumerate().try_for_each(|(place, panel)| {
                    let named = |reason| {
                        DefinitionError(format!("panel {} ({:?}): {reason}", place + 1, excerpt(&panel.title)))
                    };
                    panel.check().map_err(named)
                })
            }
        }
    }

    /// As it is stored.
    ///
    /// # Errors
    /// When it is too large.
    pub(crate) fn to_text(&self) -> Result<String, DefinitionError> {
        let text = serde_json::to_string(self).expect("texts and numbers always serialise");
        if text.len() > MAX_DEFINITION_BYTES {
            return Err(DefinitionError(format!(
                "the definition has {} bytes; {MAX_DEFINITION_BYTES} may be",
                text.len()
            )));
        }
        Ok(text)
    }
}

/// Whether anybody could see a name, and click on it.
pub(crate) fn has_visible(text: &str) -> bool {
    let is_hidden = |c: char| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    text.chars().any(|c| !c.is_whitespace() && !c.is_control() && !is_hidden(c))
}

impl Panel {
    fn check(&self) -> Result<(), String> {
        if !has_visible(&self.title) || self.title.chars().count() > MAX_TITLE_CHARACTERS {
            return Err(format!("field title has 1 to {MAX_TITLE_CHARACTERS} characters"));
        }
        if !CHARTS.contains(&self.chart.as_str()) {
            return Err(unknown("chart", &self.chart, &CHARTS));
        }
        self.check_measures()?;
        check_names("by", &self.by)?;
        self.by.iter().try_for_each(|name| check_dimension("by", name))?;
        for (name, values) in &self.filters {
            check_dimension("filters", name)?;
            let is_long = |value: &String| value.len() > MAX_VALUE_BYTES;
            if values.is_empty() || values.len() > MAX_FILTER_VALUES || values.iter().any(is_long) {
                let name = excerpt(name);
                return Err(format!(
                    "field filters.{name} has 1 to {MAX_FILTER_VALUES} values of at most {MAX_VALUE_BYTES} bytes"
                ));
            }
        }
        let widths: Vec<&str> = std::iter::once("auto").chain(Resolution::ALL.map(Resolution::name)).collect();
        match &self.resolution {
            Some(name) if !widths.contains(&name.as_str()) => return Err(unknown("resolution", name, &widths)),
            _ => {}
        }
        match (self.width, self.limit) {
            (Some(width), _) if !(1..=3).contains(&width) => Err(format!("field width is {width}; it is 1, 2 or 3")),
            (_, Some(limit)) if !(1..=MAX_LIMIT).contains(&limit) => {
                Err(format!("field limit is {limit}; it is 1 to {MAX_LIMIT}"))
            }
            _ => Ok(()),
        }
    }

    fn check_measures(&self) -> Result<(), String> {
        check_names("measures", &self.measures)?;
        if self.measures.is_empty() {
            return Err("field measures is empty".to_owned());
        }
        if self.chart == "distribution" {
            if self.measures.len() > 1 {
                return Err("field measures has one name; a distribution is of one duration".to_owned());
            }
            return match self.measures.iter().find(|name| !DURATION_NAMES.contains(&name.as_str())) {
                Some(name) => Err(unknown("measures", name, &DURATION_NAMES)),
                None => Ok(()),
            };
        }
        match self.measures.iter().find(|name| Measure::from_name(name).is_none()) {
            Some(name) => Err(format!("field measures names {:?}, which is no measure of /v1/query", excerpt(name))),
            None => Ok(()),
        }
    }
}

fn check_names(field: &str, names: &[String]) -> Result<(), String> {
    if names.len() > MAX_NAMES {
        return Err(format!("field {field} has {} names; {MAX_NAMES} may be", names.len()));
    }
    match names.iter().enumerate().find(|(place, name)| names[..*place].contains(name)) {
        Some((_, name)) => Err(format!("field {field} names {:?} twice", excerpt(name))),
        None => Ok(()),
    }
}

fn check_dimension(field: &str, name: &str) -> Result<(), String> {
    if Axis::from_name(name).is_some() {
        return Ok(());
    }
    let known: Vec<&str> = Axis::names().chain(["tag:NAME"]).collect();
    Err(unknown(field, name, &known))
}

/// An address goes into the page's own: no scheme can be in it, nor what ends a line.
fn check_address(address: &str) -> Result<(), DefinitionError> {
    if address.len() > MAX_ADDRESS_BYTES || address.chars().any(char::is_control) {
        return wrong(&format!("the address has at most {MAX_ADDRESS_BYTES} bytes and no control characters"));
    }
    Ok(())
}

fn wrong(reason: &str) -> Result<(), DefinitionError> {
    Err(DefinitionError(reason.to_owned()))
}

fn unknown(field: &str, name: &str, known: &[&str]) -> String {
    format!("field {field} names {:?}; known are {}", excerpt(name), known.join(", "))
}

fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(kind: Kind, definition: Value) -> Result<(), String> {
        let definition: Definition = serde_json::from_value(definition).map_err(|error| error.to_string())?;
        definition.check(kind).map_err(|error| error.to_string())
    }

    fn panel(change: &[(&str, Value)]) -> Value {
        let mut panel = json!({
            "title": "Cost", "chart": "lines", "measures": ["cost_usd", "latency_p95_us"], "by": ["model", "tag:tier"],
            "filters": { "workspace": ["w"], "outcome": ["failure"], "team": [""] }, "resolution": "auto", "width": 2, "limit": 8,
        });
        for (name, value) in change {
            panel[*name] = value.clone();
        }
        json!({ "panels": [panel], "address": "range=last_7_days" })
    }

    #[test]
    fn what_the_page_writes_is_taken_and_written_back() {
        assert_eq!(check(Kind::View, json!({ "address": "#/cost?range=last_7_days" })), Ok(()));
        assert_eq!(check(Kind::Dashboard, json!({ "panels": [] })), Ok(()));
        assert_eq!(check(Kind::Dashboard, panel(&[])), Ok(()));
        let distribution = [("chart", json!("distribution")), ("measures", json!(["ttft"]))];
        assert_eq!(check(Kind::Dashboard, panel(&distribution)), Ok(()));
        let definition: Definition = serde_json::from_value(panel(&[])).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&definition.to_text().unwrap()).unwrap(), panel(&[]));
    }

    #[test]
    fn what_nobody_could_draw_is_refused_with_panel_and_field() {
        for (field, value, words) in [
            ("chart", json!("pie"), "field chart names \"pie\"; known are lines, bars"),
            ("measures", json!(["cost"]), "field measures names \"cost\", which is no measure"),
            ("measures", json!([]), "field measures is empty"),
            ("measures", json!(["operations", "operations"]), "twice"),
            ("by", json!(["colour"]), "field by names \"colour\"; known are workspace, project"),
            ("by", json!(["tag:"]), "known are"),
            ("filters", json!({ "colour": ["red"] }), "field filters names \"colour\""),
            ("filters", json!({ "model": [] }), "field filters.model has 1 to 100 values"),
            ("resolution", json!("year"), "field resolution names \"year\"; known are auto, minute"),
            ("width", json!(4), "field width is 4"),
            ("limit", json!(0), "field limit is 0"),
        ] {
            let refused = check(Kind::Dashboard, panel(&[(field, value)])).unwrap_err();
            assert!(refused.starts_with("panel 1 (\"Cost\"): ") && refused.contains(words), "{refused}");
        }
        let distribution = [("chart", json!("distribution")), ("measures", json!(["cost_usd"]))];
        assert!(check(Kind::Dashboard, panel(&distribution)).unwrap_err().contains("known are latency, ttft"));
        assert!(check(Kind::Dashboard, panel(&[("title", json!(" "))])).unwrap_err().contains("field title"));
        assert!(check(Kind::Dashboard, panel(&[("colour", json!(1))])).unwrap_err().contains("colour"));
    }

    #[test]
    fn views_and_dashboards_are_not_mistaken_for_each_other_and_have_bounds() {
        assert!(check(Kind::View, panel(&[])).unwrap_err().contains("no panels"));
        assert!(check(Kind::View, json!({})).unwrap_err().contains("has an address"));
        assert!(check(Kind::Dashboard, json!({ "address": "#/cost" })).unwrap_err().contains("has panels"));
        for address in ["javascript:alert(1)", "https://evil.example/", ""] {
            assert!(check(Kind::View, json!({ "address": address })).unwrap_err().contains("begins with #/"));
        }
        assert!(check(Kind::View, json!({ "address": "#/a\nb" })).is_err());
        let one = panel(&[])["panels"][0].clone();
        let many = json!({ "panels": vec![one.clone(); 61] });
        assert!(check(Kind::Dashboard, many).unwrap_err().contains("61 panels"));
        let mut wide = one;
        wide["filters"] = json!({ "model": vec!["m".repeat(1024); 100] });
        let large: Definition = serde_json::from_value(json!({ "panels": [wide] })).unwrap();
        assert_eq!(large.check(Kind::Dashboard), Ok(()));
        assert!(large.to_text().unwrap_err().to_string().contains("65536 may be"));
    }
}
