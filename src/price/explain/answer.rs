//! An explanation as text and as JSON. Pure.

use opstream_schemas::NanoUsd;
use opstream_schemas::prices::{Item, Line, PriceUsed};
use serde_json::{Value, json};

use super::Explained;
use super::stored::Stored;
use super::way_out::{model, ways_out};
use crate::failure::told;
use crate::price::moment::span_in_words;
use crate::text_table::{Align, Table};

impl Explained<'_> {
    /// Lines for people: what is explained, the bill, and the way out where there is none.
    pub(super) fn as_text(&self) -> Vec<String> {
        let mut lines = self.facts();
        lines.push(String::new());
        match (self.explanation.reason, self.explanation.priced.cost) {
            (Some(reason), _) => {
                lines.push(format!("no cost: {}", told(&reason)));
                lines.extend(ways_out(self, reason).into_iter().map(|way| format!("  {way}")));
            }
            (None, Some(cost)) => lines.extend(self.bill(cost)),
            (None, None) => {}
        }
        if let Some(stored) = self.stored {
            lines.push(String::new());
            lines.extend(self.comparison(stored));
        }
        lines
    }

    /// The same as one object: money and prices as decimal text.
    pub(super) fn as_json(&self) -> Value {
        let priced = &self.explanation.priced;
        let reason = self.explanation.reason;
        json!({
            "operation_id": self.stored.map(|stored| stored.operation.operation_id.to_string()),
            "provider": self.operation.provider,
            "model": self.billed_name(),
            "started_at": self.operation.started_at.to_string(),
            "cost_usd": priced.cost.map(NanoUsd::to_decimal_string),
            "cost_status": priced.status.name(),
            "lines": self.explanation.lines.iter().map(line_as_json).collect::<Vec<_>>(),
            "reason": reason.map(|reason| told(&reason)),
            "ways_out": reason.map(|reason| ways_out(self, reason)),
            "price": priced.used.as_ref().map(price_as_json),
            "catalogue": self.catalogue.version(),
            "stored": self.stored.map(|stored| json!({
                "cost_usd": stored.cost.map(NanoUsd::to_decimal_string),
                "cost_status": stored.status,
                "price_key": stored.price_key,
                "price_version": stored.price_version,
                "reported_cost_usd": stored.reported.map(NanoUsd::to_decimal_string),
                "catalogue_cost_usd": stored.by_catalogue().map(NanoUsd::to_decimal_string),
                "reported_difference_usd": stored.difference().map(NanoUsd::to_decimal_string),
                "repricing": stored.repricing,
                "billed_cost_usd": stored.billed.map(NanoUsd::to_decimal_string),
                "is_the_same_cost": self.is_same_cost(stored),
                "is_the_same_version": stored.price_version == self.catalogue.version(),
            })),
        })
    }

    fn facts(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut add = |name: &str, value: &str| lines.push(format!("{name:10} {value}"));
        if let Some(stored) = self.stored {
            add("operation", &stored.operation.operation_id.to_string());
        }
        let [provider, name] =
            [self.operation.provider.as_deref(), self.billed_name()].map(|name| name.unwrap_or("not named"));
        add("provider", provider);
        add("model", name);
        add("started", &self.operation.started_at.to_string());
        if let Some(used) = &self.explanation.priced.used {
            add("price key", &used.to_string());
            add("holds", &span_in_words(used.interval.span));
            for variant in used.variants.iter().flatten() {
                add("", &format!("{}: {}", crate::price::moment::condition(variant), span_in_words(variant.span)));
            }
        }
        if let Some(model) = model(self) {
            add("source", &format!("{}, checked on {}", model.source, model.checked_on));
            if let Some(note) = &model.note {
                add("note", note);
            }
        }
        add("catalogue", self.catalogue.version());
        lines
    }

    fn bill(&self, cost: NanoUsd) -> Vec<String> {
        let right = Align::Right;
        let mut table = Table::new([Align::Left, right, right, right], ["CLASS", "QUANTITY", "USD PER MILLION", "USD"]);
        for line in &self.explanation.lines {
            let name = match line.item {
                Item::Tokens { class, priced_as } if class != priced_as => format!("{class}, priced as {priced_as}"),
                item => item.to_string(),
            };
            table.add([name, line.quantity.to_string(), line.rate.to_string(), line.amount.to_string()]);
        }
        table.add(["cost".to_owned(), String::new(), String::new(), cost.to_string()]);
        let mut lines = table.lines();
        if self.explanation.lines.is_empty() {
            lines = vec![format!("cost {cost}: nothing is charged for it")];
        }
        lines
    }

    /// What the row says beside what the catalogue says now.
    fn comparison(&self, stored: &Stored) -> Vec<String> {
        let usd = |cost: Option<NanoUsd>| cost.map_or_else(|| "no cost".to_owned(), |cost| format!("{cost} USD"));
        let key = stored.price_key.as_ref().map_or_else(String::new, |key| format!(", by {key}"));
        let mut lines = Vec::new();
        if stored.counts_reported() {
            lines.push(format!(
                "stored: {} ({}): the reported cost counts, by the cost policy",
                usd(stored.cost),
                stored.status
            ));
            lines.push(format!("by the catalogue when it was stored: {}{key}", usd(stored.by_catalogue())));
        } else {
            lines.push(format!("stored: {} ({}){key}", usd(stored.cost), stored.status));
        }
        if self.is_same_cost(stored) {
            let last = lines.len() - 1;
            lines[last].push_str("; the same");
        } else {
            lines.push("that is another cost than the catalogue computes now".to_owned());
        }
        if stored.price_version != self.catalogue.version() {
            lines.push(format!("it was priced by the catalogue {}, another than this one", stored.price_version));
        }
        if let Some(number) = stored.repricing {
            let billed = usd(stored.billed);
            lines.push(format!(
                "re-pricing {number} has changed it; at first it had {billed}; `opstream reprice show {number}` says more"
            ));
        }
        lines.extend(reported(stored));
        lines
    }

    /// Whether the catalogue says now what it said when the operation was stored.
    fn is_same_cost(&self, stored: &Stored) -> bool {
        let priced = &self.explanation.priced;
        priced.cost == stored.by_catalogue() && (stored.counts_reported() || priced.status.name() == stored.status)
    }
}

