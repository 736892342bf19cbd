//! Applications as their users instrument them, with the SDK of OpenTelemetry and the instrumentations that there are for OpenAI's client, arrive
//! complete: each call once, with its tokens, its outcome, its session and agent, and what was said, be it on spans or in log records.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value as Json;

use crate::harness::backends::{Backends, each_combination};
use crate::harness::data::python_with_opentelemetry;
use crate::harness::eventually::eventually;
use crate::harness::pipeline::Pipeline;

/// A call of `instrumented_application.py`.
struct Call {
    operation_type: &'static str,
    model: &'static str,
    /// Input and output.
    tokens: (i64, i64),
    /// The end of its error's type.
    error: Option<&'static str>,
    /// A part of the answer.
    answer: Option<&'static str>,
}

const CALLS: [Call; 7] = [
    Call::chat("gpt-4o", (100, 20), "the answer of gpt-4o"),
    Call::chat("o3", (100, 20), "the answer of o3"),
    Call::chat("gpt-4.1", (100, 20), "weather"),
    Call::chat("gpt-4o-mini", (40, 30), "word by word"),
    Call { operation_type: "embeddings", answer: None, ..Call::chat("text-embedding-3-small", (7, 0), "") },
    Call::failed("throttled", "RateLimitError"),
    Call::failed("broken", "InternalServerError"),
];

impl Call {
    const fn chat(model: &'static str, tokens: (i64, i64), answer: &'static str) -> Self {
        Self { operation_type: "chat", model, tokens, error: None, answer: Some(answer) }
    }

    const fn failed(model: &'static str, error: &'static str) -> Self {
        Self { operation_type: "chat", model, tokens: (0, 0), error: Some(error), answer: None }
    }
}

/// How an application is instrumented, and what its spans tell beyond the rest.
struct Application {
    instrumentation: &'static str,
    workspace: &'static str,
    protocol: &'static str,
    variables: &'static [(&'static str, &'static str)],
    /// Cache reads and reasoning of the call of `o3`.
    details: (i64, i64),
}

/// Long enough for a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(1);
const CAPTURE: &str = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
/// Each tells prompts and answers somewhere: on spans, as the first and the third do in log records.
const APPLICATIONS: [Application; 5] = [
    Application {
        instrumentation: "openai-v2",
        workspace: "older-conventions",
        protocol: "grpc",
        variables: &[(CAPTURE, "true")],
        details: (0, 0),
    },
    Application {
        instrumentation: "openai-v2",
        workspace: "latest-conventions",
        protocol: "http",
        variables: &[("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental"), (CAPTURE, "span_only")],
        details: (0, 0),
    },
    Application {
        instrumentation: "openai-v2",
        workspace: "latest-conventions-events",
        protocol: "http",
        variables: &[
            ("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_latest_experimental"),
            (CAPTURE, "event_only"),
            ("OTEL_INSTRUMENTATION_GENAI_EMIT_EVENT", "true"),
        ],
        details: (0, 0),
    },
    Application {
        instrumentation: "openinference",
        workspace: "openinference",
        protocol: "http",
        variables: &[],
        details: (60, 12),
    },
    Application {
        instrumentation: "openllmetry",
        workspace: "openllmetry",
        protocol: "grpc",
        variables: &[],
        details: (60, 12),
    },
];

#[tokio::test]
async fn every_instrumentation_tells_every_call() {
    let Some(python) = python_with_opentelemetry() else { return };
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        join_all(APPLICATIONS.iter().map(|application| run(application, &python, &pipeline))).await;
        pipeline.settle().await;
        for application in &APPLICATIONS {
            assert_complete(&pipeline, application).await;
        }
        pipeline.assert_verified().await;
        pipeline.stop().await;
    })
    .await;
}

async fn run(application: &Application, python: &str, pipeline: &Pipeline<'_>) {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories/instrumented_application.py");
    let Application { instrumentation, workspace, protocol, variables, .. } = application;
    let ended = tokio::process::Command::new(python)
        .arg(script)
        .args([*instrumentation, *workspace, *protocol, &pipeline.address()])
        .env_clear()
        .envs(variables.iter().copied())
        .kill_on_drop(true)
        .output()
        .await
        .expect("the interpreter that was named can be started");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && !said.contains("Failed to export"), "{workspace}: {said}");
}

async fn assert_complete(pipeline: &Pipeline<'_>, application: &Application) {
    let workspace = application.workspace;
    let listed = pipeline.get(&format!("/v1/operations?workspace={workspace}&limit=50")).await.unwrap();
    let operations = listed["operations"].as_array().unwrap();
    assert_eq!(operations.len(), CALLS.len() + 1, "{workspace}: {listed:#}");
    for operation in operations {
        for (name, value) in [("session_id", "s-1"), ("agent_name", "planner"), ("service", "shop")] {
            assert_eq!(operation[name], value, "{name} in {workspace}: {operation:#}");
        }
    }
    let agent = find(operations, "operation_type", "invoke_agent");
    assert!(agent["input_tokens"].is_null() && agent["success"] == true, "{workspace}: {agent:#}");
    for call in &CALLS {
        assert_call(pipeline, application, call, find(operations, "model", call.model)).await;
    }
    let totals = pipeline.get(&format!("/v1/totals?workspace={workspace}")).await.unwrap();
    for (name, sum) in [("operations", 8), ("failures", 2), ("input_tokens", 347), ("output_tokens", 90)] {
        assert_eq!(totals[name], sum, "{name} in {workspace}: {totals:#}");
    }
}

async fn assert_call(pipeline: &Pipeline<'_>, application: &Application, call: &Call, operation: &Json) {
    let case = format!("{} of {}: {operation:#}", call.model, application.workspace);
    let (cache_read, reasoning) = if call.model == "o3" { application.details } else { (0, 0) };
    let counts = [
        ("input_tokens", call.tokens.0),
        ("output_tokens", call.tokens.1),
        ("cache_read_tokens", cache_read),
        ("reasoning_tokens", reasoning),
    ];
    for (name, count) in counts {
        assert_eq!(operation[name].as_i64().unwrap_or(0), count, "{name} of {case}");
    }
    assert_eq!(operation["operation_type"], call.operation_type, "{case}");
    assert_eq!(operation["provider"], "openai", "{case}");
    assert_eq!(operation["success"], call.error.is_none(), "{case}");
    let error = operation["error_type"].as_str();
    assert!(call.error.is_none_or(|end| error.is_some_and(|error| error.ends_with(end))), "{case}");

    let id = operation["operation_id"].as_str().unwrap();
    if call.operation_type != "chat" {
        return;
    }
    // Log records come by a way of their own.
    eventually(PATIENCE, async || {
        let whole = pipeline.get(&format!("/v1/operations/{id}")).await?;
        let content = &whole["content"];
        let said = |name: &str, words: &str| content[name].as_str().is_some_and(|text| text.contains(words));
        let is_whole = content["system_prompt"] == "Be short."
            && said("input_messages", &format!("a question for {}", call.model))
            && call.answer.is_none_or(|answer| said("output_messages", answer));
        if is_whole { Ok(()) } else { Err(format!("{content:#} of {case}")) }
    })
    .await;
}

fn find<'a>(operations: &'a [Json], name: &str, value: &str) -> &'a Json {
    let mut found = operations.iter().filter(|operation| operation[name] == value);
    let operation = found.next().unwrap_or_else(|| panic!("no {name} {value} among {operations:#?}"));
    assert!(found.next().is_none(), "several of {name} {value} among {operations:#?}");
    operation
}
