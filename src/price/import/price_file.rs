//! Drafts as the text of a price file.

use std::fmt::Write as _;

use super::draft::{DraftCard, DraftEffect, DraftInterval, DraftModel, DraftRates, DraftSchedule, DraftVariant};

/// The price file of a provider with these models, taken from a list on this day.
pub(super) fn text(provider: &str, models: &[DraftModel], day: &str) -> String {
    let mut lines = vec![
        "schema = 1".to_owned(),
        format!("catalogue = {day}"),
        "currency = \"USD\"".to_owned(),
        "unit = \"per_mtok\"".to_owned(),
        format!("provider = {}", quoted(provider)),
    ];
    for draft in models {
        model(draft, day, &mut lines);
    }
    lines.join("\n")
}

fn model(draft: &DraftModel, day: &str, lines: &mut Vec<String>) {
    lines.push(format!("\n[[model]]\nid = {}", quoted(&draft.id)));
    for (field, names) in [("aliases", &draft.aliases), ("prefixes", &draft.prefixes)] {
        if !names.is_empty() {
            lines.push(format!("{field} = {}", list(names)));
        }
    }
    lines.extend(draft.context_window.map(|tokens| format!("context_window = {tokens}")));
    lines.extend(draft.retired_on.as_ref().map(|day| format!("retired_on = {day}")));
    lines.push(format!("source = {}", quoted(&draft.source)));
    lines.push(format!("checked_on = {day}"));
    if !draft.missing.is_empty() {
        lines.push(format!("note = {}", quoted(&format!("not carried over: {}", draft.missing.join(", ")))));
    }
    if !draft.units.is_empty() {
        let units: Vec<String> =
            draft.units.iter().map(|(unit, price)| format!("{unit} = {}", quoted(price))).collect();
        lines.push(format!("units = {{ {} }}", units.join(", ")));
    }
    draft.intervals.iter().for_each(|entry| interval(entry, lines));
    draft.variants.iter().for_each(|entry| variant(entry, lines));
}

fn interval(draft: &DraftInterval, lines: &mut Vec<String>) {
    lines.push("\n[[model.interval]]".to_owned());
    span(draft.from.as_deref(), draft.to.as_deref(), lines);
    lines.extend(card(&draft.card));
    if !draft.schedules.is_empty() {
        let schedules: Vec<String> = draft.schedules.iter().map(|entry| format!("  {},", schedule(entry))).collect();
        lines.push(format!("schedules = [\n{}\n]", schedules.join("\n")));
    }
}

fn variant(draft: &DraftVariant, lines: &mut Vec<String>) {
    lines.push("\n[[model.variant]]".to_owned());
    lines.push(format!("when = {{ {} = {} }}", draft.property.name(), list(&draft.words)));
    span(draft.from.as_deref(), draft.to.as_deref(), lines);
    match &draft.effect {
        DraftEffect::Card(own) => lines.extend(card(own)),
        DraftEffect::Multiplier(factor) => lines.push(format!("multiplier = {}", quoted(factor))),
    }
}

fn span(from: Option<&str>, to: Option<&str>, lines: &mut Vec<String>) {
    for (field, day) in [("valid_from", from), ("valid_to", to)] {
        lines.extend(day.map(|day| format!("{field} = {day}T00:00:00Z")));
    }
}

fn card(draft: &DraftCard) -> Vec<String> {
    let mut lines = vec![format!("rates = {}", rates(&draft.rates))];
    if !draft.tiers.is_empty() {
        let tiers: Vec<String> =
            draft.tiers.iter().map(|(above, of)| format!("  {{ above = {above}, rates = {} }},", rates(of))).collect();
        lines.push(format!("tiers = [\n{}\n]", tiers.join("\n")));
    }
    lines
}

/// A schedule on one line, as an inline table must be.
fn schedule(draft: &DraftSchedule) -> String {
    let days: Vec<String> = draft.days.iter().map(u8::to_string).collect();
    let windows: Vec<String> =
        draft.windows.iter().map(|(from, to)| format!("[{}, {}]", quoted(from), quoted(to))).collect();
    let mut text = format!(
        "{{ name = {}, days = [{}], windows = [{}], ",
        quoted(&draft.name),
        days.join(", "),
        windows.join(", ")
    );
    if let Some(zone) = &draft.tz {
        // Memory takes what is written to it.
        write!(text, "tz = {}, ", quoted(zone)).unwrap_or_default();
    }
    text + &card(&draft.card).join(", ").replace('\n', " ").replace(", ]", " ]") + " }"
}

fn rates(draft: &DraftRates) -> String {
    let rates: Vec<String> = draft.iter().map(|(class, rate)| format!("{class} = {}", quoted(rate))).collect();
    format!("{{ {} }}", rates.join(", "))
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
}

/// Text in quotes. JSON escapes what TOML does, but for one character that TOML does not allow in text.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use opstream_schemas::prices::{Catalogue, Property, TokenClass};

    use super::*;

    #[test]
    fn a_draft_is_read_as_a_price_file_whatever_it_holds() {
        let rates = |price: &str| DraftRates::from([(TokenClass::Input, price.to_owned())]);
        let card = DraftCard { rates: rates("2"), tiers: BTreeMap::from([(100, rates("4")), (200, rates("8"))]) };
        let schedule = DraftSchedule {
            name: "off-peak".to_owned(),
            days: vec![6, 7],
            windows: vec![("00:00".to_owned(), "24:00".to_owned())],
            tz: Some("Asia/Shanghai".to_owned()),
            card: card.clone(),
        };
        let draft = DraftModel {
            id: "m".to_owned(),
            aliases: vec!["a".to_owned()],
            prefixes: vec!["m-x".to_owned()],
            context_window: Some(1_000),
            retired_on: Some("2027-01-01".to_owned()),
            source: "a \"list\"\n\u{7f}\\".to_owned(),
            missing: vec!["pages".to_owned()],
            units: BTreeMap::from([("web_search".to_owned(), "10".to_owned())]),
            intervals: vec![DraftInterval {
                from: Some("2026-01-01".to_owned()),
                to: None,
                card: card.clone(),
                schedules: vec![schedule],
            }],
            variants: vec![
                DraftVariant {
                    property: Property::Processing,
                    words: vec!["batch".to_owned()],
                    from: None,
                    to: Some("2027-01-01".to_owned()),
                    effect: DraftEffect::Card(card),
                },
                DraftVariant {
                    property: Property::Region,
                    words: vec!["eu".to_owned()],
                    from: None,
                    to: None,
                    effect: DraftEffect::Multiplier("1.1".to_owned()),
                },
            ],
        };
        let text = text("acme", &[draft], "2026-11-27");
        let catalogue = Catalogue::parse(&[("acme.toml", &text)]).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
        let model = &catalogue.models()[0];
        assert_eq!(
            (model.source.as_str(), model.note.as_deref()),
            ("a \"list\"\n\u{7f}\\", Some("not carried over: pages"))
        );
        assert_eq!(model.intervals[0].card.tiers.len(), 2);
        assert_eq!(model.intervals[0].schedules[0].card.tiers.len(), 2);
        assert_eq!(model.variants.len(), 2);
    }
}