/// What was reported, whether it counts, and how far it is from the catalogue's cost.
fn reported(stored: &Stored) -> Vec<String> {
    let Some(reported) = stored.reported else { return Vec::new() };
    let counts = if stored.counts_reported() { "" } else { "; it does not count, by the cost policy" };
    let mut lines = vec![format!("reported by the provider or the application: {reported} USD{counts}")];
    lines.extend(stored.difference().map(|difference| format!("reported less catalogue: {difference} USD")));
    lines
}

fn line_as_json(line: &Line<'_>) -> Value {
    let (is_unit, priced_as) = match line.item {
        Item::Tokens { priced_as, .. } => (false, Some(priced_as.name())),
        Item::Units(_) => (true, None),
    };
    json!({
        "class": line.item.to_string(),
        "is_unit": is_unit,
        "priced_as": priced_as,
        "quantity": line.quantity,
        "usd_per_million": line.rate.to_string(),
        "amount_usd": line.amount.to_string(),
    })
}

fn price_as_json(used: &PriceUsed<'_>) -> Value {
    let span = used.interval.span;
    json!({
        "price_key": used.to_string(),
        "provider": used.model.provider,
        "model": used.model.id,
        "valid_from": span.from.map(|at| at.to_string()),
        "valid_to": span.to.map(|at| at.to_string()),
        "source": used.model.source,
        "checked_on": used.model.checked_on.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use opstream_schemas::prices::Catalogue;
    use opstream_schemas::{Operation, UtcMicros};

    use super::*;

    fn operation(provider: &str, model: &str) -> Operation {
        Operation {
            provider: Some(provider.to_owned()),
            model: Some(model.to_owned()),
            started_at: UtcMicros::parse_rfc3339("2026-11-23T12:00:00Z").unwrap(),
            operation_type: "chat".to_owned(),
            input_tokens: Some(300_000),
            cache_read_tokens: 100_000,
            cache_write_tokens: 20_000,
            output_tokens: Some(2_000),
            web_searches: 1,
            ..Operation::default()
        }
    }

    fn explained(operation: &Operation) -> Explained<'_> {
        Explained::of(Catalogue::embedded(), operation, None)
    }

    #[test]
    fn the_worked_example_is_explained_line_by_line() {
        let operation = Operation {
            service_tier: Some("flex".to_owned()),
            metadata: Some(r#"{"price_terms":{"region":"us"}}"#.to_owned()),
            ..operation("openai", "gpt-6.1-sol")
        };
        let text = explained(&operation).as_text();
        let words: Vec<String> =
            text.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        for line in [
            "price key gpt-6.1-sol above-272000 flex us",
            "web_search 1 10000 0.01",
            "input 180000 2.2 0.396",
            "cache_read 100000 0.11 0.011",
            "cache_write 20000 2.75 0.055",
            "output 2000 8.25 0.0165",
            "cost 0.4885",
        ] {
            assert!(words.iter().any(|said| said == line), "{line}: {text:#?}");
        }
        let object = explained(&operation).as_json();
        assert_eq!(
            (object["cost_usd"].as_str(), object["lines"][1]["amount_usd"].as_str()),
            (Some("0.4885"), Some("0.396"))
        );
    }

    #[test]
    fn without_a_cost_the_reason_and_the_way_out_are_said() {
        for (operation, reason, way) in [
            (
                operation("openai", "gpt-6.1-soll"),
                "does not have this model",
                "similar names of openai in the catalogue: gpt-6.1-sol",
            ),
            (operation("opnai", "gpt-6.1-sol"), "does not have this model", "no provider opnai; it has openai"),
            (operation("azure", "gpt-6.1-sol"), "does not have this model", "a model of this name is there of openai"),
            (
                Operation { service_tier: Some("scale".to_owned()), ..operation("openai", "gpt-6.1-sol") },
                "no price of the model for the operation's service_tier",
                "service_tier flex from 2026-10-1",
            ),
            (
                Operation { output_tokens: None, ..operation("openai", "gpt-6.1-sol") },
                "output_tokens is unknown",
                "--output",
            ),
            (
                Operation { billable_units: Some(r#"{"tea":1}"#.to_owned()), ..operation("openai", "gpt-6.1-sol") },
                "apart from tokens",
                "units with a price of openai/gpt-6.1-sol: ",
            ),
        ] {
            let text = explained(&operation).as_text().join("\n");
            assert!(text.contains(reason) && text.contains(way), "{reason}, {way}: {text}");
            let object = explained(&operation).as_json();
            assert!(object["cost_usd"].is_null() && object["reason"].as_str().unwrap().contains(reason), "{object}");
        }
    }

    #[test]
    fn a_stored_cost_is_compared_with_what_the_catalogue_says_now() {
        let stored = |cost, version: &str| Stored {
            operation: operation("openai", "gpt-6.1-sol"),
            cost: Some(NanoUsd::parse(cost).unwrap()),
            status: "priced".to_owned(),
            price_key: Some("gpt-6.1-sol above-272000".to_owned()),
            price_version: version.to_owned(),
            reported: None,
            catalogue_cost: None,
            repricing: None,
            billed: None,
        };
        let version = Catalogue::embedded().version();
        let now = explained(&operation("openai", "gpt-6.1-sol")).explanation.priced.cost.unwrap().to_string();
        for (cost, version, is_same, said) in [
            (now.as_str(), version, true, "; the same"),
            ("0.5", version, false, "another cost than the catalogue computes now"),
            (&now, "2026-01-01-00000000", true, "by the catalogue 2026-01-01-00000000, another than this one"),
        ] {
            let stored = stored(cost, version);
            let explained = Explained::of(Catalogue::embedded(), &stored.operation, Some(&stored));
            let text = explained.as_text().join("\n");
            assert!(text.contains(said), "{said}: {text}");
            assert_eq!(explained.as_json()["stored"]["is_the_same_cost"], is_same);
        }
        let changed = Stored { repricing: Some(2), billed: NanoUsd::parse("0.25").ok(), ..stored(&now, version) };
        let explained = Explained::of(Catalogue::embedded(), &changed.operation, Some(&changed));
        assert!(explained.as_text().join("\n").contains("re-pricing 2 has changed it; at first it had 0.25 USD"));
        assert_eq!(explained.as_json()["stored"]["billed_cost_usd"], "0.25");
    }

    #[test]
    fn whose_cost_counts_and_the_difference_are_said() {
        let now = explained(&operation("openai", "gpt-6.1-sol")).explanation.priced.cost.unwrap();
        let dearer = NanoUsd::from_nanos(now.nanos() + 1_500_000);
        let stored = |model: &str, cost, status: &str, catalogue_cost| Stored {
            operation: operation("openai", model),
            cost,
            status: status.to_owned(),
            price_key: None,
            price_version: Catalogue::embedded().version().to_owned(),
            reported: Some(dearer),
            catalogue_cost,
            repricing: None,
            billed: None,
        };
        let (known, unknown) = ("gpt-6.1-sol", "gpt-of-tomorrow");
        let (counts, counts_not) =
            ("(reported): the reported cost counts, by the cost policy", "; it does not count, by the cost policy");
        for (stored, said, difference) in [
            (stored(known, Some(dearer), "reported", Some(now)), counts, Some("0.0015")),
            (stored(known, Some(now), "priced", Some(now)), counts_not, Some("0.0015")),
            (stored(unknown, Some(dearer), "reported", None), counts, None),
            (stored(unknown, None, "unpriced", None), counts_not, None),
        ] {
            let explained = Explained::of(Catalogue::embedded(), &stored.operation, Some(&stored));
            let text = explained.as_text().join("\n");
            assert!(text.contains(said) && text.contains("; the same"), "{text}");
            let line = difference.map(|usd| format!("reported less catalogue: {usd} USD"));
            assert_eq!(text.lines().find(|line| line.starts_with("reported less")), line.as_deref(), "{text}");
            let object = &explained.as_json()["stored"];
            assert_eq!(object["reported_difference_usd"].as_str(), difference, "{object}");
            assert_eq!(object["catalogue_cost_usd"].is_null(), difference.is_none(), "{object}");
            assert_eq!(object["is_the_same_cost"], true, "{object}");
        }
    }
}
