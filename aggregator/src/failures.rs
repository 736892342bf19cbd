//! Files that could not be windowed: each is tried again after a growing pause, and stops no other.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::file_sums::FileError;
use crate::metrics;
use crate::pending::PendingFile;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// The files that failed.
#[derive(Debug, Default)]
pub(crate) struct FileFailures {
    /// By generation and number.
    files: HashMap<(i64, i64), Failure>,
}

#[derive(Debug)]
struct Failure {
    pause: Duration,
    retry_at: Instant,
}

impl FileFailures {
    /// Whether this one failed for the generation and was not windowed since.
    pub(crate) fn contains(&self, generation: i64, number: i64) -> bool {
        self.files.contains_key(&(generation, number))
    }

    /// Remembers a failure, longer each time, and raises the alarm.
    pub(crate) fn note(&mut self, generation: i64, file: &PendingFile, error: &FileError) {
        let known = self.files.get(&(generation, file.number));
        let pause = known.map_or(FIRST_PAUSE, |known| (known.pause * 2).min(LONGEST_PAUSE));
        self.files.insert((generation, file.number), Failure { pause, retry_at: Instant::now() + pause });
        metrics::record_file_failure(error.reason());
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(
            generation,
            file_number = file.number,
            path = file.path,
            operations = file.rows,
            cause,
            "{error}; its operations are not in the windows until the file is restored, next attempt in {pause:?}. Is it lost for \
             good, stop waiting with `opstream aggregator --give-up-file {}`",
            file.number
        );
    }

    /// How many files failed and were not windowed since.
    pub(crate) fn count(&self) -> usize {
        self.files.keys().map(|(_, number)| number).collect::<HashSet<_>>().len()
    }

    /// Lets every file be tried again now.
    #[cfg(test)]
    pub(crate) fn end_pauses(&mut self) {
        self.files.values_mut().for_each(|failure| failure.retry_at = Instant::now());
    }

    /// Forgets the failures of other generations than these.
    pub(crate) fn retain_generations(&mut self, is_used: impl Fn(i64) -> bool) {
        self.files.retain(|(generation, _), _| is_used(*generation));
    }

    /// Forgets a file that was windowed; says whether it had failed before.
    pub(crate) fn forget(&mut self, generation: i64, number: i64) -> bool {
        self.files.remove(&(generation, number)).is_some()
    }

    /// Numbers of the generation's files that are to be tried again now.
    pub(crate) fn due(&self, generation: i64) -> impl Iterator<Item = i64> + '_ {
        let now = Instant::now();
        let due = self.files.iter().filter(move |((of, _), failure)| *of == generation && failure.retry_at <= now);
        due.map(|((_, number), _)| *number)
    }

    /// The files that are not waiting for another attempt.
    pub(crate) fn without_waiting(&self, generation: i64, files: Vec<PendingFile>) -> Vec<PendingFile> {
        let now = Instant::now();
        let failure = |file: &PendingFile| self.files.get(&(generation, file.number));
        files.into_iter().filter(|file| failure(file).is_none_or(|failure| failure.retry_at <= now)).collect()
    }
}
