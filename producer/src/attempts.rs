//! Attempts: several operations that are one call to whoever made it, linked by `call_id` and numbered from 1.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use opstream_schemas::{Operation, OperationId, UtcMicros};

use crate::trace;

/// One call that is made until it succeeds. Each attempt is an operation of its own, with its own time, cost and outcome.
///
/// [`OperationGuard::retry`](crate::OperationGuard::retry) needs none of it; this is for attempts that begin in different places
/// or at the same time. Clones count together.
///
/// ```
/// use opstream_producer::{Attempts, Failure, Producer, Sink};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("operations.jsonl");
/// let producer = Producer::start(Sink::JsonLines { file, producer_id: None })?;
/// let attempts = Attempts::new();
/// let mut first = producer.chat("openai", "gpt-5-mini");
/// first.attempt_of(&attempts);
/// let mut hedge = producer.chat("anthropic", "claude-haiku-5-5");
/// hedge.attempt_of(&attempts);
/// first.fail(Failure::new("timeout"));
/// hedge.success();
/// # assert_eq!(producer.close(std::time::Duration::from_secs(5)).await.sent, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Attempts {
    call_id: Arc<str>,
    begun: Arc<AtomicI32>,
}

impl Attempts {
    /// A new call without attempts.
    pub fn new() -> Self {
        Self::of_call(OperationId::generate(UtcMicros::now().to_millis()).to_string())
    }

    /// A call that has an id already, such as an idempotency key; 1 to 1,024 bytes, unique within the workspace.
    pub fn of_call(call_id: impl Into<String>) -> Self {
        Self { call_id: call_id.into().into(), begun: Arc::default() }
    }

