//! The guard: an operation that is under way. It measures, and it records exactly one operation, however it ends.
//!
//! Wall clock for the start, monotonic clock for every duration. A guard that is dropped without an outcome is a failed
//! operation: nobody forgets a call because a task was cancelled, a `?` returned or a thread panicked.

use std::mem;
use std::thread;
use std::time::Instant;

use opstream_schemas::provider_usage::{ProviderUsage, StreamUsage, UsageError};
use opstream_schemas::{Operation, UtcMicros};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::attempts::{Attempts, asked_again};
use crate::context::Context;
use crate::failure::Failure;
use crate::producer::Producer;
use crate::stopwatch::Stopwatch;
use crate::trace;

/// Error type of an operation whose guard was dropped without an outcome.
pub const ABANDONED: &str = "abandoned";
/// Error type of an operation whose guard was dropped by a panic.
pub const PANICKED: &str = "panic";

/// An operation that is under way; [`Producer::begin`] makes it.
///
/// It ends by [`success`](Self::success), [`fail`](Self::fail), [`finish`](Self::finish) or [`retry`](Self::retry). Dropped without
/// one of them it is recorded as failed, with the error type `panic` while the thread unwinds and `abandoned` otherwise: the
/// task was cancelled, or an error returned early. With `panic = "abort"` nothing can be recorded.
///
/// ```
/// use opstream_producer::{Context, Producer, Sink};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("operations.jsonl");
/// # async fn ask() -> Result<serde_json::Value, std::io::Error> {
/// #     Ok(json!({"id": "msg_1", "usage": {"input_tokens": 9, "cache_read_input_tokens": 90, "output_tokens": 5}}))
/// # }
/// let producer = Producer::start(Sink::JsonLines { file, producer_id: None })?;
/// Context::new().session_id("session-7").scope(async {
///     let mut call = producer.chat("anthropic", "claude-opus-5-5");
///     call.request(&json!([{"role": "user", "content": "hello"}]));
///     let answer = ask().await?; // an error, a cancelled task and a panic are all recorded
///     call.answered().provider_usage(&answer)?;
///     call.success();
///     Ok::<_, Box<dyn std::error::Error>>(())
/// }).await?;
/// assert_eq!(producer.close(std::time::Duration::from_secs(5)).await.sent, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "an operation whose guard is dropped at once is recorded as abandoned"]
pub struct OperationGuard {
    producer: Producer,
    operation: Operation,
    watch: Stopwatch,
    stream: Option<StreamUsage>,
    attempts: Option<Attempts>,
    /// The thread was unwinding already when the operation began, as in a destructor: that panic is not this operation's.
    began_in_panic: bool,
    settled: bool,
}

impl Producer {
    /// Begins an operation now, in the current [`Context`].
    ///
    /// The type is OpenTelemetry's `gen_ai.operation.name`: `chat`, `text_completion`, `embeddings`, `execute_tool`,
    /// `invoke_agent`, `retrieval` or another name of 1 to 1,024 bytes.
    pub fn begin(&self, operation_type: &str) -> OperationGuard {
        let mut operation = Operation::starting(operation_type, UtcMicros::now());
        self.fill(&mut operation);
        self.guard(operation)
    }

    /// Begins a chat with a model, by the provider's and the model's name as requested.
    pub fn chat(&self, provider: &str, model: &str) -> OperationGuard {
        self.of_model("chat", provider, model)
    }

    /// Begins a request for embeddings.
    pub fn embeddings(&self, provider: &str, model: &str) -> OperationGuard {
        self.of_model("embeddings", provider, model)
    }

    /// Begins the execution of a tool, by its name.
    pub fn tool(&self, name: &str) -> OperationGuard {
        let mut guard = self.begin("execute_tool");
        guard.operation.action_id = Some(name.to_owned());
        guard
    }

    fn of_model(&self, operation_type: &str, provider: &str, model: &str) -> OperationGuard {
        let mut guard = self.begin(operation_type);
        guard.provider(provider).model(model);
        guard
    }

    fn guard(&self, operation: Operation) -> OperationGuard {
        OperationGuard {
            producer: self.clone(),
            operation,
            watch: Stopwatch::start(Instant::now()),
            stream: None,
            attempts: None,
            began_in_panic: thread::panicking(),
            settled: false,
        }
    }
}

