//! Cohere's chat, embed, rerank and classify, of the first and the second version.
//!
//! What is billed is under `billed_units`; `tokens` counts also what Cohere adds to a prompt, and is taken only without it.

use serde_json::{Map, Value};

use super::count::Count::{InputTokens, OutputTokens};
use super::error::UsageError;
use super::rule::{Reading, Rule, find};

const BILLED_RULES: [Rule; 3] = [
    Rule::Tokens { into: &[InputTokens], paths: &["billed_units.input_tokens"] },
    Rule::Tokens { into: &[OutputTokens], paths: &["billed_units.output_tokens"] },
    // Search units, classifications, images and their tokens.
    Rule::UnitsOf { object: "billed_units", except: &["input_tokens", "output_tokens"] },
];

const COUNTED_RULES: [Rule; 2] = [
    Rule::Tokens { into: &[InputTokens], paths: &["tokens.input_tokens"] },
    Rule::Tokens { into: &[OutputTokens], paths: &["tokens.output_tokens"] },
];

/// Reads a usage object of this dialect.
///
/// # Errors
/// Names the first field that is no count.
pub(super) fn read(usage: &Map<String, Value>, reading: &mut Reading) -> Result<(), UsageError> {
    match find(usage, "billed_units") {
        Some(_) => reading.apply(&BILLED_RULES, usage),
        None => reading.apply(&COUNTED_RULES, usage),
    }
}

#[cfg(test)]
mod tests {
    use super::super::expectations::{Expected, assert_counts};
    use super::*;
    use crate::provider_usage::UsageShape;

    #[test]
    fn billed_units_count_and_not_what_cohere_adds() {
        assert_counts(
            "cohere",
            r#"{"billed_units": {"input_tokens": 17.0, "output_tokens": 12.0},
                "tokens": {"input_tokens": 215.0, "output_tokens": 12.0}, "cached_tokens": 0}"#,
            UsageShape::Cohere,
            &[Expected(InputTokens, 17), Expected(OutputTokens, 12)],
        );
    }

    #[test]
    fn what_is_billed_otherwise_becomes_units() {
        for (usage, name, units) in [
            (r#"{"billed_units": {"search_units": 1}}"#, "search_units", 1),
            (r#"{"billed_units": {"classifications": 9, "input_tokens": null}}"#, "classifications", 9),
            (r#"{"billed_units": {"images": 2}}"#, "images", 2),
        ] {
            let usage = assert_counts("cohere", usage, UsageShape::Cohere, &[]);
            assert_eq!(usage.billable_units, [(name.to_owned(), units)].into());
        }
    }

    #[test]
    fn tokens_are_taken_when_nothing_says_what_is_billed() {
        assert_counts(
            "cohere",
            r#"{"billed_units": null, "tokens": {"input_tokens": 215, "output_tokens": 12}}"#,
            UsageShape::Cohere,
            &[Expected(InputTokens, 215), Expected(OutputTokens, 12)],
        );
    }

    #[test]
    fn the_first_version_has_it_in_its_meta() {
        assert_counts(
            "cohere",
            r#"{"id": "x", "embeddings": [[0.1]], "meta": {"api_version": {"version": "1"},
                "billed_units": {"input_tokens": 4}}}"#,
            UsageShape::Cohere,
            &[Expected(InputTokens, 4)],
        );
    }
}
