//! Merges the sketches of windows per group and step. Pure.

use std::collections::BTreeMap;

use opstream_schemas::UtcMillis;
use opstream_schemas::sketch::{Sketch, SketchBytesError, TooManyValues};

use crate::query::SketchRow;

/// Sketches of latency and time to first token, by the start of a step; by none when there are no steps.
pub(super) type BySteps = BTreeMap<Option<UtcMillis>, [Sketch; 2]>;
/// The same, by the values of a group's dimensions.
pub(super) type Merged = BTreeMap<Vec<Option<String>>, BySteps>;

/// A window that does not hold what windows hold: someone must look at the database.
#[derive(Debug, thiserror::Error)]
pub(super) enum MergeError {
    /// Its bytes are no sketch.
    #[error("a window holds no sketch")]
    Bytes(#[from] SketchBytesError),
    /// Together the windows count more than there can be.
    #[error("windows count too many values")]
    Count(#[from] TooManyValues),
}

/// The sketches of all windows of a group and step as one.
///
/// # Errors
/// When a window is damaged.
pub(super) fn merge(rows: impl IntoIterator<Item = SketchRow>) -> Result<Merged, MergeError> {
    let mut merged = Merged::new();
    for row in rows {
        let sketches = merged.entry(row.dimensions).or_default().entry(row.step).or_default();
        for (sketch, bytes) in sketches.iter_mut().zip(&row.value) {
            *sketch = sketch.merge(&Sketch::from_bytes(bytes)?)?;
        }
    }
    Ok(merged)
}
