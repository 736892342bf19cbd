//! Reads every live file once and holds it against its row in the manifest, and contents against their operations.
//!
//! In: the snapshot. Out: the checks `files` and `contents`, and the numbers of the files that could not be read, which
//! later checks leave out. One file at a time is open, on a blocking thread.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use opstream_schemas::lake::FileKind;
use opstream_schemas::lake::MANIFEST_SUMS;
use opstream_schemas::{OperationId, UtcMillis};

use super::given_up::find_given_up;
use super::lake_file::{FileSums, LakeFileError, MeasuredContents, measure_contents, measure_operations};
use super::progress::Progress;
use super::report::{Check, Finding};
use super::snapshot::{ListedFile, Snapshot, VerifyError, id_after, unfetched};
use crate::failure::told;

const LOST_FILE: (&str, &str) = (
    "the file was deleted, moved or damaged outside opstream, or --lake names another folder than the pipeline writes to",
    "bring the file back from a backup of the lake, or, when it is gone, have `opstream restore-files` write it again from the \
     rows; while the topic still holds its offsets a fresh database and lake can also read them again",
);
const WRONG_MANIFEST: (&str, &str) = (
    "the manifest row or the file was changed after its commit",
    "compare with a backup: docs/verify.md shows how to add a file up by hand",
);
const WRONG_CONTENTS_IN_SQL: (&str, &str) = (
    "rows of operation_contents were deleted or changed outside the ingest transaction",
    "bring them back from the named file, which holds the same columns, or from a backup",
);
const WRONG_CONTENTS: (&str, &str) = (
    "a file of contents was lost, or the manifest row that ties it to its operations was changed",
    "bring the file or the manifest row back from a backup; operations, costs and windows do not depend on it",
);

/// What reading every file brought.
pub(super) struct FilesOutcome {
    /// Every file is there and is what the manifest says.
    pub(super) files: Check,
    /// Contents belong to the operations that have them.
    pub(super) contents: Check,
    /// Numbers of files that cannot be read.
    pub(super) unreadable: HashSet<i64>,
    /// The spans of time of their operations, both ends included, according to the manifest.
    pub(super) unreadable_spans: Vec<(UtcMillis, UtcMillis)>,
}

/// Checks every live file of the snapshot.
///
/// # Errors
/// When the database fails, or a file was removed by the pipeline while this ran.
pub(super) async fn check_files(snapshot: &mut Snapshot, progress: &Progress) -> Result<FilesOutcome, VerifyError> {
    let mut files = Check::new("files", "every live file exists, can be read and adds up to its row in the manifest");
    find_given_up(snapshot, &mut files).await?;
    let contents = Check::new("contents", "prompts and messages exist for exactly the operations that have them");
    let mut outcome = FilesOutcome { files, contents, unreadable: HashSet::new(), unreadable_spans: Vec::new() };
    let mut after = 0;
    loop {
        let page = snapshot.live_files(FileKind::Operations, after).await?;
        let Some(last) = page.last() else { break };
        after = last.number;
        let mut contents = snapshot.contents_of(&page).await?;
        for file in page {
            let contents = contents.remove(&file.number).unwrap_or_default();
            outcome.check_file(snapshot, &file, &contents).await?;
            progress.advance(file.sums.rows);
        }
    }
    check_stray_contents(snapshot, &mut outcome.contents).await?;
    Ok(outcome)
}

impl FilesOutcome {
    async fn check_file(
        &mut self,
        snapshot: &mut Snapshot,
        file: &ListedFile,
        contents: &[ListedFile],
    ) -> Result<(), VerifyError> {
        let operations = self.measure(snapshot, file, |path| {
            let measured = measure_operations(path)?;
            Ok((measured.sums, measured.content_ids))
        });
        let operations = operations.await?;
        if operations.is_none() {
            let time = |id: Option<OperationId>| id.map(OperationId::time).unwrap_or_default();
            self.unreadable_spans.push((time(file.sums.min_id), time(file.sums.max_id)));
        }
        let mut found = Vec::new();
        let mut is_complete = true;
        for part in contents {
            let measured = self.measure(snapshot, part, |path| {
                let MeasuredContents { sums, contents } = measure_contents(path)?;
                Ok((sums, contents))
            });
            match measured.await? {
                Some(measured) => {
                    check_contents_in_sql(snapshot, &mut self.contents, part, &measured).await?;
                    found.extend(measured.into_iter().map(|(id, _)| id));
                }
                None => is_complete = false,
            }
        }
        let Some(content_ids) = operations.filter(|_| is_complete) else { return Ok(()) };
        self.contents.compared("operations with content", count(content_ids.len()));
        found.sort_unstable();
        compare_contents(&mut self.contents, file, &content_ids, &found);
        Ok(())
    }

