//! How long the first look at a page takes in a browser that remembers nothing, where there is one.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

use crate::budgets;
use crate::figures::{Figure, Unit};
use crate::latencies::Latencies;

/// Where Debian has it; `CHROMIUM` says another place.
const BROWSER: &str = "/usr/bin/chromium";
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
    let browser = std::env::var_os("CHROMIUM").unwrap_or_else(|| BROWSER.into());
    if !Path::new(&browser).exists() || !folder.join("node_modules").exists() {
        return None;
    }
    let mut command = Command::new("npm");
    command.args(["run", "--silent", "paint", "--", LOOKS, RANGE, "json"]).current_dir(folder);
    let output = command.env("OPSTREAM_URL", address).stderr(Stdio::inherit()).output().await;
    let output = output.expect("npm can be started where its packages are");
    assert!(output.status.success(), "the pages cannot be looked at; the reason is above");
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let figures: Vec<Figure> = lines
        .map(|line| figure(serde_json::from_slice(line).expect("a line is what the script says of a page")))
        .collect();
    assert_eq!(figures.len(), PAGES.len(), "every page was looked at");
    Some(figures)
}

fn figure(Looked { page, first, all }: Looked) -> Figure {
    let (_, what) = PAGES.into_iter().find(|(name, _)| *name == page).expect("the page is known");
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
    Figure::new(what, slowest(&first), Unit::Seconds).against(budgets::FIRST_LOOK).noting(note)
}
