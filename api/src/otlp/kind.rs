//! What a span is: an operation of some kind, or only the surroundings of operations.

use std::borrow::Cow;

use super::dialects::Meaning;
use super::said::Said;

/// What counts as an operation, and what of it is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A call of a model: billed.
    Inference,
    /// An embedding: billed.
    Embedding,
    /// A reranking: billed.
    Rerank,
    /// A tool.
    Tool,
    /// A look into a store.
    Retrieval,
    /// An agent's run. The tokens that it reports are those of the calls within it, so they are not counted again.
    Agent,
    /// No operation: a workflow, a chain, a request of the application. Its session, user and names hold for what lies within.
    Surroundings,
}

impl Kind {
    /// Whether its tokens are its own.
    pub(super) const fn is_billed(self) -> bool {
        matches!(self, Self::Inference | Self::Embedding | Self::Rerank)
    }
}

/// The kind of a span, and OpenTelemetry's name of the operation.
pub(super) fn kind_of(said: &Said<'_, '_>) -> (Kind, Cow<'static, str>) {
    let named = |meaning| said.text(meaning).map(|name| name.to_ascii_lowercase());
    if let Some(name) = named(Meaning::OperationName) {
        return of_operation_name(said, name);
    }
    if let Some(kind) = named(Meaning::SpanKind) {
        return of_span_kind(&kind);
    }
    match named(Meaning::RequestType).as_deref() {
        Some("completion") => return (Kind::Inference, "text_completion".into()),
        Some("chat") => return (Kind::Inference, "chat".into()),
        Some("embedding") => return (Kind::Embedding, "embeddings".into()),
        Some("rerank") => return (Kind::Rerank, "rerank".into()),
        _ => {}
    }
    match named(Meaning::EntityKind).as_deref() {
        Some("tool") => return (Kind::Tool, "execute_tool".into()),
        Some("agent") => return (Kind::Agent, "invoke_agent".into()),
        Some("workflow" | "task") => return (Kind::Surroundings, "".into()),
        _ => {}
    }
    if is_call_of_a_model(said) { (Kind::Inference, "chat".into()) } else { (Kind::Surroundings, "".into()) }
}

fn of_operation_name(said: &Said<'_, '_>, name: String) -> (Kind, Cow<'static, str>) {
    let known = |kind, name: &'static str| (kind, Cow::Borrowed(name));
    match name.as_str() {
        "chat" => known(Kind::Inference, "chat"),
        "text_completion" | "completion" => known(Kind::Inference, "text_completion"),
        "generate_content" => known(Kind::Inference, "generate_content"),
        "embeddings" | "embedding" => known(Kind::Embedding, "embeddings"),
        "rerank" | "reranker" => known(Kind::Rerank, "rerank"),
        "execute_tool" => known(Kind::Tool, "execute_tool"),
        "retrieval" => known(Kind::Retrieval, "retrieval"),
        "search_memory" => known(Kind::Retrieval, "search_memory"),
        "invoke_agent" => known(Kind::Agent, "invoke_agent"),
        "create_agent" => known(Kind::Agent, "create_agent"),
        "plan" => known(Kind::Agent, "plan"),
        // `fetch_response` asks for an answer that another call has paid for.
        "invoke_workflow" | "fetch_response" => known(Kind::Surroundings, ""),
        _ if is_call_of_a_model(said) => (Kind::Inference, Cow::Owned(name)),
        _ => known(Kind::Surroundings, ""),
    }
}

fn of_span_kind(kind: &str) -> (Kind, Cow<'static, str>) {
    match kind {
        "llm" => (Kind::Inference, "chat".into()),
        "embedding" => (Kind::Embedding, "embeddings".into()),
        "reranker" => (Kind::Rerank, "rerank".into()),
        "retriever" => (Kind::Retrieval, "retrieval".into()),
        "tool" => (Kind::Tool, "execute_tool".into()),
        "agent" => (Kind::Agent, "invoke_agent".into()),
        _ => (Kind::Surroundings, "".into()),
    }
}

/// A span that does not say what it is, or says something new.
fn is_call_of_a_model(said: &Said<'_, '_>) -> bool {
    let has = |meaning| said.value(meaning).is_some();
    (has(Meaning::Model) || has(Meaning::ResponseModel)) && (has(Meaning::Provider) || has(Meaning::InputTokens))
}

#[cfg(test)]
mod tests {
    use super::super::model::{Attribute, Value};
    use super::*;

    fn kind(attributes: &[(&'static str, &'static str)]) -> (Kind, String) {
        let attributes: Vec<Attribute<'_>> = attributes
            .iter()
            .map(|(key, value)| Attribute { key: (*key).into(), value: Value::Text((*value).into()) })
            .collect();
        let (kind, name) = kind_of(&Said::of(&attributes));
        (kind, name.into_owned())
    }

    #[test]
    fn every_dialect_says_what_its_spans_are() {
        type Case = (&'static [(&'static str, &'static str)], Kind, &'static str);
        let cases: [Case; 14] = [
            (&[("gen_ai.operation.name", "chat")], Kind::Inference, "chat"),
            (&[("gen_ai.operation.name", "embeddings")], Kind::Embedding, "embeddings"),
            (&[("gen_ai.operation.name", "execute_tool")], Kind::Tool, "execute_tool"),
            (&[("gen_ai.operation.name", "invoke_agent")], Kind::Agent, "invoke_agent"),
            (&[("gen_ai.operation.name", "invoke_workflow")], Kind::Surroundings, ""),
            (&[("gen_ai.operation.name", "fetch_response"), ("gen_ai.request.model", "m")], Kind::Surroundings, ""),
            (
                &[
                    ("gen_ai.operation.name", "Transcription"),
                    ("gen_ai.request.model", "m"),
                    ("gen_ai.system", "openai"),
                ],
                Kind::Inference,
                "transcription",
            ),
            (&[("openinference.span.kind", "LLM")], Kind::Inference, "chat"),
            (&[("openinference.span.kind", "RETRIEVER")], Kind::Retrieval, "retrieval"),
            (&[("openinference.span.kind", "CHAIN"), ("llm.token_count.prompt", "9")], Kind::Surroundings, ""),
            (&[("llm.request.type", "rerank")], Kind::Rerank, "rerank"),
            (&[("traceloop.span.kind", "tool")], Kind::Tool, "execute_tool"),
            (&[("gen_ai.system", "Ollama"), ("gen_ai.request.model", "llama")], Kind::Inference, "chat"),
            (&[("http.request.method", "GET")], Kind::Surroundings, ""),
        ];
        for (attributes, expected, name) in cases {
            assert_eq!(kind(attributes), (expected, name.to_owned()), "{attributes:?}");
        }
    }
}
