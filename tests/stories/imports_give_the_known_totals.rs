//! Real input gives the totals that are known of it, in rows, files and windows alike, however often it is imported.

use serde_json::Value;

use crate::harness::backends::{Backends, each_combination};
use crate::harness::data::test_data;
use crate::harness::pipeline::Pipeline;

/// Sums over a set of operations.
#[derive(Debug, Default, PartialEq, Eq)]
struct Totals {
    operations: i64,
    input_tokens: i64,
    output_tokens: i64,
    reported_nano_usd: i64,
}

const AICORE: Totals =
    Totals { operations: 300, input_tokens: 613_235, output_tokens: 119_451, reported_nano_usd: 2_607_590_000 };
const AZURE_CODE: Totals =
    Totals { operations: 8819, input_tokens: 18_059_974, output_tokens: 245_896, reported_nano_usd: 0 };

#[tokio::test]
async fn aicore_folder_and_database_are_the_same_300_operations_however_often() {
    let Some(data) = test_data() else { return };
    let (folder, database) =
        (data.join("aicore/json").display().to_string(), data.join("aicore/operations.db").display().to_string());
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        for path in [&folder, &database, &folder, &database] {
            import(&pipeline, &["aicore", path]).await;
        }
        assert_all_agree(&pipeline, &AICORE).await;
        pipeline.stop().await;
    })
    .await;
}

#[tokio::test]
async fn aicore_database_alone_gives_the_same_totals() {
    let Some(data) = test_data() else { return };
    let database = data.join("aicore/operations.db").display().to_string();
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        import(&pipeline, &["aicore", &database]).await;
        assert_all_agree(&pipeline, &AICORE).await;
        pipeline.stop().await;
    })
    .await;
}

#[tokio::test]
async fn the_azure_trace_gives_its_8819_operations_once() {
    let Some(data) = test_data() else { return };
    let file = data.join("traces/azure-llm-2023-code.csv").display().to_string();
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        for _ in 0..2 {
            import(&pipeline, &["csv", &file]).await;
        }
        assert_all_agree(&pipeline, &AZURE_CODE).await;
        pipeline.stop().await;
    })
    .await;
}

async fn import(pipeline: &Pipeline<'_>, source: &[&str]) {
    let imported = pipeline.run(&[&["import"], source].concat()).await;
    let errors = String::from_utf8_lossy(&imported.stderr);
    assert!(imported.status.success(), "{}\n{errors}", String::from_utf8_lossy(&imported.stdout));
}

async fn assert_all_agree(pipeline: &Pipeline<'_>, expected: &Totals) {
    assert_eq!(&of_rows(pipeline).await, expected, "rows");
    assert_eq!(&of_manifest(pipeline).await, expected, "files, as the manifest states them and verify reads them");
    assert_eq!(&of_windows(pipeline).await, expected, "windows, as the api answers");
    for resolution in ["day", "week", "month"] {
        let steps = of_steps(pipeline, resolution).await;
        assert_eq!(&steps, expected, "windows by {resolution} where no {resolution} is a stored window");
    }
    pipeline.assert_verified().await;
}

async fn of_rows(pipeline: &Pipeline<'_>) -> Totals {
    let sql = "select count(*) as operations, cast(coalesce(sum(input_tokens), 0) as bigint) as input_tokens, \
               cast(coalesce(sum(output_tokens), 0) as bigint) as output_tokens, \
               cast(coalesce(sum(reported_cost_nano_usd), 0) as bigint) as reported from operations";
    of_query(pipeline, sql).await
}

async fn of_manifest(pipeline: &Pipeline<'_>) -> Totals {
    let sql = "select cast(sum(rows) as bigint) as operations, cast(sum(input_tokens) as bigint) as input_tokens, \
               cast(sum(output_tokens) as bigint) as output_tokens, cast(sum(reported_cost_nano_usd) as bigint) as reported \
               from lake_files where kind = 'operations' and removed_at_ms is null";
    of_query(pipeline, sql).await
}

async fn of_query(pipeline: &Pipeline<'_>, sql: &'static str) -> Totals {
    let database = pipeline.database().await;
    let row = database.fetch_optional(sql, &[]).await.unwrap().unwrap();
    let int = |name: &str| row.int(name).unwrap();
    let totals = Totals {
        operations: int("operations"),
        input_tokens: int("input_tokens"),
        output_tokens: int("output_tokens"),
        reported_nano_usd: int("reported"),
    };
    database.close().await;
    totals
}

async fn of_windows(pipeline: &Pipeline<'_>) -> Totals {
    of_figures(&pipeline.get("/v1/totals").await.unwrap())
}

async fn of_steps(pipeline: &Pipeline<'_>, resolution: &str) -> Totals {
    let question = format!("/v1/series?from=2015-01-01&zone=Asia/Kathmandu&by=provider,model&resolution={resolution}");
    let answer = pipeline.get(&question).await.unwrap();
    let points =
        answer["series"].as_array().into_iter().flatten().flat_map(|series| series["points"].as_array().unwrap());
    points.map(of_figures).fold(Totals::default(), |sum, step| Totals {
        operations: sum.operations + step.operations,
        input_tokens: sum.input_tokens + step.input_tokens,
        output_tokens: sum.output_tokens + step.output_tokens,
        reported_nano_usd: sum.reported_nano_usd + step.reported_nano_usd,
    })
}

fn of_figures(figures: &Value) -> Totals {
    let int = |name: &str| figures[name].as_i64().unwrap_or_else(|| panic!("{name} is missing in {figures}"));
    Totals {
        operations: int("operations"),
        input_tokens: int("input_tokens"),
        output_tokens: int("output_tokens"),
        reported_nano_usd: nano_usd(&figures["reported_cost_usd"]),
    }
}

fn nano_usd(decimal: &Value) -> i64 {
    opstream_schemas::NanoUsd::parse(decimal.as_str().expect("money is a decimal string")).unwrap().nanos()
}
