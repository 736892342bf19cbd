//! The folder of one producer's segments, and those of its neighbours.
//!
//! ```text
//! FOLDER/llm.operations/0/lock                    held by the producer whose segments lie beside it
//! FOLDER/llm.operations/0/<id>.open               is being written
//! FOLDER/llm.operations/0/<id>-<operations>.spool complete
//! FOLDER/llm.operations/1/…                       a second process of the same application
//! ```
//!
//! A producer takes the first numbered folder whose lock nobody holds, so that the processes of an application share one
//! setting, and a start after a crash finds what the crash left. The system releases a lock with the process that holds
//! it, however that ends. Ids are in the order of time. The topic is part of the path because a segment does not say
//! where its records belong.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use opstream_schemas::{OperationId, UtcMillis};

/// More producers than this share no folder.
const MOST_PRODUCERS: u32 = 4096;
const OPEN: &str = "open";
const COMPLETE: &str = "spool";

/// A folder that this producer alone writes to.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    number: u32,
    /// Released when it is dropped.
    _lock: File,
}

/// A segment that is not written any more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StoredSegment {
    /// In the order of time; the file's name begins with it.
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// Absent when its writer did not come to the end.
    pub(super) operations: Option<u64>,
    pub(super) bytes: u64,
}

impl StoredSegment {
    /// Names the segment after what it holds. Where the system does not rename it, the next start counts again.
    pub(super) fn complete(&mut self, operations: u64) {
        let complete = complete_path(self.path.parent().unwrap_or(Path::new("")), &self.name, operations);
        if fs::rename(&self.path, &complete).is_ok() {
            self.path = complete;
        }
        self.operations = Some(operations);
    }
}

impl Folder {
    /// Takes the first free folder of the topic, and makes it when there is none.
    ///
    /// # Errors
    /// When the system refuses, or thousands of producers have folders there already.
    pub(super) fn take(parent: &Path, topic: &str) -> io::Result<Self> {
        let topic_folder = parent.join(topic);
        for number in 0..MOST_PRODUCERS {
            let path = topic_folder.join(number.to_string());
            make_folder(&path)?;
            if let Some(lock) = try_lock(&path)? {
                return Ok(Self { path, number, _lock: lock });
            }
        }
        Err(io::Error::new(ErrorKind::ResourceBusy, format!("{MOST_PRODUCERS} producers are using it")))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All segments, oldest first.
    pub(super) fn segments(&self) -> io::Result<Vec<StoredSegment>> {
        segments_in(&self.path)
    }

    /// Moves segments here that processes left behind which are gone, as long as `room` bytes hold them. Returns them.
    ///
    /// A neighbour's lock is held meanwhile: a process that starts in this moment takes another folder. One that cannot be
    /// entered, as that of another user, is passed over.
    pub(super) fn adopt(&self, mut room: u64) -> io::Result<Vec<StoredSegment>> {
        let mut adopted = Vec::new();
        let neighbours = fs::read_dir(self.path.parent().unwrap_or(&self.path))?;
        for neighbour in neighbours.flatten() {
            let number = neighbour.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
            let path = neighbour.path();
            if number.is_none_or(|number| number == self.number) || segments_in(&path).is_ok_and(|all| all.is_empty()) {
                continue;
            }
            let Ok(Some(_lock)) = try_lock(&path) else { continue };
            for segment in segments_in(&path).unwrap_or_default() {
                let (Some(left), Some(file_name)) = (room.checked_sub(segment.bytes), segment.path.file_name()) else {
                    continue;
                };
                let here = self.path.join(file_name);
                if fs::rename(&segment.path, &here).is_ok() {
                    room = left;
                    adopted.push(StoredSegment { path: here, ..segment });
                }
            }
        }
        if !adopted.is_empty() {
            // What was moved is ours in any case; without it, a loss of power may put it back.
            sync_folder(&self.path).ok();
        }
        Ok(adopted)
    }
}

/// Creates the file of a new segment and returns its name and path. Makes the folder when somebody tidied it away.
pub(super) fn create_segment(folder: &Path, now: UtcMillis) -> io::Result<(String, PathBuf, File)> {
    make_folder(folder)?;
    let name = OperationId::generate(now).to_string();
    let path = folder.join(format!("{name}.{OPEN}"));
    let file = private().create_new(true).append(true).open(&path)?;
    Ok((name, path, file))
}

/// The path of a segment that is complete.
fn complete_path(folder: &Path, name: &str, operations: u64) -> PathBuf {
    folder.join(format!("{name}-{operations}.{COMPLETE}"))
}

/// Makes names of files that were created or renamed survive a loss of power.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn segments_in(folder: &Path) -> io::Result<Vec<StoredSegment>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some((name, operations)) = parse(&entry.path()) else { continue };
        let bytes = entry.metadata()?.len();
        segments.push(StoredSegment { name, path: entry.path(), operations, bytes });
    }
    segments.sort_unstable();
    Ok(segments)
}

