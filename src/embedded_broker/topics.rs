//! The topics that exist and their open partitions.
//!
//! Each topic has a folder named by its id, not by its name: names never become paths, and a topic that is created again
//! under an old name starts empty, whatever became of the old folder. Records are removed only with a topic that was
//! deleted: its folder is renamed first, and no other folder is ever touched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::{fs, io};

use uuid::Uuid;

use super::catalogue::{Catalogue, TopicEntry, check_settings, is_topic_name};
use super::partition::{Partition, Writers};
use super::segment::sync_folder;

/// Every partition has open files and a task of its own.
const MAX_PARTITIONS: i32 = 256;
/// Small enough that compaction and retention have something to work on, large enough to keep the number of files low.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
const COMPACTED_SEGMENT_BYTES: u64 = 16 * 1024 * 1024;

/// Extension of the folder of a deleted topic until its files are gone.
const DELETED_EXTENSION: &str = "deleted";
const UNPOISONED: &str = "a panic while the topics change is a defect";

/// A topic that can be written and read.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) entry: TopicEntry,
    pub(super) partitions: Vec<Arc<Partition>>,
}

impl Topic {
    /// The partition, if it exists.
    pub(super) fn partition(&self, number: i32) -> Option<Arc<Partition>> {
        self.partitions.get(usize::try_from(number).ok()?).cloned()
    }
}

/// All topics.
#[derive(Debug)]
pub(super) struct Topics {
    folder: PathBuf,
    cluster_id: Arc<str>,
    writers: Writers,
    /// Held during every change of topics, so that catalogue and open topics agree.
    catalogue: Mutex<Catalogue>,
    open: RwLock<BTreeMap<String, Arc<Topic>>>,
}

/// Why a topic was not created, changed or deleted.
#[derive(Debug, thiserror::Error)]
pub(super) enum TopicError {
    /// Nothing to do; harmless for whoever wants the topic to exist.
    #[error("topic {0} exists already")]
    Exists(String),
    /// The name must be spelled otherwise, or the topic created first.
    #[error("topic {0} does not exist")]
    Unknown(String),
    /// The request must be changed.
    #[error("topic {name:?} is refused: {reason}")]
    Invalid { name: String, reason: String },
    /// A setting must be changed.
    #[error("topic {name:?} is refused: {reason}")]
    InvalidSetting { name: String, reason: String },
    /// The request may be sent again when the disk works again.
    #[error("topic {name} cannot be stored")]
    Disk { name: String, source: io::Error },
}

impl Topics {
    /// Opens all topics in `folder`, reading the end of every partition. Blocks on the disk.
    ///
    /// # Errors
    /// When something in the folder cannot be read or written.
    pub(super) fn open(folder: &Path, writers: &Writers) -> io::Result<Self> {
        let topics_folder = folder.join("topics");
        fs::create_dir_all(&topics_folder)?;
        let leftovers = Leftovers::find(&topics_folder)?;
        let catalogue = match Catalogue::read(folder)? {
            Some(catalogue) => catalogue,
            None if leftovers.topics.is_empty() => Catalogue::create(folder)?,
            None => return Err(without_catalogue(folder)),
        };
        leftovers.tidy_up(&catalogue);
        let topics = Self {
            folder: topics_folder,
            cluster_id: Arc::from(catalogue.cluster_id()),
            writers: writers.clone(),
            open: RwLock::default(),
            catalogue: Mutex::new(catalogue),
        };
        let entries = topics.catalogue().topics().clone();
        for (name, entry) in entries {
            let partitions = topics.open_partitions(&entry, Vec::new())?;
            topics.publish(Topic { name, entry, partitions });
        }
        Ok(topics)
    }

    /// The topic, if it exists.
    pub(super) fn get(&self, name: &str) -> Option<Arc<Topic>> {
        self.open.read().expect(UNPOISONED).get(name).cloned()
    }

