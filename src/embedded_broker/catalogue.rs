//! What the broker must remember besides records: its cluster id, its topics, and which producer ids it gave away.
//!
//! One small file, replaced as a whole at every change. Records, committed offsets and group members are elsewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::log::Retention;
use super::segment::write_whole;

/// Version of the file and of everything beside it.
const FORMAT: u32 = 1;
const FILE_NAME: &str = "catalogue.json";
/// Producer ids are reserved on disk in blocks, so that not every producer costs a write.
const PRODUCER_ID_BLOCK: i64 = 1_000;
const MAX_NAME_BYTES: usize = 249;
/// Kafka's default.
const DEFAULT_AGE: Duration = Duration::from_hours(7 * 24);
/// Per partition; with the default of four partitions the operations that everybody has read take at most 4 GiB.
const DEFAULT_SIZE_BYTES: u64 = 1 << 30;

/// The file's content.
#[derive(Debug, Serialize, Deserialize)]
struct Content {
    format: u32,
    cluster_id: String,
    first_free_producer_id: i64,
    topics: BTreeMap<String, TopicEntry>,
}

/// A topic as it was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TopicEntry {
    pub(super) id: Uuid,
    pub(super) partitions: i32,
    /// Settings by Kafka's names, as the creator gave them.
    pub(super) configs: BTreeMap<String, String>,
}

/// The catalogue and its file.
#[derive(Debug)]
pub(super) struct Catalogue {
    path: PathBuf,
    content: Content,
    next_producer_id: i64,
}

impl Catalogue {
    /// Reads the catalogue in `folder`; `None` when there is none.
    ///
    /// # Errors
    /// When the file cannot be read, or comes from a newer version.
    pub(super) fn read(folder: &Path) -> io::Result<Option<Self>> {
        let path = folder.join(FILE_NAME);
        let content: Content = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if content.format != FORMAT {
            let reason =
                format!("{} has format {}, this version reads format {FORMAT}", path.display(), content.format);
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        Ok(Some(Self { next_producer_id: content.first_free_producer_id, path, content }))
    }

    /// Starts a catalogue in `folder`, with a new cluster id and no topics.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn create(folder: &Path) -> io::Result<Self> {
        let content = Content {
            format: FORMAT,
            cluster_id: Uuid::now_v7().to_string(),
            first_free_producer_id: 1,
            topics: BTreeMap::new(),
        };
        let path = folder.join(FILE_NAME);
        let catalogue = Self { next_producer_id: content.first_free_producer_id, path, content };
        catalogue.save()?;
        Ok(catalogue)
    }

    /// Given once, when the folder was created.
    pub(super) fn cluster_id(&self) -> &str {
        &self.content.cluster_id
    }

    /// All topics by name.
    pub(super) fn topics(&self) -> &BTreeMap<String, TopicEntry> {
        &self.content.topics
    }

    /// Adds or replaces a topic.
    ///
    /// # Errors
    /// When the file cannot be written; the catalogue is then as before.
    pub(super) fn put_topic(&mut self, name: &str, entry: TopicEntry) -> io::Result<()> {
        let before = self.content.topics.insert(name.to_owned(), entry);
        self.save().inspect_err(|_| match before {
            Some(before) => drop(self.content.topics.insert(name.to_owned(), before)),
            None => drop(self.content.topics.remove(name)),
        })
    }

    /// Removes a topic; returns what was removed.
    ///
    /// # Errors
    /// When the file cannot be written; the catalogue is then as before.
    pub(super) fn remove_topic(&mut self, name: &str) -> io::Result<Option<TopicEntry>> {
        let Some(entry) = self.content.topics.remove(name) else { return Ok(None) };
        if let Err(error) = self.save() {
            self.content.topics.insert(name.to_owned(), entry);
            return Err(error);
        }
        Ok(Some(entry))
    }

    /// A producer id that nobody has had before, whatever crashes lie between.
    ///
    /// # Errors
    /// When the next block of ids cannot be reserved on disk.
    pub(super) fn take_producer_id(&mut self) -> io::Result<i64> {
        if self.next_producer_id >= self.content.first_free_producer_id {
            self.content.first_free_producer_id = self.next_producer_id + PRODUCER_ID_BLOCK;
            self.save()?;
        }
        self.next_producer_id += 1;
        Ok(self.next_producer_id - 1)
    }

