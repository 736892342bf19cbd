//! Tells from its keys who counted: providers speak each other's dialects, and gateways all of them.

use serde_json::{Map, Value};

/// The dialect of a usage object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UsageShape {
    /// Chat completions and embeddings of OpenAI, and of all who speak its language: Azure, OpenRouter, xAI, DeepSeek, Mistral,
    /// Groq, Perplexity, Moonshot, gateways.
    OpenAiChat,
    /// OpenAI's responses, images, transcriptions and realtime; xAI's responses.
    OpenAiResponses,
    /// Anthropic's messages, also through Bedrock's invoke and Vertex.
    Anthropic,
    /// Bedrock's converse, and the invocation of Amazon's own models.
    BedrockConverse,
    /// `usageMetadata` of Gemini and Vertex.
    Gemini,
    /// Gemini's interactions.
    GeminiInteractions,
    /// Cohere's chat, embed, rerank and classify.
    Cohere,
}

impl UsageShape {
    /// Every shape.
    pub const ALL: [Self; 7] = [
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::Anthropic,
        Self::BedrockConverse,
        Self::Gemini,
        Self::GeminiInteractions,
        Self::Cohere,
    ];

    /// Its name in messages, such as `openai_chat`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::OpenAiResponses => "openai_responses",
            Self::Anthropic => "anthropic",
            Self::BedrockConverse => "bedrock_converse",
            Self::Gemini => "gemini",
            Self::GeminiInteractions => "gemini_interactions",
            Self::Cohere => "cohere",
        }
    }

    /// Keys of which one is enough.
    pub(super) const fn telling_keys(self) -> &'static [&'static str] {
        match self {
            Self::OpenAiChat => &["prompt_tokens", "completion_tokens"],
            Self::OpenAiResponses | Self::Anthropic => &["input_tokens", "output_tokens"],
            Self::BedrockConverse => &["inputTokens", "outputTokens"],
            Self::Gemini => &[
                "promptTokenCount",
                "candidatesTokenCount",
                "totalTokenCount",
                "prompt_token_count",
                "candidates_token_count",
                "total_token_count",
            ],
            Self::GeminiInteractions => {
                &["total_input_tokens", "total_output_tokens", "totalInputTokens", "totalOutputTokens"]
            }
            Self::Cohere => &["billed_units", "tokens"],
        }
    }

    /// The shape of a usage object, or none of those that are known. `provider` is its canonical name; it decides where
    /// the keys do not.
    pub(super) fn recognise(provider: Option<&str>, usage: &Map<String, Value>) -> Option<Self> {
        // Some gateways send the keys of two dialects; those of chat completions are then the ones that they fill.
        let by_key = [Self::OpenAiChat, Self::Gemini, Self::GeminiInteractions, Self::BedrockConverse];
        if let Some(shape) = by_key.into_iter().find(|shape| has_any(usage, shape.telling_keys())) {
            return Some(shape);
        }
        if Self::Cohere.telling_keys().iter().any(|key| usage.get(*key).is_some_and(Value::is_object)) {
            return Some(Self::Cohere);
        }
        if usage.get("type").is_some_and(|kind| kind == "duration") {
            return Some(Self::OpenAiResponses);
        }
        if !has_any(usage, Self::Anthropic.telling_keys()) {
            return None;
        }
        Some(if is_anthropic(provider, usage) { Self::Anthropic } else { Self::OpenAiResponses })
    }
}

/// Keys that only Anthropic has.
const ANTHROPIC_KEYS: [&str; 7] = [
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
    "server_tool_use",
    "inference_geo",
    "speed",
    "iterations",
];

/// Keys of OpenAI's responses, and of those who speak their language, that Anthropic does not have.
const RESPONSES_KEYS: [&str; 3] = ["input_tokens_details", "input_token_details", "output_token_details"];

fn is_anthropic(provider: Option<&str>, usage: &Map<String, Value>) -> bool {
    if has_any(usage, &RESPONSES_KEYS) {
        return false;
    }
    let has_thinking =
        usage.get("output_tokens_details").is_some_and(|details| details.get("thinking_tokens").is_some());
    // Two counts and nothing else mean the same in both.
    let speaks_anthropic = matches!(provider, Some("anthropic" | "aws.bedrock" | "gcp.vertex_ai"));
    speaks_anthropic || has_thinking || has_any(usage, &ANTHROPIC_KEYS)
}

fn has_any(usage: &Map<String, Value>, keys: &[&str]) -> bool {
    keys.iter().any(|key| usage.contains_key(*key))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn assert_shape(provider: Option<&str>, usage: &Value, shape: Option<UsageShape>) {
        assert_eq!(UsageShape::recognise(provider, usage.as_object().unwrap()), shape, "{usage}");
    }

    #[test]
    fn keys_decide_whoever_the_provider_is() {
        use UsageShape::{Anthropic, BedrockConverse, Cohere, Gemini, GeminiInteractions, OpenAiChat, OpenAiResponses};
        for provider in [None, Some("openai"), Some("anthropic"), Some("openrouter"), Some("gcp.vertex_ai")] {
            for (usage, shape) in [
                (json!({"prompt_tokens": 1}), OpenAiChat),
                (json!({"completion_tokens": null}), OpenAiChat),
                (json!({"input_tokens": 1, "prompt_tokens": 1, "cache_read_input_tokens": 0}), OpenAiChat),
                (json!({"input_tokens": 1, "output_tokens": 1, "output_token_details": {}}), OpenAiResponses),
                (json!({"input_tokens": 1, "input_tokens_details": {"cached_tokens": 0}}), OpenAiResponses),
                (json!({"type": "duration", "seconds": 4}), OpenAiResponses),
                (json!({"input_tokens": 1, "cache_read_input_tokens": null}), Anthropic),
                (json!({"output_tokens": 1, "server_tool_use": null}), Anthropic),
                (json!({"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}), Anthropic),
                (json!({"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}), BedrockConverse),
                (json!({"promptTokenCount": 1}), Gemini),
                (json!({"prompt_token_count": 1}), Gemini),
                (json!({"total_input_tokens": 1, "total_tokens": 1}), GeminiInteractions),
                (json!({"billed_units": {"search_units": 1}}), Cohere),
                (json!({"tokens": {"input_tokens": 1}}), Cohere),
            ] {
                assert_shape(provider, &usage, Some(shape));
            }
        }
    }

    #[test]
    fn the_provider_decides_where_the_keys_do_not() {
        let bare = json!({"input_tokens": 1, "output_tokens": 2});
        for (provider, shape) in [
            (None, UsageShape::OpenAiResponses),
            (Some("openai"), UsageShape::OpenAiResponses),
            (Some("x_ai"), UsageShape::OpenAiResponses),
            (Some("anthropic"), UsageShape::Anthropic),
            (Some("aws.bedrock"), UsageShape::Anthropic),
            (Some("gcp.vertex_ai"), UsageShape::Anthropic),
        ] {
            assert_shape(provider, &bare, Some(shape));
        }
    }

    #[test]
    fn other_objects_have_no_shape() {
        for usage in [json!({}), json!({"total_tokens": 1}), json!({"tokens": 5}), json!({"type": "ping"})] {
            assert_shape(Some("openai"), &usage, None);
        }
    }
}
