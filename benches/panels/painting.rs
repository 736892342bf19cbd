//! How long the first look at a page takes in a browser that remembers nothing, where there is one.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

use crate::budgets;
use crate::figures::{Figure, Unit};
use crate::latencies::Latencies;

/// How often each page is looked at.
const LOOKS: &str = "20";
/// The range that is looked at.
const RANGE: &str = "30d";

/// Pages that are looked at, and the names of their figures.
const PAGES: [(&str, &str); 3] = [
    ("overview", "first look at Overview, slowest"),
    ("performance", "first look at Performance, slowest"),
    ("cost", "first look at Cost, slowest"),
];

/// What the script says of a page: milliseconds of each look.
#[derive(Deserialize)]
struct Looked {
    page: String,
    /// To the first numbers.
    first: Vec<f64>,
    /// To all panels.
    all: Vec<f64>,
}

/// Looks at the pages of an api; none without Chromium and what the dashboard's checks are made with.
pub(super) async fn look(address: &str) -> Option<Vec<Figure>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("api/dashboard");
    let mut command = Command::new("npm");
    command.args(["run", "--silent", "paint", "--", LOOKS, RANGE, "json"]).current_dir(folder);
    let output = command.env("OPSTREAM_URL", address).stderr(Stdio::null()).output().await.ok()?;
    let lines = output.status.success().then_some(output.stdout)?;
    let pages: Vec<Looked> =
        lines.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    (!pages.is_empty()).then(|| pages.into_iter().filter_map(figure).collect())
}

fn figure(Looked { page, first, all }: Looked) -> Option<Figure> {
    let (_, what) = PAGES.into_iter().find(|(name, _)| *name == page)?;
    let [first, all] = [first, all]
        .map(|millis| Latencies::new(millis.into_iter().map(|one| Duration::from_secs_f64(one / 1000.0)).collect()));
    let slowest = |looks: &Latencies| looks.at(1000);
    let text = |seconds: f64| Unit::Seconds.text(seconds);
    let note = format!(
        "first numbers, p50 {}; all panels p50 {}, slowest {}; {LOOKS} times",
        text(first.at(500)),
        text(all.at(500)),
        text(slowest(&all))
    );
    Some(Figure::new(what, slowest(&first), Unit::Seconds).against(budgets::FIRST_LOOK).noting(note))
}
