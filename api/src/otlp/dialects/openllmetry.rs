//! `OpenLLMetry` (Traceloop): its own names beside OpenTelemetry's, and the flat form that several of its instrumentations still write.
//! Sources: opentelemetry-semantic-conventions-ai 0.5.2 and the packages of the same release.

use super::{Entry, Meaning, Series};

/// Names in order of precedence.
pub(super) const NAMES: &[Entry] = &[
    (Meaning::RequestType, &["llm.request.type"]),
    (Meaning::EntityKind, &["traceloop.span.kind"]),
    (Meaning::Session, &["traceloop.association.properties.session_id"]),
    (Meaning::User, &["gen_ai.user", "llm.user", "traceloop.association.properties.user_id"]),
    (Meaning::EntityName, &["traceloop.entity.name", "traceloop.workflow.name"]),
    (Meaning::Action, &["traceloop.prompt.key"]),
    (Meaning::Stream, &["gen_ai.is_streaming", "llm.is_streaming"]),
    (Meaning::MaxTokens, &["gen_ai.request.max_completion_tokens"]),
    (
        Meaning::FinishReasons,
        &[
            "gen_ai.response.finish_reason",
            "gen_ai.response.stop_reason",
            "llm.response.finish_reason",
            "llm.response.stop_reason",
        ],
    ),
    (Meaning::InputTokens, &["gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens"]),
    (Meaning::OutputTokens, &["gen_ai.usage.completion_tokens", "llm.usage.completion_tokens"]),
    (Meaning::TotalTokens, &["gen_ai.usage.total_tokens", "llm.usage.total_tokens"]),
    (Meaning::CacheReadTokens, &["gen_ai.usage.cache_read_input_tokens"]),
    (Meaning::CacheWriteTokens, &["gen_ai.usage.cache_creation_input_tokens"]),
    (Meaning::ReasoningTokens, &["gen_ai.usage.reasoning_tokens", "llm.usage.reasoning_tokens"]),
    (Meaning::InputText, &["traceloop.entity.input", "gen_ai.prompt"]),
    (Meaning::OutputText, &["traceloop.entity.output", "gen_ai.completion"]),
    // Headers of the request: keys and cookies.
    (Meaning::Nothing, &["gen_ai.headers", "llm.headers"]),
];

/// Beginnings of names that repeat with a number or a key.
pub(super) const SERIES: &[(Series, &str)] = &[
    (Series::Prompt, "gen_ai.prompt."),
    (Series::Completion, "gen_ai.completion."),
    (Series::Functions, "llm.request.functions."),
    (Series::Association, "traceloop.association.properties."),
    (Series::OldRequestParameter, "llm.chat."),
];