    fn save(&self) -> io::Result<()> {
        write_whole(&self.path, &serde_json::to_vec_pretty(&self.content)?)
    }
}

impl TopicEntry {
    /// Whether only the last record of each key is kept.
    pub(super) fn is_compacted(&self) -> bool {
        self.configs.get("cleanup.policy").is_some_and(|policy| policy.contains("compact"))
    }

    /// What a topic keeps that is not compacted. A negative `retention.ms` or `retention.bytes` means no limit.
    pub(super) fn retention(&self) -> Retention {
        let setting = |name: &str| self.configs.get(name).and_then(|value| value.parse::<i64>().ok());
        let age = |ms| u64::try_from(ms).map_or(Duration::MAX, Duration::from_millis);
        let size = |bytes| u64::try_from(bytes).unwrap_or(u64::MAX);
        Retention {
            age: setting("retention.ms").map_or(DEFAULT_AGE, age),
            size_bytes: setting("retention.bytes").map_or(DEFAULT_SIZE_BYTES, size),
        }
    }
}

/// Whether the settings of a new topic mean something to this broker. Settings that it does not know are kept and have no
/// effect.
///
/// # Errors
/// When one has a value that is not possible: which, and what is.
pub(super) fn check_settings(configs: &BTreeMap<String, String>) -> Result<(), String> {
    for (name, value) in configs {
        match name.as_str() {
            "cleanup.policy" if value != "delete" && value != "compact" => {
                return Err(format!("{name} is `delete` or `compact`, not {value:?}"));
            }
            "retention.ms" | "retention.bytes" if value.parse::<i64>().is_err() => {
                return Err(format!("{name} is a whole number, not {value:?}"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether Kafka allows `name` for a topic; such names are also harmless in logs and on command lines.
pub(super) fn is_topic_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_topics_survive_and_no_producer_id_is_given_twice() {
        let folder = tempfile::tempdir().unwrap();
        let mut catalogue = Catalogue::create(folder.path()).unwrap();
        let entry = TopicEntry { id: Uuid::now_v7(), partitions: 3, configs: BTreeMap::new() };
        catalogue.put_topic("llm.operations", entry.clone()).unwrap();
        let ids: Vec<i64> = (0..3).map(|_| catalogue.take_producer_id().unwrap()).collect();
        assert_eq!(ids, [1, 2, 3]);

        let mut reopened = Catalogue::read(folder.path()).unwrap().unwrap();
        assert_eq!(reopened.cluster_id(), catalogue.cluster_id());
        assert_eq!(reopened.topics().get("llm.operations"), Some(&entry));
        assert!(reopened.take_producer_id().unwrap() > 3);
    }

    #[test]
    fn a_catalogue_of_a_newer_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Catalogue::read(folder.path()).unwrap().is_none());
        drop(Catalogue::create(folder.path()).unwrap());
        let path = folder.path().join(FILE_NAME);
        let newer = fs::read_to_string(&path).unwrap().replace("\"format\": 1", "\"format\": 2");
        fs::write(&path, newer).unwrap();
        assert!(Catalogue::read(folder.path()).unwrap_err().to_string().contains("format 2"));
    }

    #[test]
    fn names_that_could_leave_a_folder_are_refused() {
        assert!(is_topic_name("llm.operations-2_x"));
        for bad in ["", ".", "..", "../../etc", "a/b", "a b", "ü", &"x".repeat(250)] {
            assert!(!is_topic_name(bad), "{bad}");
        }
    }

    #[test]
    fn settings_have_kafkas_meaning() {
        let mut entry = TopicEntry { id: Uuid::nil(), partitions: 1, configs: BTreeMap::new() };
        assert_eq!(entry.retention(), Retention { age: DEFAULT_AGE, size_bytes: DEFAULT_SIZE_BYTES });
        entry.configs.insert("retention.ms".into(), "-1".into());
        entry.configs.insert("retention.bytes".into(), "5000".into());
        entry.configs.insert("cleanup.policy".into(), "compact,delete".into());
        assert_eq!(entry.retention(), Retention { age: Duration::MAX, size_bytes: 5000 });
        assert!(entry.is_compacted());
    }
}
