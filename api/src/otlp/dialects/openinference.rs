//! `OpenInference`, as Phoenix and its instrumentations write it. Source: openinference-semantic-conventions 0.1.32.

use super::{Entry, Meaning, Series};

/// Names in order of precedence.
pub(super) const NAMES: &[Entry] = &[
    (Meaning::SpanKind, &["openinference.span.kind"]),
    (Meaning::Project, &["openinference.project.name"]),
    (Meaning::AgentName, &["agent.name", "graph.node.name"]),
    (Meaning::AgentId, &["graph.node.id"]),
    (Meaning::Action, &["tool.name", "prompt.id"]),
    (Meaning::Provider, &["llm.provider", "llm.system"]),
    (Meaning::Model, &["llm.request.model_name", "llm.model_name", "embedding.model_name", "reranker.model_name"]),
    (Meaning::ResponseModel, &["llm.response.model_name"]),
    (Meaning::InvocationParameters, &["llm.invocation_parameters", "embedding.invocation_parameters"]),
    (Meaning::FinishReasons, &["llm.finish_reason"]),
    (Meaning::InputTokens, &["llm.token_count.prompt"]),
    (Meaning::OutputTokens, &["llm.token_count.completion"]),
    (Meaning::TotalTokens, &["llm.token_count.total"]),
    (
        Meaning::CacheReadTokens,
        &["llm.token_count.prompt_details.cache_read", "llm.token_count.prompt_details.cache_input"],
    ),
    (Meaning::CacheWriteTokens, &["llm.token_count.prompt_details.cache_write"]),
    (Meaning::ReasoningTokens, &["llm.token_count.completion_details.reasoning"]),
    (Meaning::InputAudioTokens, &["llm.token_count.prompt_details.audio"]),
    (Meaning::OutputAudioTokens, &["llm.token_count.completion_details.audio"]),
    (Meaning::ReportedCost, &["llm.cost.total"]),
    (Meaning::InputText, &["reranker.query", "input.value", "embedding.text", "tool.parameters"]),
    (Meaning::OutputText, &["output.value"]),
    (Meaning::Nothing, &["input.mime_type", "output.mime_type"]),
    (Meaning::Tags, &["tag.tags"]),
    (Meaning::Metadata, &["metadata"]),
];

/// Beginnings of names that repeat with a number.
pub(super) const SERIES: &[(Series, &str)] = &[
    (Series::InferenceInput, "llm.input_messages."),
    (Series::InferenceOutput, "llm.output_messages."),
    (Series::InferenceTools, "llm.tools."),
    (Series::Embeddings, "embedding.embeddings."),
    (Series::DocumentsFound, "retrieval.documents."),
    (Series::DocumentsToRank, "reranker.input_documents."),
    (Series::DocumentsRanked, "reranker.output_documents."),
    (Series::PlainPrompts, "llm.prompts."),
    (Series::PlainCompletions, "llm.choices."),
];
