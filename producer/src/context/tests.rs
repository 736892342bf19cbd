//! Scopes, tasks and threads, and what a context writes into operations.

use opstream_schemas::UtcMicros;
use tokio::task::JoinSet;

use super::*;

fn filled(context: &Context) -> Operation {
    let mut operation = Operation::starting("chat", UtcMicros::from_micros(1_790_000_000_000_000));
    context.fill(&mut operation);
    operation
}

/// Everything that a context can say.
fn everything() -> Context {
    Context::new()
        .workspace("acme")
        .project("assistant")
        .team("care")
        .environment("production")
        .service("backend")
        .session_id("session-1")
        .user_id("user-1")
        .agent_id("agent-1")
        .agent_name("triage")
        .action_id("action-1")
        .traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .tag("release", "7")
        .metadata("retries", 3)
}

#[test]
fn each_fact_reaches_the_field_of_its_name() {
    let operation = serde_json::to_value(filled(&everything())).unwrap();
    for (field, expected) in [
        ("workspace", "acme"),
        ("project", "assistant"),
        ("team", "care"),
        ("environment", "production"),
        ("service", "backend"),
        ("session_id", "session-1"),
        ("user_id", "user-1"),
        ("agent_id", "agent-1"),
        ("agent_name", "triage"),
        ("action_id", "action-1"),
        ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("parent_span_id", "00f067aa0ba902b7"),
        ("metadata", r#"{"retries":3}"#),
    ] {
        assert_eq!(operation[field], expected, "{field}");
    }
    assert_eq!(operation["tags"]["release"], "7");
    assert_eq!(filled(&Context::new()).workspace, "default");
}

#[test]
fn a_scope_inherits_all_that_it_does_not_say() {
    let inner = Context::new().sync_scope(|| everything().sync_scope(|| Context::new().sync_scope(Context::current)));
    assert_eq!(inner, everything());
    let inner = everything().sync_scope(|| Context::new().user_id("user-2").tag("a", "b").sync_scope(Context::current));
    assert_eq!(inner, everything().user_id("user-2").tag("a", "b"));
    assert_eq!(Context::current(), Context::new(), "the scope is over");
}

#[test]
fn an_agent_and_a_trace_are_inherited_whole_or_not_at_all() {
    let operation = filled(&Context::new().agent_id("agent-2").over(&everything()));
    assert_eq!((operation.agent_id.as_deref(), operation.agent_name), (Some("agent-2"), None));
    let operation = filled(&Context::new().agent_name("writer").over(&everything()));
    assert_eq!((operation.agent_id, operation.agent_name.as_deref()), (None, Some("writer")));

    let other = "0af7651916cd43dd8448eb211c80319c";
    let operation = filled(&Context::new().trace_id(other).over(&everything()));
    assert_eq!((operation.trace_id.as_deref(), operation.parent_span_id), (Some(other), None));
    let operation = filled(&Context::new().parent_span_id("b7ad6b7169203331").over(&everything()));
    assert_eq!(operation.trace_id, filled(&everything()).trace_id);
    assert_eq!(operation.parent_span_id.as_deref(), Some("b7ad6b7169203331"));
}

#[test]
fn a_broken_traceparent_changes_nothing() {
    assert_eq!(everything().traceparent("00-nonsense"), everything());
}

#[tokio::test]
async fn interleaved_tasks_keep_their_own_context() {
    let mut tasks = JoinSet::new();
    for number in 0..50 {
        let session = Context::new().session_id(format!("session-{number}"));
        tasks.spawn(session.clone().scope(async move {
            for _ in 0..10 {
                tokio::task::yield_now().await;
                assert_eq!(Context::current(), session);
            }
        }));
    }
    tasks.join_all().await;
    assert_eq!(Context::current(), Context::new());
}

#[tokio::test]
async fn a_spawned_task_has_the_context_that_is_taken_along_and_no_other() {
    let seen = |work: JoinSet<Context>| async { work.join_all().await.remove(0) };
    everything()
        .scope(async {
            let mut plain = JoinSet::new();
            plain.spawn(async { Context::current() });
            assert_eq!(seen(plain).await, Context::new());
            let mut taken = JoinSet::new();
            taken.spawn(Context::current().scope(async { Context::current() }));
            assert_eq!(seen(taken).await, everything());
            let context = Context::current();
            let thread = std::thread::spawn(|| context.sync_scope(Context::current));
            assert_eq!(thread.join().unwrap(), everything());
        })
        .await;
}

#[tokio::test]
async fn a_future_runs_in_the_context_of_the_place_where_its_scope_was_made() {
    let made = everything().sync_scope(|| Context::new().action_id("later").scope(async { Context::current() }));
    assert_eq!(made.await, everything().action_id("later"));
}
