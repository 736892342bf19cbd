//! Small files become large ones: nothing else changes.
//!
//! In: live files of operations that the current generation has wholly, with their contents. Out: fewer files with the same rows,
//! sorted by id, none over the end of a UTC day, which are in the windows from the beginning. The way of a merge: what is to be merged
//! ([`mod@plan`], from [`candidates`]), what the files hold ([`mod@decode`]), new files ([`merge`]), and the one transaction
//! ([`mod@flip`]). What was merged stays on disk for an hour, for readers that are still at it; [`crate::removed_files`] deletes it.
//!
//! A crash before the transaction leaves files that nothing lists, for the ingestor's sweeper; after it, the manifest says what is
//! to be deleted. Nothing is remembered that a restart would miss. Two at the same work do no harm: the transaction of the second
//! finds that its inputs are gone.
//!
//! It never looks at offsets, and does nothing while windows are built again. It works beside the windows, one merge at a time, rests
//! at least twice as long as it worked, and holds at most [`decode::MOST_BYTES`] of decoded rows.

mod candidates;
mod decode;
mod flip;
mod left_out;
mod merge;
mod plan;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use opstream_schemas::UtcMillis;
use opstream_schemas::database::Database;
use opstream_schemas::failpoint::{self, Step};
use opstream_schemas::offsets::Fence;
use tokio_util::sync::CancellationToken;

use self::candidates::{Place, load_candidates};
use self::decode::{Decoded, MOST_BYTES, decode};
use self::flip::{FlipError, Merge, Refusal, flip};
use self::left_out::LeftOut;
use self::merge::{MergeError, Outputs, Workplace, remove_outputs, write_outputs};
use self::plan::{Plan, Reason, plan};
use crate::lease::{self, LeaseError};
use crate::metrics;
use crate::rewriting::grounds::Grounds;
use crate::rewriting::listed::{Input, load_inputs};
use crate::rewriting::opened::InputError;

/// Merges files, one step at a time.
pub(crate) struct Compactor {
    database: Database,
    lake: PathBuf,
    left_out: LeftOut,
}

