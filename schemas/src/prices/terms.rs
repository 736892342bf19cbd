//! Under which terms an operation was run, as far as they decide whether the standard rates apply.

/// The terms of one operation. Each is computed from text by a function beside it, once per distinct text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The operation's type is billed by tokens, see [`bills_tokens`].
    pub bills_tokens: bool,
    /// It ran at the standard tier, not in batch, see [`is_standard_service`].
    pub is_standard: bool,
    /// The provider refused it, see [`was_refused`].
    pub was_refused: bool,
}

impl Terms {
    /// An ordinary call that was answered.
    pub const STANDARD: Self = Self { bills_tokens: true, is_standard: true, was_refused: false };
}

/// Whether operations of this type are billed by tokens.
///
/// Not billed are steps that run on our side or only manage things at the provider: tools, agents, workflows, plans,
/// memory, fetching an earlier response, and retrieval that names no model. Token counts on an agent or workflow repeat
/// those of the calls inside, which are operations of their own; billing both would double the cost. Every other type,
/// known or not, is billed, so that a new one shows up as `unpriced` rather than as free of charge.
pub fn bills_tokens(operation_type: &str, model: Option<&str>) -> bool {
    match operation_type {
        "execute_tool"
        | "invoke_agent"
        | "create_agent"
        | "invoke_workflow"
        | "plan"
        | "fetch_response"
        | "create_memory"
        | "update_memory"
        | "upsert_memory"
        | "delete_memory"
        | "search_memory"
        | "create_memory_store"
        | "delete_memory_store" => false,
        "retrieval" => model.is_some_and(|model| !model.is_empty()),
        _ => true,
    }
}

/// Whether an operation with this way of processing and this service tier is charged at the standard rates.
///
/// Standard are an absent or empty text, `realtime` processing, and the tiers `default`, `standard`, `standard_only`,
/// `on_demand` (Groq and Google) and `auto` in any case. `auto` is a request's word: an answer that was upgraded says
/// so. Any other word, such as batch, flex, priority, fast or scale, is not standard.
pub fn is_standard_service(processing: Option<&str>, service_tier: Option<&str>) -> bool {
    let is_one_of = |text: Option<&str>, words: &[&str]| {
        text.is_none_or(|text| text.is_empty() || words.iter().any(|word| text.eq_ignore_ascii_case(word)))
    };
    is_one_of(processing, &["realtime"])
        && is_one_of(service_tier, &["default", "standard", "standard_only", "on_demand", "auto"])
}

/// Whether the provider answered with an HTTP error. No provider charges for that; a call that broke off later, or
/// whose answer never came, may well be charged.
pub fn was_refused(http_status: Option<i32>) -> bool {
    http_status.is_some_and(|status| (400..=599).contains(&status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_of_a_model_are_billed() {
        for operation_type in
            ["chat", "text_completion", "generate_content", "embeddings", "rerank", "acompletion.tool_call", ""]
        {
            assert!(bills_tokens(operation_type, None), "{operation_type}");
        }
        for operation_type in ["execute_tool", "invoke_agent", "invoke_workflow", "retrieval", "search_memory"] {
            assert!(!bills_tokens(operation_type, None), "{operation_type}");
        }
        assert!(bills_tokens("retrieval", Some("some-reranker")));
        assert!(!bills_tokens("retrieval", Some("")));
        assert!(!bills_tokens("invoke_agent", Some("gpt-4o")));
    }

    #[test]
    fn only_words_for_the_standard_service_are_standard() {
        for tier in [None, Some(""), Some("default"), Some("standard"), Some("auto"), Some("ON_DEMAND")] {
            assert!(is_standard_service(None, tier), "{tier:?}");
        }
        for tier in ["flex", "priority", "fast", "batch", "scale", "ultrafast", "defaults"] {
            assert!(!is_standard_service(None, Some(tier)), "{tier}");
        }
        assert!(is_standard_service(Some("realtime"), None));
        assert!(!is_standard_service(Some("batch"), Some("default")));
    }

    #[test]
    fn only_an_http_error_is_a_refusal() {
        assert!(was_refused(Some(429)) && was_refused(Some(500)));
        assert!(!was_refused(None) && !was_refused(Some(200)) && !was_refused(Some(0)));
    }
}
