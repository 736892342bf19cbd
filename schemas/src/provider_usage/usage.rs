//! From a usage object to counts, and from counts into an operation.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::answer::{self, AnswerFacts};
use super::count::{Count, Counts};
use super::error::{UsageError, excerpt};
use super::rule::Reading;
use super::shape::UsageShape;
use super::stream::StreamUsage;
use super::{anthropic, bedrock, cohere, gemini, openai_chat, openai_responses};
use crate::providers::canonical_provider;
use crate::validate::MAX_COUNT;
use crate::{NanoUsd, Operation};

/// Keys that are named when none of them is known.
const KEYS_NAMED: usize = 8;

/// What a provider's usage object says, in the terms of [`Operation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderUsage {
    /// The dialect that was recognised.
    pub shape: UsageShape,
    /// The counts; parts never exceed their whole, and none exceeds [`MAX_COUNT`].
    pub counts: Counts,
    /// Other billed units by name, each 1 or more.
    pub billable_units: BTreeMap<String, i64>,
    /// What the provider says the call cost, where its usage says so in US dollars.
    pub reported_cost_usd: Option<NanoUsd>,
    /// Tier at which the call was served, in the provider's word.
    pub service_tier: Option<String>,
    /// `batch`, where usage reveals it.
    pub processing: Option<&'static str>,
    /// Where the call was processed, in the provider's word, unless it was anywhere.
    pub region: Option<String>,
    /// Model that answered; only a whole answer says so.
    pub response_model: Option<String>,
    /// Id of the answer; only a whole answer says so.
    pub response_id: Option<String>,
}

/// A count of an operation that is not the one its usage object gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {given}, but usage says {stated}; leave one of them out")]
pub struct Disagreement {
    /// Name of the field.
    pub field: &'static str,
    /// Its value in the operation.
    pub given: String,
    /// Its value by the usage object.
    pub stated: i64,
}

impl ProviderUsage {
    /// Reads the JSON of a usage object, of the whole answer that holds it, or of a list of a stream's events.
    ///
    /// `provider` is the name that the caller knows it by, canonical or not; none when it is unknown.
    ///
    /// # Errors
    /// When the text is not JSON, and those of [`ProviderUsage::from_json`].
    pub fn parse(provider: Option<&str>, text: &str) -> Result<Self, UsageError> {
        let value = serde_json::from_str(text).map_err(|error| UsageError::NotJson { reason: error.to_string() })?;
        Self::from_json(provider, &value)
    }

    /// Like [`ProviderUsage::parse`], of JSON that has been read.
    ///
    /// # Errors
    /// When there is no usage object or none of a known shape; when a count is no whole number of 0 to [`MAX_COUNT`]; and
    /// when the parts of a count exceed it. Each names the field.
    pub fn from_json(provider: Option<&str>, value: &Value) -> Result<Self, UsageError> {
        if let Value::Array(events) = value {
            let mut stream = StreamUsage::new(provider);
            for (index, event) in events.iter().enumerate() {
                stream.push_json(event).map_err(|error| at_index(error, index))?;
            }
            return stream.finish();
        }
        let provider = provider.map(canonical_provider);
        let answer = answer::open(provider.as_deref(), value)?;
        match answer.usage {
            Some(usage) => Self::settle(provider.as_deref(), usage, answer.facts),
            None if answer::leaves_usage_out(value) => Err(UsageError::Missing),
            None => Err(unknown_shape(value.as_object().unwrap_or(&Map::new()))),
        }
    }

    /// The counts of one usage object. `provider` is the canonical name.
    pub(super) fn settle(
        provider: Option<&str>,
        usage: &Map<String, Value>,
        facts: AnswerFacts,
    ) -> Result<Self, UsageError> {
        let shape = UsageShape::recognise(provider, usage).ok_or_else(|| unknown_shape(usage))?;
        let mut reading = Reading::default();
        match shape {
            UsageShape::OpenAiChat => openai_chat::read(provider, usage, &mut reading)?,
            UsageShape::OpenAiResponses => openai_responses::read(provider, usage, &mut reading)?,
            UsageShape::Anthropic => anthropic::read(usage, &mut reading)?,
            UsageShape::BedrockConverse => bedrock::read(usage, &mut reading)?,
            UsageShape::Gemini => gemini::read(usage, &mut reading)?,
            UsageShape::GeminiInteractions => gemini::read_interaction(usage, &mut reading)?,
            UsageShape::Cohere => cohere::read(usage, &mut reading)?,
        }
        check_limits(&reading)?;
        check_parts(&reading.counts)?;
        let service_tier = service_tier(usage).or(facts.service_tier);
        Ok(Self {
            shape,
            counts: reading.counts,
            billable_units: reading.units,
            reported_cost_usd: reading.reported_cost,
            processing: service_tier.as_deref().filter(|tier| *tier == "batch").map(|_| "batch"),
            service_tier,
            region: region(usage),
            response_model: facts.model,
            response_id: facts.response_id,
        })
    }

