//! Questions of the page: 30 days with 100 million operations, over HTTP, from an api of its own process.
//!
//! The windows are written as the aggregator writes them, without operations behind them: 200 combinations of all
//! dimensions, every kept set, days, hours and quarter-hours of all 30 days. Of minutes only the last are there, since a
//! question over 30 days needs at most those of an open quarter-hour.

mod distributions;
mod painting;
mod windows;

use std::time::Duration;

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, DatabaseUrl};
use opstream_schemas::window::Level;
use rand::Rng as _;

use self::windows::{WORKSPACES, fill};
use crate::budgets;
use crate::client::Client;
use crate::figures::{Figure, Unit};
use crate::harness::backends::Backends;
use crate::harness::process::{Process, free_port};
use crate::roles::ENDS_WITHIN;
use crate::say;
use crate::waiting::moment_when;

/// Days of a question.
const DAYS: i64 = 30;
/// Minutes of windows, and of questions that end before the present: the second number in a quick run.
const MINUTES_KEPT: (i64, i64) = (1_440, 60);
/// Repetitions of each question: the second number in a quick run.
const REPETITIONS: (usize, usize) = (300, 60);
/// Questions before the clock starts, so that both databases have their pages and plans.
const WARM_UPS: usize = 5;

/// Whether everything or a sample is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Full,
    Quick,
}

/// Name of a figure, and a question without its range. `{w}` stands for a workspace.
const QUESTIONS: [(&str, &str); 13] = [
    ("panel: totals", "totals?"),
    ("panel: totals of a workspace", "totals?workspace={w}&"),
    ("panel: series by hour", "series?resolution=hour&"),
    ("panel: series by day, provider and model", "series?by=provider,model&workspace={w}&"),
    ("panel: breakdown by provider and model", "breakdown?by=provider,model&"),
    ("panel: breakdown by team", "breakdown?by=team&"),
    ("panel: breakdown by agent and action", "breakdown?by=agent_id,action_id&workspace={w}&"),
    ("panel: percentiles", "percentiles?"),
    ("panel: percentiles by day", "percentiles?resolution=day&workspace={w}&"),
    (
        "panel: key figures beside the period before",
        "query?measures=operations,failure_rate,cost_usd,total_tokens,latency_p95_us&compare=previous&",
    ),
    ("panel: cost by model over time", "query?measures=cost_usd&by=model&resolution=auto&limit=8&"),
    ("panel: latencies over time", "query?measures=latency_p50_us,latency_p95_us,latency_p99_us&resolution=auto&"),
    (
        "panel: agents and actions",
        "query?measures=operations,failures,cost_usd,latency_p95_us&by=agent_id,action_id&workspace={w}&limit=100&",
    ),
];

/// Measures every question.
pub(crate) async fn measure(backends: &Backends, extent: Extent) -> Vec<Figure> {
    let of_extent = |(full, quick)| if extent == Extent::Full { full } else { quick };
    let minutes = of_extent(MINUTES_KEPT);
    let url = DatabaseUrl::parse(&backends.database_url).expect("the harness writes usable addresses");
    let database = Database::connect(&url).await.expect("the database can be opened");
    opstream_schemas::migrations::migrate(&database).await.expect("an empty database takes the tables");
    let now = Level::Minute.window_start(UtcMillis::now());
    let n_windows = fill(&database, now, (DAYS, minutes)).await;
    database.close().await;

    let listen = format!("127.0.0.1:{}", free_port());
    let variables = [("OPSTREAM_DATABASE_URL", backends.database_url.as_str())];
    let mut api = Process::start_with(backends.folder.path(), &["api", "--listen", &listen], &variables);
    let page = Client::of(&listen);
    // Not readiness: no question needs the broker, and there is none.
    moment_when(Duration::from_millis(20), async || page.ask("/health/live").await.is_ok()).await;
    let repetitions = if extent == Extent::Full { REPETITIONS.0 } else { REPETITIONS.1 };
    let mut figures = Vec::new();
    for (what, question) in QUESTIONS {
        let latencies = page.time((WARM_UPS, repetitions), || path(question, now, minutes)).await;
        let note = format!("p50 {}, {n_windows} windows", Unit::Seconds.text(latencies.at(500)));
        let figure = Figure::new(what, latencies.at(990), Unit::Seconds).against(budgets::PANEL_P99);
        figures.push(figure.noting(note));
    }
    if extent == Extent::Full {
        match painting::look(&format!("http://{listen}")).await {
            Some(looks) => figures.extend(looks),
            None => say("  not run: the first look at pages, which needs Chromium and `npm ci` in api/dashboard"),
        }
    }
    api.stop(ENDS_WITHIN).await;
    figures
}

/// A question over a range of 30 days that ends now or some minutes ago.
fn path(question: &str, now: UtcMillis, minutes: i64) -> String {
    let mut rng = rand::rng();
    let to = now.plus_millis(-rng.random_range(0..minutes / 2) * Level::Minute.width_millis());
    let from = Level::QuarterHour.window_start(to.plus_millis(-DAYS * Level::Day.width_millis()));
    let question = question.replace("{w}", WORKSPACES[rng.random_range(0..WORKSPACES.len())]);
    format!("/v1/{question}from={from}&to={to}")
}
