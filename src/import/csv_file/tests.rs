//! The recorded Azure trace, and small files with every peculiarity.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::Parser as _;
use opstream_schemas::validate::{AcceptedTimes, DEFAULT_RETENTION_FLOOR};
use opstream_schemas::{Operation, OperationId, UtcMillis};

use super::*;
use crate::import::delivery::Totals;
use crate::import::test_input::{Yield, drain, recorded};

#[derive(clap::Parser)]
struct CommandLine {
    #[command(flatten)]
    args: CsvArgs,
}

fn arguments(file: &Path, options: &[&str]) -> CsvArgs {
    let words = ["csv", file.to_str().unwrap()].into_iter().chain(options.iter().copied());
    CommandLine::parse_from(words).args
}

async fn import_text(text: &str, options: &[&str]) -> Yield {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.csv");
    fs::write(&file, text).unwrap();
    drain(open(&arguments(&file, options)).unwrap()).await
}

fn operation(all: &Yield, index: usize) -> Operation {
    serde_json::from_str(&all.items[index].json).unwrap()
}

fn ids(all: &Yield) -> BTreeSet<OperationId> {
    all.items.iter().map(|item| item.id).collect()
}

#[tokio::test]
async fn the_azure_code_trace_gives_its_published_totals_and_the_same_ids_again() {
    let Some(file) = recorded("traces/azure-llm-2023-code.csv") else { return };
    let all = drain(open(&arguments(&file, &[])).unwrap()).await;
    let mut totals = Totals::default();
    for item in &all.items {
        totals.count(item.counts);
    }
    assert!(all.refusals.is_empty(), "{:?}", all.refusals);
    assert_eq!((totals.operations, totals.input_tokens, totals.output_tokens), (8_819, 18_059_974, 245_896));
    assert_eq!(ids(&all).len(), 8_819);
    let again = drain(open(&arguments(&file, &[])).unwrap()).await;
    assert_eq!(ids(&all), ids(&again));
    let first = operation(&all, 0);
    assert_eq!(first.started_at.to_string(), "2023-11-16T18:17:03.979960Z");
    assert_eq!((first.provider, first.model, first.latency_us), (None, None, None));
}

#[tokio::test]
async fn identical_rows_are_two_operations_and_a_workspace_has_its_own_ids() {
    let text = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.97,5,1\n2023-11-16 18:17:03.97,5,1\n";
    let all = import_text(text, &[]).await;
    assert_eq!(ids(&all).len(), 2);
    assert_eq!(ids(&all), ids(&import_text(&text.replace('\n', "\r\n"), &[]).await));
    assert!(ids(&all).is_disjoint(&ids(&import_text(text, &["--workspace", "core"]).await)));
}

