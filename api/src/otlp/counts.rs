//! Tokens and costs of a span, made canonical.

use opstream_schemas::{NanoUsd, Operation};

use super::dialects::Meaning;
use super::model::Attribute;
use super::said::Said;

/// The counts of a billed span. Parts that are larger than the whole are told beside it and not within: some instrumentations pass on
/// what the provider excludes.
pub(super) fn set_counts(operation: &mut Operation, said: &Said<'_, '_>) {
    let count = |meaning| said.int(meaning).filter(|count| *count >= 0);
    let part = |meaning| count(meaning).unwrap_or(0);
    let [read, write] = [Meaning::CacheReadTokens, Meaning::CacheWriteTokens].map(part);
    let reasoning = part(Meaning::ReasoningTokens);
    let total = count(Meaning::TotalTokens);
    let (mut input, mut output) = (count(Meaning::InputTokens), count(Meaning::OutputTokens));
    if input.is_none() {
        input = total.zip(output).and_then(|(total, output)| total.checked_sub(output)).filter(|input| *input >= 0);
    } else if output.is_none() {
        output = total.zip(input).and_then(|(total, input)| total.checked_sub(input)).filter(|output| *output >= 0);
    }
    let cached = read.saturating_add(write);
    operation.input_tokens = input
        .map(|input| if cached > input { input.saturating_add(cached) } else { input })
        .or((cached > 0).then_some(cached));
    operation.output_tokens = output
        .map(|output| if reasoning > output { output.saturating_add(reasoning) } else { output })
        .or((reasoning > 0).then_some(reasoning));
    (operation.cache_read_tokens, operation.cache_write_tokens) = (read, write);
    operation.reasoning_tokens = reasoning;
    operation.input_audio_tokens = part(Meaning::InputAudioTokens);
    operation.output_audio_tokens = part(Meaning::OutputAudioTokens);
    operation.input_image_tokens = part(Meaning::InputImageTokens);
    operation.output_image_tokens = part(Meaning::OutputImageTokens);
    let cost = said.double(Meaning::ReportedCost).filter(|cost| *cost >= 0.0);
    operation.reported_cost_usd = cost.and_then(|cost| NanoUsd::from_f64(cost).ok());
}

/// Counts and costs of a span that is not billed, kept under their own names.
pub(super) fn unbilled<'s, 'a>(said: &Said<'s, 'a>) -> Vec<&'s Attribute<'a>> {
    use Meaning::{
        CacheReadTokens, CacheWriteTokens, InputTokens, OutputTokens, ReasoningTokens, ReportedCost, TotalTokens,
    };
    let counts =
        [InputTokens, OutputTokens, TotalTokens, CacheReadTokens, CacheWriteTokens, ReasoningTokens, ReportedCost];
    counts.into_iter().filter_map(|meaning| said.attribute(meaning)).collect()
}
