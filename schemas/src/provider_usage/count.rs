//! The counts of an operation that a usage object can state, by name.

use crate::Operation;

/// One count of an operation, with the meaning of its field of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Everything in the prompt, tokens.
    InputTokens,
    /// Part of the input read from a cache.
    CacheReadTokens,
    /// Part of the input written to a cache at standard retention.
    CacheWriteTokens,
    /// Part of the input written to a cache at long retention; not in the one before.
    CacheWrite1hTokens,
    /// Everything generated, reasoning included, tokens.
    OutputTokens,
    /// Part of the output spent on reasoning.
    ReasoningTokens,
    /// Part of the input that is audio.
    InputAudioTokens,
    /// Part of the output that is audio.
    OutputAudioTokens,
    /// Part of the input that is images.
    InputImageTokens,
    /// Part of the output that is images.
    OutputImageTokens,
    /// Web searches billed with the operation.
    WebSearches,
}

/// What is known of each count; none is "not stated", which is not 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([Option<i64>; Count::ALL.len()]);

impl Count {
    /// Every count.
    pub const ALL: [Self; 11] = [
        Self::InputTokens,
        Self::CacheReadTokens,
        Self::CacheWriteTokens,
        Self::CacheWrite1hTokens,
        Self::OutputTokens,
        Self::ReasoningTokens,
        Self::InputAudioTokens,
        Self::OutputAudioTokens,
        Self::InputImageTokens,
        Self::OutputImageTokens,
        Self::WebSearches,
    ];

    /// The field of [`Operation`], such as `cache_read_tokens`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InputTokens => "input_tokens",
            Self::CacheReadTokens => "cache_read_tokens",
            Self::CacheWriteTokens => "cache_write_tokens",
            Self::CacheWrite1hTokens => "cache_write_1h_tokens",
            Self::OutputTokens => "output_tokens",
            Self::ReasoningTokens => "reasoning_tokens",
            Self::InputAudioTokens => "input_audio_tokens",
            Self::OutputAudioTokens => "output_audio_tokens",
            Self::InputImageTokens => "input_image_tokens",
            Self::OutputImageTokens => "output_image_tokens",
            Self::WebSearches => "web_searches",
        }
    }

    /// Its value in an operation; none only for a total that is unknown.
    pub const fn of(self, operation: &Operation) -> Option<i64> {
        match self {
            Self::InputTokens => operation.input_tokens,
            Self::CacheReadTokens => Some(operation.cache_read_tokens),
            Self::CacheWriteTokens => Some(operation.cache_write_tokens),
            Self::CacheWrite1hTokens => Some(operation.cache_write_1h_tokens),
            Self::OutputTokens => operation.output_tokens,
            Self::ReasoningTokens => Some(operation.reasoning_tokens),
            Self::InputAudioTokens => Some(operation.input_audio_tokens),
            Self::OutputAudioTokens => Some(operation.output_audio_tokens),
            Self::InputImageTokens => Some(operation.input_image_tokens),
            Self::OutputImageTokens => Some(operation.output_image_tokens),
            Self::WebSearches => Some(operation.web_searches),
        }
    }

    /// Sets it in an operation.
    pub const fn set(self, operation: &mut Operation, value: i64) {
        match self {
            Self::InputTokens => operation.input_tokens = Some(value),
            Self::CacheReadTokens => operation.cache_read_tokens = value,
            Self::CacheWriteTokens => operation.cache_write_tokens = value,
            Self::CacheWrite1hTokens => operation.cache_write_1h_tokens = value,
            Self::OutputTokens => operation.output_tokens = Some(value),
            Self::ReasoningTokens => operation.reasoning_tokens = value,
            Self::InputAudioTokens => operation.input_audio_tokens = value,
            Self::OutputAudioTokens => operation.output_audio_tokens = value,
            Self::InputImageTokens => operation.input_image_tokens = value,
            Self::OutputImageTokens => operation.output_image_tokens = value,
            Self::WebSearches => operation.web_searches = value,
        }
    }
}

impl Counts {
    /// The count, if it is stated.
    pub const fn get(&self, count: Count) -> Option<i64> {
        self.0[count as usize]
    }

    /// The counts that are stated.
    pub fn stated(&self) -> impl Iterator<Item = (Count, i64)> + '_ {
        Count::ALL.into_iter().filter_map(|count| Some((count, self.get(count)?)))
    }

    /// Adds to a count; one that was not stated becomes this value. Saturates: what is read is checked against a limit.
    pub(super) fn add(&mut self, count: Count, value: i64) {
        let slot = &mut self.0[count as usize];
        *slot = Some(slot.unwrap_or(0).saturating_add(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_has_a_field_of_its_own() {
        for count in Count::ALL {
            let mut operation = Operation::default();
            count.set(&mut operation, 7);
            assert_eq!(serde_json::to_value(&operation).unwrap()[count.name()], 7, "{count:?}");
            for other in Count::ALL {
                let expected = if other == count { Some(7) } else { other.of(&Operation::default()) };
                assert_eq!(other.of(&operation), expected, "{count:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_count_that_is_not_stated_is_not_zero() {
        let mut counts = Counts::default();
        counts.add(Count::OutputTokens, 0);
        counts.add(Count::ReasoningTokens, 3);
        counts.add(Count::ReasoningTokens, 4);
        assert_eq!(counts.get(Count::InputTokens), None);
        let stated: Vec<_> = counts.stated().collect();
        assert_eq!(stated, [(Count::OutputTokens, 0), (Count::ReasoningTokens, 7)]);
    }
}
