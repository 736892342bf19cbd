//! OpenTelemetry's semantic conventions for generative AI: up to 1.36 (`gen_ai.system`), 1.37 to 1.41, and the development version
//! after them (`cache_write`). Sources: the registry of semantic-conventions 1.41.1 and of semantic-conventions-genai.

use super::{Entry, Meaning, Series};

/// Names in order of precedence.
pub(super) const NAMES: &[Entry] = &[
    (Meaning::OperationName, &["gen_ai.operation.name"]),
    (Meaning::Session, &["gen_ai.conversation.id", "session.id"]),
    (Meaning::User, &["user.id", "enduser.id"]),
    (Meaning::AgentId, &["gen_ai.agent.id"]),
    (Meaning::AgentName, &["gen_ai.agent.name"]),
    (Meaning::Action, &["gen_ai.tool.name", "gen_ai.prompt.name", "gen_ai.workflow.name"]),
    (Meaning::Workspace, &["service.namespace"]),
    (Meaning::Service, &["service.name"]),
    (Meaning::Environment, &["deployment.environment.name", "deployment.environment"]),
    (Meaning::Provider, &["gen_ai.provider.name", "gen_ai.system"]),
    (Meaning::Model, &["gen_ai.request.model"]),
    (Meaning::ResponseModel, &["gen_ai.response.model"]),
    (Meaning::ResponseId, &["gen_ai.response.id"]),
    (
        Meaning::ServiceTier,
        &[
            "openai.response.service_tier",
            "openai.request.service_tier",
            "gen_ai.openai.response.service_tier",
            "gen_ai.openai.request.service_tier",
        ],
    ),
    (Meaning::Endpoint, &["server.address"]),
    (Meaning::Stream, &["gen_ai.request.stream"]),
    (Meaning::Temperature, &["gen_ai.request.temperature"]),
    (Meaning::MaxTokens, &["gen_ai.request.max_tokens"]),
    (Meaning::TimeToFirstSeconds, &["gen_ai.response.time_to_first_chunk"]),
    (Meaning::FinishReasons, &["gen_ai.response.finish_reasons"]),
    (Meaning::ErrorType, &["error.type", "exception.type"]),
    (Meaning::ErrorMessage, &["error.message", "exception.message"]),
    (Meaning::HttpStatus, &["http.response.status_code", "http.status_code"]),
    (Meaning::InputTokens, &["gen_ai.usage.input_tokens"]),
    (Meaning::OutputTokens, &["gen_ai.usage.output_tokens"]),
    (Meaning::CacheReadTokens, &["gen_ai.usage.cache_read.input_tokens"]),
    (Meaning::CacheWriteTokens, &["gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens"]),
    (Meaning::ReasoningTokens, &["gen_ai.usage.reasoning.output_tokens"]),
    (Meaning::InputAudioTokens, &["gen_ai.usage.audio.input_tokens"]),
    (Meaning::OutputAudioTokens, &["gen_ai.usage.audio.output_tokens"]),
    (Meaning::InputImageTokens, &["gen_ai.usage.image.input_tokens"]),
    (Meaning::OutputImageTokens, &["gen_ai.usage.image.output_tokens"]),
    (Meaning::SystemPrompt, &["gen_ai.system_instructions"]),
    (Meaning::InputMessages, &["gen_ai.input.messages"]),
    (Meaning::OutputMessages, &["gen_ai.output.messages"]),
    (Meaning::ToolDefinitions, &["gen_ai.tool.definitions"]),
    (Meaning::InputText, &["gen_ai.tool.call.arguments", "gen_ai.retrieval.query.text", "gen_ai.memory.query.text"]),
    (Meaning::OutputText, &["gen_ai.tool.call.result", "gen_ai.retrieval.documents"]),
];

/// Beginnings of names that have no line of their own.
pub(super) const SERIES: &[(Series, &str)] = &[(Series::RequestParameter, "gen_ai.request.")];
