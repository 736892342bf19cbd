//! Reads `AiCore`'s JSON files: `root/session/N.json`, arrays of records, and `fallback/record_*.json`, single records.
//!
//! `AiCore` writes the latter when a session's file could not be written, and no reader of its own ever takes them up; they
//! are imported like the others. A damaged record is refused and the rest goes on; of a file that breaks off, the records
//! before the break count. Links are not followed, so nothing outside the folder is read.

use std::cell::Cell;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use opstream_schemas::Operation;
use serde_json::Value;

use self::python_numbers::PythonNumbers;
use self::records::{Ended, Metered, read_records};
use super::convert::{Store, convert};
use super::record::AicoreRecord;
use super::remarks::Remarks;
use super::usage::Usages;
use crate::import::feed::{At, Extent, Feed, Input, Item, Place, Record, Refusal};
use crate::import::identity::SeenIds;

mod python_numbers;
mod records;

/// Folder of the records that `AiCore` wrote aside.
const FALLBACK: &str = "fallback";

/// Lists the files and prepares to read them.
///
/// # Errors
/// When the folder cannot be listed or holds no JSON file.
pub(super) fn open(root: PathBuf, workspace: String) -> anyhow::Result<Input> {
    let files = list(&root).with_context(|| format!("cannot list {}", root.display()))?;
    let below = stores_below(&root, &files);
    anyhow::ensure!(
        below.is_empty(),
        "{} is not the folder of AiCore's records but one above it; give {}",
        root.display(),
        below.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ")
    );
    anyhow::ensure!(!files.is_empty(), "{} holds no .json file, and neither does a folder in it", root.display());
    let mut n_bytes = 0;
    for file in &files {
        n_bytes += file.metadata().with_context(|| format!("cannot read {}", file.display()))?.len();
    }
    let name = format!("AiCore's JSON files in {} ({} files)", root.display(), files.len());
    let read = move |feed: &Feed| {
        let (seen, usages) = (SeenIds::default(), Usages::default());
        Reader { root, workspace, feed, seen, usages }.read(&files)
    };
    Ok(Input { name, extent: Extent::Bytes(n_bytes), read: Box::new(read) })
}

struct Reader<'a> {
    root: PathBuf,
    workspace: String,
    feed: &'a Feed,
    seen: SeenIds,
    usages: Usages,
}

impl Reader<'_> {
    fn read(mut self, files: &[PathBuf]) -> anyhow::Result<Vec<String>> {
        let mut remarks = Remarks::default();
        for file in files {
            let is_fallback = file.parent().and_then(Path::file_name).is_some_and(|folder| folder == FALLBACK);
            let of_file = self.read_file(file, is_fallback)?;
            remarks.add(of_file);
        }
        Ok(remarks.sentences(Some(&self.root.join(FALLBACK))))
    }

    fn read_file(&mut self, path: &Path, is_fallback: bool) -> anyhow::Result<Remarks> {
        let shown = path.strip_prefix(&self.root).unwrap_or(path).display().to_string();
        let file: Arc<str> = Arc::from(if shown.is_empty() { path.display().to_string() } else { shown });
        let place = |at| Place { file: Arc::clone(&file), at };
        let opened = match File::open(path) {
            Ok(opened) => opened,
            Err(error) => {
                self.feed.push(whole_file(place(At::Whole), &error))?;
                return Ok(Remarks::default());
            }
        };
        let mut remarks = Remarks::default();
        let n_read = Cell::new(0);
        let mut index = 0;
        let source = PythonNumbers::new(BufReader::new(Metered { inner: opened, n_read: &n_read }));
        let ended = read_records(BufReader::new(source), &mut |record| {
            let (record, of_record) = self.record(record, place(At::Index(index)), n_read.take());
            index += 1;
            remarks.add(of_record);
            remarks.from_fallback += u64::from(is_fallback && matches!(record, Record::Item(_)));
            self.feed.push(record)
        });
        match ended {
            Ok(()) => {}
            Err(Ended::Stopped(stopped)) => return Err(stopped.into()),
            Err(Ended::Damaged(error)) => {
                let error =
                    format!("{error}; of this file the {index} records before it were read, and none behind it");
                self.feed.push(whole_file(place(At::Whole), &error))?;
            }
        }
        Ok(remarks)
    }

    fn record(&mut self, record: Value, place: Place, weight: u64) -> (Record, Remarks) {
        match self.operation(record) {
            Err(reason) => (Record::Refused { refusal: Refusal { place, reason }, weight }, Remarks::default()),
            Ok(None) => (Record::Repeated { weight }, Remarks::default()),
            Ok(Some((operation, remarks))) => (Record::Item(Item::new(&operation, place, weight)), remarks),
        }
    }

    /// The operation of a record; none when an earlier record has its id.
    fn operation(&mut self, record: Value) -> Result<Option<(Operation, Remarks)>, String> {
        let mut record: AicoreRecord = serde_json::from_value(record).map_err(|error| error.to_string())?;
        let repeats_usage = self.usages.drop_repeated(&mut record);
        let converted = convert(&record, Store::Json, &self.workspace);
        let (operation, mut remarks) = converted.map_err(|error| error.to_string())?;
        remarks.repeated_usage = u64::from(repeats_usage);
        Ok(self.seen.is_first(operation.operation_id).then_some((operation, remarks)))
    }
}

/// A refusal of a file, or of what is left of it.
fn whole_file(place: Place, error: &impl Display) -> Record {
    Record::Refused { refusal: Refusal::because(place, error), weight: 0 }
}

/// What somebody meant who gave the folder above: `json` where it holds sessions' folders, whose files would be missed from
/// here, and `operations.db` where there is nothing else to import.
fn stores_below(root: &Path, files: &[PathBuf]) -> Vec<PathBuf> {
    let (folder, database) = (root.join("json"), root.join("operations.db"));
    let holds_sessions = |inner: &[PathBuf]| inner.iter().any(|file| file.parent() != Some(folder.as_path()));
    let is_store = folder.is_dir() && list(&folder).is_ok_and(|inner| holds_sessions(&inner));
    let has_database = (is_store || files.is_empty()) && database.is_file();
    [is_store.then_some(folder), has_database.then_some(database)].into_iter().flatten().collect()
}

/// The JSON files of the folder and of the folders in it, in the order in which `AiCore` wrote them: by folder, then by
/// number. A file stands for itself.
fn list(root: &Path) -> io::Result<Vec<PathBuf>> {
    if root.is_file() {
        return Ok(vec![root.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            for inner in fs::read_dir(entry.path())? {
                let inner = inner?;
                if inner.file_type()?.is_file() {
                    files.push(inner.path());
                }
            }
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")));
    let number = |file: &PathBuf| file.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
    files.sort_by_cached_key(|file| (file.parent().map(Path::to_owned), number(file), file.clone()));
    Ok(files)
}
