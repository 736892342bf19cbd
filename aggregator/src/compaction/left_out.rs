//! Files that are left out: what cannot be merged is tried again after a growing pause, and what is too large never again.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::metrics;
use crate::rewriting::listed::Input;
use crate::rewriting::opened::InputError;

const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// Files that are left out, by their numbers.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    failures: HashMap<i64, Failure>,
    /// They take more than half of what a merge may hold in memory.
    large: HashSet<i64>,
}

#[derive(Debug)]
struct Failure {
    pause: Duration,
    retry_at: Instant,
}

impl LeftOut {
    /// Whether this file is not to be planned with now.
    pub(super) fn contains(&self, number: i64) -> bool {
        self.large.contains(&number)
            || self.failures.get(&number).is_some_and(|failure| failure.retry_at > Instant::now())
    }

    /// Remembers a failure, longer each time, and raises the alarm.
    pub(super) fn note(&mut self, input: &Input, error: &InputError) {
        let number = input.operations.number;
        let pause = self.failures.get(&number).map_or(FIRST_PAUSE, |known| (known.pause * 2).min(LONGEST_PAUSE));
        self.failures.insert(number, Failure { pause, retry_at: Instant::now() + pause });
        metrics::record_merge_failure(error.reason());
        let cause = std::error::Error::source(error).map(ToString::to_string);
        let contents: Vec<&str> = input.contents.iter().map(|file| file.path.as_str()).collect();
        tracing::error!(
            file_number = number,
            path = input.operations.path,
            contents = contents.join(" "),
            operations = input.operations.summary.rows,
            cause,
            "{error}; the file stays as it is and is not merged, next attempt in {pause:?}. `opstream verify` says what is wrong with it"
        );
    }

    /// Remembers a file that is as large as a merged one.
    pub(super) fn note_large(&mut self, number: i64) {
        self.large.insert(number);
    }

    /// The file could be read.
    pub(super) fn forget(&mut self, number: i64) {
        self.failures.remove(&number);
    }

    /// Forgets every file but these.
    pub(super) fn retain(&mut self, numbers: &HashSet<i64>) {
        self.failures.retain(|number, _| numbers.contains(number));
        self.large.retain(|number| numbers.contains(number));
    }

    /// How many files cannot be merged.
    pub(super) fn count(&self) -> usize {
        self.failures.len()
    }

    /// Lets every file be tried again now.
    #[cfg(test)]
    pub(super) fn end_pauses(&mut self) {
        self.failures.values_mut().for_each(|failure| failure.retry_at = Instant::now());
    }
}
