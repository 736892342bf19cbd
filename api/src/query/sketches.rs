//! Sketches of latency and time to first token: those of a question's windows, merged per group and step.

use std::collections::BTreeMap;
use std::sync::mpsc;

use opstream_schemas::UtcMillis;
use opstream_schemas::database::Transaction;
use opstream_schemas::sketch::{Sketch, SketchBytesError, TooManyValues};

use super::Question;
use super::windows::{SketchRow, fetch_sketches};
use crate::error::ApiError;

/// Most windows whose sketches are merged for one answer: a month of hours of two hundred workspaces.
const MAX_SKETCHES: usize = 200_000;

/// Sketches of latency and time to first token, by the start of a step; by none when there are no steps.
pub(crate) type BySteps<T = [Sketch; 2]> = BTreeMap<Option<UtcMillis>, T>;
/// The same, by the values of a group's dimensions.
pub(crate) type Merged<T = [Sketch; 2]> = BTreeMap<Vec<Option<String>>, BySteps<T>>;

/// A window that does not hold what windows hold: someone must look at the database.
#[derive(Debug, thiserror::Error)]
enum MergeError {
    /// Its bytes are no sketch.
    #[error("a window holds no sketch")]
    Bytes(#[from] SketchBytesError),
    /// Together the windows count more than there can be.
    #[error("windows count too many values")]
    Count(#[from] TooManyValues),
}

/// Merges while the database still reads, on a thread of its own, so that neither all sketches are held nor other requests held
/// up: the most windows take about a second.
///
/// # Errors
/// When there are too many windows, one is damaged, or what the database answers.
pub(crate) async fn fetch_merged(reading: &mut Transaction, question: Question<'_>) -> Result<Merged, ApiError> {
    let (sender, receiver) = mpsc::channel();
    let merging = tokio::task::spawn_blocking(move || merge(receiver));
    // Nobody receives any more once a window was found to be damaged, which is told below.
    let pass_on = move |row| drop(sender.send(row));
    let windows = fetch_sketches(reading, question, MAX_SKETCHES + 1, pass_on).await?;
    if windows > MAX_SKETCHES {
        let message = format!(
            "the answer needs more than {MAX_SKETCHES} windows; ask for a shorter range, a wider resolution or fewer combinations"
        );
        return Err(ApiError::invalid("too_many_windows", message));
    }
    let merged = merging.await.map_err(|error| ApiError::Internal(error.into()))?;
    merged.map_err(|error| ApiError::Internal(error.into()))
}

/// The sketches of all windows of a group and step as one.
fn merge(rows: impl IntoIterator<Item = SketchRow>) -> Result<Merged, MergeError> {
    let mut merged: Merged = Merged::new();
    for row in rows {
        let sketches = merged.entry(row.dimensions).or_default().entry(row.step).or_default();
        for (sketch, bytes) in sketches.iter_mut().zip(&row.value) {
            *sketch = sketch.merge(&Sketch::from_bytes(bytes)?)?;
        }
    }
    Ok(merged)
}

/// The sketches of all steps as one.
///
/// # Errors
/// When together they count more than there can be.
pub(crate) fn all_steps<const N: usize>(steps: &BySteps<[Sketch; N]>) -> Result<[Sketch; N], ApiError> {
    let mut all = std::array::from_fn(|_| Sketch::default());
    for sketches in steps.values() {
        for (sketch, more) in all.iter_mut().zip(sketches) {
            *sketch = sketch.merge(more).map_err(|error| ApiError::Internal(error.into()))?;
        }
    }
    Ok(all)
}
