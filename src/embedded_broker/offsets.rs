//! The offsets that consumer groups have committed: one small file, written before a commit is answered.
//!
//! Commits that arrive while the file is being written share the next write. Who may commit is decided by
//! `coordinator.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::segment::write_whole;

const FILE_NAME: &str = "committed-offsets.json";

/// Offset of the next record that a group wants, with the note it left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CommittedOffset {
    pub(super) offset: i64,
    pub(super) note: Option<String>,
}

/// A partition by name and number.
pub(super) type TopicPartition = (String, i32);

/// Offsets of one group by topic and partition.
pub(super) type GroupOffsets = BTreeMap<String, BTreeMap<i32, CommittedOffset>>;

/// All committed offsets.
#[derive(Debug)]
pub(super) struct CommittedOffsets {
    path: PathBuf,
    state: Mutex<State>,
    /// Version that is on disk; held while the file is written.
    saved: tokio::sync::Mutex<u64>,
}

#[derive(Debug, Default)]
struct State {
    version: u64,
    groups: BTreeMap<String, GroupOffsets>,
}

impl CommittedOffsets {
    /// Reads the offsets in `folder`.
    ///
    /// # Errors
    /// When the file exists and cannot be read.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(FILE_NAME);
        let groups = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        let state = Mutex::new(State { version: 0, groups });
        Ok(Self { path, state, saved: tokio::sync::Mutex::new(0) })
    }

    /// Commits offsets of a group; returns when they are on disk.
    ///
    /// # Errors
    /// When the file cannot be written; a later commit tries again.
    pub(super) async fn commit(&self, group: &str, offsets: Vec<(TopicPartition, CommittedOffset)>) -> io::Result<()> {
        {
            let mut state = self.state();
            let of_group = state.groups.entry(group.to_owned()).or_default();
            for ((topic, partition), offset) in offsets {
                of_group.entry(topic).or_default().insert(partition, offset);
            }
            state.version += 1;
        }
        self.save().await
    }

    /// Forgets a group; returns whether it had committed anything.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) async fn forget_group(&self, group: &str) -> io::Result<bool> {
        {
            let mut state = self.state();
            if state.groups.remove(group).is_none() {
                return Ok(false);
            }
            state.version += 1;
        }
        self.save().await.map(|()| true)
    }

    /// Forgets what all groups committed for a topic.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) async fn forget_topic(&self, topic: &str) -> io::Result<()> {
        {
            let mut state = self.state();
            for of_group in state.groups.values_mut() {
                of_group.remove(topic);
            }
            state.version += 1;
        }
        self.save().await
    }

    /// What a group committed.
    pub(super) fn of_group(&self, group: &str) -> GroupOffsets {
        self.state().groups.get(group).cloned().unwrap_or_default()
    }

    /// Names of all groups that have committed.
    pub(super) fn groups(&self) -> Vec<String> {
        self.state().groups.keys().cloned().collect()
    }

    /// The offset that every group which reads the partition has passed; `None` when no group does.
    pub(super) fn read_to(&self, topic: &str, partition: i32) -> Option<i64> {
        let state = self.state();
        let of_partition = |group: &GroupOffsets| Some(group.get(topic)?.get(&partition)?.offset);
        state.groups.values().filter_map(of_partition).min()
    }

    async fn save(&self) -> io::Result<()> {
        let wanted = self.state().version;
        let mut saved = self.saved.lock().await;
        if *saved >= wanted {
            return Ok(());
        }
        let (version, content) = {
            let state = self.state();
            (state.version, serde_json::to_vec_pretty(&state.groups)?)
        };
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || write_whole(&path, &content)).await.map_err(io::Error::other)??;
        *saved = version;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds the offsets")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(topic: &str, partition: i32, offset: i64) -> (TopicPartition, CommittedOffset) {
        ((topic.to_owned(), partition), CommittedOffset { offset, note: None })
    }

    #[tokio::test]
    async fn a_commit_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let offsets = CommittedOffsets::open(folder.path()).unwrap();
        offsets.commit("readers", vec![at("t", 0, 5), at("t", 1, 7)]).await.unwrap();
        offsets.commit("readers", vec![at("t", 0, 6)]).await.unwrap();
        let reopened = CommittedOffsets::open(folder.path()).unwrap();
        assert_eq!(reopened.of_group("readers")["t"][&0].offset, 6);
        assert_eq!(reopened.of_group("readers")["t"][&1].offset, 7);
        assert_eq!(reopened.of_group("others"), GroupOffsets::new());
    }

    #[tokio::test]
    async fn the_slowest_group_decides_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let offsets = CommittedOffsets::open(folder.path()).unwrap();
        assert_eq!(offsets.read_to("t", 0), None);
        offsets.commit("fast", vec![at("t", 0, 90)]).await.unwrap();
        offsets.commit("slow", vec![at("t", 0, 30), at("t", 1, 1)]).await.unwrap();
        assert_eq!(offsets.read_to("t", 0), Some(30));
        assert!(offsets.forget_group("slow").await.unwrap());
        assert_eq!(offsets.read_to("t", 0), Some(90));
        offsets.forget_topic("t").await.unwrap();
        assert_eq!(CommittedOffsets::open(folder.path()).unwrap().read_to("t", 0), None);
    }
}
