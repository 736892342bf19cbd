//! The terms under which an operation ran, as far as they decide what it costs.

use serde::Deserialize;

/// A property of a request on which its price may depend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Property {
    /// How the request was handed in.
    Processing,
    /// The answer's service tier.
    ServiceTier,
    /// The answer's speed.
    Speed,
    /// Where the request was processed.
    Region,
    /// Anything else that the provider's price depends on.
    Context,
}

impl Property {
    /// Every property, in the order in which variants are named.
    pub const ALL: [Self; 5] = [Self::Processing, Self::ServiceTier, Self::Speed, Self::Region, Self::Context];

    /// The name in price files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::ServiceTier => "service_tier",
            Self::Speed => "speed",
            Self::Region => "region",
            Self::Context => "context",
        }
    }
}

/// The terms of one operation, in its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms<'a> {
    /// The operation's type is billed by tokens, see [`bills_tokens`].
    pub bills_tokens: bool,
    /// The provider refused it, see [`was_refused`].
    pub was_refused: bool,
    /// The operation's `processing`.
    pub processing: Option<&'a str>,
    /// The operation's `service_tier`.
    pub service_tier: Option<&'a str>,
    /// What no field of an operation is for.
    pub others: PriceTerms<'a>,
}

/// Terms for which an operation has no field of its own; they are in its metadata, under `price_terms`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PriceTerms<'a> {
    /// The answer's speed.
    pub speed: Option<&'a str>,
    /// Where the request was processed.
    pub region: Option<&'a str>,
    /// Anything else that the provider's price depends on.
    pub context: Option<&'a str>,
}

impl Terms<'_> {
    /// An ordinary call that was answered.
    pub const STANDARD: Self = Self {
        bills_tokens: true,
        was_refused: false,
        processing: None,
        service_tier: None,
        others: PriceTerms { speed: None, region: None, context: None },
    };
}

impl<'a> Terms<'a> {
    /// The operation's word for a property, unless it is one for the standard service.
    ///
    /// Standard are an absent or empty text, `realtime` processing, `standard` speed, and the tiers `default`,
    /// `standard`, `standard_only`, `on_demand` (Groq and Google) and `auto`, in any case. `auto` is a request's word: an
    /// answer that was upgraded says so. A tier called `batch` is processing. Which regions are standard, if any, only a
    /// model's variants tell.
    pub fn word(&self, property: Property) -> Option<&'a str> {
        let is_batch = |tier: &&str| tier.eq_ignore_ascii_case("batch");
        let (word, standard): (_, &[&str]) = match property {
            Property::Processing => {
                let tier = self.service_tier.filter(is_batch);
                (tier.or(self.processing), &["realtime"])
            }
            Property::ServiceTier => (
                self.service_tier.filter(|tier| !is_batch(tier)),
                &["default", "standard", "standard_only", "on_demand", "auto"],
            ),
            Property::Speed => (self.others.speed, &["standard"]),
            Property::Region => (self.others.region, &[]),
            Property::Context => (self.others.context, &["standard"]),
        };
        word.filter(|word| !word.is_empty() && !standard.iter().any(|standard| word.eq_ignore_ascii_case(standard)))
    }
}

impl<'a> PriceTerms<'a> {
    /// The terms in an operation's metadata, a JSON object. Whatever else is there is not looked at, and what is no plain
    /// text is no term.
    pub fn read(metadata: Option<&'a str>) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Metadata<'a> {
            #[serde(borrow)]
            price_terms: PriceTerms<'a>,
        }
        // Hardly any metadata has terms, and looking for their name is quicker than reading JSON.
        let terms = metadata.filter(|text| text.contains("\"price_terms\""));
        terms.and_then(|text| serde_json::from_str::<Metadata<'_>>(text).ok()).unwrap_or_default().price_terms
    }
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
        let words = |processing, service_tier| {
            let terms = Terms { processing, service_tier, ..Terms::STANDARD };
            (terms.word(Property::Processing), terms.word(Property::ServiceTier))
        };
        for tier in [None, Some(""), Some("default"), Some("standard"), Some("auto"), Some("ON_DEMAND")] {
            assert_eq!(words(Some("realtime"), tier), (None, None), "{tier:?}");
        }
        for tier in ["flex", "priority", "fast", "scale", "ultrafast", "defaults"] {
            assert_eq!(words(None, Some(tier)), (None, Some(tier)), "{tier}");
        }
        assert_eq!(words(Some("batch"), Some("default")), (Some("batch"), None));
        assert_eq!(words(None, Some("Batch")), (Some("Batch"), None));
        assert_eq!(words(Some("batch"), Some("batch")), (Some("batch"), None));
    }

    #[test]
    fn terms_without_a_field_are_in_the_metadata() {
        let read = |text| PriceTerms::read(Some(text));
        let metadata = r#"{"note": "price_terms", "price_terms": {"region": "eu", "mode": 1}, "more": [1.5]}"#;
        assert_eq!(read(metadata), PriceTerms { region: Some("eu"), ..PriceTerms::default() });
        assert_eq!(read(r#"{"price_terms":{"speed":"fast","context":null}}"#).speed, Some("fast"));
        for text in [
            r#"{"region": "eu"}"#,
            r#"{"a": {"price_terms": {"region": "eu"}}}"#,
            r#"{"price_terms": {"region": 5}}"#,
            r#"{"price_terms": "eu"}"#,
            r#"{"price_terms""#,
            "[]",
        ] {
            assert_eq!(read(text), PriceTerms::default(), "{text}");
        }
        assert_eq!(PriceTerms::read(None), PriceTerms::default());
        let terms = |others| Terms { others, ..Terms::STANDARD };
        let standard = PriceTerms { speed: Some("standard"), region: Some("us"), context: Some("") };
        assert_eq!(Property::ALL.map(|property| terms(standard).word(property)), [None, None, None, Some("us"), None]);
    }

    #[test]
    fn only_an_http_error_is_a_refusal() {
        assert!(was_refused(Some(429)) && was_refused(Some(500)));
        assert!(!was_refused(None) && !was_refused(Some(200)) && !was_refused(Some(0)));
    }
}
