//! Lists, and questions from windows and from files: asked of an api of its own process over HTTP, with all operations stored.
//!
//! The operations began evenly over a week. Beside ours, `DuckDB` answers the same questions from the same files in one process that
//! stays, with as many threads as read files; ours that read files come out of a process that starts with each question.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use opstream_schemas::UtcMicros;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::budgets;
use crate::client::Client;
use crate::figures::{Figure, Unit};
use crate::fleet::Fleet;
use crate::harness::backends::Backends;
use crate::harness::process::free_port;
use crate::latencies::Latencies;
use crate::producing::{produce, start_producer};
use crate::roles::{ENDS_WITHIN, Roles};
use crate::waiting::{STORED, WINDOWED, moment_reached, moment_when};

/// The operations are of so many days.
const DAYS: i64 = 7;
const DAY_US: i64 = 86_400_000_000;
const WARM_UPS: usize = 1;
/// Of questions that read files, and of `DuckDB`.
const REPETITIONS: usize = 30;
/// Of lists, and of questions that windows answer.
const QUICK_REPETITIONS: usize = 200;
/// Threads of a process that reads files.
const THREADS: usize = 2;
/// The interpreter that has duckdb, as the tests have it.
const PYTHON: &str = "OPSTREAM_TEST_PYTHON";

/// Its name, its path below `/v1/`, and the same in SQL over `operations`, or none.
type Question = (&'static str, &'static str, Option<&'static str>);

/// Questions that windows answer.
const OF_WINDOWS: [Question; 4] = [
    (
        "windows: key figures",
        "query?measures=operations,failures,cost_usd,total_tokens&range=last_30_days",
        Some(
            "select count(*), count(*) filter (where not success), sum(cost_nano_usd), sum(input_tokens) + sum(output_tokens) \
             from operations",
        ),
    ),
    (
        "windows: cost by model and hour",
        "query?measures=cost_usd,operations&by=model&resolution=hour&range=last_30_days",
        Some("select model, time_ms // 3600000, sum(cost_nano_usd), count(*) from operations group by 1, 2"),
    ),
    (
        "windows: percentiles of each model",
        "query?measures=latency_p50_us,latency_p95_us,latency_p99_us&by=model&range=last_30_days",
        Some("select model, quantile_disc(latency_us, [0.5, 0.95, 0.99]) from operations group by 1"),
    ),
    (
        "windows: agents and actions of a workspace",
        "query?measures=operations,failures,cost_usd&by=agent_id,action_id&workspace=acme&range=last_30_days",
        Some(
            "select agent_id, action_id, count(*), count(*) filter (where not success), sum(cost_nano_usd) from operations \
             where workspace = 'acme' group by 1, 2",
        ),
    ),
];

/// Questions that read files.
const OF_FILES: [Question; 6] = [
    (
        "files: cost by user",
        "query?measures=cost_usd,operations&by=user_id&limit=20",
        Some("select user_id, sum(cost_nano_usd), count(*) from operations group by user_id order by 2 desc limit 20"),
    ),
    (
        "files: failures by error and hour",
        "query?measures=failures&by=error_type&outcome=failure&resolution=hour&range=last_30_days",
        Some(
            "select error_type, time_ms // 3600000, count(*) from operations where not success group by 1, 2 order by 3 desc",
        ),
    ),
    ("files: p95 latency of each service", "query?measures=latency_p95_us,operations&by=service", None),
    (
        "files: dearest sessions",
        "sessions?order=cost_usd&limit=100",
        Some(
            "select workspace, session_id, sum(cost_nano_usd), count(*), min(started_at_us), max(started_at_us + coalesce(latency_us, 0)) \
             from operations where session_id is not null group by 1, 2 order by 3 desc nulls last limit 100",
        ),
    ),
    ("files: one session", "sessions/{session}?limit=1000", None),
    ("files: distribution of the queue", "distribution?duration=queue", None),
];

/// Measures lists and questions over so many operations.
pub(crate) async fn measure(backends: &Backends, operations: u64) -> Vec<Figure> {
    let roles = Roles::prepare(backends).await;
    let end = UtcMicros::now().micros();
    let span = DAYS * DAY_US / i64::try_from(operations).expect("at most some hundred million");
    let starts = |number: u64| {
        let before_end = (operations - number).cast_signed() * span;
        UtcMicros::from_micros(end - before_end)
    };
    let producer = start_producer(&roles.bootstrap(), roles.topic_prefix());
    produce(producer, &mut Fleet::new(5), operations, starts).await;
    for (role, reached) in [("ingestor", STORED), ("aggregator", WINDOWED)] {
        let mut process = roles.start(&[role]);
        moment_reached(&roles.database, reached, operations).await;
        let ended = process.stop(ENDS_WITHIN).await;
        assert!(ended.success(), "the {role} ended with {ended}");
    }
    let listen = format!("127.0.0.1:{}", free_port());
    let otlp = format!("127.0.0.1:{}", free_port());
    let mut api = roles.start(&["api", "--listen", &listen, "--otlp-listen", &otlp]);
    let page = Client::of(&listen);
    moment_when(Duration::from_millis(20), async || page.ask("/health/live").await.is_ok()).await;
    let mut figures = lists(&page).await;
    figures.extend(questions(&roles, &page, operations).await);
    figures.push(export(&page).await);
    api.stop(ENDS_WITHIN).await;
    roles.stop().await;
    figures
}

/// Pages of single operations.
async fn lists(page: &Client) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (what, path) in [
        ("list: newest operations", "/v1/operations?limit=100"),
        ("list: newest failures", "/v1/operations?limit=100&outcome=failure"),
        ("list: newest of a model", "/v1/operations?limit=100&model=gpt-5-mini"),
    ] {
        let latencies = page.time((WARM_UPS, QUICK_REPETITIONS), || path.to_owned()).await;
        figures.push(timed(what, &latencies).against(budgets::LIST_P99));
    }
    figures
}

