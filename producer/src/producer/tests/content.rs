//! The content policy on every way out: file, topic and disk, waited for or not.

use std::path::Path;

use rdkafka::message::Message;

use super::spooling::spooling;
use super::*;
use crate::{Capture, ContentPolicy, Redaction};

const SECRET: &str = "CN-104711";

fn policy() -> ContentPolicy {
    let redaction = Redaction::empty().pattern("customer number", r"\bCN-\d{6}\b").unwrap();
    ContentPolicy { capture: Capture::On, redaction: Some(redaction) }
}

fn telling(session_id: &str) -> Operation {
    Operation { input_messages: Some(format!("[\"I am {SECRET}\"]")), ..operation(session_id) }
}

fn start_on(file: &Path, policy: ContentPolicy) -> Producer {
    Producer::start_with(Sink::JsonLines { file: file.to_owned(), producer_id: None }, policy).unwrap()
}

#[track_caller]
fn assert_redacted(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    assert!(text.contains("[redacted customer number]") && !text.contains(SECRET), "{text}");
}

#[tokio::test]
async fn no_secret_reaches_the_topic() {
    let cluster = cluster(1);
    let producer = Producer::start_with(Sink::Kafka(config(&cluster.bootstrap_servers())), policy()).unwrap();
    producer.record(telling("recorded"));
    producer.record_acked(telling("acked")).await.unwrap();
    producer.record_all_acked(vec![telling("all acked")]).await.remove(0).unwrap();
    let messages = read_topic(&cluster, 1, 3);
    for message in &messages {
        assert_redacted(message.payload().unwrap());
    }
    producer.close(PATIENCE).await;
}

#[tokio::test]
async fn no_secret_reaches_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let producer = Producer::start_with(Sink::Kafka(spooling(&dead_address(), folder.path())), policy()).unwrap();
    producer.record(telling("s"));
    assert_eq!(producer.close(PATIENCE).await.spooled, 1);
    let mut written = Vec::new();
    let mut folders = vec![folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { written.extend(std::fs::read(path).unwrap()) }
        }
    }
    assert_redacted(&written);
}

#[tokio::test]
async fn no_secret_reaches_the_file_and_no_policy_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let [redacted, given] = ["redacted", "given"].map(|name| folder.path().join(name));
    for (file, policy) in [(&redacted, policy()), (&given, ContentPolicy::as_given())] {
        let producer = start_on(file, policy);
        producer.record(telling("s"));
        producer.close(PATIENCE).await;
    }
    assert_redacted(&std::fs::read(redacted).unwrap());
    assert!(std::fs::read_to_string(given).unwrap().contains(SECRET));
}

#[tokio::test]
async fn a_hook_that_panics_loses_texts_and_no_operation_even_while_the_thread_unwinds() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("operations.jsonl");
    let hook = |_: &str, _: &str| panic!("the test wants it");
    let redaction = Some(Redaction::empty().hook(hook));
    let producer = start_on(&file, ContentPolicy { capture: Capture::On, redaction });
    producer.record(telling("s"));
    let unwinding = producer.clone();
    let thread = std::thread::spawn(move || {
        let mut call = unwinding.chat("openai", "m");
        call.request("hi").input_tokens(9);
        panic!("the test wants it too");
    });
    assert!(thread.join().is_err());
    assert_eq!(producer.close(PATIENCE).await, Counters { sent: 2, content_dropped: 2, ..Counters::default() });
    let text = std::fs::read_to_string(&file).unwrap();
    let recorded: Vec<Operation> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(recorded.iter().map(|operation| operation.input_tokens).collect::<Vec<_>>(), [Some(1_200), Some(9)]);
    assert_eq!(recorded[1].error_type.as_deref(), Some(crate::PANICKED));
    assert!(recorded.iter().all(|operation| !operation.has_content() && operation.content_redacted));
    assert!(recorded[0].metadata.as_deref().unwrap().contains("the redaction hook panicked: input_messages"));
}

#[tokio::test]
async fn content_that_nobody_keeps_is_not_even_written_as_json() {
    /// Cannot be serialised without the test failing.
    struct Untouched;
    impl serde::Serialize for Untouched {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            panic!("content is written although nobody keeps it")
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("operations.jsonl");
    let producer = start_on(&file, ContentPolicy::without_content());
    let mut call = producer.chat("openai", "m");
    call.request(&Untouched).response(&Untouched).tool_definitions(&Untouched).system_prompt("be brief");
    call.success();
    producer.close(PATIENCE).await;
    assert!(!std::fs::read_to_string(&file).unwrap().contains("be brief"));
}
