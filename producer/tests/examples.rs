//! Runs the examples that want no broker, and looks at what they recorded.

use std::path::PathBuf;
use std::process::Command;

use opstream_schemas::Operation;

/// What an example records, in the order of the file.
fn recorded_by(example: &str) -> Vec<Operation> {
    let folder = tempfile::tempdir().expect("the temporary folder is writable");
    let file = folder.path().join("operations.jsonl");
    let program = program_of(example);
    let run = Command::new(&program).arg(&file).output();
    let run =
        run.unwrap_or_else(|error| panic!("{}: {error}; build it with `cargo build --examples`", program.display()));
    assert!(run.status.success(), "{example}: {}", String::from_utf8_lossy(&run.stderr));
    let text = std::fs::read_to_string(&file).expect("the example wrote the file");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is an operation")).collect()
}

/// Cargo builds examples before it runs tests, beside the folder of this test.
fn program_of(example: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the system knows the path of this program");
    let profile = test.ancestors().nth(2).expect("Cargo puts tests into target/PROFILE/deps");
    profile.join("examples").join(example).with_extension(std::env::consts::EXE_EXTENSION)
}

#[test]
fn chat_is_one_operation_of_its_session() {
    let recorded = recorded_by("chat");
    let [call] = &recorded[..] else { panic!("{recorded:?}") };
    assert_eq!((call.session_id.as_deref(), call.service.as_deref()), (Some("session-7"), Some("assistant")));
    assert_eq!((call.input_tokens, call.cache_read_tokens, call.output_tokens), (Some(2_060), 2_048, Some(6)));
    assert!(call.success && call.latency_us.is_some_and(|latency| latency >= 20_000), "{call:?}");
}

#[test]
fn streaming_has_a_first_token_also_where_nobody_reads_on() {
    let recorded = recorded_by("streaming");
    let [whole, abandoned] = &recorded[..] else { panic!("{recorded:?}") };
    assert!(whole.success && whole.ttft_us < whole.latency_us && whole.ttft_us.is_some(), "{whole:?}");
    assert_eq!((whole.input_tokens, whole.output_tokens), (Some(12), Some(3)));
    assert_eq!((abandoned.success, abandoned.error_type.as_deref()), (false, Some("abandoned")));
}

#[test]
fn retries_are_three_attempts_of_one_call() {
    let recorded = recorded_by("retries");
    let attempts: Vec<_> = recorded.iter().map(|operation| (operation.attempt, operation.success)).collect();
    assert_eq!(attempts, [(1, false), (2, false), (3, true)]);
    assert!(recorded[0].call_id.is_some());
    assert!(recorded.iter().all(|operation| operation.call_id == recorded[0].call_id));
    assert!(recorded[1..].iter().all(|operation| operation.queue_us.is_some_and(|pause| pause >= 10_000)));
}

#[test]
fn an_agent_is_one_tree() {
    let recorded = recorded_by("agent");
    let (agent, children) = recorded.split_last().unwrap();
    assert_eq!((agent.operation_type.as_str(), children.len()), ("invoke_agent", 4));
    assert_eq!(agent.parent_span_id.as_deref(), Some("00f067aa0ba902b7"));
    for child in children {
        assert_eq!((&child.trace_id, &child.parent_span_id), (&agent.trace_id, &agent.span_id));
        assert_eq!((child.session_id.as_deref(), child.agent_name.as_deref()), (Some("session-7"), Some("weather")));
    }
}

#[test]
fn redaction_leaves_no_secret() {
    let recorded = recorded_by("redaction");
    let [call] = &recorded[..] else { panic!("{recorded:?}") };
    let messages = call.input_messages.as_deref().unwrap();
    for marker in ["[redacted customer number]", "[redacted api key]", "[redacted image/png, 16 bytes]", "[withheld]"] {
        assert!(messages.contains(marker), "{marker}: {messages}");
    }
    assert!(messages.len() <= 2_000 && call.content_truncated && call.content_redacted);
    assert_eq!(call.error_message.as_deref(), Some("incorrect key: [redacted api key]"));
}
