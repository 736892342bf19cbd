//! What the servers of OpenAI's dialect did beside the model and bill apart: searches, code, sources, connectors.

use serde_json::{Map, Value};

use super::count::Count::WebSearches;
use super::error::UsageError;
use super::number;
use super::rule::{Reading, Rule, find, is_unit_name};

const RULES: [Rule; 4] = [
    // xAI; Mistral; Anthropic's models behind OpenRouter.
    Rule::Tokens {
        into: &[WebSearches],
        paths: &[
            "server_side_tool_usage_details.web_search_calls",
            "connectors.web_search",
            "server_tool_use.web_search_requests",
        ],
    },
    // Tools of the caller's own servers cost tokens and nothing else, and so do fetched pages.
    Rule::UnitsOf { object: "server_side_tool_usage_details", except: &["web_search_calls", "mcp_calls"] },
    Rule::UnitsOf { object: "connectors", except: &["web_search"] },
    Rule::UnitsOf { object: "server_tool_use", except: super::anthropic::UNBILLED_TOOLS },
];

/// xAI's sum of calls, which are also given one by one; Mistral's name for tokens read from a cache.
const NOT_BILLED_AGAIN: [&str; 2] = ["num_server_side_tools_used", "num_cached_tokens"];

/// Reads the billed units of a usage object.
///
/// # Errors
/// Names the first field that is no count.
pub(super) fn read(usage: &Map<String, Value>, reading: &mut Reading) -> Result<(), UsageError> {
    reading.apply(&RULES, usage)?;
    if find(usage, "server_side_tool_usage_details").is_none() {
        let sum = Rule::Unit { name: "num_server_side_tools_used", paths: &["num_server_side_tools_used"] };
        reading.apply(&[sum], usage)?;
    }
    // `num_sources_used` of xAI, `num_search_queries` of Perplexity, and what will be called so.
    for (name, value) in usage.iter().filter(|(name, _)| name.starts_with("num_")) {
        if !NOT_BILLED_AGAIN.contains(&name.as_str()) && is_unit_name(name) && number::is_numeric(value) {
            reading.add_units(name, number::units(name, value)?);
        }
    }
    Ok(())
}
