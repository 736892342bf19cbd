//! The producers of CONTRACT.md, in Python and in Java, run as they stand there, with the api's registry and with one of the deployment:
//! what they write is stored, priced and counted, and all of them place a session in the same partition.

use std::path::Path;
use std::process::Output;

use opstream_schemas::database::Row;
use tokio::process::Command;

use crate::an_external_registry_names_the_schemas::registered;
use crate::harness::backends::{Backends, each_combination};
use crate::harness::data::{java_jars, python};
use crate::harness::pipeline::Pipeline;

const CONTRACT: &str = include_str!("../../CONTRACT.md");

#[tokio::test]
async fn the_producers_of_the_contract_are_stored_exactly() {
    let (python, jars) = (python(), java_jars());
    if python.is_none() && jars.is_none() {
        return;
    }
    each_combination(async |backends: &Backends| {
        let external = registered(backends).await;
        let mut pipeline = Pipeline::start_with(backends, &[("OPSTREAM_SCHEMA_REGISTRY", &external.url())]).await;
        let mut services = Vec::new();
        for registry in [format!("{}/registry", pipeline.url()), external.url()] {
            if let Some(python) = &python {
                let script = write(pipeline.folder(), "produce.py", "python");
                succeeded(&run(Command::new(python).arg(script), &pipeline, &registry).await);
                services.push("python");
            }
            if let Some(jars) = &jars {
                let source = write(pipeline.folder(), "Produce.java", "java");
                let mut java = Command::new("java");
                java.arg("-cp").arg(jars.join("*")).arg(source);
                succeeded(&run(&mut java, &pipeline, &registry).await);
                services.push("java");
            }
        }
        services.sort_unstable();
        pipeline.settle().await;
        assert!(
            external.count_asked("GET /schemas/ids/100001") > 0,
            "the ingestor asks the registry of the deployment"
        );
        assert_rows(&pipeline, &services).await;
        assert_eq!(pipeline.operations().await, u64::try_from(services.len()).unwrap());
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

/// The program in the only block of this language.
fn program(language: &str) -> &'static str {
    let blocks: Vec<&str> = CONTRACT.split(&format!("```{language}\n")).skip(1).collect();
    let [block] = blocks[..] else { panic!("CONTRACT.md has {} blocks of {language}", blocks.len()) };
    block.split_once("```").unwrap().0
}

fn write(folder: &Path, name: &str, language: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, program(language)).unwrap();
    path
}

async fn run(command: &mut Command, pipeline: &Pipeline<'_>, registry: &str) -> Output {
    let arguments = [pipeline.bootstrap(), registry.to_owned(), pipeline.topic("operations")];
    command.args(arguments).kill_on_drop(true).output().await.expect("the interpreter that was named can be started")
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn assert_rows(pipeline: &Pipeline<'_>, services: &[&str]) {
    let database = pipeline.database().await;
    let sql = "select service, workspace, operation_type, session_id, provider, model, input_tokens, output_tokens, latency_us, \
               cost_nano_usd, cast(attempt as bigint) as attempt, started_at_us, cast(source_partition as bigint) as source_partition, \
               operation_id from operations order by service";
    let rows = database.fetch_all(sql, &[]).await.unwrap();
    let text = |row: &Row, name: &str| row.optional_text(name).unwrap();
    let named: Vec<_> = rows.iter().map(|row| text(row, "service").unwrap()).collect();
    assert_eq!(named, services);
    for row in &rows {
        let texts =
            ["workspace", "operation_type", "session_id", "provider", "model"].map(|name| text(row, name).unwrap());
        assert_eq!(texts, ["default", "chat", "s-1", "openai", "gpt-4o"]);
        let counts = ["input_tokens", "output_tokens", "latency_us", "attempt"].map(|name| row.int(name).unwrap());
        assert_eq!(counts, [1200, 80, 900_000, 1]);
        // 2.50 and 10 USD for a million tokens.
        assert_eq!(row.int("cost_nano_usd").unwrap(), 1200 * 2_500 + 80 * 10_000);
        let started_at = row.int("started_at_us").unwrap();
        assert_eq!(row.id("operation_id").unwrap().time().millis(), started_at.div_euclid(1000), "one moment");
        assert_eq!(row.int("source_partition").unwrap(), rows[0].int("source_partition").unwrap(), "one session");
    }
    database.close().await;
}