    /// Reads one file and compares its sums with the manifest; none when it cannot be read, which is then a finding.
    async fn measure<T: Send + 'static>(
        &mut self,
        snapshot: &Snapshot,
        file: &ListedFile,
        measure: impl FnOnce(&Path) -> Result<(FileSums, T), LakeFileError> + Send + 'static,
    ) -> Result<Option<T>, VerifyError> {
        self.files.compared("files", 1);
        self.files.compared("bytes", u64::try_from(file.bytes).unwrap_or(0));
        let has_size = has_listed_size(&mut self.files, file).await;
        let local = file.local.clone();
        let measured = blocking(&file.path, move || measure(&local.ok_or(LakeFileError::Path)?)).await?;
        match measured {
            Ok((sums, rest)) => {
                self.files.compared("rows in files", u64::try_from(sums.rows).unwrap_or(0));
                compare_sums(&mut self.files, file, &sums);
                Ok(Some(rest))
            }
            Err(error) => {
                if snapshot.was_removed_since(file.number).await? {
                    return Err(VerifyError::Outrun { path: file.path.clone() });
                }
                self.unreadable.insert(file.number);
                // A wrong size has been reported already and explains why the file cannot be decoded.
                if has_size {
                    let what = format!("file {} ({}): {}", file.number, file.path, told(&error));
                    self.files.find(|| Finding { what, cause: LOST_FILE.0, way_out: LOST_FILE.1 });
                }
                Ok(None)
            }
        }
    }
}

/// Runs a file's decoding on a blocking thread. A decoder that panics on damaged bytes becomes an error of that file.
pub(super) async fn blocking<T: Send + 'static>(
    path: &str,
    work: impl FnOnce() -> Result<T, LakeFileError> + Send + 'static,
) -> Result<Result<T, LakeFileError>, VerifyError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => Ok(outcome),
        Err(stopped) if stopped.is_panic() => Ok(Err(LakeFileError::Undecodable)),
        Err(_) => Err(VerifyError::Interrupted { path: path.to_owned() }),
    }
}

/// Whether the file's length is the listed one. A missing file is left to the reading, which says so.
pub(super) async fn has_listed_size(check: &mut Check, file: &ListedFile) -> bool {
    let Some(local) = &file.local else { return true };
    let Ok(metadata) = tokio::fs::metadata(local).await else { return true };
    let is_same = u64::try_from(file.bytes).is_ok_and(|bytes| bytes == metadata.len());
    if !is_same {
        let (number, path) = (file.number, &file.path);
        let what = format!("file {number} ({path}) has {} bytes, the manifest lists {}", metadata.len(), file.bytes);
        check.find(|| Finding { what, cause: LOST_FILE.0, way_out: LOST_FILE.1 });
    }
    is_same
}

/// Compares what a file adds up to with its row in the manifest.
pub(super) fn compare_sums(check: &mut Check, file: &ListedFile, found: &FileSums) {
    let listed = &file.sums;
    let mut differences = Vec::new();
    let mut compare = |name: &str, listed: String, found: String| {
        if listed != found {
            differences.push(format!("{name} {listed} in the manifest, {found} in the file"));
        }
    };
    compare("rows", listed.rows.to_string(), found.rows.to_string());
    compare("id_hash", listed.id_hash.to_string(), found.id_hash.to_string());
    compare("min_operation_id", id_text(listed.min_id), id_text(found.min_id));
    compare("max_operation_id", id_text(listed.max_id), id_text(found.max_id));
    for (name, (listed, found)) in MANIFEST_SUMS.iter().zip(listed.sums.iter().zip(&found.sums)) {
        compare(name, listed.to_string(), found.to_string());
    }
    if !differences.is_empty() {
        let what = format!("file {} ({}): {}", file.number, file.path, differences.join("; "));
        check.find(|| Finding { what, cause: WRONG_MANIFEST.0, way_out: WRONG_MANIFEST.1 });
    }
}