    /// What links the attempts.
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// Attempts that have begun.
    pub fn begun(&self) -> u32 {
        u32::try_from(self.begun.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Makes the operation the next attempt.
    pub(crate) fn number(&self, operation: &mut Operation) {
        operation.call_id = Some(self.call_id.to_string());
        operation.attempt = self.begun.fetch_add(1, Ordering::Relaxed).saturating_add(1);
    }

    /// The call of an operation that was not known to be retried. It gets an id if it has none.
    pub(crate) fn begun_with(operation: &mut Operation) -> Self {
        let call_id = operation.call_id.get_or_insert_with(|| operation.operation_id.to_string());
        Self { call_id: call_id.as_str().into(), begun: Arc::new(AtomicI32::new(operation.attempt)) }
    }
}

impl Default for Attempts {
    fn default() -> Self {
        Self::new()
    }
}

/// The same request once more, at `at`: everything that was asked, nothing that was answered.
pub(crate) fn asked_again(operation: &Operation, at: UtcMicros) -> Operation {
    let asked = operation.clone();
    let new_span_id = |_| trace::new_span_id(at.to_millis());
    Operation {
        workspace: asked.workspace,
        call_id: asked.call_id,
        attempt: asked.attempt,
        trace_id: asked.trace_id,
        span_id: asked.span_id.map(new_span_id),
        parent_span_id: asked.parent_span_id,
        project: asked.project,
        team: asked.team,
        environment: asked.environment,
        service: asked.service,
        session_id: asked.session_id,
        user_id: asked.user_id,
        agent_id: asked.agent_id,
        agent_name: asked.agent_name,
        action_id: asked.action_id,
        source_type: asked.source_type,
        provider: asked.provider,
        model: asked.model,
        endpoint: asked.endpoint,
        processing: asked.processing,
        stream: asked.stream,
        temperature: asked.temperature,
        max_tokens: asked.max_tokens,
        request_parameters: asked.request_parameters,
        system_prompt: asked.system_prompt,
        input_messages: asked.input_messages,
        tool_definitions: asked.tool_definitions,
        tags: asked.tags,
        metadata: asked.metadata,
        ..Operation::starting(&asked.operation_type, at)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Map, Value, json};

    use super::*;

    const NOW: UtcMicros = UtcMicros::from_micros(1_790_000_000_000_000);

    #[test]
    fn attempts_are_numbered_from_one_under_one_id() {
        let attempts = Attempts::of_call("call-1");
        let [mut first, mut second] = [Operation::default(), Operation::default()];
        attempts.number(&mut first);
        attempts.clone().number(&mut second);
        assert_eq!((first.call_id.as_deref(), first.attempt), (Some("call-1"), 1));
        assert_eq!((second.call_id.as_deref(), second.attempt), (Some("call-1"), 2));
        assert_eq!(attempts.begun(), 2);
        assert_ne!(Attempts::new().call_id(), Attempts::new().call_id());
    }

    #[test]
    fn an_operation_that_turns_out_to_be_retried_is_the_first_attempt() {
        let mut first = Operation::starting("chat", NOW);
        let attempts = Attempts::begun_with(&mut first);
        let mut second = asked_again(&first, NOW);
        attempts.number(&mut second);
        assert_eq!((first.attempt, second.attempt), (1, 2));
        assert!(first.call_id.is_some());
        assert_eq!(first.call_id, second.call_id);
    }

    /// An operation in which no field has its default.
    fn full() -> Operation {
        let mut operation = serde_json::to_value(Operation::starting("chat", NOW)).unwrap();
        let fields = operation.as_object_mut().unwrap();
        for field in fields.values_mut() {
            match field {
                Value::Bool(flag) => *flag = !*flag,
                Value::Number(number) => *number = (number.as_i64().unwrap() + 7).into(),
                _ => {}
            }
        }
        for text in opstream_schemas::validate::IDENTIFIERS {
            fields.insert(text.to_owned(), json!("given"));
        }
        let more = json!({"producer_seq": 1, "endpoint": "e", "stream": true, "temperature": 0.5, "max_tokens": 9,
            "request_parameters": "{}", "latency_us": 1, "queue_us": 1, "ttft_us": 1, "generation_us": 1,
            "error_message": "m", "http_status": 500, "finish_reasons": ["stop"], "input_tokens": 1, "output_tokens": 1,
            "billable_units": "{}", "reported_cost_usd": "0.1", "system_prompt": "s", "input_messages": "[]",
            "output_messages": "[]", "tool_definitions": "[]", "tags": {"a": "b"}, "metadata": "{}"});
        fields.extend(more.as_object().cloned().unwrap());
        serde_json::from_value(operation).unwrap()
    }

    fn fields_that_differ(one: &Operation, other: &Operation) -> BTreeSet<String> {
        let [one, other] = [one, other].map(|operation| serde_json::to_value(operation).unwrap());
        let [one, other]: [&Map<String, Value>; 2] = [&one, &other].map(|value| value.as_object().unwrap());
        one.keys().chain(other.keys()).filter(|key| one.get(*key) != other.get(*key)).cloned().collect()
    }

    #[test]
    fn what_is_asked_again_is_the_request_without_the_answer() {
        let later = UtcMicros::from_micros(NOW.micros() + 1_000_000);
        let again = asked_again(&full(), later);
        let forgotten = fields_that_differ(&full(), &again);
        let expected = [
            "operation_id",
            "span_id",
            "started_at", // the attempt's own
            "response_id",
            "producer_id",
            "producer_seq",
            "response_model",
            "service_tier",
            "latency_us",
            "queue_us",
            "ttft_us",
            "generation_us",
            "success",
            "error_type",
            "error_message",
            "http_status",
            "finish_reasons",
            "input_tokens",
            "cache_read_tokens",
            "cache_write_tokens",
            "cache_write_1h_tokens",
            "output_tokens",
            "reasoning_tokens",
            "input_audio_tokens",
            "output_audio_tokens",
            "input_image_tokens",
            "output_image_tokens",
            "web_searches",
            "billable_units",
            "reported_cost_usd",
            "output_messages",
            "content_truncated",
            "content_redacted",
        ];
        assert_eq!(forgotten, expected.map(str::to_owned).into());
        assert_eq!((again.started_at, again.time()), (later, later.to_millis()));
        assert!(again.span_id.is_some(), "a span of its own");
    }
}
