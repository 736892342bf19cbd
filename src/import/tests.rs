//! Whole imports against a front door on a loopback port.

use std::fs;
use std::path::PathBuf;

use super::test_door::{Behaviour, TestDoor};
use super::*;

/// So many lines, the first of them for model `a`, the others for `b`.
fn lines(n_lines: usize) -> String {
    let line = |index: usize| {
        let model = if index == 0 { "a" } else { "b" };
        format!("{{\"started_at\": {}, \"model\": \"{model}\", \"input_tokens\": 2}}\n", 1_790_000_000_000_000 + index)
    };
    (0..n_lines).map(line).collect()
}

async fn import_to(url: &str, text: &str, token_file: Option<PathBuf>) -> anyhow::Result<Delivered> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ops.jsonl");
    fs::write(&file, text).unwrap();
    let input = json_lines::open(json_lines::JsonLinesArgs::of(file))?;
    let display = Display::start(&input.name, input.extent);
    let door = Door::open(url, token_file.as_deref(), display.clone(), CancellationToken::new())?;
    transfer(input, &door, &display).await.map(|(delivered, _)| delivered)
}

#[tokio::test]
async fn a_second_run_finds_every_operation_in_place() {
    let door = TestDoor::open(Behaviour { n_behind: 2, ..Behaviour::default() }).await;
    let first = import_to(&door.url, &lines(1_234), None).await.unwrap();
    assert_eq!((first.n_sent, first.n_existing), (1_234, 0));
    let n_posts = door.behaviour().n_posts;
    let second = import_to(&door.url, &lines(1_234), None).await.unwrap();
    assert_eq!((second.n_sent, second.n_existing), (0, 1_234));
    assert_eq!(second.totals, first.totals);
    let n_stored = door.behaviour().ids.len();
    assert_eq!((n_stored, door.behaviour().n_posts), (1_234, n_posts));
}

#[tokio::test]
async fn a_busy_front_door_is_waited_for_and_a_small_one_gets_small_bodies() {
    let door = TestDoor::open(Behaviour { n_busy: 3, longest_body: 2_000, ..Behaviour::default() }).await;
    let delivered = import_to(&door.url, &lines(100), None).await.unwrap();
    assert_eq!((delivered.n_sent, delivered.n_refused), (100, 0));
    let n_posts = door.behaviour().n_posts;
    assert!(n_posts >= 7, "{n_posts}");
}

#[tokio::test]
async fn an_operation_that_no_body_can_hold_is_refused_and_the_others_are_taken() {
    let door = TestDoor::open(Behaviour { longest_body: 300, ..Behaviour::default() }).await;
    let long = format!("{{\"started_at\": 1790000000000000, \"model\": \"{}\"}}\n", "x".repeat(400));
    let delivered = import_to(&door.url, &format!("{long}{}", lines(5)), None).await.unwrap();
    assert_eq!((delivered.n_sent, delivered.n_refused), (5, 1));
    assert!(delivered.refusals[0].to_string().starts_with("ops.jsonl:1: "), "{}", delivered.refusals[0]);
}

#[tokio::test]
async fn what_the_front_door_refuses_is_listed_by_line() {
    let door = TestDoor::open(Behaviour { refused_model: Some("a".to_owned()), ..Behaviour::default() }).await;
    let delivered = import_to(&door.url, &format!("{}no json\n", lines(3)), None).await.unwrap();
    assert_eq!((delivered.n_sent, delivered.n_refused, delivered.totals.operations), (2, 2, 2));
    let refused: Vec<String> = delivered.refusals.iter().map(ToString::to_string).collect();
    assert_eq!(refused, ["ops.jsonl:1: model: it is out of fashion", "ops.jsonl:4: the line is not a JSON object"]);
}

#[tokio::test]
async fn what_was_acknowledged_and_became_no_row_is_not_claimed_to_be_there() {
    let door = TestDoor::open(Behaviour { buried_model: Some("a".to_owned()), ..Behaviour::default() }).await;
    let delivered = import_to(&door.url, &lines(600), None).await.unwrap();
    assert_eq!((delivered.n_sent, delivered.not_stored.len()), (600, 1));
    let buried = delivered.not_stored[0].to_string();
    assert!(!door.behaviour().ids.contains(&buried), "{buried}");
}

#[tokio::test]
async fn the_token_is_sent_and_a_missing_one_is_asked_for() {
    let door = TestDoor::open(Behaviour { token: Some("s3cret".to_owned()), ..Behaviour::default() }).await;
    let without = import_to(&door.url, &lines(1), None).await.unwrap_err().to_string();
    assert!(without.contains("--token-file"), "{without}");
    let folder = tempfile::tempdir().unwrap();
    let token_file = folder.path().join("token");
    fs::write(&token_file, "s3cret\n").unwrap();
    assert_eq!(import_to(&door.url, &lines(1), Some(token_file)).await.unwrap().n_sent, 1);
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_said_at_once() {
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = import_to(&format!("http://{unused}"), &lines(1), None).await.unwrap_err().to_string();
    assert!(error.contains("nothing answers at") && error.contains("opstream up"), "{error}");
    let error = import_to("localhost:8080", &lines(1), None).await.unwrap_err().to_string();
    assert!(error.contains("--url"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_opstream_is_recognised() {
    let door = TestDoor::open(Behaviour::default()).await;
    let error = import_to(&format!("{}/other", door.url), &lines(1), None).await.unwrap_err().to_string();
    assert!(error.contains("/other/v1/progress answered 404"), "{error}");
}