    /// The topic with this id, if it exists.
    pub(super) fn get_by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.all().into_iter().find(|topic| topic.entry.id == id)
    }

    /// All topics in the order of their names.
    pub(super) fn all(&self) -> Vec<Arc<Topic>> {
        self.open.read().expect(UNPOISONED).values().cloned().collect()
    }

    /// The partition, if it exists.
    pub(super) fn partition(&self, topic: &str, number: i32) -> Option<Arc<Partition>> {
        self.get(topic)?.partition(number)
    }

    /// Whether [`Topics::create`] would create this topic now.
    ///
    /// # Errors
    /// When the topic exists or the request is not allowed.
    pub(super) fn may_create(
        &self,
        name: &str,
        partitions: i32,
        configs: &BTreeMap<String, String>,
    ) -> Result<(), TopicError> {
        if !is_topic_name(name) {
            let reason = "a name has 1 to 249 letters, digits, dots, underscores or hyphens".to_owned();
            return Err(TopicError::Invalid { name: name.to_owned(), reason });
        }
        check_partitions(name, partitions)?;
        let invalid = |reason| TopicError::InvalidSetting { name: name.to_owned(), reason };
        check_settings(configs).map_err(invalid)?;
        if self.get(name).is_some() { Err(TopicError::Exists(name.to_owned())) } else { Ok(()) }
    }

    /// Creates a topic and returns its id. Blocks on the disk.
    ///
    /// # Errors
    /// When the topic exists, the request is not allowed, or the disk refuses.
    pub(super) fn create(
        &self,
        name: &str,
        partitions: i32,
        configs: BTreeMap<String, String>,
    ) -> Result<Uuid, TopicError> {
        let mut catalogue = self.catalogue();
        self.may_create(name, partitions, &configs)?;
        let entry = TopicEntry { id: Uuid::now_v7(), partitions, configs };
        let disk = |source| TopicError::Disk { name: name.to_owned(), source };
        let opened = self.open_partitions(&entry, Vec::new()).map_err(disk)?;
        catalogue.put_topic(name, entry.clone()).map_err(disk)?;
        let id = entry.id;
        self.publish(Topic { name: name.to_owned(), entry, partitions: opened });
        Ok(id)
    }

    /// Whether [`Topics::grow`] would grow this topic now; returns the topic.
    ///
    /// # Errors
    /// When there is no such topic or it has more partitions already.
    pub(super) fn may_grow(&self, name: &str, partitions: i32) -> Result<Arc<Topic>, TopicError> {
        check_partitions(name, partitions)?;
        let topic = self.get(name).ok_or_else(|| TopicError::Unknown(name.to_owned()))?;
        if partitions < topic.entry.partitions {
            let reason = format!("it has {} partitions, which cannot become fewer", topic.entry.partitions);
            return Err(TopicError::Invalid { name: name.to_owned(), reason });
        }
        Ok(topic)
    }

    /// Adds partitions to a topic until it has `partitions`. Blocks on the disk.
    ///
    /// # Errors
    /// When there is no such topic, it has more partitions already, or the disk refuses.
    pub(super) fn grow(&self, name: &str, partitions: i32) -> Result<(), TopicError> {
        let mut catalogue = self.catalogue();
        let topic = self.may_grow(name, partitions)?;
        let entry = TopicEntry { partitions, ..topic.entry.clone() };
        let disk = |source| TopicError::Disk { name: name.to_owned(), source };
        let opened = self.open_partitions(&entry, topic.partitions.clone()).map_err(disk)?;
        catalogue.put_topic(name, entry.clone()).map_err(disk)?;
        self.publish(Topic { name: name.to_owned(), entry, partitions: opened });
        Ok(())
    }

    /// Deletes a topic and its records. Blocks on the disk.
    ///
    /// # Errors
    /// When there is no such topic or the disk refuses.
    pub(super) fn delete(&self, name: &str) -> Result<(), TopicError> {
        let disk = |source| TopicError::Disk { name: name.to_owned(), source };
        let mut catalogue = self.catalogue();
        let removed = catalogue.remove_topic(name).map_err(disk)?;
        let entry = removed.ok_or_else(|| TopicError::Unknown(name.to_owned()))?;
        self.open.write().expect(UNPOISONED).remove(name);
        drop(catalogue);
        let folder = self.folder.join(entry.id.to_string());
        let deleted = folder.with_extension(DELETED_EXTENSION);
        // The topic is gone, whatever becomes of its files: a writer may still be busy with them.
        let outcome = fs::rename(&folder, &deleted).and_then(|()| fs::remove_dir_all(&deleted));
        outcome.unwrap_or_else(|error| {
            tracing::warn!(%error, topic = name, folder = %deleted.display(), "cannot remove all files of a deleted topic yet");
        });
        Ok(())
    }

    /// A producer id that nobody has had before. Blocks on the disk now and then.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn take_producer_id(&self) -> io::Result<i64> {
        self.catalogue().take_producer_id()
    }

    /// Given once, when the folder was created.
    pub(super) fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// Opens the partitions of `entry` that are not among `known`.
    fn open_partitions(&self, entry: &TopicEntry, known: Vec<Arc<Partition>>) -> io::Result<Vec<Arc<Partition>>> {
        let segment_bytes = if entry.is_compacted() { COMPACTED_SEGMENT_BYTES } else { SEGMENT_BYTES };
        let folder = self.folder.join(entry.id.to_string());
        let mut partitions = known;
        for number in partitions.len()..usize::try_from(entry.partitions).unwrap_or(0) {
            let partition = Partition::open(&folder.join(number.to_string()), segment_bytes, &self.writers)?;
            partitions.push(Arc::new(partition));
        }
        // Without this a power cut could take new folders away, and acknowledged records with them.
        sync_folder(&folder)?;
        sync_folder(&self.folder)?;
        Ok(partitions)
    }

    fn publish(&self, topic: Topic) {
        let mut open = self.open.write().expect(UNPOISONED);
        open.insert(topic.name.clone(), Arc::new(topic));
    }

    fn catalogue(&self) -> MutexGuard<'_, Catalogue> {
        self.catalogue.lock().expect(UNPOISONED)
    }
}

