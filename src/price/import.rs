//! `opstream price import`: makes price files of the public lists of `LiteLLM` and genai-prices.
//!
//! In: one of their JSON files, which somebody has fetched. Out: a price file on standard output, or one for each provider in a
//! folder. Their numbers are read as the decimal text that they are, never as doubles. What a price file cannot say is listed
//! on standard error with the reason, and a model of which that would leave a wrong price is left out. Whatever is written
//! passes `opstream price check`.

mod draft;
mod genai_prices;
mod json;
mod litellm;
mod price_file;
mod sieve;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use opstream_schemas::UtcMicros;
use opstream_schemas::providers::canonical_provider;

use self::draft::{DraftModel, LeftOut};
use self::sieve::Sieve;
use crate::escaped::escaped;
use crate::price_files::PriceArgs;
use crate::text_table::print;

/// Make price files of a public price list: LiteLLM's `model_prices_and_context_window.json`, or genai-prices' `data.json`.
///
/// The lists are other people's work: look at what was left out, which standard error names, before operations are priced by the
/// result.
#[derive(clap::Args)]
#[command(after_long_help = "Examples:
  models of one provider that the catalogue does not have:
    opstream price import --from litellm prices.json --provider groq \\
      --only-missing > prices/groq.toml
  a file for every provider, in a new folder:
    opstream price import --from genai-prices data.json --into prices

Exit code 0: a price file was written. 1: no model could be carried over.
2: the command could not run; standard error says why.")]
pub(super) struct ImportArgs {
    /// Whose list it is
    #[arg(long, value_name = "LIST")]
    from: List,
    /// The list, as it is published
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Only models of this provider
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// Only models that the catalogue does not have, under names that it does not have
    #[arg(long)]
    only_missing: bool,
    /// Write a file for each provider into this folder, in place of standard output; files that exist are refused
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    #[command(flatten)]
    prices: PriceArgs,
}

/// A public price list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum List {
    /// LiteLLM's `model_prices_and_context_window.json`
    Litellm,
    /// genai-prices' `data.json`
    GenaiPrices,
}

/// What was read from a list: drafts by provider, and what could not be carried over.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    models: BTreeMap<String, Vec<DraftModel>>,
    left_out: Vec<LeftOut>,
}

/// Writes price files and says what is not in them; that there is none is a failure.
///
/// # Errors
/// When the list cannot be read or is none, several providers are left without a folder, or a file exists.
pub(super) fn run(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let catalogue = args.prices.catalogue()?;
    let text = std::fs::read_to_string(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let wanted = args.provider.as_deref().map(canonical_provider);
    let wanted = wanted.as_deref();
    let read = match args.from {
        List::Litellm => litellm::read(&text, wanted),
        List::GenaiPrices => genai_prices::read(&text, wanted),
    };
    let read = read.with_context(|| format!("{} is not such a list", args.file.display()))?;
    let sieve = Sieve { catalogue: &catalogue, only_missing: args.only_missing, day: today() };
    let (files, left_out) = sieve.files(read);
    say(&left_out, &files)?;
    if files.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    match (&args.into, files.len()) {
        (Some(folder), _) => write_into(folder, &files)?,
        (None, 1) => print(&files.into_values().map(|file| file.text).collect::<Vec<_>>()).context("cannot write")?,
        (None, _) => {
            let providers: Vec<&str> = files.keys().map(String::as_str).collect();
            anyhow::bail!(
                "a price file is of one provider, and these are {}: choose one with --provider, or name a folder with --into: {}",
                providers.len(),
                providers.join(", ")
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A price file that was made.
struct MadeFile {
    text: String,
    n_models: usize,
}

fn today() -> String {
    UtcMicros::now().to_string().chars().take("2026-11-23".len()).collect()
}

fn say(left_out: &[LeftOut], files: &BTreeMap<String, MadeFile>) -> anyhow::Result<()> {
    let mut err = std::io::stderr().lock();
    for LeftOut { what, reason } in left_out {
        writeln!(err, "left out: {}", escaped(&format!("{what}: {reason}")))?;
    }
    for (provider, file) in files {
        writeln!(err, "{}: {} models", escaped(provider), file.n_models)?;
    }
    let n_models: usize = files.values().map(|file| file.n_models).sum();
    writeln!(err, "{n_models} models carried over; left out: {}", left_out.len())
        .context("cannot say what was left out")
}

fn write_into(folder: &Path, files: &BTreeMap<String, MadeFile>) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for (provider, file) in files {
        let safe = |character: char| if character.is_ascii_alphanumeric() { character } else { '_' };
        let path = folder.join(format!("{}.toml", provider.chars().map(safe).collect::<String>()));
        let written = std::fs::File::create_new(&path).and_then(|mut new| {
            new.write_all(file.text.as_bytes())?;
            new.write_all(b"\n")?;
            new.sync_all()
        });
        written.with_context(|| format!("cannot write the new file {}", path.display()))?;
    }
    Ok(())
}
