//! `opstream price diff`: which prices differ between two catalogues, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use opstream_schemas::UtcMicros;
use opstream_schemas::prices::{Catalogue, Model, Span};
use serde_json::{Value, json};

use super::moment::{PriceOf, sections, span_in_words};
use crate::price_files::{PriceArgs, PriceFiles};
use crate::text_table::{Align, Table, print, print_text};

/// Show which prices differ between two sets of price files, per model and class, and when.
///
/// Each of the two is laid over the built-in prices, and over those of --prices. Without OLD, NEW is compared with these themselves.
#[derive(clap::Args)]
#[command(after_long_help = "Exit code 0: nothing differs. 1: something does. 2: the command could not run.")]
pub(super) struct DiffArgs {
    /// Price file, or folder with price files: OLD and NEW, or only NEW
    #[arg(value_name = "FILE|DIR", required = true, num_args = 1..=2)]
    files: Vec<PathBuf>,
    /// One JSON object per line instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    prices: PriceArgs,
}

/// A price that differs during a span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Difference {
    model: String,
    price: Name,
    span: Span,
    old: Option<String>,
    new: Option<String>,
}

/// Which price of a model: terms, what it is for, and class or unit.
type Name = (String, PriceOf, String);

/// Prints the differences; that there are some is a failure, as with other programs that compare.
///
/// # Errors
/// When price files cannot be read or are none.
pub(super) fn run(args: &DiffArgs) -> anyhow::Result<ExitCode> {
    let base = args.prices.catalogue()?;
    let laid = |path: &PathBuf| -> anyhow::Result<Catalogue> {
        Ok(PriceFiles::read(std::slice::from_ref(path))?.lay_over(&base)?.into_owned())
    };
    let (old, new) = match &args.files[..] {
        [old, new] => (laid(old)?, laid(new)?),
        [new] => (base.clone(), laid(new)?),
        _ => anyhow::bail!("name one or two price files or folders"),
    };
    let differences = differences(&old, &new);
    let printed = if args.json {
        print(&differences.iter().map(|difference| as_json(difference).to_string()).collect::<Vec<_>>())
    } else {
        print_text(&as_text(&differences))
    };
    printed.context("cannot write the differences")?;
    Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn differences(old: &Catalogue, new: &Catalogue) -> Vec<Difference> {
    let models = |catalogue| -> BTreeMap<String, &Model> {
        Catalogue::in_force(catalogue).map(|(_, model)| (model.name(), model)).collect()
    };
    let (before, after) = (models(old), models(new));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names.into_iter().flat_map(|name| of_model(name, before.get(name).copied(), after.get(name).copied())).collect()
}

/// Compares a model's prices moment by moment: they change only where something begins or ends.
fn of_model(name: &str, old: Option<&Model>, new: Option<&Model>) -> Vec<Difference> {
    let mut found: Vec<Difference> = Vec::new();
    let edges: BTreeSet<UtcMicros> = [old, new].into_iter().flatten().flat_map(edges).collect();
    let starts = std::iter::once(None).chain(edges.iter().copied().map(Some));
    let ends = edges.iter().copied().map(Some).chain([None]);
    for (from, to) in starts.zip(ends) {
        let at = from.unwrap_or(UtcMicros::from_micros(i64::MIN));
        let (before, after) = (prices_at(old, at), prices_at(new, at));
        for price in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
            let [old, new] = [&before, &after].map(|prices| prices.get(price).cloned());
            if old == new {
                continue;
            }
            let is_going_on = |earlier: &&mut Difference| {
                earlier.price == *price
                    && earlier.span.to == from
                    && from.is_some()
                    && earlier.old == old
                    && earlier.new == new
            };
            match found.iter_mut().find(is_going_on) {
                Some(earlier) => earlier.span.to = to,
                None => found.push(Difference {
                    model: name.to_owned(),
                    price: price.clone(),
                    span: Span { from, to },
                    old,
                    new,
                }),
            }
        }
    }
    found.sort_by(|a, b| (&a.price, a.span.from).cmp(&(&b.price, b.span.from)));
    found
}

/// Moments at which a model's prices may change.
fn edges(model: &Model) -> Vec<UtcMicros> {
    let intervals = model.intervals.iter().map(|interval| interval.span);
    let variants = model.variants.iter().map(|variant| variant.span);
    intervals.chain(variants).flat_map(|span| [span.from, span.to]).flatten().collect()
}

fn prices_at(model: Option<&Model>, at: UtcMicros) -> BTreeMap<Name, String> {
    let sections = model.and_then(|model| sections(model, at)).unwrap_or_default();
    let prices = sections.into_iter().flat_map(|section| {
        let (terms, of) = (section.terms, section.of);
        section.prices.into_iter().map(move |(name, price)| ((terms.clone(), of, name), price))
    });
    prices.collect()
}