/// Why a step came to nothing. The next one begins from the tables.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompactionError {
    /// Another aggregator took over, or the database does not answer.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Try again with back-off.
    #[error("the database did not answer about files to merge")]
    Database(#[from] sqlx::Error),
    /// Try again with back-off.
    #[error("files were not merged")]
    Merge(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Compactor {
    /// Knows nothing yet.
    pub(crate) fn new(database: Database, lake: PathBuf) -> Self {
        Self { database, lake, left_out: LeftOut::default() }
    }

    /// How many files cannot be merged.
    pub(crate) fn failed_files(&self) -> usize {
        self.left_out.count()
    }

    /// Lets every file that failed be tried again now.
    #[cfg(test)]
    pub(crate) fn try_failed_files_now(&mut self) {
        self.left_out.end_pauses();
    }

    /// One step at the time `now`, which decides what is over: the files that are due most are merged. Returns whether the next has
    /// work to do already.
    pub(crate) async fn step(
        &mut self,
        (fence, now): (Fence, UtcMillis),
        stop: &CancellationToken,
    ) -> Result<bool, CompactionError> {
        // While files are priced again, one at a time, they are not merged under its hands.
        let grounds = Grounds::read(&self.database).await?.filter(|grounds| grounds.repricing.is_none());
        let Some(grounds) = grounds else { return Ok(false) };
        let Some(plan) = self.next_plan(grounds, now).await? else { return Ok(false) };
        let began = Instant::now();
        let inputs = load_inputs(&self.database, &plan.files).await?;
        let decoded = self.decode_inputs(inputs, stop).await;
        let is_worthwhile = decoded.len() > 1 || (plan.reason == Reason::Split && decoded.len() == 1);
        if !is_worthwhile || stop.is_cancelled() {
            // What was left out is not planned with again.
            return Ok(true);
        }
        let inputs: Vec<Input> = decoded.iter().map(|decoded| decoded.input.clone()).collect();
        let Some(outputs) = self.write(decoded, stop).await? else { return Ok(true) };
        failpoint::reach(Step::MergeWritten).await.map_err(sqlx::Error::from)?;
        if self.flip(fence, &Merge { grounds, inputs: &inputs, outputs: &outputs }).await? {
            record(plan.reason, &inputs, &outputs, began.elapsed());
        }
        Ok(true)
    }

    /// What is due most among the files that are not left out.
    async fn next_plan(&mut self, grounds: Grounds, now: UtcMillis) -> Result<Option<Plan>, CompactionError> {
        let mut next = Some(Place::START);
        let mut seen = HashSet::new();
        while let Some(place) = next {
            let (mut page, more) = load_candidates(&self.database, grounds, place).await?;
            seen.extend(page.iter().map(|file| file.number));
            page.retain(|file| !self.left_out.contains(file.number));
            if let Some(plan) = plan(&page, now) {
                return Ok(Some(plan));
            }
            next = more;
        }
        metrics::record_small_files(seen.len());
        // All files were seen: what was not among them is merged, dropped or given up.
        self.left_out.retain(&seen);
        Ok(None)
    }

    /// Decodes inputs, the smallest first, as long as they fit. What cannot be merged is left out.
    async fn decode_inputs(&mut self, inputs: Vec<Input>, stop: &CancellationToken) -> Vec<Decoded> {
        let mut decoded: Vec<Decoded> = Vec::new();
        let mut room = MOST_BYTES;
        for input in inputs {
            if stop.is_cancelled() {
                break;
            }
            let (lake, reading, most) = (self.lake.clone(), input.clone(), room.min(MOST_BYTES / 2));
            // A thread of its own: damaged bytes can make a decoder panic, and that is this file's fault.
            let outcome = tokio::task::spawn_blocking(move || decode(&lake, reading, most)).await;
            match outcome.unwrap_or(Err(InputError::Damaged)) {
                Ok(Some(input)) => {
                    self.left_out.forget(input.input.operations.number);
                    room -= input.bytes;
                    decoded.push(input);
                }
                // It does not even fit with one other file of its size.
                Ok(None) if most == MOST_BYTES / 2 => self.left_out.note_large(input.operations.number),
                Ok(None) => break,
                Err(error) => self.left_out.note(&input, &error),
            }
        }
        decoded
    }

    /// Writes the new files; `None` when an input turned out to be one that cannot be merged, or the process stops.
    async fn write(
        &mut self,
        decoded: Vec<Decoded>,
        stop: &CancellationToken,
    ) -> Result<Option<Outputs>, CompactionError> {
        let named_at = lease::database_now(&self.database).await?;
        let (lake, stop) = (self.lake.clone(), stop.clone());
        let work = move || {
            let outputs = write_outputs(&decoded, &Workplace { lake: &lake, named_at, stop: &stop });
            let inputs: Vec<Input> = decoded.into_iter().map(|decoded| decoded.input).collect();
            (inputs, outputs)
        };
        let (inputs, outputs) =
            tokio::task::spawn_blocking(work).await.map_err(|error| CompactionError::Merge(Box::new(error)))?;
        match outputs {
            Ok(outputs) => Ok(Some(outputs)),
            Err(MergeError::Stopped) => Ok(None),
            Err(MergeError::Input { file, source }) => {
                let input = inputs.iter().find(|input| input.operations.number == file);
                self.left_out.note(input.expect("it names one of the inputs"), &source);
                Ok(None)
            }
            Err(error) => Err(CompactionError::Merge(Box::new(error))),
        }
    }

    /// Returns whether the new files are live. If they are not, they are removed again.
    async fn flip(&self, fence: Fence, merge: &Merge<'_>) -> Result<bool, CompactionError> {
        let error = match flip(&self.database, fence, merge).await {
            Ok(()) => return Ok(true),
            // They may be listed: only the sweeper, which asks the manifest, may remove them.
            Err(FlipError::Database(error)) => return Err(error.into()),
            Err(FlipError::Lease(error @ LeaseError::Database(_))) => return Err(error.into()),
            Err(error) => error,
        };
        let (lake, outputs) = (self.lake.clone(), merge.outputs.clone());
        if tokio::task::spawn_blocking(move || remove_outputs(&lake, &outputs)).await.is_err() {
            tracing::debug!("unlisted files were not removed; the sweeper will");
        }
        match error {
            FlipError::Refused(refusal) => {
                metrics::record_merge_refusal(refusal.name());
                if refusal == Refusal::OtherSums {
                    return Err(CompactionError::Merge(Box::new(refusal)));
                }
                tracing::info!(files = merge.inputs.len(), "merged files are not used: {refusal}");
                Ok(false)
            }
            FlipError::Lease(error) => Err(error.into()),
            FlipError::Database(error) => Err(error.into()),
        }
    }
}

fn record(reason: Reason, inputs: &[Input], outputs: &Outputs, took: Duration) {
    let bytes_of = |input: &Input| input.files().map(|file| file.bytes).sum::<i64>();
    let written: Vec<_> =
        outputs.files.iter().flat_map(|output| std::iter::once(&output.operations).chain(&output.contents)).collect();
    let merged = metrics::Merged {
        reason: reason.name(),
        files: inputs.iter().map(|input| input.files().count()).sum(),
        files_written: written.len(),
        operations: inputs.iter().map(|input| input.operations.summary.rows).sum(),
        bytes: inputs.iter().map(bytes_of).sum(),
        bytes_written: written.iter().map(|file| file.bytes).sum(),
    };
    metrics::record_merge(&merged, took);
}