fn id_text(id: Option<OperationId>) -> String {
    id.map_or_else(|| "none".to_owned(), |id| id.to_string())
}

/// Both ascending.
fn compare_contents(check: &mut Check, file: &ListedFile, operations: &[OperationId], contents: &[OperationId]) {
    let (mut left, mut right) = (operations.iter().peekable(), contents.iter().peekable());
    loop {
        let (id, problem) = match (left.peek(), right.peek()) {
            (None, None) => return,
            (Some(one), Some(other)) if one == other => {
                left.next();
                right.next();
                continue;
            }
            (Some(one), other) if other.is_none_or(|other| one < other) => (left.next(), "has content in no live file"),
            _ => (right.next(), "has content, but once too often or not by its row in the operations' file"),
        };
        let id = id.copied().unwrap_or_default();
        let what = format!("operation {id} of file {} ({}) {problem}", file.number, file.path);
        check.find(|| Finding { what, cause: WRONG_CONTENTS.0, way_out: WRONG_CONTENTS.1 });
    }
}

/// Compares the contents that are kept in SQL too with those of a file. A transaction inserts all contents of its file or
/// none, so if some are there, none may be missing. `contents` is ascending.
async fn check_contents_in_sql(
    snapshot: &mut Snapshot,
    check: &mut Check,
    file: &ListedFile,
    contents: &[(OperationId, u64)],
) -> Result<(), VerifyError> {
    let floor = snapshot.lowest_id();
    let kept = &contents[contents.partition_point(|(id, _)| *id < floor)..];
    let (Some((first, _)), Some((last, _))) = (kept.first(), kept.last()) else { return Ok(()) };
    let mut stored = HashMap::new();
    let mut next = Some(*first);
    while let Some(from) = next {
        let page = snapshot.contents_in_sql(&(from..=*last)).await?;
        next = page.last().and_then(|(id, _)| id_after(*id));
        stored.extend(page.into_iter().filter(|(id, _)| kept.binary_search_by_key(id, |(id, _)| *id).is_ok()));
    }
    if stored.is_empty() {
        return Ok(());
    }
    check.compared("contents in SQL", count(stored.len()));
    for (id, hash) in kept {
        let problem = match stored.get(id) {
            None => "is not in operation_contents, unlike others of that file",
            Some(stored) if stored != hash => "differs from that in operation_contents",
            Some(_) => continue,
        };
        check.find(|| {
            let what = format!("operation {id}: its content in file {} ({}) {problem}", file.number, file.path);
            Finding { what, cause: WRONG_CONTENTS_IN_SQL.0, way_out: WRONG_CONTENTS_IN_SQL.1 }
        });
    }
    Ok(())
}

/// Contents, in files and in SQL, whose operations are not there.
async fn check_stray_contents(snapshot: &mut Snapshot, check: &mut Check) -> Result<(), VerifyError> {
    let broken = |source| VerifyError::Database { what: "contents", source };
    let files = snapshot.fetch("contents", include_str!("stray_contents_files.sql"), &[]).await?;
    check.findings_total += unfetched(&files).map_err(broken)?;
    for row in files {
        let (number, path) = (row.int("file_number").map_err(broken)?, row.text("path").map_err(broken)?);
        let what = format!("file {number} ({path}) holds contents of an operations file that is not live");
        check.find(|| Finding { what, cause: WRONG_CONTENTS.0, way_out: WRONG_CONTENTS.1 });
    }
    let floor = snapshot.lowest_id();
    let contents = snapshot.fetch("contents", include_str!("stray_contents.sql"), &[floor.into()]).await?;
    check.findings_total += unfetched(&contents).map_err(broken)?;
    for row in contents {
        let id = row.id("operation_id").map_err(broken)?;
        let what = format!("operation_contents holds {id}, which is not in operations or has no content there");
        check.find(|| Finding { what, cause: WRONG_CONTENTS.0, way_out: WRONG_CONTENTS.1 });
    }
    Ok(())
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
