//! The operation: one LLM call, embedding or tool call, as applications hand it over.
//!
//! The fields are those of `avro/operation.v1.avsc`, in its order; in JSON they have the same names, except that the
//! reported cost is `reported_cost_usd`, a decimal. Counts are canonical: `input_tokens` is everything in the prompt,
//! `output_tokens` everything generated, and the others are parts of them. What may be accepted is said in
//! [`crate::validate`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{NanoUsd, OperationId, UtcMicros, UtcMillis};

/// Workspace of operations that name none.
pub const DEFAULT_WORKSPACE: &str = "default";

/// One operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Operation {
    /// UUIDv7 layout, 16 bytes big-endian; minted once when the operation starts. Only re-sends of the same record keep it. Its first 48 bits are Unix milliseconds, UTC.
    pub operation_id: OperationId,
    /// The tenant. 1 to 255 bytes.
    pub workspace: String,
    /// Links the attempts of one retried call: each attempt is an operation of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// 1-based number of this attempt within `call_id`.
    pub attempt: i32,
    /// W3C trace id, 32 lower-case hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// W3C span id, 16 lower-case hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    /// W3C span id of the parent, 16 lower-case hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_span_id: Option<String>,
    /// Id that the provider gave its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_id: Option<String>,
    /// Names the producer instance that sent the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub producer_id: Option<String>,
    /// Counts the records of `producer_id` from 0; a gap is a loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub producer_seq: Option<i64>,
    /// Dimension chosen by the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Dimension chosen by the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Deployment environment, such as production.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Name of the service that made the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Conversation or session; also the record's Kafka key when present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// End user on whose behalf the call was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Agent that made the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// Human-readable name of the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_name: Option<String>,
    /// Step or action of the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_id: Option<String>,
    /// OpenTelemetry `gen_ai.operation.name`: chat, `text_completion`, embeddings, `execute_tool`, `invoke_agent`, retrieval or another name.
    pub operation_type: String,
    /// The type as the source named it, when it differs from `operation_type` (such as `acompletion.tool_call`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_type: Option<String>,
    /// OpenTelemetry `gen_ai.provider.name`, such as openai or `gcp.gemini`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Model as requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Model as the answer names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_model: Option<String>,
    /// Host or path that was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Service tier of the answer, such as default, flex or priority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// realtime or batch; null is realtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processing: Option<String>,
    /// Whether the answer was streamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// Sampling temperature of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Token limit of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<i64>,
    /// Other request parameters, a JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_parameters: Option<String>,
    /// When the operation started, Unix microseconds, UTC.
    pub started_at: UtcMicros,
    /// Total duration in microseconds from a monotonic clock; null if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<i64>,
    /// Time in a queue before the request was sent, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_us: Option<i64>,
    /// Time to the first token, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft_us: Option<i64>,
    /// Time from the first to the last token, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation_us: Option<i64>,
    /// No error occurred. An empty answer is a success.
    pub success: bool,
    /// Provider error code or exception class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// Error text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// HTTP status of the provider's answer, 100 to 599.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<i32>,
    /// One reason for each choice of the answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub finish_reasons: Vec<String>,
    /// Everything in the prompt, cache reads and writes included; null if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_tokens: Option<i64>,
    /// Part of `input_tokens` read from a cache.
    pub cache_read_tokens: i64,
    /// Part of `input_tokens` written to a cache at standard retention (5 or 30 minutes).
    pub cache_write_tokens: i64,
    /// Part of `input_tokens` written to a cache at long retention; not in `cache_write_tokens`.
    pub cache_write_1h_tokens: i64,
    /// Everything generated, reasoning included; null if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<i64>,
    /// Part of `output_tokens` spent on reasoning.
    pub reasoning_tokens: i64,
    /// Part of `input_tokens` that is audio.
    pub input_audio_tokens: i64,
    /// Part of `output_tokens` that is audio.
    pub output_audio_tokens: i64,
    /// Part of `input_tokens` that is images.
    pub input_image_tokens: i64,
    /// Part of `output_tokens` that is images.
    pub output_image_tokens: i64,
    /// Web searches billed with the operation.
    pub web_searches: i64,
    /// Other billable units, a JSON object of name to count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billable_units: Option<String>,
    /// Cost that the provider or producer reported, kept apart from the computed cost. In JSON a decimal, USD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_cost_usd: Option<NanoUsd>,
    /// Content: system prompt, text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// Content: request messages, JSON in the shape of `gen_ai.input.messages`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_messages: Option<String>,
    /// Content: answer messages, JSON in the shape of `gen_ai.output.messages`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_messages: Option<String>,
    /// Content: tool definitions, JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_definitions: Option<String>,
    /// Content was cut by the producer.
    pub content_truncated: bool,
    /// Content was redacted by the producer.
    pub content_redacted: bool,
    /// Free string tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Anything else, a JSON object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
}

impl Operation {
    /// An operation of this type that starts at `at`, with a new id and nothing else known.
    pub fn starting(operation_type: &str, at: UtcMicros) -> Self {
        Self {
            operation_id: OperationId::generate(at.to_millis()),
            operation_type: operation_type.to_owned(),
            started_at: at,
            ..Self::default()
        }
    }

    /// The one time of the operation, from its id: windows, files, partitions and retention use it.
    pub fn time(&self) -> UtcMillis {
        self.operation_id.time()
    }

    /// Whether the operation carries prompts, messages or tool definitions.
    pub fn has_content(&self) -> bool {
        self.system_prompt.is_some()
            || self.input_messages.is_some()
            || self.output_messages.is_some()
            || self.tool_definitions.is_some()
    }
}

impl Default for Operation {
    /// A successful first attempt of a chat in the default workspace, with the zero id: set `operation_id` and
    /// `started_at` before it is recorded.
    #[expect(clippy::too_many_lines, reason = "one line for each field")]
    fn default() -> Self {
        Self {
            operation_id: OperationId::MIN,
            workspace: DEFAULT_WORKSPACE.to_owned(),
            call_id: None,
            attempt: 1,
            trace_id: None,
            span_id: None,
            parent_span_id: None,
            response_id: None,
            producer_id: None,
            producer_seq: None,
            project: None,
            team: None,
            environment: None,
            service: None,
            session_id: None,
            user_id: None,
            agent_id: None,
            agent_name: None,
            action_id: None,
            operation_type: "chat".to_owned(),
            source_type: None,
            provider: None,
            model: None,
            response_model: None,
            endpoint: None,
            service_tier: None,
            processing: None,
            stream: None,
            temperature: None,
            max_tokens: None,
            request_parameters: None,
            started_at: UtcMicros::default(),
            latency_us: None,
            queue_us: None,
            ttft_us: None,
            generation_us: None,
            success: true,
            error_type: None,
            error_message: None,
            http_status: None,
            finish_reasons: Vec::new(),
            input_tokens: None,
            cache_read_tokens: 0,
            cache_write_tokens: 0,
            cache_write_1h_tokens: 0,
            output_tokens: None,
            reasoning_tokens: 0,
            input_audio_tokens: 0,
            output_audio_tokens: 0,
            input_image_tokens: 0,
            output_image_tokens: 0,
            web_searches: 0,
            billable_units: None,
            reported_cost_usd: None,
            system_prompt: None,
            input_messages: None,
            output_messages: None,
            tool_definitions: None,
            content_truncated: false,
            content_redacted: false,
            tags: BTreeMap::new(),
            metadata: None,
        }
    }
}