    /// Sets the counts that the usage object states. Units join those that the operation has, unless its `billable_units` is
    /// no JSON object; cost, tier, processing, model and id of the answer are set only where the operation has none, and so is
    /// the region, in the `price_terms` of its metadata.
    pub fn apply_to(&self, operation: &mut Operation) {
        for (count, value) in self.counts.stated() {
            count.set(operation, value);
        }
        let units = if operation.billable_units.is_none() { Some(Map::new()) } else { units_of(operation) };
        if let Some(mut units) = units.filter(|_| !self.billable_units.is_empty()) {
            units.extend(self.billable_units.iter().map(|(name, units)| (name.clone(), Value::from(*units))));
            operation.billable_units = Some(Value::Object(units).to_string());
        }
        operation.reported_cost_usd = operation.reported_cost_usd.or(self.reported_cost_usd);
        let texts = [
            (&mut operation.service_tier, self.service_tier.as_deref()),
            (&mut operation.processing, self.processing),
            (&mut operation.response_model, self.response_model.as_deref()),
            (&mut operation.response_id, self.response_id.as_deref()),
        ];
        for (field, text) in texts {
            if field.is_none() {
                *field = text.map(str::to_owned);
            }
        }
        if let Some(metadata) = self.region.as_deref().and_then(|region| with_region(operation, region)) {
            operation.metadata = Some(metadata);
        }
    }

    /// The first count, or billed unit, of the operation that is another than the usage object states. `is_given` tells by its
    /// name whether a field was given at all: an operation's parts are 0 where nobody gave them.
    pub fn disagreement(&self, operation: &Operation, is_given: impl Fn(&str) -> bool) -> Option<Disagreement> {
        let counts = self.counts.stated().filter(|(count, _)| is_given(count.name()));
        let mut counts = counts.filter_map(|(count, stated)| Some((count.name(), count.of(operation)?, stated)));
        if let Some((field, given, stated)) = counts.find(|(_, given, stated)| given != stated) {
            return Some(Disagreement { field, given: given.to_string(), stated });
        }
        let units = units_of(operation)?;
        let mut units = self.billable_units.iter().filter_map(|(name, stated)| Some((name, units.get(name)?, *stated)));
        let (name, given, stated) = units.find(|(_, given, stated)| given.as_i64() != Some(*stated))?;
        Some(Disagreement { field: "billable_units", given: excerpt(&format!("{name} {given}")), stated })
    }
}

fn units_of(operation: &Operation) -> Option<Map<String, Value>> {
    serde_json::from_str(operation.billable_units.as_deref()?).ok()
}

/// The operation's metadata with this region among its terms; none if it has a region, or no room for one.
fn with_region(operation: &Operation, region: &str) -> Option<String> {
    let mut metadata: Map<String, Value> = match operation.metadata.as_deref() {
        Some(text) => serde_json::from_str(text).ok()?,
        None => Map::new(),
    };
    let terms = metadata.entry("price_terms").or_insert_with(|| Map::new().into()).as_object_mut()?;
    if terms.contains_key("region") {
        return None;
    }
    terms.insert("region".to_owned(), region.into());
    Some(Value::Object(metadata).to_string())
}

/// Anthropic.
fn region(usage: &Map<String, Value>) -> Option<String> {
    answer::text(usage, &["inference_geo"]).filter(|region| !["global", "not_available"].contains(&region.as_str()))
}

/// Anthropic; Gemini and Vertex. Anthropic's fast mode is a price of its own, whatever the tier.
fn service_tier(usage: &Map<String, Value>) -> Option<String> {
    let speed = answer::text(usage, &["speed"]).filter(|speed| speed == "fast");
    let keys = ["service_tier", "serviceTier", "trafficType", "traffic_type"];
    speed.or_else(|| answer::text(usage, &keys).filter(|tier| !tier.to_ascii_uppercase().ends_with("UNSPECIFIED")))
}

fn check_limits(reading: &Reading) -> Result<(), UsageError> {
    let counts = reading.counts.stated().map(|(count, value)| (count.name(), value));
    let units = reading.units.iter().map(|(name, units)| (name.as_str(), *units));
    match counts.chain(units).find(|(_, value)| *value > MAX_COUNT) {
        Some((name, value)) => Err(UsageError::TooLarge { field: name.to_owned(), value: value.to_string() }),
        None => Ok(()),
    }
}

/// The same parts as [`crate::validate::check_operation`] looks at.
fn check_parts(counts: &Counts) -> Result<(), UsageError> {
    let value = |count| counts.get(count).unwrap_or(0);
    let cached = value(Count::CacheReadTokens) + value(Count::CacheWriteTokens) + value(Count::CacheWrite1hTokens);
    let parts = [
        ("cache_read_tokens+cache_write_tokens+cache_write_1h_tokens", cached, Count::InputTokens),
        ("input_audio_tokens", value(Count::InputAudioTokens), Count::InputTokens),
        ("input_image_tokens", value(Count::InputImageTokens), Count::InputTokens),
        ("reasoning_tokens", value(Count::ReasoningTokens), Count::OutputTokens),
        ("output_audio_tokens", value(Count::OutputAudioTokens), Count::OutputTokens),
        ("output_image_tokens", value(Count::OutputImageTokens), Count::OutputTokens),
    ];
    match parts.into_iter().find(|(_, part, whole)| *part > value(*whole)) {
        Some((part, value, whole)) => Err(UsageError::PartExceedsWhole { part, value, whole: whole.name() }),
        None => Ok(()),
    }
}

fn unknown_shape(usage: &Map<String, Value>) -> UsageError {
    let named: Vec<String> = usage.keys().take(KEYS_NAMED).map(|key| excerpt(&format!("{key:?}"))).collect();
    let more = if usage.len() > KEYS_NAMED { ", …" } else { "" };
    let keys = if named.is_empty() { "none".to_owned() } else { format!("{}{more}", named.join(", ")) };
    UsageError::UnknownShape { keys }
}

/// An event that is no object is named by its place.
fn at_index(error: UsageError, index: usize) -> UsageError {
    match error {
        UsageError::NotAnObject { field, found } => {
            UsageError::NotAnObject { field: format!("{field}[{index}]"), found }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
