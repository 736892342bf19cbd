//! `opstream price list`: the models of the catalogue with their prices at a moment.

use std::process::ExitCode;

use anyhow::Context as _;
use opstream_schemas::UtcMicros;
use opstream_schemas::prices::{Catalogue, Model, TokenClass};
use opstream_schemas::providers::canonical_provider;
use serde_json::{Map, Value, json};

use super::moment::{PriceOf, Section, moment, per_million, sections};
use super::parse_moment;
use crate::price_files::PriceArgs;
use crate::text_table::{Align, Table, print, print_text};

/// Classes with a column of their own; the others are said beneath.
const COLUMNS: [TokenClass; 4] = [TokenClass::Input, TokenClass::Output, TokenClass::CacheRead, TokenClass::CacheWrite];

/// List models with their prices at a moment, in dollars per million tokens, and what changes them.
#[derive(clap::Args)]
pub(super) struct ListArgs {
    /// Only models of this provider
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// Only models with this text in their name or in another name of theirs
    #[arg(long, value_name = "TEXT")]
    model: Option<String>,
    /// Prices at this time: `2026-11-23T08:00:00Z`, or a day, which begins at midnight UTC [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    at: Option<UtcMicros>,
    /// One JSON object per line instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    prices: PriceArgs,
}

/// Prints the models; that there are none is a failure.
///
/// # Errors
/// When price files cannot be read.
pub(super) fn run(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let catalogue = args.prices.catalogue()?;
    let at = args.at.unwrap_or_else(UtcMicros::now);
    let mut models: Vec<&Model> =
        catalogue.in_force().map(|(_, model)| model).filter(|model| is_meant(args, model)).collect();
    models.sort_by(|a, b| (&a.provider, &a.id).cmp(&(&b.provider, &b.id)));
    let printed = if args.json {
        print(&models.iter().map(|model| as_json(&catalogue, model, at).to_string()).collect::<Vec<_>>())
    } else {
        print_text(&as_text(&catalogue, &models, at))
    };
    printed.context("cannot write the list")?;
    Ok(if models.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn is_meant(args: &ListArgs, model: &Model) -> bool {
    let provider = args.provider.as_deref().map(canonical_provider);
    let text = args.model.as_deref().map(str::to_lowercase).unwrap_or_default();
    provider.is_none_or(|provider| model.provider == provider || model.also.iter().any(|other| *other == provider))
        && std::iter::once(&model.id).chain(&model.aliases).any(|name| name.contains(&text))
}

fn as_text(catalogue: &Catalogue, models: &[&Model], at: UtcMicros) -> Vec<String> {
    let right = Align::Right;
    let head = ["MODEL", "INPUT", "OUTPUT", "CACHE READ", "CACHE WRITE", "SINCE", "TO"];
    let mut table = Table::new([Align::Left, right, right, right, right, Align::Left, Align::Left], head);
    let mut beneath = vec![Vec::new()];
    for model in models {
        let [input, output, read, write] = COLUMNS
            .map(|class| model.interval_at(at).and_then(|interval| per_million(&interval.card.rates, class)))
            .map(Option::unwrap_or_default);
        let span = model.interval_at(at).map(|interval| interval.span).unwrap_or_default();
        let [from, to] = [span.from, span.to].map(|end| end.map(moment).unwrap_or_default());
        table.add([model.name(), input, output, read, write, from, to]);
        beneath.push(details(model, at));
    }
    let mut lines = Vec::new();
    for (line, details) in table.lines().into_iter().zip(beneath) {
        lines.push(line);
        lines.extend(details.into_iter().map(|detail| format!("    {detail}")));
    }
    let n_models = models.len();
    lines.push(format!(
        "{n_models} {}, catalogue {}, prices at {}",
        if n_models == 1 { "model" } else { "models" },
        catalogue.version(),
        moment(at)
    ));
    lines
}

/// What has no column.
fn details(model: &Model, at: UtcMicros) -> Vec<String> {
    let Some(sections) = sections(model, at) else { return vec!["no price at this time".to_owned()] };
    let mut lines = Vec::new();
    for section in sections {
        if section.terms.is_empty() && section.of == PriceOf::MillionTokens {
            let is_other = |(name, _): &(String, String)| COLUMNS.iter().all(|class| class.name() != name);
            let others = Section { prices: section.prices.into_iter().filter(is_other).collect(), ..section };
            if !others.prices.is_empty() {
                lines.push(others.said());
            }
        } else {
            lines.push(section.said());
        }
    }
    if let Some(day) = model.retired_on {
        lines.push(format!("retired on {day}"));
    }
    lines
}

fn as_json(catalogue: &Catalogue, model: &Model, at: UtcMicros) -> Value {
    let sections = sections(model, at);
    let span = model.interval_at(at).map(|interval| interval.span).unwrap_or_default();
    let standard = |of| {
        let section = sections.iter().flatten().find(|section| section.terms.is_empty() && section.of == of);
        section.map(prices)
    };
    let others = sections.iter().flatten().filter(|section| !section.terms.is_empty()).map(|section| {
        let name = if section.of == PriceOf::Factor { "times" } else { "usd_per_million" };
        json!({ "terms": section.terms, name: prices(section) })
    });
    json!({
        "provider": model.provider,
        "model": model.id,
        "other_providers": model.also,
        "aliases": model.aliases,
        "prefixes": model.prefixes,
        "at": at.to_string(),
        "valid_from": span.from.map(|at| at.to_string()),
        "valid_to": span.to.map(|at| at.to_string()),
        "usd_per_million": standard(PriceOf::MillionTokens),
        "usd_per_thousand": standard(PriceOf::ThousandUnits),
        "under_other_terms": others.collect::<Vec<_>>(),
        "context_window": model.context_window,
        "retired_on": model.retired_on.map(|day| day.to_string()),
        "source": model.source,
        "checked_on": model.checked_on.to_string(),
        "note": model.note,
        "catalogue": catalogue.version(),
    })
}

fn prices(section: &Section) -> Map<String, Value> {
    section.prices.iter().map(|(name, price)| (name.clone(), price.as_str().into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(provider: &str, model: &str) -> ListArgs {
        let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let prices = PriceArgs::default();
        ListArgs { provider: named(provider), model: named(model), at: None, json: false, prices }
    }

    fn meant(args: &ListArgs) -> Vec<&'static Model> {
        Catalogue::embedded().models().iter().filter(|model| is_meant(args, model)).collect()
    }

    #[test]
    fn a_provider_is_meant_by_each_of_its_names_and_a_model_by_a_part_of_one() {
        let gemini = meant(&list("google", "2.5-PRO-TTS"));
        assert_eq!(gemini.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(), ["gemini-2.5-pro-tts"]);
        assert_eq!(meant(&list("vertex_ai", "")).len(), meant(&list("gemini", "")).len());
        assert!(meant(&list("nobody", "")).is_empty());
        assert_eq!(meant(&list("", "")).len(), Catalogue::embedded().models().len());
    }

    #[test]
    fn a_row_has_the_prices_of_the_moment_and_says_beneath_what_changes_them() {
        let models = vec![meant(&list("gemini", "gemini-2.5-pro"))[0]];
        let at = parse_moment("2026-11-23").unwrap();
        let lines = as_text(Catalogue::embedded(), &models, at);
        assert!(lines[1].starts_with("gcp.gemini/gemini-2.5-pro   1.25      10       0.125"), "{}", lines[1]);
        assert!(
            lines.iter().any(|line| line.starts_with("    prompt above 200000: input 2.5, output 15")),
            "{lines:#?}"
        );
        assert!(lines.last().unwrap().starts_with("1 model, catalogue "), "{lines:#?}");
        let listed = as_json(Catalogue::embedded(), models[0], at);
        assert_eq!(
            (listed["usd_per_million"]["input"].as_str(), listed["usd_per_thousand"]["web_search"].as_str()),
            (Some("1.25"), Some("35"))
        );
    }
}
