//! What a guard records, however it ends. The sink is a file.

use std::future::pending;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::*;
use crate::Sink;

/// A producer whose operations can be read.
struct Bench {
    producer: Producer,
    file: PathBuf,
    _folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("operations.jsonl");
        let producer = Producer::start(Sink::JsonLines { file: file.clone(), producer_id: None }).unwrap();
        Self { producer, file, _folder: folder }
    }

    /// All that was recorded, in its order.
    async fn recorded(self) -> Vec<Operation> {
        self.producer.close(Duration::from_secs(20)).await;
        let text = std::fs::read_to_string(&self.file).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    async fn only(self) -> Operation {
        let mut recorded = self.recorded().await;
        assert_eq!(recorded.len(), 1, "{recorded:?}");
        recorded.remove(0)
    }
}

fn failure_of(operation: &Operation) -> (bool, Option<&str>) {
    (operation.success, operation.error_type.as_deref())
}

#[tokio::test]
async fn a_call_is_recorded_with_what_was_said_about_it() {
    let bench = Bench::new();
    let mut call = bench.producer.chat("openai", "gpt-5-mini");
    call.tag("release", "7").metadata("plan", "free").metadata("seats", 3);
    call.system_prompt("be brief").request(&json!([{"role": "user", "content": "hi"}])).tool_definitions(&json!([]));
    call.operation().temperature = Some(0.5);
    call.sent().first_token().input_tokens(1_200).output_tokens(85).response("hello").answered();
    call.success();
    let operation = bench.only().await;
    assert_eq!((operation.operation_type.as_str(), failure_of(&operation)), ("chat", (true, None)));
    let names = [&operation.provider, &operation.model].map(|name| name.as_deref());
    assert_eq!(names, [Some("openai"), Some("gpt-5-mini")]);
    assert_eq!((operation.input_tokens, operation.output_tokens), (Some(1_200), Some(85)));
    assert_eq!((operation.temperature, operation.stream), (Some(0.5), Some(true)));
    assert_eq!(operation.tags["release"], "7");
    assert_eq!(operation.metadata.as_deref(), Some(r#"{"plan":"free","seats":3}"#));
    let content =
        [&operation.system_prompt, &operation.input_messages, &operation.output_messages, &operation.tool_definitions];
    let expected = ["be brief", r#"[{"content":"hi","role":"user"}]"#, r#""hello""#, "[]"];
    assert_eq!(content.map(|text| text.as_deref()), expected.map(Some));
    let [latency, queue, ttft, generation] =
        [operation.latency_us, operation.queue_us, operation.ttft_us, operation.generation_us].map(Option::unwrap);
    assert!(0 <= queue && queue <= ttft && ttft <= latency, "{queue} {ttft} {latency}");
    assert!((latency - ttft - generation).abs() <= 1, "rounded down apart: {latency} {ttft} {generation}");
}

#[tokio::test]
async fn kinds_of_operations_have_opentelemetrys_names() {
    let bench = Bench::new();
    bench.producer.embeddings("openai", "text-embedding-3-small").success();
    bench.producer.tool("get_weather").success();
    bench.producer.begin("retrieval").success();
    let recorded = bench.recorded().await;
    let kinds: Vec<_> = recorded.iter().map(|operation| operation.operation_type.as_str()).collect();
    assert_eq!(kinds, ["embeddings", "execute_tool", "retrieval"]);
    assert_eq!(recorded[0].model.as_deref(), Some("text-embedding-3-small"));
    assert_eq!(recorded[1].action_id.as_deref(), Some("get_weather"));
    assert!(recorded.iter().all(|operation| operation.call_id.is_none() && operation.span_id.is_none()));
}

#[tokio::test]
async fn a_failure_is_recorded_with_its_type_text_and_status() {
    let bench = Bench::new();
    let refused = Failure::new("rate_limit_exceeded").message("slow down").http_status(429);
    bench.producer.chat("openai", "m").fail(refused);
    let error: Result<(), _> = Err(std::fmt::Error);
    bench.producer.chat("openai", "m").finish(&error);
    bench.producer.chat("openai", "m").finish(&Ok::<_, std::fmt::Error>(()));
    let recorded = bench.recorded().await;
    assert_eq!(failure_of(&recorded[0]), (false, Some("rate_limit_exceeded")));
    assert_eq!((recorded[0].error_message.as_deref(), recorded[0].http_status), (Some("slow down"), Some(429)));
    assert_eq!(failure_of(&recorded[1]), (false, Some("core::fmt::Error")));
    assert_eq!(failure_of(&recorded[2]), (true, None));
}

#[tokio::test]
async fn a_call_whose_task_was_cancelled_is_a_failed_operation_with_its_times() {
    let bench = Bench::new();
    let (begun, is_begun) = tokio::sync::oneshot::channel();
    let mut tasks = JoinSet::new();
    let producer = bench.producer.clone();
    tasks.spawn(async move {
        let mut call = producer.chat("openai", "m");
        call.first_token();
        begun.send(()).unwrap();
        pending::<()>().await;
        call.success();
    });
    is_begun.await.unwrap();
    tasks.shutdown().await;
    let operation = bench.only().await;
    assert_eq!(failure_of(&operation), (false, Some(ABANDONED)));
    assert!(operation.latency_us >= operation.ttft_us && operation.ttft_us.is_some(), "{operation:?}");
}

#[tokio::test]
async fn an_error_that_returns_early_is_a_failed_operation() {
    fn call(producer: &Producer) -> Result<(), std::num::ParseIntError> {
        let mut call = producer.chat("openai", "m");
        call.input_tokens("many".parse::<u64>()?);
        call.success();
        Ok(())
    }
    let bench = Bench::new();
    assert!(call(&bench.producer).is_err());
    assert_eq!(failure_of(&bench.only().await), (false, Some(ABANDONED)));
}

#[tokio::test]
async fn a_panic_is_told_apart_from_what_was_abandoned() {
    /// Begins an operation while its thread unwinds, and forgets it.
    struct InDestructor(Producer);
    impl Drop for InDestructor {
        fn drop(&mut self) {
            drop(self.0.begin("cleanup"));
        }
    }
    let bench = Bench::new();
    let mut tasks = JoinSet::new();
    let producer = bench.producer.clone();
    tasks.spawn(async move {
        let _call = producer.chat("openai", "m");
        let _other = InDestructor(producer.clone());
        panic!("the test wants it");
    });
    assert!(tasks.join_next().await.unwrap().unwrap_err().is_panic());
    let recorded = bench.recorded().await;
    let of = |kind: &str| failure_of(recorded.iter().find(|operation| operation.operation_type == kind).unwrap());
    assert_eq!(of("chat"), (false, Some(PANICKED)));
    assert_eq!(of("cleanup"), (false, Some(ABANDONED)), "the panic is not its own");
}

#[tokio::test]
async fn what_is_discarded_is_not_recorded() {
    let bench = Bench::new();
    let mut call = bench.producer.chat("openai", "m");
    call.tag("cache", "hit");
    assert_eq!(call.discard().tags["cache"], "hit");
    assert_eq!(bench.recorded().await, []);
}

#[tokio::test]
async fn operations_are_of_the_scope_in_which_they_begin_and_of_their_handle() {
    let bench = Bench::new();
    let producer = bench.producer.with_context(&Context::new().service("backend").user_id("nobody"));
    Context::new()
        .session_id("session-1")
        .user_id("user-1")
        .scope(async {
            let call = producer.chat("openai", "m");
            Context::new().session_id("session-2").sync_scope(|| call.success());
            producer.with_context(&Context::new().team("care")).chat("openai", "m").success();
        })
        .await;
    bench.producer.chat("openai", "m").success();
    let recorded = bench.recorded().await;
    let of = |index: usize| {
        let Operation { service, session_id, user_id, team, .. } = &recorded[index];
        [service, session_id, user_id, team].map(|text| text.as_deref())
    };
    assert_eq!(of(0), [Some("backend"), Some("session-1"), Some("user-1"), None]);
    assert_eq!(of(1), [Some("backend"), Some("session-1"), Some("user-1"), Some("care")]);
    assert_eq!(of(2), [None; 4]);
}

#[tokio::test]
async fn calls_within_an_agent_are_children_of_its_span() {
    let bench = Bench::new();
    let mut agent =
        Context::new().session_id("s").agent_name("triage").sync_scope(|| bench.producer.begin("invoke_agent"));
    agent.context().sync_scope(|| bench.producer.chat("openai", "m").success());
    let mut tool = agent.context().sync_scope(|| bench.producer.tool("search"));
    tool.context().sync_scope(|| bench.producer.embeddings("openai", "m").success());
    tool.success();
    agent.success();
    let recorded = bench.recorded().await;
    let [chat, embeddings, tool, agent] = &recorded[..] else { panic!("{recorded:?}") };
    assert!(agent.trace_id.is_some() && agent.span_id.is_some() && agent.parent_span_id.is_none());
    for child in [chat, tool] {
        assert_eq!((&child.trace_id, &child.parent_span_id), (&agent.trace_id, &agent.span_id));
        assert_eq!((child.session_id.as_deref(), child.agent_name.as_deref()), (Some("s"), Some("triage")));
    }
    assert_eq!((&embeddings.trace_id, &embeddings.parent_span_id), (&agent.trace_id, &tool.span_id));
    assert_ne!(tool.span_id, agent.span_id);
}

#[tokio::test]
async fn a_retried_call_is_one_operation_for_each_attempt() {
    let bench = Bench::new();
    let mut call = bench.producer.chat("openai", "m");
    call.request("hi").tag("release", "7").first_token().output_tokens(3);
    let call = call.retry(Failure::new("timeout"));
    let call = call.retry(Failure::new("overloaded").http_status(529));
    call.success();
    bench.producer.chat("openai", "m").success();
    let recorded = bench.recorded().await;
    let attempts: Vec<_> = recorded.iter().map(|operation| (operation.attempt, failure_of(operation))).collect();
    let expected =
        [(1, (false, Some("timeout"))), (2, (false, Some("overloaded"))), (3, (true, None)), (1, (true, None))];
    assert_eq!(attempts, expected);
    assert!(recorded[0].call_id.is_some() && recorded[3].call_id.is_none());
    for later in &recorded[1..3] {
        assert_eq!(later.call_id, recorded[0].call_id);
        assert_ne!(later.operation_id, recorded[0].operation_id);
        assert_eq!((later.input_messages.as_deref(), later.tags["release"].as_str()), (Some("\"hi\""), "7"));
        assert_eq!((later.output_tokens, later.ttft_us), (None, None), "of the first attempt's answer");
    }
}

#[tokio::test]
async fn retries_go_on_counting_where_attempts_were_numbered() {
    let bench = Bench::new();
    let attempts = Attempts::of_call("call-1");
    let mut hedges = [(); 2].map(|()| bench.producer.chat("openai", "m"));
    for hedge in &mut hedges {
        hedge.attempt_of(&attempts);
    }
    let [first, second] = hedges;
    first.retry(Failure::new("timeout")).success();
    second.success();
    let recorded = bench.recorded().await;
    let numbers: Vec<_> = recorded.iter().map(|operation| (operation.call_id.as_deref(), operation.attempt)).collect();
    assert_eq!(numbers, [(Some("call-1"), 1), (Some("call-1"), 3), (Some("call-1"), 2)]);
}

#[tokio::test]
async fn usage_is_the_providers_and_what_cannot_be_read_costs_nothing_else() {
    let bench = Bench::new();
    let mut call = bench.producer.chat("anthropic", "claude-opus-5-5");
    let usage = json!({"input_tokens": 1000, "cache_read_input_tokens": 100_000, "output_tokens": 500});
    call.provider_usage(&json!({"id": "msg_1", "usage": usage})).unwrap();
    let refused = call.provider_usage(&json!({"usage": {"input_tokens": -1}})).unwrap_err();
    assert_eq!(refused.code(), "negative_count");
    assert_eq!(call.provider_usage_text("{").unwrap_err().code(), "usage_not_json");
    call.success();
    let operation = bench.only().await;
    let counts = (operation.input_tokens, operation.cache_read_tokens, operation.output_tokens);
    assert_eq!(counts, (Some(101_000), 100_000, Some(500)));
    assert_eq!(operation.response_id.as_deref(), Some("msg_1"));
}

#[tokio::test]
async fn a_stream_is_counted_by_its_events_even_when_it_breaks_off() {
    let bench = Bench::new();
    let events = [
        r#"{"type": "message_start", "message": {"usage": {"input_tokens": 9, "output_tokens": 1}}}"#,
        r#"{"type": "message_delta", "usage": {"output_tokens": 12}}"#,
    ];
    let mut whole = bench.producer.chat("anthropic", "m");
    for event in events {
        whole.stream_event(event).unwrap();
    }
    assert_eq!(whole.stream_event("nonsense").unwrap_err().code(), "usage_not_json");
    whole.success();
    let mut broken = bench.producer.chat("anthropic", "m");
    broken.stream_event(events[0]).unwrap();
    drop(broken);
    let mut silent = bench.producer.chat("openai", "m");
    silent.stream_event(r#"{"choices": []}"#).unwrap();
    silent.success();
    let recorded = bench.recorded().await;
    let counts: Vec<_> = recorded.iter().map(|operation| (operation.input_tokens, operation.output_tokens)).collect();
    assert_eq!(counts, [(Some(9), Some(12)), (Some(9), Some(1)), (None, None)]);
    assert!(recorded.iter().all(|operation| operation.stream == Some(true)));
}

#[tokio::test]
async fn content_that_json_cannot_express_says_so_and_fails_nobody() {
    let bench = Bench::new();
    let mut call = bench.producer.chat("openai", "m");
    call.request(&std::collections::BTreeMap::from([((1, 2), "a key that is no text")]));
    call.success();
    let operation = bench.only().await;
    assert_eq!(operation.input_messages.as_deref(), Some(r#""[not captured: key must be a string]""#));
}

#[test]
fn a_guard_wants_no_runtime_and_goes_to_other_threads() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("operations.jsonl");
    let producer = Producer::start(Sink::JsonLines { file, producer_id: None }).unwrap();
    let (to_thread, from_here) = channel();
    let thread = std::thread::spawn(move || from_here.iter().for_each(OperationGuard::success));
    to_thread.send(producer.chat("openai", "m")).unwrap();
    drop(to_thread);
    thread.join().unwrap();
    let counters = producer.counters();
    assert_eq!(counters.sent + counters.queued, 1);
}
