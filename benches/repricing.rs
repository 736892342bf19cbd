//! Costs computed again: every cost of a whole run changes, and comes back.
//!
//! The time is that of the commands, from asking to the end, with an aggregator that has nothing else to do. Compaction has not merged
//! the files: they are those of the ingestor's batches.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::figures::{Figure, Unit};
use crate::processes::RunningProcess;
use crate::roles::{ENDS_WITHIN, Roles};
use crate::waiting::number;

/// Far more than ten million operations take.
const PATIENCE: Duration = Duration::from_hours(1);
const CHANGED: &str = "select cast(sum(changed) as bigint) as n from repricings";
/// The fleet's models that have a price.
const MODELS: [(&str, &[&str]); 4] = [
    ("openai", &["gpt-5-mini", "gpt-4.1-mini", "text-embedding-3-small"]),
    ("anthropic", &["claude-sonnet-5", "claude-haiku-4-5"]),
    ("gcp.gemini", &["gemini-2.5-flash"]),
    ("mistral_ai", &["mistral-small-2603"]),
];

/// Measures it on so many operations, all of which are in windows.
pub(crate) async fn measure(roles: &Roles<'_>, operations: u64) -> Vec<Figure> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let prices = write_prices(folder.path());
    let prices = prices.to_str().expect("temporary folders have plain names");
    let asked = ["reprice", "--from", "2026-01-01", "--prices", prices];
    let looked = seconds(roles, &[&asked[..], &["--dry-run"]].concat()).await;
    let mut aggregator = roles.start(&["aggregator"]);
    let running = RunningProcess::find("aggregator");
    let forth = seconds(roles, &asked).await;
    let changed = number(&roles.database, CHANGED).await;
    assert!(changed > 0, "no cost changed");
    let cpu = running.cpu_seconds();
    let back = seconds(roles, &["reprice", "undo", "1"]).await;
    let per_second = |what, took: f64| Figure::new(what, operations as f64 / took, Unit::PerSecond);
    let figures = vec![
        per_second("re-pricing, a dry run", looked),
        per_second("re-pricing, rows, files and windows", forth).noting(format!("{changed} costs changed")),
        Figure::new("CPU per million operations, re-pricing", cpu / (operations as f64 / 1e6), Unit::CpuSeconds),
        per_second("re-pricing undone", back),
        Figure::new("peak memory, re-pricing", running.peak_memory(), Unit::Bytes),
    ];
    let ended = aggregator.stop(ENDS_WITHIN).await;
    assert!(ended.success(), "the aggregator ended with {ended}");
    figures
}

/// How long a command takes.
async fn seconds(roles: &Roles<'_>, arguments: &[&str]) -> f64 {
    let began = Instant::now();
    let mut command = roles.start(arguments);
    let ended = command.ended(PATIENCE).await;
    assert!(ended.success(), "{arguments:?} failed: {}", command.log());
    began.elapsed().as_secs_f64()
}

/// Price files in which every model of the fleet costs something else.
fn write_prices(folder: &Path) -> PathBuf {
    for (provider, models) in MODELS {
        let head = format!(
            "schema = 1\ncatalogue = 2026-11-24\ncurrency = \"USD\"\nunit = \"per_mtok\"\nprovider = \"{provider}\"\n"
        );
        let model = |name: &&str| {
            format!(
                "\n[[model]]\nid = \"{name}\"\nsource = \"a benchmark\"\nchecked_on = 2026-11-24\n\n[[model.interval]]\n\
                 rates = {{ input = \"7\", output = \"11\" }}\n"
            )
        };
        let text = models.iter().map(model).fold(head, |text, model| text + &model);
        std::fs::write(folder.join(format!("{provider}.toml")), text).expect("the folder is ours");
    }
    folder.to_owned()
}
