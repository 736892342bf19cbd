//! Which files are merged next. Computes, and neither reads nor writes anything.
//!
//! Files are compared within a bucket: the hour of their operations, or the day for files that reach over an hour's end and for
//! every file once the day is over. What decides:
//!
//! - While a bucket's time runs, and for what comes late, files are merged when together they hold several times the rows of
//!   the largest of them. Each such merge moves a row into a file at least twice as large, which can happen 17 times at most before the
//!   file has [`TARGET_ROWS`]; a row that comes with a hundred others is merged about three times.
//! - Once after its hour and once after its day is over, what came in time is merged whatever the sizes are.
//! - Files that reach over a day's end are split, if what results are fewer files or files of some size.
//!
//! So a row is written again 20 times at the very most: 17 doublings, two ends, one split. What is left of a day at last are files of a
//! quarter of the target and more, and at most 18 smaller ones. Closed hours and days come first, and among equals the most files.

use std::collections::BTreeMap;

use opstream_schemas::UtcMillis;
use opstream_schemas::time::DAY_MILLIS;
use opstream_schemas::window::Level;

/// Rows of a merged file. Some 10 MB of Parquet, and what fits the memory of a merge without content.
pub(super) const TARGET_ROWS: i64 = 100_000;
/// Files that are merged at once: each is a row in the transaction, and content another.
pub(super) const MOST_FILES: usize = 256;
/// An hour is closed so much later: batches are on their way for a while.
const HOUR_GRACE_MS: i64 = 5 * 60_000;
/// The same for a day.
const DAY_GRACE_MS: i64 = 60 * 60_000;
/// While an hour runs, files are merged when they hold this many times the rows of the largest, …
const OPEN_FACTOR: i64 = 4;
/// … and are at least so many.
const OPEN_FILES: usize = 8;
/// What comes late is merged when files hold this many times the rows of the largest.
const LATE_FACTOR: i64 = 2;
/// Days that the files of one split may touch: each becomes a file, or two with content.
const MOST_DAYS: i64 = 32;
/// Rows of a day that are worth a file of their own.
const WORTHWHILE_ROWS: i64 = 1000;

/// A live, windowed file of operations with less than half of [`TARGET_ROWS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Its number in the manifest.
    pub(super) number: i64,
    /// Its operations.
    pub(super) rows: i64,
    /// Time of the first.
    pub(super) first: UtcMillis,
    /// Time of the last.
    pub(super) last: UtcMillis,
    /// When it was listed.
    pub(super) committed_at: UtcMillis,
    /// Where its content is.
    pub(super) content: ContentPlace,
}

/// Where the content of a file's operations is. Files with content in SQL and others are not merged with each other: the content of a
/// file is in SQL wholly or not at all, which `opstream verify` relies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentPlace {
    /// There is none.
    Nowhere,
    /// In a file of contents only.
    Lake,
    /// In SQL too.
    Sql,
}

/// Why files are merged; the label of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// Their hour or day is over.
    Closed,
    /// They came after its end.
    Late,
    /// There are many of them already.
    Many,
    /// They reach over the end of a day.
    Split,
}

impl Reason {
    /// Label of the metric.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Late => "late",
            Self::Many => "many",
            Self::Split => "split",
        }
    }
}

/// Files that are to be merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Why.
    pub(super) reason: Reason,
    /// Their numbers, the smallest file first.
    pub(super) files: Vec<i64>,
}

/// What files have in common that are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Bucket {
    /// Everything lies in the hour that begins here.
    Hour(UtcMillis),
    /// Everything lies in the day that begins here.
    Day(UtcMillis),
    /// Nothing: the file reaches over the end of a day.
    Days,
}

/// What is to be merged next at the time `now`, if anything is.
pub(super) fn plan(candidates: &[Candidate], now: UtcMillis) -> Option<Plan> {
    let mut buckets: BTreeMap<Bucket, Vec<&Candidate>> = BTreeMap::new();
    for candidate in candidates {
        buckets.entry(Bucket::of(candidate, now)).or_default().push(candidate);
    }
    let plans = buckets.into_iter().flat_map(|(bucket, files)| {
        let groups = group_by_content(files).into_iter();
        groups.filter_map(move |files| bucket.plan(files, now))
    });
    // Of equals the first, which is the oldest.
    let chosen = plans.min_by_key(|(reason, files)| (*reason, std::cmp::Reverse(files.len())));
    chosen.map(|(reason, mut files)| {
        files.sort_by_key(|file| (file.rows, file.number));
        Plan { reason, files: files.into_iter().map(|file| file.number).collect() }
    })
}