fn timed(what: &'static str, latencies: &Latencies) -> Figure {
    Figure::new(what, latencies.at(990), Unit::Seconds).noting(format!("p50 {}", Unit::Seconds.text(latencies.at(500))))
}

/// Questions, with what `DuckDB` takes for the same.
async fn questions(roles: &Roles<'_>, page: &Client, operations: u64) -> Vec<Figure> {
    let all = || OF_WINDOWS.into_iter().chain(OF_FILES);
    let sql: Vec<&str> = all().filter_map(|(_, _, sql)| sql).collect();
    let beside = beside(roles, &sql).await;
    let listed = page.ask("/v1/operations?limit=1").await.expect("the api answers");
    let listed: Value = serde_json::from_slice(&listed).expect("the answer is JSON");
    let session = listed["operations"][0]["session_id"].as_str().unwrap_or("none").to_owned();
    let mut figures = Vec::new();
    for (place, (what, path, sql)) in all().enumerate() {
        let of_windows = place < OF_WINDOWS.len();
        let repetitions = if of_windows { QUICK_REPETITIONS } else { REPETITIONS };
        let path = format!("/v1/{}", path.replace("{session}", &session));
        let latencies = page.time((WARM_UPS, repetitions), || path.clone()).await;
        let theirs = sql.and_then(|sql| beside.as_ref()?.get(sql)?.as_f64());
        let theirs = theirs.map_or_else(String::new, |p50| format!(", DuckDB {}", Unit::Seconds.text(p50)));
        let note = format!("p50 {}{theirs}, {operations} operations", Unit::Seconds.text(latencies.at(500)));
        let figure = Figure::new(what, latencies.at(990), Unit::Seconds).noting(note);
        figures.push(if of_windows { figure.against(budgets::PANEL_P99) } else { figure });
    }
    figures
}

/// Medians of `DuckDB` by query; none where it cannot be had.
async fn beside(roles: &Roles<'_>, queries: &[&str]) -> Option<Value> {
    let python = std::env::var_os(PYTHON)?;
    let sql =
        "select path from lake_files where kind = 'operations' and removed_at_ms is null order by min_operation_id";
    let rows = roles.database.fetch_all(sql, &[]).await.expect("the database answers");
    let path = |row: &opstream_schemas::database::Row| {
        roles.lake().join(row.text("path").expect("every file has a path")).display().to_string()
    };
    let question = json!({
        "files": rows.iter().map(path).collect::<Vec<_>>(), "queries": queries, "repetitions": REPETITIONS, "threads": THREADS,
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/asking/duckdb_answers.py");
    let mut command = Command::new(python);
    let mut child = command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    let mut input = child.stdin.take()?;
    input.write_all(question.to_string().as_bytes()).await.ok()?;
    drop(input);
    let output = child.wait_with_output().await.ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

/// A day of all columns as CSV.
async fn export(page: &Client) -> Figure {
    let began = Instant::now();
    let answer =
        page.http.get(format!("{}/v1/export/operations?format=csv&range=yesterday", page.address)).send().await;
    let mut answer = answer.and_then(reqwest::Response::error_for_status).expect("the api exports");
    let (mut rows, mut bytes) = (0_u64, 0_u64);
    while let Some(chunk) = answer.chunk().await.expect("the export does not break off") {
        bytes += chunk.len() as u64;
        rows += chunk.split(|byte| *byte == b'\n').count() as u64 - 1;
    }
    let seconds = began.elapsed().as_secs_f64();
    let note = format!("{} in all", Unit::Bytes.text(bytes as f64));
    Figure::new("export of a day as CSV, rows", rows as f64 / seconds, Unit::PerSecond).noting(note)
}
