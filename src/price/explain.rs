//! `opstream price explain`: what one operation costs, line by line, or why it has no cost and what to do about it.
//!
//! The operation is a stored one, whose row is read, or one that the flags describe.

mod ad_hoc;
mod answer;
mod near;
mod stored;
mod way_out;

use std::process::ExitCode;

use anyhow::Context as _;
use opstream_schemas::OperationId;
use opstream_schemas::prices::{Catalogue, Charge, Explanation};
use opstream_schemas::{Operation, UtcMicros};

use self::ad_hoc::DescribedArgs;
use self::stored::{Stored, StoredArgs};
use crate::price_files::PriceArgs;
use crate::text_table::{print, print_text};

/// Explain what an operation costs, line by line, or why it has no cost.
///
/// Either a stored operation, or one that the flags describe. A stored operation keeps its cost until `opstream reprice`
/// changes it; what the catalogue says of it now is shown beside it.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  a stored operation:
    opstream price explain --operation-id 019a…
  what a request would cost:
    opstream price explain --provider openai --model gpt-6.1-sol \\
      --input 300000 --cache-read 100000 --output 2000 --processing batch")]
pub(super) struct ExplainArgs {
    /// Explain this stored operation
    #[arg(long, value_name = "ID", required_unless_present = "provider", conflicts_with = "CountArgs")]
    operation_id: Option<OperationId>,
    #[command(flatten)]
    stored: StoredArgs,
    /// A JSON object instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    prices: PriceArgs,
    #[command(flatten)]
    described: DescribedArgs,
}

/// What is explained, and how.
struct Explained<'a> {
    catalogue: &'a Catalogue,
    operation: &'a Operation,
    explanation: Explanation<'a>,
    /// What the row says; none for a described operation.
    stored: Option<&'a Stored>,
}

/// Prints the explanation; that there is no cost is a failure.
///
/// # Errors
/// When price files or the database cannot be read, or the operation is not there.
pub(super) async fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let catalogue = args.prices.catalogue()?;
    let stored = match args.operation_id {
        Some(id) => Some(stored::find(&args.stored, id).await?),
        None => None,
    };
    let described = args.described.operation(UtcMicros::now());
    let operation = stored.as_ref().map_or(&described, |stored| &stored.operation);
    let explained = Explained::of(&catalogue, operation, stored.as_ref());
    let printed = if args.json { print(&[explained.as_json().to_string()]) } else { print_text(&explained.as_text()) };
    printed.context("cannot write the explanation")?;
    let has_cost = explained.explanation.priced.cost.is_some();
    Ok(if has_cost { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl<'a> Explained<'a> {
    fn of(catalogue: &'a Catalogue, operation: &'a Operation, stored: Option<&'a Stored>) -> Self {
        let (model, response_model) = (operation.model.as_deref(), operation.response_model.as_deref());
        let provider = operation.provider.as_deref();
        let key = provider.and_then(|provider| catalogue.find_billed(provider, model, response_model));
        let explanation = catalogue.explain(key, &Charge::from(operation));
        Self { catalogue, operation, explanation, stored }
    }

    /// The name that is billed: the one that the answer gave, else the requested one.
    fn billed_name(&self) -> Option<&str> {
        let named = |name: &&String| !name.trim().is_empty();
        let Operation { response_model, model, .. } = self.operation;
        response_model.as_ref().filter(named).or(model.as_ref().filter(named)).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        args: ExplainArgs,
    }

    fn refusal(arguments: &[&str]) -> String {
        CommandLine::try_parse_from([&["explain"], arguments].concat()).err().unwrap().to_string()
    }

    #[test]
    fn a_stored_operation_is_not_described_too() {
        let id = ["--operation-id", "019a2f00-0000-7000-8000-000000000000"];
        for described in [["--input", "3"], ["--cache-read", "3"], ["--processing", "batch"], ["--provider", "openai"]]
        {
            let text = refusal(&[&id[..], &described[..]].concat());
            assert!(text.contains("cannot be used with"), "{described:?}: {text}");
        }
        assert!(refusal(&["--input", "3"]).contains("--provider"));
    }
}