/// Files that may be merged with each other; those without content go with any.
fn group_by_content(files: Vec<&Candidate>) -> Vec<Vec<&Candidate>> {
    if files.iter().all(|file| file.content != ContentPlace::Lake) {
        return vec![files];
    }
    let (in_sql, others) = files.into_iter().partition(|file| file.content == ContentPlace::Sql);
    vec![others, in_sql]
}

impl Bucket {
    fn of(file: &Candidate, now: UtcMillis) -> Self {
        let (day, hour) = (file.first.day_start(), Level::Hour.window_start(file.first));
        if file.last.day_start() != day {
            Self::Days
        } else if Level::Hour.window_start(file.last) == hour && !Self::Day(day).is_closed(now) {
            Self::Hour(hour)
        } else {
            Self::Day(day)
        }
    }

    /// When what belongs into it in time has come; never for files of several days.
    fn closed_at(self) -> Option<UtcMillis> {
        match self {
            Self::Hour(start) => Some(Level::Hour.window_end(start).plus_millis(HOUR_GRACE_MS)),
            Self::Day(start) => Some(start.plus_millis(DAY_MILLIS + DAY_GRACE_MS)),
            Self::Days => None,
        }
    }

    fn is_closed(self, now: UtcMillis) -> bool {
        self.closed_at().is_some_and(|closed_at| closed_at <= now)
    }

    fn plan(self, mut files: Vec<&Candidate>, now: UtcMillis) -> Option<(Reason, Vec<&Candidate>)> {
        let Some(closed_at) = self.closed_at() else { return split(files).map(|files| (Reason::Split, files)) };
        if closed_at > now {
            files.sort_by_key(|file| (file.rows, file.number));
            return multiple(&files, OPEN_FACTOR, OPEN_FILES).map(|files| (Reason::Many, files));
        }
        // A file that was merged after the end is none of these any more: a row is merged once for this reason.
        let mut in_time: Vec<&Candidate> = files.iter().copied().filter(|file| file.committed_at < closed_at).collect();
        in_time.sort_by_key(|file| (file.first, file.number));
        if let Some(neighbours) = neighbours(&in_time) {
            return Some((Reason::Closed, neighbours));
        }
        files.sort_by_key(|file| (file.rows, file.number));
        multiple(&files, LATE_FACTOR, 2).map(|files| (Reason::Late, files))
    }
}

/// As many of the smallest files as together have `factor` times the rows of the largest of them; none below `least`. The files
/// are in the order of their rows.
fn multiple<'a>(files: &[&'a Candidate], factor: i64, least: usize) -> Option<Vec<&'a Candidate>> {
    let mut total = 0;
    let mut count = 0;
    for (n, file) in (1..=MOST_FILES).zip(files) {
        total += file.rows;
        if total > TARGET_ROWS {
            break;
        }
        if n >= least && total >= factor * file.rows {
            count = n;
        }
    }
    (count > 0).then(|| files[..count].to_vec())
}

/// The first files beside each other in time that fit together.
fn neighbours<'a>(files: &[&'a Candidate]) -> Option<Vec<&'a Candidate>> {
    let mut run: Vec<&Candidate> = Vec::new();
    let mut total = 0;
    for file in files {
        if run.len() == MOST_FILES || total + file.rows > TARGET_ROWS {
            if run.len() > 1 {
                break;
            }
            run.clear();
            total = 0;
        }
        total += file.rows;
        run.push(file);
    }
    (run.len() > 1).then_some(run)
}

/// The first files that are better off as files of single days.
fn split(mut files: Vec<&Candidate>) -> Option<Vec<&Candidate>> {
    files.sort_by_key(|file| (file.first, file.number));
    (0..files.len()).find_map(|start| {
        let (mut total, mut last) = (0, files[start].last);
        let mut count = 0;
        for (n, file) in (1..=MOST_FILES).zip(&files[start..]) {
            total += file.rows;
            last = last.max(file.last);
            let days = (last.day_start().millis() - files[start].first.day_start().millis()) / DAY_MILLIS + 1;
            if total > TARGET_ROWS || days > MOST_DAYS {
                break;
            }
            let are_fewer = i64::try_from(n).is_ok_and(|n| 2 * days <= n);
            if are_fewer || total >= WORTHWHILE_ROWS * days {
                count = n;
            }
        }
        (count > 0).then(|| files[start..start + count].to_vec())
    })
}

#[cfg(test)]
mod tests;
