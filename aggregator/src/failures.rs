//! Files that could not be windowed: each is tried again after a growing pause, and stops no other.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::file_sums::FileError;
use crate::metrics;
use crate::pending::PendingFile;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The files that failed.
#[derive(Debug, Default)]
pub(crate) struct FileFailures {
    files: HashMap<i64, Failure>,
}

#[derive(Debug)]
struct Failure {
    pause: Duration,
    retry_at: Instant,
}

impl FileFailures {
    /// How many files failed.
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// Remembers a failure, longer each time, and raises the alarm.
    pub(crate) fn note(&mut self, file: &PendingFile, error: &FileError) {
        let pause = self.files.get(&file.number).map_or(FIRST_PAUSE, |known| (known.pause * 2).min(LONGEST_PAUSE));
        self.files.insert(file.number, Failure { pause, retry_at: Instant::now() + pause });
        metrics::record_file_failure(error.reason());
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(
            file_number = file.number,
            path = file.path,
            operations = file.rows,
            cause,
            "{error}; its operations are not in the windows until the file is restored, next attempt in {pause:?}"
        );
    }

    /// Forgets a file that was windowed.
    pub(crate) fn forget(&mut self, file: &PendingFile) {
        self.files.remove(&file.number);
    }

    /// The files that may be tried now.
    pub(crate) fn without_waiting(&self, files: Vec<PendingFile>) -> Vec<PendingFile> {
        let now = Instant::now();
        let may_be_tried =
            |file: &PendingFile| self.files.get(&file.number).is_none_or(|failure| failure.retry_at <= now);
        files.into_iter().filter(may_be_tried).collect()
    }
}