/// What is asked, and when.
impl OperationGuard {
    /// The operation as far as it is known. What is set here stays: durations too are filled in only where there are none.
    pub fn operation(&mut self) -> &mut Operation {
        &mut self.operation
    }

    /// Sets the provider, by any of its names: `openai`, `anthropic`, `gemini`, ….
    pub fn provider(&mut self, provider: impl Into<String>) -> &mut Self {
        self.operation.provider = Some(provider.into());
        self
    }

    /// Sets the model as requested.
    pub fn model(&mut self, model: impl Into<String>) -> &mut Self {
        self.operation.model = Some(model.into());
        self
    }

    /// Adds a tag, or replaces the one of this name.
    pub fn tag(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.operation.tags.insert(name.into(), value.into());
        self
    }

    /// Adds an entry of the metadata, or replaces the one of this name. Metadata that is no JSON object gives way.
    pub fn metadata(&mut self, name: impl Into<String>, value: impl Into<Value>) -> &mut Self {
        let entries = self.operation.metadata.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let mut entries: Map<String, Value> = entries.unwrap_or_default();
        entries.insert(name.into(), value.into());
        self.operation.metadata = Some(Value::Object(entries).to_string());
        self
    }

    /// Makes the operation the next attempt of a call.
    pub fn attempt_of(&mut self, attempts: &Attempts) -> &mut Self {
        attempts.number(&mut self.operation);
        self.attempts = Some(attempts.clone());
        self
    }

    /// Content: sets the system prompt.
    pub fn system_prompt(&mut self, text: impl Into<String>) -> &mut Self {
        self.operation.system_prompt = Some(text.into());
        self
    }

    /// Content: sets the request's messages, as OpenTelemetry's `gen_ai.input.messages` or as the provider takes them.
    pub fn request<T: Serialize + ?Sized>(&mut self, messages: &T) -> &mut Self {
        self.operation.input_messages = self.content(messages);
        self
    }

    /// Content: sets the definitions of the tools that the model may call.
    pub fn tool_definitions<T: Serialize + ?Sized>(&mut self, tools: &T) -> &mut Self {
        self.operation.tool_definitions = self.content(tools);
        self
    }

    /// JSON text, unless nobody keeps it. A value that JSON cannot express says so in its place: telemetry fails nobody's call.
    fn content<T: Serialize + ?Sized>(&self, value: &T) -> Option<String> {
        let said = |error: serde_json::Error| Value::String(format!("[not captured: {error}]")).to_string();
        self.producer.keeps_content().then(|| serde_json::to_string(value).unwrap_or_else(said))
    }

    /// The request leaves now: what was before is time in a queue. It stays part of the latency.
    pub fn sent(&mut self) -> &mut Self {
        self.watch.note_sent(Instant::now());
        self
    }

    /// Where the calls that this operation makes belong: children of its span, in its trace, session and so on.
    ///
    /// For an agent or a tool: `agent.context().scope(…)`. Without a trace it begins one.
    pub fn context(&mut self) -> Context {
        let at = self.operation.started_at.to_millis();
        let trace_id = self.operation.trace_id.get_or_insert_with(|| trace::new_trace_id(at)).clone();
        let span_id = self.operation.span_id.get_or_insert_with(|| trace::new_span_id(at)).clone();
        Context::of(&self.operation).trace_id(trace_id).parent_span_id(span_id)
    }
}

/// What is answered, and when.
impl OperationGuard {
    /// The first token is there; later calls change nothing. The time to it and the time from it to the end are recorded, and
    /// the answer counts as streamed.
    pub fn first_token(&mut self) -> &mut Self {
        self.watch.note_first_token(Instant::now());
        self.operation.stream.get_or_insert(true);
        self
    }

    /// The answer is complete: what comes before the outcome is no longer part of the latency. Later calls change nothing.
    pub fn answered(&mut self) -> &mut Self {
        self.watch.note_answered(Instant::now());
        self
    }

    /// Content: sets the answer's messages, as OpenTelemetry's `gen_ai.output.messages` or as the provider gives them.
    pub fn response<T: Serialize + ?Sized>(&mut self, messages: &T) -> &mut Self {
        self.operation.output_messages = self.content(messages);
        self
    }