#[tokio::test]
async fn columns_are_mapped_and_constants_fill_the_gaps() {
    let text = "when;prompt;took;customer;provider;why;colour\n24.12.2025 18:00;12;0.25;acme;Gemini;;red\n\
                24.12.2025 18:01;13;;;;Timeout;blue\n";
    let options = [
        "--map",
        "when=started_at",
        "--map",
        "prompt=input_tokens",
        "--map",
        "took=latency_s",
        "--map",
        "customer=tags.customer",
        "--map",
        "why=error_type",
        "--time-format",
        "%d.%m.%Y %H:%M",
        "--utc-offset",
        "+01:00",
        "--delimiter",
        ";",
        "--provider",
        "openai",
        "--model",
        "gpt-4o",
        "--workspace",
        "core",
    ];
    let all = import_text(text, &options).await;
    let (first, second) = (operation(&all, 0), operation(&all, 1));
    assert_eq!(first.started_at.to_string(), "2025-12-24T17:00:00.000000Z");
    assert_eq!(first.time(), first.started_at.to_millis());
    assert_eq!((first.input_tokens, first.output_tokens, first.latency_us), (Some(12), None, Some(250_000)));
    assert_eq!((first.provider.as_deref(), second.provider.as_deref()), (Some("gcp.gemini"), Some("openai")));
    assert_eq!((first.model.as_deref(), first.workspace.as_str()), (Some("gpt-4o"), "core"));
    assert_eq!(first.tags["customer"], "acme");
    assert_eq!((first.success, second.success), (true, false));
    assert_eq!(all.remarks, ["columns not imported: colour"]);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_named_by_its_line_and_the_rest_is_imported() {
    let text = "started_at,input_tokens,model\n2026-01-01T00:00:00Z,1,a\n2026-01-01T00:00:00Z,many,a\n\
                2026-01-01T00:00:00Z,1\n,1,a\n2026-01-01T00:00:01Z,2,a\n";
    let all = import_text(text, &[]).await;
    assert_eq!(all.items.len(), 2);
    let refused: Vec<String> = all.refusals.iter().map(ToString::to_string).collect();
    assert_eq!(
        refused,
        [
            "calls.csv:3: input_tokens: \"many\" is not a whole number",
            "calls.csv:4: the row has 2 columns, the header 3",
            "calls.csv:5: the row has no time",
        ]
    );
}

#[tokio::test]
async fn a_refused_row_of_a_file_from_windows_has_the_line_that_an_editor_shows() {
    let text = "when,prompt\r\n26.11.2026 10:00:00,12\r\nxx,1\r\n";
    let options = ["--map", "when=started_at", "--map", "prompt=input_tokens", "--time-format", "%d.%m.%Y %H:%M:%S"];
    let all = import_text(text, &options).await;
    assert_eq!(all.refusals[0].place.to_string(), "calls.csv:3");
}

#[tokio::test]
async fn a_time_of_zero_beside_an_id_stays() {
    let text = "operation_id,started_at\n01936f7e-2b1a-7c3d-9e4f-5a6b7c8d9e0f,1970-01-01T00:00:00Z\n";
    let all = import_text(text, &[]).await;
    assert_eq!(operation(&all, 0).started_at.micros(), 0);
}

#[test]
fn an_empty_file_is_said_to_be_empty() {
    let error = open(&arguments(Path::new("/dev/null"), &[])).map(drop).unwrap_err();
    assert!(format!("{error:#}").contains("the file is empty"), "{error:#}");
}

#[test]
fn a_pattern_that_is_none_is_refused_by_its_flag() {
    let error = CommandLine::try_parse_from(["csv", "calls.csv", "--time-format", "%Q"]).map(drop).unwrap_err();
    assert!(error.to_string().contains("--time-format"), "{error}");
}

/// What a dry run says of these rows, and how many it refuses.
fn dry_run(text: &str) -> (String, u64) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("calls.csv");
    fs::write(&file, text).unwrap();
    let accepted = AcceptedTimes::at(UtcMillis::from_millis(1_790_000_000_000), DEFAULT_RETENTION_FLOOR);
    let mut out = Vec::new();
    let n_refused = preview(&arguments(&file, &["--dry-run"]), accepted, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), n_refused)
}

#[test]
fn a_dry_run_shows_operations_and_sends_nothing() {
    let (text, n_refused) = dry_run("started_at,input_tokens,colour\n2026-01-01T00:00:00Z,7,red\n");
    assert_eq!(n_refused, 0);
    assert!(text.contains("columns not imported: colour"), "{text}");
    assert!(text.contains("\"input_tokens\": 7"), "{text}");
    assert!(text.ends_with("would be sent without --dry-run; 0 rows are refused.\n"), "{text}");
}

#[test]
fn a_dry_run_refuses_what_the_front_door_refuses_behind_the_shown_rows_too() {
    let good = "2026-01-01T00:00:00Z,7\n".repeat(5);
    let (text, n_refused) =
        dry_run(&format!("started_at,input_tokens\n{good}2026-01-01T00:00:00Z,-5\n1969-01-01T00:00:00Z,1\n"));
    assert_eq!(n_refused, 2);
    assert!(text.contains("refused: calls.csv:7: input_tokens is -5; it must be 0 or more"), "{text}");
    assert!(text.contains("refused: calls.csv:8: "), "{text}");
    assert!(text.contains("Nothing was sent. 5 rows pass the checks"), "{text}");
}
