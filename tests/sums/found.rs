//! What is stored, added up by workspace and day: rows and windows by plain SQL, files by Polars.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use opstream_schemas::database::{Database, Row};
use opstream_schemas::lake::COST_PARTS;
use opstream_schemas::window::{DimensionSet, Level, SUM_COLUMNS, WindowSums};
use polars::prelude::{BooleanChunked, DataFrame, Int64Chunked, ParquetReader, PolarsResult, SerReader as _};
use sqlx::AssertSqlSafe;

use super::expected::{Measured, Sums, TOKENS, Totals, add};

const DAY_MILLIS: i64 = 86_400_000;
const LIVE: &str = "select path from lake_files where kind = 'operations' and removed_at_ms is null";
const WINDOWS: &str = "select cast(w.dimension_set as bigint) as dimension_set, cast(w.level as bigint) as level, d.workspace, \
                       w.window_start_ms / 86400000 as day, {sums} \
                       from windows w join window_dimensions d on d.dimension_id = w.dimension_id \
                       join settings s on s.name = 'window_generation' and s.value = w.generation \
                       group by w.dimension_set, w.level, d.workspace, w.window_start_ms / 86400000";

/// Sums over the table `operations`.
///
/// # Panics
/// When the database does not answer.
pub(crate) async fn of_rows(database: &Database) -> Totals {
    let sql = format!(
        "select workspace, time_ms / 86400000 as day, {} from operations group by workspace, time_ms / 86400000",
        row_sums()
    );
    let mut totals = Totals::new();
    for row in database.fetch_all(AssertSqlSafe(sql), &[]).await.expect("rows can be added up") {
        let (place, sums) = total(&row).expect("the query has these columns");
        add(&mut totals, place, &sums);
    }
    totals
}

/// Sums over the windows of each set and level.
///
/// # Panics
/// When the database does not answer.
pub(crate) async fn of_windows(database: &Database) -> BTreeMap<(&'static str, &'static str), Totals> {
    let sums = SUM_COLUMNS.map(|column| format!("cast(sum(w.{column}) as bigint) as {column}")).join(", ");
    let sql = WINDOWS.replace("{sums}", &sums);
    let breakdowns = DimensionSet::ALL.into_iter().flat_map(|set| Level::ALL.map(|level| (set.name(), level.name())));
    let mut totals: BTreeMap<_, Totals> = breakdowns.map(|breakdown| (breakdown, Totals::new())).collect();
    for row in database.fetch_all(AssertSqlSafe(sql), &[]).await.expect("windows can be added up") {
        let number = |column| row.int(column).expect("the query has this column");
        let set = DimensionSet::from_code(number("dimension_set")).expect("there is no other set");
        let level = Level::from_code(number("level")).expect("there is no other level");
        let (place, sums) = total(&row).expect("the query has these columns");
        add(totals.entry((set.name(), level.name())).or_default(), place, &sums);
    }
    totals
}

/// Sums over the live files.
///
/// # Panics
/// When one cannot be read.
pub(crate) async fn of_files(database: &Database, lake: &Path) -> Totals {
    let live = database.fetch_all(LIVE, &[]).await.expect("the manifest can be read");
    let paths: Vec<_> = live.iter().map(|row| lake.join(row.text("path").expect("every file has a path"))).collect();
    let read = move || {
        let mut totals = Totals::new();
        for path in paths {
            read_file(&path, &mut totals).expect("a live file can be read");
        }
        totals
    };
    tokio::task::spawn_blocking(read).await.expect("reading files does not panic")
}

fn total(row: &Row) -> Result<((String, i64), Sums), sqlx::Error> {
    Ok(((row.text("workspace")?, row.int("day")?), WindowSums::from_row(row)?.to_array()))
}

/// The columns of windows as a select list over operations.
fn row_sums() -> String {
    let terms = SUM_COLUMNS.map(|column| {
        let term = match column {
            "operations" => "count(*)".to_owned(),
            "failures" => "sum(case when success then 0 else 1 end)".to_owned(),
            "unpriced" => "sum(case when cost_nano_usd is null then 1 else 0 end)".to_owned(),
            "reported" => "count(reported_cost_nano_usd)".to_owned(),
            "latency_count" => "count(latency_us)".to_owned(),
            "latency_sum_us" => "sum(latency_us)".to_owned(),
            "ttft_count" => "count(ttft_us)".to_owned(),
            "ttft_sum_us" => "sum(ttft_us)".to_owned(),
            "compared" => "count(reported_cost_nano_usd + catalogue_cost_nano_usd)".to_owned(),
            "reported_difference_nano_usd" => "sum(reported_cost_nano_usd - catalogue_cost_nano_usd)".to_owned(),
            "reported_as_cost_nano_usd" => {
                "sum(case when cost_status = 'reported' then cost_nano_usd else 0 end)".to_owned()
            }
            same_name => format!("sum({same_name})"),
        };
        format!("cast(coalesce({term}, 0) as bigint) as {column}")
    });
    terms.join(", ")
}

fn read_file(path: &Path, totals: &mut Totals) -> PolarsResult<()> {
    let others = ["workspace", "time_ms", "success", "cost_status", "latency_us", "ttft_us"];
    let costs = ["cost_nano_usd", "reported_cost_nano_usd", "catalogue_cost_nano_usd"];
    let columns =
        others.iter().chain(&costs).chain(&TOKENS).chain(&COST_PARTS).map(|name| (*name).to_owned()).collect();
    let frame = ParquetReader::new(File::open(path)?).with_columns(Some(columns)).finish()?;
    let numbers = |name: &str| column(&frame, name);
    let (workspaces, statuses) = (frame.column("workspace")?.str()?, frame.column("cost_status")?.str()?);
    let successes: &BooleanChunked = frame.column("success")?.bool()?;
    let (times, latencies, ttfts) = (numbers("time_ms")?, numbers("latency_us")?, numbers("ttft_us")?);
    let [cost, reported, catalogue] = [numbers(costs[0])?, numbers(costs[1])?, numbers(costs[2])?];
    let tokens = TOKENS.iter().map(|name| numbers(name)).collect::<PolarsResult<Vec<_>>>()?;
    let parts = COST_PARTS.iter().map(|name| numbers(name)).collect::<PolarsResult<Vec<_>>>()?;
    for row in 0..frame.height() {
        let measured = Measured {
            success: successes.get(row) == Some(true),
            tokens: std::array::from_fn(|place| tokens[place].get(row).unwrap_or(0)),
            cost: cost.get(row),
            is_reported: statuses.get(row) == Some("reported"),
            reported: reported.get(row),
            catalogue: catalogue.get(row),
            parts: std::array::from_fn(|place| parts[place].get(row).unwrap_or(0)),
            latency_us: latencies.get(row),
            ttft_us: ttfts.get(row),
        };
        let workspace = workspaces.get(row).unwrap_or_default().to_owned();
        let day = times.get(row).unwrap_or(0).div_euclid(DAY_MILLIS);
        add(totals, (workspace, day), &measured.sums());
    }
    Ok(())
}

fn column<'a>(frame: &'a DataFrame, name: &str) -> PolarsResult<&'a Int64Chunked> {
    frame.column(name)?.i64()
}
