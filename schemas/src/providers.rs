//! Provider names: OpenTelemetry's `gen_ai.provider.name`, and the other names under which the same providers arrive.
//!
//! In: a name from a producer, an import or a filter. Out: the one name that is stored, grouped and priced. A provider
//! that OpenTelemetry does not list keeps its own name in lower case; nothing is refused here.

use std::borrow::Cow;

/// The stored name of a provider: OpenTelemetry's where one exists.
///
/// Surrounding white space is dropped and ASCII letters are lower-cased (no further, so that SQL's `lower` agrees),
/// then aliases are replaced: `gemini` is `gcp.gemini`. Names without an alias pass through. Applying it twice changes
/// nothing.
pub fn canonical_provider(name: &str) -> Cow<'_, str> {
    let trimmed = name.trim();
    let lower = if trimmed.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(trimmed.to_ascii_lowercase())
    } else {
        Cow::Borrowed(trimmed)
    };
    match otel_name(&lower) {
        Some(otel) => Cow::Borrowed(otel),
        None => lower,
    }
}

/// OpenTelemetry's name for a lower-case alias; names that are already canonical have none.
///
/// Aliases are those of OpenTelemetry's older `gen_ai.system`, `OpenInference`, `OpenLLMetry`, `LangChain`,
/// `pydantic-ai`, `litellm` and `AiCore`. `google` alone names the Gemini API, as all of these use it. `x_ai`,
/// `moonshot_ai` and `z_ai` follow the same spelling; the last is not in OpenTelemetry's list yet.
fn otel_name(alias: &str) -> Option<&'static str> {
    Some(match alias {
        "claude" => "anthropic",
        "aws" | "amazon" | "bedrock" | "aws_bedrock" | "aws-bedrock" | "amazon_bedrock" | "amazon-bedrock"
        | "amazon bedrock" => "aws.bedrock",
        "azure" | "az.ai.openai" | "azure_openai" | "azure-openai" | "azure openai" => "azure.ai.openai",
        "az.ai.inference" | "azure_ai" | "azure-ai" | "azure_ai_inference" => "azure.ai.inference",
        "cohere_ai" | "co.here" => "cohere",
        "deep_seek" | "deepseek_ai" | "deepseek-ai" => "deepseek",
        "gemini"
        | "google"
        | "google_gemini"
        | "google-gemini"
        | "google gemini"
        | "google_genai"
        | "google-genai"
        | "google_generativeai"
        | "google_ai_studio"
        | "google-gla" => "gcp.gemini",
        "gcp_gen_ai" => "gcp.gen_ai",
        "vertex" | "vertex_ai" | "vertex-ai" | "vertexai" | "vertex ai" | "google_vertexai" | "google_vertex_ai"
        | "google-vertex" | "gcp.vertexai" => "gcp.vertex_ai",
        "ibm" | "watsonx" | "ibm_watsonx" | "ibm-watsonx" | "watsonx.ai" => "ibm.watsonx.ai",
        "mistral" | "mistralai" | "mistral-ai" | "mistral ai" => "mistral_ai",
        "moonshot" | "moonshotai" | "moonshot-ai" | "kimi" => "moonshot_ai",
        "open_ai" | "open-ai" => "openai",
        "perplexity_ai" | "perplexity-ai" | "perplexityai" => "perplexity",
        "grok" | "xai" | "x-ai" | "x.ai" | "x ai" => "x_ai",
        "zai" | "z-ai" | "z.ai" => "z_ai",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `gen_ai.provider.name` of the semantic conventions, and `moonshot_ai` of their development version.
    const OTEL_PROVIDERS: [&str; 16] = [
        "openai",
        "anthropic",
        "gcp.gemini",
        "gcp.vertex_ai",
        "gcp.gen_ai",
        "aws.bedrock",
        "azure.ai.openai",
        "azure.ai.inference",
        "cohere",
        "deepseek",
        "groq",
        "ibm.watsonx.ai",
        "mistral_ai",
        "perplexity",
        "x_ai",
        "moonshot_ai",
    ];

    #[test]
    fn opentelemetry_names_stay_as_they_are() {
        for name in OTEL_PROVIDERS {
            assert_eq!(canonical_provider(name), name);
            assert_eq!(canonical_provider(&name.to_ascii_uppercase()), name);
        }
    }

    #[test]
    fn names_of_other_tools_become_opentelemetrys() {
        for (alias, name) in [
            ("gemini", "gcp.gemini"),
            ("google", "gcp.gemini"),
            ("Google", "gcp.gemini"),
            ("vertex_ai", "gcp.vertex_ai"),
            ("mistral", "mistral_ai"),
            ("mistralai", "mistral_ai"),
            ("grok", "x_ai"),
            ("xai", "x_ai"),
            ("x-ai", "x_ai"),
            ("zai", "z_ai"),
            ("moonshotai", "moonshot_ai"),
            ("az.ai.openai", "azure.ai.openai"),
            ("Azure", "azure.ai.openai"),
            ("AWS", "aws.bedrock"),
            (" OpenAI ", "openai"),
        ] {
            assert_eq!(canonical_provider(alias), name, "{alias}");
        }
    }

    #[test]
    fn unknown_providers_keep_their_name_in_lower_case() {
        for (name, stored) in [
            ("OpenRouter", "openrouter"),
            ("nvidia", "nvidia"),
            ("claude_code", "claude_code"),
            ("", ""),
            ("Ünï", "Ünï"),
        ] {
            assert_eq!(canonical_provider(name), stored);
        }
    }

    proptest! {
        #[test]
        fn a_stored_name_is_its_own_stored_name(name in "\\PC{0,20}") {
            let once = canonical_provider(&name).into_owned();
            prop_assert_eq!(canonical_provider(&once).into_owned(), once.clone());
        }
    }
}
