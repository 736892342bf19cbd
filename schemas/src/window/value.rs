//! One window as it is published.

use super::{DimensionSet, Dimensions, Level, WindowSums};
use crate::UtcMillis;
use crate::offsets::Fence;

/// A window with everything that it holds. Of several values with one key the highest (generation, fence, revision) is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Which dimensions are kept.
    pub dimension_set: DimensionSet,
    /// Width.
    pub level: Level,
    /// Start of the half-open window.
    pub window_start: UtcMillis,
    /// The combination of values.
    pub dimensions: Dimensions,
    /// Counts rebuilds.
    pub generation: i64,
    /// The aggregator that changed the window last.
    pub fence: Fence,
    /// Counts changes of the window.
    pub revision: i64,
    /// Counts, tokens and money.
    pub sums: WindowSums,
    /// Bytes of a [`crate::sketch::Sketch`] of latencies in microseconds.
    pub latency_sketch: Vec<u8>,
    /// Bytes of a [`crate::sketch::Sketch`] of times to first token in microseconds.
    pub ttft_sketch: Vec<u8>,
}

impl Window {
    /// The record's key on the topic.
    pub fn key(&self) -> String {
        window_key(self.dimension_set, self.level, self.window_start, &self.dimensions)
    }
}

/// Key of a window on the topic: a JSON array of level, start in Unix milliseconds, set and the set's values in
/// order, such as `["hour",1790000000000,"provider_model","default","openai",null]`.
pub fn window_key(set: DimensionSet, level: Level, start: UtcMillis, dimensions: &Dimensions) -> String {
    let combination = dimensions.key_text(set);
    format!("[\"{}\",{},{}", level.name(), start.millis(), &combination[1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_json_and_names_set_level_start_and_values() {
        let dimensions = Dimensions { workspace: "a\"b".to_owned(), ..Dimensions::default() };
        let key = window_key(DimensionSet::ProviderModel, Level::Hour, UtcMillis::from_millis(3_600_000), &dimensions);
        let parsed: serde_json::Value = serde_json::from_str(&key).unwrap();
        assert_eq!(parsed, serde_json::json!(["hour", 3_600_000, "provider_model", "a\"b", null, null]));
    }
}
