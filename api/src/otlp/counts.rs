//! Tokens and costs of a span, made canonical.

use opstream_schemas::validate::{MAX_COST_NANO_USD, MAX_COUNT, MAX_MICROS};
use opstream_schemas::{NanoUsd, Operation};

use super::dialects::Meaning;
use super::kind::Kind;
use super::model::Attribute;
use super::said::Said;

/// Everything that is counted.
const COUNTS: [Meaning; 10] = [
    Meaning::InputTokens,
    Meaning::OutputTokens,
    Meaning::TotalTokens,
    Meaning::CacheReadTokens,
    Meaning::CacheWriteTokens,
    Meaning::ReasoningTokens,
    Meaning::InputAudioTokens,
    Meaning::OutputAudioTokens,
    Meaning::InputImageTokens,
    Meaning::OutputImageTokens,
];

/// The counts of a billed span. Parts that are larger than the whole are told beside it and not within: some instrumentations pass on
/// what the provider excludes.
pub(super) fn set_counts(operation: &mut Operation, said: &Said<'_, '_>) {
    let count = |meaning| count(said, meaning);
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
    operation.reported_cost_usd = cost(said);
}

/// A count that can be one.
fn count(said: &Said<'_, '_>, meaning: Meaning) -> Option<i64> {
    said.int(meaning).filter(|count| (0..=MAX_COUNT).contains(count))
}

fn cost(said: &Said<'_, '_>) -> Option<NanoUsd> {
    let cost = said.double(Meaning::ReportedCost).filter(|cost| *cost >= 0.0)?;
    NanoUsd::from_f64(cost).ok().filter(|cost| cost.nanos() <= MAX_COST_NANO_USD)
}

/// Seconds to the first piece of the answer, in microseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "bounded, and fractions of a microsecond do not count"
)]
pub(super) fn time_to_first(said: &Said<'_, '_>) -> Option<i64> {
    let micros = (said.double(Meaning::TimeToFirstSeconds)? * 1e6).round();
    (0.0..=MAX_MICROS as f64).contains(&micros).then_some(micros as i64)
}

/// Counts, costs and other numbers that a field has no place for, kept under their own names: a span that says -5 or "many" says something,
/// and whoever looks for its tokens shall find it.
pub(super) fn unusable<'s, 'a>(said: &Said<'s, 'a>, kind: Kind) -> Vec<&'s Attribute<'a>> {
    let counts = if kind.is_billed() { &COUNTS[..] } else { &[] };
    let counts = counts.iter().map(|meaning| (*meaning, count(said, *meaning).is_some()));
    let others = [
        (Meaning::ReportedCost, !kind.is_billed() || cost(said).is_some()),
        (Meaning::TimeToFirstSeconds, time_to_first(said).is_some()),
        (Meaning::Temperature, said.double(Meaning::Temperature).is_some()),
        (Meaning::MaxTokens, said.int(Meaning::MaxTokens).is_some()),
        (Meaning::Stream, said.bool(Meaning::Stream).is_some()),
        (Meaning::Attempt, attempt(said).is_some()),
        (Meaning::HttpStatus, http_status(said.int(Meaning::HttpStatus)).is_some()),
    ];
    counts
        .chain(others)
        .filter(|(_, is_usable)| !is_usable)
        .filter_map(|(meaning, _)| said.attribute(meaning))
        .collect()
}

/// Which attempt of a retried call it is.
pub(super) fn attempt(said: &Said<'_, '_>) -> Option<i32> {
    said.int(Meaning::Attempt).and_then(|attempt| i32::try_from(attempt).ok())
}

/// A status that HTTP has.
pub(super) fn http_status(status: Option<i64>) -> Option<i32> {
    status.and_then(|status| i32::try_from(status).ok()).filter(|status| (100..600).contains(status))
}

/// Counts and costs of a span that is not billed, kept under their own names.
pub(super) fn unbilled<'s, 'a>(said: &Said<'s, 'a>) -> Vec<&'s Attribute<'a>> {
    COUNTS.into_iter().chain([Meaning::ReportedCost]).filter_map(|meaning| said.attribute(meaning)).collect()
}
