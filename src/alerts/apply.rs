//! `opstream alerts apply`: a file of rules becomes the rules of those names.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use opstream_schemas::UtcMillis;
use opstream_schemas::alerts::store::{Put, put_rule};
use opstream_schemas::alerts::{Rule, read_rules};

use crate::data_folder::PlaceArgs;

/// Bytes of a file; 500 rules have far fewer.
const FILE_LIMIT: u64 = 4 << 20;

/// Make or change the rules of a file, all of them or none. Rules that are not in the file stay as they are.
#[derive(clap::Args)]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// TOML file of rules
    file: PathBuf,
}

/// Applies the file and says what became of each rule.
///
/// # Errors
/// Names the file, the rule and the field that is wrong; when the database fails.
#[expect(clippy::print_stdout, reason = "what became of each rule is what the command answers")]
pub(super) async fn run(args: &ApplyArgs) -> anyhow::Result<()> {
    let rules = read_file(&args.file)?;
    let database = args.place.open().await?;
    let mut tx = database.begin().await?;
    let mut lines = Vec::with_capacity(rules.len());
    for rule in &rules {
        let put = put_rule(&mut tx, rule, UtcMillis::now()).await.with_context(|| format!("rule {}", rule.name))?;
        let outcome = match (put, args.dry_run) {
            (Put::Created, false) => "created",
            (Put::Created, true) => "would be created",
            (Put::Changed, false) => "changed",
            (Put::Changed, true) => "would be changed",
            (Put::Unchanged, _) => "says the same already",
        };
        lines.push(format!("{}: {outcome}", rule.name));
    }
    if args.dry_run {
        tx.rollback().await?;
    } else {
        tx.commit().await.context("the rules were not changed, or that is not known; apply the file again")?;
    }
    database.close().await;
    for line in lines {
        println!("{line}");
    }
    Ok(())
}

/// The rules of a file.
pub(super) fn read_file(path: &Path) -> anyhow::Result<Vec<Rule>> {
    let name = path.display().to_string();
    let mut text = String::new();
    let file = File::open(path).with_context(|| format!("cannot open {name}"))?;
    let length = file.take(FILE_LIMIT + 1).read_to_string(&mut text).with_context(|| format!("cannot read {name}"))?;
    anyhow::ensure!(length as u64 <= FILE_LIMIT, "{name} has more than {FILE_LIMIT} bytes, which no file of rules has");
    Ok(read_rules(&name, &text)?)
}