/// Name and number of operations of a segment's file; none for files that are something else.
fn parse(path: &Path) -> Option<(String, Option<u64>)> {
    let stem = path.file_stem()?.to_str()?;
    let (name, operations) = match path.extension()?.to_str()? {
        OPEN => (stem, None),
        COMPLETE => {
            let (name, operations) = stem.rsplit_once('-')?;
            (name, Some(operations.parse().ok()?))
        }
        _ => return None,
    };
    name.parse::<OperationId>().ok()?;
    Some((name.to_owned(), operations))
}

/// The lock of a folder; none when another process, or another producer of this one, has it.
fn try_lock(folder: &Path) -> io::Result<Option<File>> {
    let file = private().create(true).truncate(false).write(true).open(folder.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Operations may hold prompts: files and folders are their owner's alone.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &Folder, file: &str) {
        fs::write(folder.path.join(file), b"bytes").unwrap();
    }

    #[test]
    fn producers_of_one_folder_get_parts_of_their_own_and_a_free_one_is_taken_again() {
        let parent = tempfile::tempdir().unwrap();
        let first = Folder::take(parent.path(), "t").unwrap();
        let second = Folder::take(parent.path(), "t").unwrap();
        let other_topic = Folder::take(parent.path(), "u").unwrap();
        assert_eq!([first.number, second.number, other_topic.number], [0, 1, 0]);
        drop(first);
        assert_eq!(Folder::take(parent.path(), "t").unwrap().number, 0);
    }

    #[test]
    fn segments_are_listed_oldest_first_and_other_files_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::take(parent.path(), "t").unwrap();
        let [old, new] = [1_000, 2_000].map(|at| OperationId::generate(UtcMillis::from_millis(at)).to_string());
        for file in [&format!("{new}.open"), &format!("{old}-17.spool"), "notes.txt", "a-3.spool", "b.open"] {
            put(&folder, file);
        }
        let found: Vec<_> =
            folder.segments().unwrap().into_iter().map(|found| (found.name, found.operations, found.bytes)).collect();
        assert_eq!(found, [(old, Some(17), 5), (new, None, 5)]);
    }

    #[test]
    fn only_what_the_dead_left_behind_is_adopted_and_only_what_there_is_room_for() {
        let parent = tempfile::tempdir().unwrap();
        let [own, living, dead] = [(); 3].map(|()| Folder::take(parent.path(), "t").unwrap());
        let name = || format!("{}-1.spool", OperationId::generate(UtcMillis::from_millis(1)));
        put(&living, &name());
        put(&dead, &name());
        put(&dead, &name());
        drop(dead);
        assert_eq!(own.adopt(9).unwrap().len(), 1);
        assert_eq!((own.segments().unwrap().len(), living.segments().unwrap().len()), (1, 1));
        assert_eq!(own.adopt(100).unwrap().len(), 1);
        assert!(own.adopt(100).unwrap().is_empty());
        let [barred, open] = [(); 2].map(|()| Folder::take(parent.path(), "t").unwrap());
        put(&barred, &name());
        put(&open, &name());
        let lock = barred.path.join("lock");
        drop((barred, open));
        fs::remove_file(&lock).unwrap();
        fs::create_dir(&lock).unwrap();
        assert_eq!(own.adopt(100).unwrap().len(), 1, "a neighbour that cannot be locked costs nobody else");
    }
}
