//! The dialects that spans are written in, each a table of attribute names and what they mean here.
//!
//! A name belongs to one [`Meaning`] and has a rank among those that say the same: the lowest rank that is present wins, the current
//! names of OpenTelemetry before its older ones, then `OpenInference`, then `OpenLLMetry`. Names that repeat with a number
//! (`llm.input_messages.0.message.role`) are told by their beginning.

mod openinference;
mod openllmetry;
mod opentelemetry;
mod own;

use std::collections::HashMap;
use std::sync::LazyLock;

/// What an attribute says about an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub(super) enum Meaning {
    // Which kind of span it is.
    OperationName,
    SpanKind,
    RequestType,
    EntityKind,
    // Who.
    Session,
    User,
    AgentId,
    AgentName,
    Action,
    /// The name of whatever the span is: an agent, a tool, a task.
    EntityName,
    Workspace,
    Project,
    Team,
    Environment,
    Service,
    /// Links the attempts of a retried call.
    Call,
    Attempt,
    // What.
    Provider,
    Model,
    ResponseModel,
    ResponseId,
    ServiceTier,
    Endpoint,
    Stream,
    Temperature,
    MaxTokens,
    /// All parameters of the request as one JSON object.
    InvocationParameters,
    // How it ended.
    TimeToFirstSeconds,
    FinishReasons,
    ErrorType,
    ErrorMessage,
    HttpStatus,
    // Counts.
    InputTokens,
    OutputTokens,
    TotalTokens,
    CacheReadTokens,
    CacheWriteTokens,
    ReasoningTokens,
    InputAudioTokens,
    OutputAudioTokens,
    InputImageTokens,
    OutputImageTokens,
    ReportedCost,
    // Content.
    SystemPrompt,
    InputMessages,
    OutputMessages,
    InputText,
    OutputText,
    ToolDefinitions,
    // Open ends.
    Tags,
    Metadata,
    /// Says nothing that is not said elsewhere.
    Nothing,
}

impl Meaning {
    /// Whether any text may stand there: content, and what is open to anything.
    pub(super) const fn is_open(self) -> bool {
        matches!(
            self,
            Self::InvocationParameters
                | Self::SystemPrompt
                | Self::InputMessages
                | Self::OutputMessages
                | Self::InputText
                | Self::OutputText
                | Self::ToolDefinitions
                | Self::Tags
                | Self::Metadata
                | Self::Nothing
        )
    }
}

/// How many meanings there are.
pub(super) const MEANINGS: usize = Meaning::Nothing as usize + 1;

/// What a name that repeats with numbers belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Series {
    /// `llm.input_messages.0.message.role`
    InferenceInput,
    /// `llm.output_messages.0.message.role`
    InferenceOutput,
    /// `llm.tools.0.tool.json_schema`
    InferenceTools,
    /// `embedding.embeddings.0.embedding.text`, and vectors
    Embeddings,
    /// `retrieval.documents.0.document.content`
    DocumentsFound,
    /// `reranker.input_documents.0.document.content`
    DocumentsToRank,
    /// `reranker.output_documents.0.document.content`
    DocumentsRanked,
    /// `llm.prompts.0.prompt.text`
    PlainPrompts,
    /// `llm.choices.0.completion.text`
    PlainCompletions,
    /// `gen_ai.prompt.0.role`
    Prompt,
    /// `gen_ai.completion.0.role`
    Completion,
    /// `llm.request.functions.0.name`
    Functions,
    /// `traceloop.association.properties.team`: a tag, unless the property has a home.
    Association,
    /// `gen_ai.request.top_p`: a parameter of the request.
    RequestParameter,
    /// `llm.top_k`: the same in older spans.
    OldRequestParameter,
}

/// A line of a dialect's table.
pub(super) type Entry = (Meaning, &'static [&'static str]);

/// What a name means, and its rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) meaning: Meaning,
    pub(super) rank: u8,
}

/// Every name of every dialect. The order of the dialects is that of their ranks.
static NAMES: LazyLock<HashMap<&'static str, Known, foldhash::fast::FixedState>> = LazyLock::new(|| {
    let mut names = HashMap::default();
    let mut ranks = [0_u8; MEANINGS];
    for (meaning, of_meaning) in
        [own::NAMES, opentelemetry::NAMES, openinference::NAMES, openllmetry::NAMES].into_iter().flatten()
    {
        for name in *of_meaning {
            let rank = &mut ranks[*meaning as usize];
            names.entry(*name).or_insert(Known { meaning: *meaning, rank: *rank });
            *rank += 1;
        }
    }
    names
});

/// What a name means; none for one that is in no table.
pub(super) fn known(name: &str) -> Option<Known> {
    NAMES.get(name).copied()
}

/// The series that a name belongs to, and what is behind its beginning.
pub(super) fn series(name: &str) -> Option<(Series, &str)> {
    [opentelemetry::SERIES, openinference::SERIES, openllmetry::SERIES]
        .into_iter()
        .flatten()
        .find_map(|(series, beginning)| Some((*series, name.strip_prefix(beginning)?)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_name_has_two_meanings() {
        let mut seen = HashSet::new();
        for (_, names) in
            [own::NAMES, opentelemetry::NAMES, openinference::NAMES, openllmetry::NAMES].into_iter().flatten()
        {
            for name in *names {
                assert!(seen.insert(name), "{name}");
            }
        }
    }

    #[test]
    fn newer_names_win() {
        let rank = |name| known(name).unwrap().rank;
        assert!(rank("gen_ai.usage.cache_write.input_tokens") < rank("gen_ai.usage.cache_creation.input_tokens"));
        assert!(rank("gen_ai.provider.name") < rank("gen_ai.system"));
        assert!(rank("gen_ai.usage.input_tokens") < rank("llm.token_count.prompt"));
        assert!(rank("llm.token_count.prompt") < rank("gen_ai.usage.prompt_tokens"));
        assert_eq!(known("gen_ai.usage.input_tokens").unwrap().rank, 0);
    }

    #[test]
    fn series_are_told_by_their_beginning() {
        assert_eq!(series("gen_ai.prompt.0.role"), Some((Series::Prompt, "0.role")));
        assert_eq!(series("gen_ai.request.top_p"), Some((Series::RequestParameter, "top_p")));
        assert_eq!(series("gen_ai.prompt"), None);
    }
}