fn check_partitions(name: &str, partitions: i32) -> Result<(), TopicError> {
    if (1..=MAX_PARTITIONS).contains(&partitions) {
        return Ok(());
    }
    let reason = format!("a topic has 1 to {MAX_PARTITIONS} partitions, not {partitions}");
    Err(TopicError::Invalid { name: name.to_owned(), reason })
}

fn without_catalogue(folder: &Path) -> io::Error {
    let reason = format!(
        "{0}/catalogue.json is missing, but {0}/topics holds topics: restore the file, or move the folder topics away to \
         begin anew",
        folder.display(),
    );
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// What lies in the folder of topics at the start. Other files and folders there are none of the broker's business.
#[derive(Debug)]
struct Leftovers {
    /// Folders named by topic ids.
    topics: Vec<(Uuid, PathBuf)>,
    /// Folders of deleted topics.
    deleted: Vec<PathBuf>,
}

impl Leftovers {
    fn find(folder: &Path) -> io::Result<Self> {
        let (mut topics, mut deleted) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            let id = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| Uuid::try_parse(stem).ok());
            let Some(id) = id.filter(|_| path.is_dir()) else { continue };
            match path.extension() {
                None => topics.push((id, path)),
                Some(extension) if extension == DELETED_EXTENSION => deleted.push(path),
                Some(_) => {}
            }
        }
        Ok(Self { topics, deleted })
    }

    /// Finishes what a crash interrupted. A folder is removed only when its topic was deleted, or when nothing was ever
    /// written to it; what else the catalogue does not know stays, because the catalogue may come from an old backup.
    fn tidy_up(self, catalogue: &Catalogue) {
        let is_unknown = |id| !catalogue.topics().values().any(|entry| entry.id == id);
        let unknown = self.topics.into_iter().filter(|(id, _)| is_unknown(*id)).map(|(_, folder)| folder);
        let (strange, empty): (Vec<_>, Vec<_>) = unknown.partition(|folder| holds_records(folder).unwrap_or(true));
        for folder in strange {
            tracing::warn!(folder = %folder.display(), "a folder with records belongs to no topic; it is left alone");
        }
        for folder in empty.into_iter().chain(self.deleted) {
            if let Err(error) = fs::remove_dir_all(&folder) {
                tracing::warn!(%error, folder = %folder.display(), "cannot remove what is left of a topic");
            }
        }
    }
}

fn holds_records(topic: &Path) -> io::Result<bool> {
    for partition in fs::read_dir(topic)? {
        let partition = partition?.path();
        if !partition.is_dir() {
            continue;
        }
        for file in fs::read_dir(partition)? {
            if file?.metadata()?.len() > 0 {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