fn as_text(differences: &[Difference]) -> Vec<String> {
    if differences.is_empty() {
        return vec!["no price differs".to_owned()];
    }
    let right = Align::Right;
    let mut table =
        Table::new([Align::Left, Align::Left, right, right, Align::Left], ["MODEL", "PRICE", "OLD", "NEW", "WHEN"]);
    for Difference { model, price: (terms, of, name), span, old, new } in differences {
        let shown = |price: &Option<String>| match (price, of) {
            (None, _) => "none".to_owned(),
            (Some(factor), PriceOf::Factor) => format!("×{factor}"),
            (Some(price), _) => price.clone(),
        };
        let price = if terms.is_empty() { name.clone() } else { format!("{name}, {terms}") };
        table.add([model.clone(), price, shown(old), shown(new), span_in_words(*span)]);
    }
    let models: BTreeSet<&str> = differences.iter().map(|difference| difference.model.as_str()).collect();
    let mut lines = table.lines();
    lines.push(format!("{} prices differ, of {} models", differences.len(), models.len()));
    lines
}

fn as_json(difference: &Difference) -> Value {
    let Difference { model, price: (terms, of, name), span, old, new } = difference;
    let unit = match of {
        PriceOf::MillionTokens => "usd_per_million",
        PriceOf::ThousandUnits => "usd_per_thousand",
        PriceOf::Factor => "times",
    };
    json!({
        "model": model,
        "price": name,
        "terms": terms,
        "unit": unit,
        "old": old,
        "new": new,
        "from": span.from.map(|at| at.to_string()),
        "to": span.to.map(|at| at.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "schema = 1\ncatalogue = 2026-11-23\ncurrency = \"USD\"\nunit = \"per_mtok\"\nprovider = \"acme\"\n";

    fn catalogue(models: &str) -> Catalogue {
        Catalogue::parse(&[("acme.toml", &format!("{HEAD}{models}"))]).unwrap()
    }

    fn model(id: &str, prices: &str) -> String {
        format!("[[model]]\nid = \"{id}\"\nsource = \"a list\"\nchecked_on = 2026-11-23\n{prices}\n")
    }

    fn compared(old: &str, new: &str) -> Vec<String> {
        let found = differences(&catalogue(old), &catalogue(new));
        let words = |line: &String| line.split_whitespace().collect::<Vec<_>>().join(" ");
        as_text(&found).iter().skip(1).map(words).collect()
    }

    const CHANGED: &str = "
[[model.interval]]
valid_to = 2026-12-01T00:00:00Z
rates = { input = \"1\", output = \"8\" }
[[model.interval]]
valid_from = 2026-12-01T00:00:00Z
rates = { input = \"2\", output = \"8\" }
[[model.variant]]
when = { region = [\"eu\"] }
valid_from = 2026-12-01T00:00:00Z
multiplier = \"1.1\"
applies_to = [\"input\"]";
    const PLAIN: &str = "
[[model.interval]]
rates = { input = \"1\", output = \"8\" }";

    #[test]
    fn a_price_that_changes_differs_from_then_on_and_closing_an_interval_is_no_difference() {
        let found = compared(&model("m", PLAIN), &model("m", CHANGED));
        assert_eq!(
            found,
            [
                "acme/m input 1 2 from 2026-12-01 until further notice",
                "acme/m input, region eu none ×1.1 from 2026-12-01 until further notice",
                "2 prices differ, of 1 models",
            ]
        );
        assert!(compared(&model("m", CHANGED), &model("m", CHANGED)).is_empty());
    }

    #[test]
    fn a_model_of_one_side_only_has_prices_there_and_none_on_the_other() {
        let both = format!("{}{}", model("m", PLAIN), model("n", CHANGED));
        let found = compared(&both, &model("m", PLAIN));
        assert_eq!(found[0], "acme/n input 1 none since ever to 2026-12-01");
        assert_eq!(found[2], "acme/n output 8 none since ever until further notice");
    }

    #[test]
    fn only_what_holds_at_the_same_time_is_compared() {
        let later = PLAIN.replace("rates", "valid_from = 2026-01-01T00:00:00Z\nrates");
        let found = compared(&model("m", PLAIN), &model("m", &later));
        assert_eq!(found[0], "acme/m input 1 none since ever to 2026-01-01");
        let difference = &differences(&catalogue(&model("m", PLAIN)), &catalogue(&model("m", &later)))[0];
        let object = as_json(difference);
        assert_eq!(
            (object["old"].as_str(), object["new"].as_str(), object["to"].as_str()),
            (Some("1"), None, Some("2026-01-01T00:00:00.000000Z"))
        );
    }
}
