//! The folders of past days and the names in them. Blocks; runs on threads for that.

use std::fs::{self, ReadDir};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use opstream_schemas::UtcMicros;
use opstream_schemas::lake::{FileKind, file_path};
use opstream_schemas::time::{DAY_MILLIS, UtcMillis};
use uuid::Uuid;

/// A folder of the lake that is being read.
pub(super) struct DayFolder {
    kind: FileKind,
    path: PathBuf,
    /// None until the first file is asked for.
    entries: Option<ReadDir>,
}

/// The folders of days that ended before this moment, newest first. Other entries of the lake are none of our business.
pub(super) fn day_folders(lake: &Path, ended_before: UtcMillis) -> io::Result<Vec<DayFolder>> {
    let mut days = Vec::new();
    for kind in [FileKind::Operations, FileKind::Contents] {
        let entries = match fs::read_dir(lake.join(kind.name())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            let start = path.file_name().and_then(|name| name.to_str()).and_then(day_start);
            if let Some(start) = start.filter(|start| start.plus_millis(DAY_MILLIS) <= ended_before) {
                days.push((start, kind, path));
            }
        }
    }
    days.sort_by_key(|(start, ..)| std::cmp::Reverse(*start));
    Ok(days.into_iter().map(|(_, kind, path)| DayFolder { kind, path, entries: None }).collect())
}

impl DayFolder {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The next paths, relative to the lake, of files of ours that were named and last written before this moment. None
    /// when the folder has been read.
    pub(super) fn next_files(&mut self, most: usize, before: UtcMillis) -> io::Result<Vec<String>> {
        let mut entries = match self.entries.take() {
            Some(entries) => entries,
            None => fs::read_dir(&self.path)?,
        };
        let mut files = Vec::new();
        while files.len() < most {
            let Some(entry) = entries.next() else { break };
            let entry = entry?;
            let named = entry.file_name().to_str().and_then(|name| self.path_of(name));
            let Some((path, named_at)) = named else { continue };
            if named_at < before && written_at(&entry)? < before {
                files.push(path);
            }
        }
        self.entries = Some(entries);
        Ok(files)
    }

    /// The manifest's path of a file of ours, and when its name was chosen; none for any other name.
    fn path_of(&self, name: &str) -> Option<(String, UtcMillis)> {
        let (named_at, unique) = name.strip_suffix(".parquet")?.split_once('-')?;
        let named_at = UtcMillis::from_millis(named_at.parse().ok()?);
        let path = file_path(self.kind, named_at, Uuid::try_parse(unique).ok()?);
        // Written again from its parts, the name must be the same, in the folder where it belongs.
        let folder = self.path.file_name()?.to_str()?;
        (path == format!("{}/{folder}/{name}", self.kind.name())).then_some((path, named_at))
    }
}

/// Start of the day of a folder's name, `2026-11-23`.
fn day_start(name: &str) -> Option<UtcMillis> {
    let start = UtcMicros::parse_rfc3339(&format!("{name}T00:00:00Z")).ok()?.to_millis();
    start.to_string().starts_with(name).then_some(start)
}

fn written_at(entry: &fs::DirEntry) -> io::Result<UtcMillis> {
    let since = entry.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(UtcMillis::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
}
