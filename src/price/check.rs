//! `opstream price check`: whether price files can be laid over the built-in ones, and what that would change.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use opstream_schemas::prices::{Catalogue, Model, PriceKey};

use crate::failure::say;
use crate::price_files::{PriceArgs, PriceFiles};
use crate::text_table::{Align, Table, print_text};

/// Check price files as they would be laid over the built-in prices, and say which models they hold and replace.
///
/// All files are checked together: a provider may be priced by one of them only.
#[derive(clap::Args)]
pub(super) struct CheckArgs {
    /// Price files, or folders with price files (*.toml)
    #[arg(value_name = "FILE|DIR", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    prices: PriceArgs,
}

/// Prints what the files hold; a fault in them is a failure.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let base = args.prices.catalogue()?;
    let files = PriceFiles::read(&args.files)?;
    match files.lay_over(&base) {
        Ok(catalogue) => {
            print_text(&report(&base, &catalogue)).context("cannot write the report")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(fault) => {
            say("fault", &fault.into());
            Ok(ExitCode::FAILURE)
        }
    }
}

/// What laying files over `base` changed.
fn report(base: &Catalogue, catalogue: &Catalogue) -> Vec<String> {
    let left = Align::Left;
    let mut table = Table::new([left, left, left], ["MODEL", "OTHER NAMES", "IN PLACE OF"]);
    let (mut n_models, mut n_replaced) = (0_usize, 0_usize);
    let mut remarks = Vec::new();
    for (key, model) in catalogue.entries().skip(base.models().len()) {
        let is_replaced = |(_, old): &(PriceKey, &Model)| catalogue.find(&old.provider, &old.id) == Some(key);
        let replaced: Vec<(PriceKey, &Model)> = base.in_force().filter(is_replaced).collect();
        n_models += 1;
        n_replaced += replaced.len();
        let names: Vec<String> = replaced.iter().map(|(_, old)| old.name()).collect();
        table.add([model.name(), other_names(model), names.join(", ")]);
        for (old_key, old) in replaced {
            let names = names_left(catalogue, old_key, old);
            if !names.is_empty() {
                remarks.push(format!("the prices of before still hold for {}: {}", old.name(), names.join(", ")));
            }
        }
    }
    let mut lines = table.lines();
    lines.append(&mut remarks);
    let models = if n_models == 1 { "model" } else { "models" };
    let version = catalogue.version();
    lines.push(format!(
        "{n_models} {models}, in place of {n_replaced} that were there; the catalogue would be {version}"
    ));
    lines
}

/// Names under which a replaced model still has its prices of before: whoever replaces a model may have forgotten them.
fn names_left(catalogue: &Catalogue, key: PriceKey, old: &Model) -> Vec<String> {
    let mut left = Vec::new();
    for provider in std::iter::once(&old.provider).chain(&old.also) {
        let is_left = |name: &&String| catalogue.find(provider, name) == Some(key);
        if is_left(&&old.id) {
            // Whatever other names it has there are left too.
            left.push(format!("all names of provider {provider}"));
        } else {
            left.extend(
                old.aliases.iter().chain(&old.prefixes).filter(is_left).map(|name| format!("{provider}/{name}")),
            );
        }
    }
    left
}

fn other_names(model: &Model) -> String {
    let providers = model.also.iter().map(|provider| format!("provider {provider}"));
    let prefixes = model.prefixes.iter().map(|prefix| format!("{prefix}-*"));
    providers.chain(model.aliases.iter().cloned()).chain(prefixes).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_files_add_and_replace_is_said_and_what_they_forget() {
        let text = r#"
schema = 1
catalogue = 2026-11-24
currency = "USD"
unit = "per_mtok"
provider = "gcp.gemini"

[[model]]
id = "gemini-2.5-pro"
aliases = ["our-gemini"]
source = "our contract"
checked_on = 2026-11-24
[[model.interval]]
rates = { input = "1", output = "8" }

[[model]]
id = "gemini-ours"
prefixes = ["gemini-ours"]
source = "our contract"
checked_on = 2026-11-24
[[model.interval]]
rates = { input = "1", output = "8" }
"#;
        let base = Catalogue::embedded();
        let catalogue = base.overlay(&[("gcp_gemini.toml", text)]).unwrap();
        let lines = report(base, &catalogue);
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(&lines[1]), "gcp.gemini/gemini-2.5-pro our-gemini gcp.gemini/gemini-2.5-pro");
        assert_eq!(words(&lines[2]), "gcp.gemini/gemini-ours gemini-ours-*");
        let beginning = "the prices of before still hold for gcp.gemini/gemini-2.5-pro: ";
        assert!(lines[3].starts_with(beginning), "{}", lines[3]);
        assert!(lines[3].ends_with("all names of provider gcp.vertex_ai"), "{}", lines[3]);
        let beginning = "2 models, in place of 1 that were there; the catalogue would be 2026-";
        assert!(lines[4].starts_with(beginning), "{}", lines[4]);
    }
}