    /// Sets everything in the prompt, cached or not, tokens.
    pub fn input_tokens(&mut self, tokens: u64) -> &mut Self {
        self.operation.input_tokens = i64::try_from(tokens).ok();
        self
    }

    /// Sets everything generated, reasoning included, tokens.
    pub fn output_tokens(&mut self, tokens: u64) -> &mut Self {
        self.operation.output_tokens = i64::try_from(tokens).ok();
        self
    }

    /// Takes the counts from the provider's answer, or from its usage object; see [`ProviderUsage`]. Of an answer also its
    /// id, model and service tier, nothing of its content.
    ///
    /// # Errors
    /// When no counts can be derived. The operation is as it was, and its guard goes on.
    pub fn provider_usage(&mut self, answer: &Value) -> Result<&mut Self, UsageError> {
        ProviderUsage::from_json(self.operation.provider.as_deref(), answer)?.apply_to(&mut self.operation);
        Ok(self)
    }

    /// As [`provider_usage`](Self::provider_usage), of JSON text.
    ///
    /// # Errors
    /// When it is no JSON, and those of [`provider_usage`](Self::provider_usage).
    pub fn provider_usage_text(&mut self, answer: &str) -> Result<&mut Self, UsageError> {
        ProviderUsage::parse(self.operation.provider.as_deref(), answer)?.apply_to(&mut self.operation);
        Ok(self)
    }

    /// Takes the data of a stream's next event, for the usage that one of them holds. Nothing of the content is kept; which
    /// event brings the [first token](Self::first_token) is the caller's to say.
    ///
    /// # Errors
    /// When it is no JSON object, or its usage is none. What was taken before stays.
    pub fn stream_event(&mut self, data: &str) -> Result<&mut Self, UsageError> {
        self.operation.stream.get_or_insert(true);
        let provider = self.operation.provider.as_deref();
        self.stream.get_or_insert_with(|| StreamUsage::new(provider)).push(data)?;
        Ok(self)
    }
}

/// How it ends.
impl OperationGuard {
    /// Records the operation as succeeded. An empty answer is a success.
    pub fn success(mut self) {
        self.settle(None);
    }

    /// Records the operation as failed.
    pub fn fail(mut self, failure: impl Into<Failure>) {
        self.settle(Some(failure.into()));
    }

    /// Records the operation by the result of the call.
    pub fn finish<T, E: std::error::Error>(mut self, result: &Result<T, E>) {
        self.settle(result.as_ref().err().map(Failure::from));
    }

    /// Records this attempt as failed and begins the next one of the same request, now: same call, provider, model and
    /// content, an id, times and an outcome of its own.
    pub fn retry(mut self, failure: impl Into<Failure>) -> Self {
        let operation = &mut self.operation;
        let attempts = self.attempts.take().unwrap_or_else(|| Attempts::begun_with(operation));
        let again = asked_again(operation, UtcMicros::now());
        self.settle(Some(failure.into()));
        let mut next = self.producer.guard(again);
        next.attempt_of(&attempts);
        next
    }

    /// Records nothing, as for a call that a cache made unnecessary. Returns the operation as far as it is known.
    pub fn discard(mut self) -> Operation {
        self.settled = true;
        mem::take(&mut self.operation)
    }

    fn settle(&mut self, failure: Option<Failure>) {
        self.settled = true;
        let mut operation = mem::take(&mut self.operation);
        self.watch.write(&mut operation, Instant::now());
        // A stream that broke off, or was not asked for its usage, leaves the counts unknown.
        if let Some(usage) = self.stream.take().and_then(|stream| stream.finish().ok()) {
            usage.apply_to(&mut operation);
        }
        match failure {
            Some(failure) => failure.write(&mut operation),
            None => operation.success = true,
        }
        self.producer.record(operation);
    }
}

impl Drop for OperationGuard {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let failure = if thread::panicking() && !self.began_in_panic {
            Failure::new(PANICKED).message("the thread panicked during the operation")
        } else {
            Failure::new(ABANDONED).message("the task was cancelled, or returned without an outcome of the operation")
        };
        self.settle(Some(failure));
    }
}

#[cfg(test)]
mod tests;
