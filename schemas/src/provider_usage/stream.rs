//! The usage of a streamed answer: events in, one usage object out.

use serde_json::{Map, Value};

use super::answer::{self, AnswerFacts};
use super::error::UsageError;
use super::usage::ProviderUsage;
use crate::providers::canonical_provider;

/// What the data of the last event says in OpenAI's streams.
const END_OF_STREAM: &str = "[DONE]";

/// Collects the usage of one streamed answer. Fed every event in order, it gives the counts of the whole.
///
/// Every provider's counts are sums since the start of the answer, so nothing is ever added: a later event's count
/// replaces an earlier one's, and what a later event leaves out stays. Anthropic states the prompt in `message_start` and the
/// answer in `message_delta`, whose prompt, where it has one, is the same prompt again.
///
/// One value is for one answer: it keeps the usage object and nothing of the content.
#[derive(Clone, Debug, Default)]
pub struct StreamUsage {
    provider: Option<String>,
    usage: Map<String, Value>,
    facts: AnswerFacts,
}

impl StreamUsage {
    /// For an answer of this provider, by any of its names; none when it is unknown.
    pub fn new(provider: Option<&str>) -> Self {
        let provider = provider.map(|name| canonical_provider(name).into_owned());
        Self { provider, ..Self::default() }
    }

    /// Takes the next event: the JSON of a chunk, of an event's data or of its usage object. Events without usage are
    /// passed over, and so are empty data and `[DONE]`.
    ///
    /// # Errors
    /// When it is not JSON, no object, or its usage is none. What was taken before stays.
    pub fn push(&mut self, event: &str) -> Result<(), UsageError> {
        let event = event.trim();
        if event.is_empty() || event == END_OF_STREAM {
            return Ok(());
        }
        let event = serde_json::from_str(event).map_err(|error| UsageError::NotJson { reason: error.to_string() })?;
        self.push_json(&event)
    }

    /// Like [`StreamUsage::push`], of JSON that has been read.
    ///
    /// # Errors
    /// When it is no object, or its usage is none.
    pub fn push_json(&mut self, event: &Value) -> Result<(), UsageError> {
        let answer = answer::open(self.provider.as_deref(), event)?;
        if let Some(usage) = answer.usage {
            overlay(&mut self.usage, usage);
        }
        self.facts.update(answer.facts);
        Ok(())
    }

    /// The counts of the answer, as far as its events have been taken.
    ///
    /// # Errors
    /// When no event had a usage object, and those of [`ProviderUsage::from_json`].
    pub fn finish(self) -> Result<ProviderUsage, UsageError> {
        if self.usage.is_empty() {
            return Err(UsageError::Missing);
        }
        ProviderUsage::settle(self.provider.as_deref(), &self.usage, self.facts)
    }
}

/// Lays the later object over the earlier one: its values replace, its nulls say nothing.
fn overlay(earlier: &mut Map<String, Value>, later: &Map<String, Value>) {
    for (key, value) in later.iter().filter(|(_, value)| !value.is_null()) {
        match (earlier.get_mut(key), value) {
            (Some(Value::Object(earlier)), Value::Object(later)) => overlay(earlier, later),
            _ => {
                earlier.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests;
