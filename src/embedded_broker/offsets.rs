//! The offsets that consumer groups have committed: one small file, written before a commit is answered.
//!
//! Commits that arrive while the file is being written share the next write, and nobody sees a commit before it is on disk:
//! retention may remove what a group has read. A group that has had no members for a week is forgotten, so that it does not
//! hold retention up. Who may commit is decided by `coordinator.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::segment::write_whole;

const FILE_NAME: &str = "committed-offsets.json";

/// Kafka's default.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(7 * 24);
/// How old a group's last sign of life on disk may get while it has members.
const RENEWED_AFTER: Duration = Duration::from_hours(24);

/// Offset of the next record that a group wants, with the note it left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CommittedOffset {
    pub(super) offset: i64,
    pub(super) note: Option<String>,
    /// When it was committed, or the group last had members: seconds since 1970; 0 when nobody knows.
    #[serde(default)]
    pub(super) alive_at_s: u64,
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
    /// With what is still to be written.
    newest: Groups,
    /// What is on disk.
    saved: Groups,
}

type Groups = BTreeMap<String, GroupOffsets>;

impl CommittedOffsets {
    /// Reads the offsets in `folder`.
    ///
    /// # Errors
    /// When the file exists and cannot be read.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(FILE_NAME);
        let groups: Groups = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        let state = Mutex::new(State { version: 0, newest: groups.clone(), saved: groups });
        Ok(Self { path, state, saved: tokio::sync::Mutex::new(0) })
    }

    /// Commits offsets of a group; returns when they are on disk.
    ///
    /// # Errors
    /// When the file cannot be written; a later commit tries again.
    pub(super) async fn commit(&self, group: &str, offsets: Vec<(TopicPartition, CommittedOffset)>) -> io::Result<()> {
        self.change(|groups| {
            let of_group = groups.entry(group.to_owned()).or_default();
            for ((topic, partition), offset) in offsets {
                of_group.entry(topic).or_default().insert(partition, offset);
            }
        })
        .await
    }

    /// Forgets a group; returns whether it had committed anything.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) async fn forget_group(&self, group: &str) -> io::Result<bool> {
        if !self.state().newest.contains_key(group) {
            return Ok(false);
        }
        self.change(|groups| drop(groups.remove(group))).await.map(|()| true)
    }

    /// Forgets what all groups committed for a topic.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) async fn forget_topic(&self, topic: &str) -> io::Result<()> {
        self.change(|groups| groups.values_mut().for_each(|of_group| drop(of_group.remove(topic)))).await
    }

    /// Forgets groups that have had no members for a week, and notes now and then that others have.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) async fn forget_abandoned(
        &self,
        now: SystemTime,
        has_members: impl Fn(&str) -> bool,
    ) -> io::Result<Vec<String>> {
        let now_s = seconds(now);
        let is_older = |offsets: &GroupOffsets, age: Duration| {
            let alive_at_s = offsets.values().flat_map(BTreeMap::values).map(|committed| committed.alive_at_s).max();
            alive_at_s.is_some_and(|alive_at_s| alive_at_s > 0 && now_s.saturating_sub(alive_at_s) > age.as_secs())
        };
        let saved = self.state().saved.clone();
        let (alive, abandoned): (Vec<_>, Vec<_>) = saved.into_iter().partition(|(group, _)| has_members(group));
        let old = |groups: Vec<(String, GroupOffsets)>, age| -> Vec<String> {
            groups.into_iter().filter(|(_, offsets)| is_older(offsets, age)).map(|(group, _)| group).collect()
        };
        let (renewed, forgotten) = (old(alive, RENEWED_AFTER), old(abandoned, FORGOTTEN_AFTER));
        if !(renewed.is_empty() && forgotten.is_empty()) {
            self.change(|groups| {
                groups.retain(|group, _| !forgotten.contains(group));
                let renewed = groups.iter_mut().filter(|(group, _)| renewed.contains(group));
                for committed in renewed.flat_map(|(_, offsets)| offsets.values_mut()).flat_map(BTreeMap::values_mut) {
                    committed.alive_at_s = now_s;
                }
            })
            .await?;
        }
        Ok(forgotten)
    }

    /// What a group committed.
    pub(super) fn of_group(&self, group: &str) -> GroupOffsets {
        self.state().saved.get(group).cloned().unwrap_or_default()
    }

    /// Names of all groups that have committed.
    pub(super) fn groups(&self) -> Vec<String> {
        self.state().saved.keys().cloned().collect()
    }

    /// The offset that every group which reads the partition has passed; `None` when no group does, or `reader` does not
    /// yet.
    pub(super) fn read_to(&self, topic: &str, partition: i32, reader: Option<&str>) -> Option<i64> {
        let state = self.state();
        let of_partition = |group: &GroupOffsets| Some(group.get(topic)?.get(&partition)?.offset);
        if let Some(reader) = reader {
            state.saved.get(reader).and_then(of_partition)?;
        }
        state.saved.values().filter_map(of_partition).min()
    }

    async fn change(&self, apply: impl FnOnce(&mut Groups)) -> io::Result<()> {
        {
            let mut state = self.state();
            apply(&mut state.newest);
            state.version += 1;
        }
        self.save().await
    }

    async fn save(&self) -> io::Result<()> {
        let wanted = self.state().version;
        let mut saved = self.saved.lock().await;
        if *saved >= wanted {
            return Ok(());
        }
        let (version, groups) = {
            let state = self.state();
            (state.version, state.newest.clone())
        };
        let content = serde_json::to_vec_pretty(&groups)?;
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || write_whole(&path, &content)).await.map_err(io::Error::other)??;
        self.state().saved = groups;
        *saved = version;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("a panic while offsets change is a defect")
    }
}

/// Seconds since 1970.
pub(super) fn seconds(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(topic: &str, partition: i32, offset: i64) -> (TopicPartition, CommittedOffset) {
        ((topic.to_owned(), partition), CommittedOffset { offset, note: None, alive_at_s: 1_000_000 })
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
        assert_eq!(offsets.read_to("t", 0, None), None);
        offsets.commit("fast", vec![at("t", 0, 90)]).await.unwrap();
        offsets.commit("slow", vec![at("t", 0, 30), at("t", 1, 1)]).await.unwrap();
        assert_eq!(offsets.read_to("t", 0, None), Some(30));
        assert_eq!(offsets.read_to("t", 0, Some("fast")), Some(30));
        assert_eq!(offsets.read_to("t", 1, Some("fast")), None, "it must have read, and has not begun");
        assert!(offsets.forget_group("slow").await.unwrap());
        assert_eq!(offsets.read_to("t", 0, None), Some(90));
        offsets.forget_topic("t").await.unwrap();
        assert_eq!(CommittedOffsets::open(folder.path()).unwrap().read_to("t", 0, None), None);
    }

    #[tokio::test]
    async fn a_commit_counts_when_it_is_on_disk_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let offsets = CommittedOffsets::open(folder.path()).unwrap();
        offsets.commit("readers", vec![at("t", 0, 5)]).await.unwrap();
        // Where the file is written before it takes the other's place.
        let in_the_way = folder.path().join(FILE_NAME).with_extension("new");
        fs::create_dir(&in_the_way).unwrap();
        offsets.commit("readers", vec![at("t", 0, 9)]).await.unwrap_err();
        assert_eq!(offsets.read_to("t", 0, None), Some(5));
        assert_eq!(offsets.of_group("readers")["t"][&0].offset, 5);
        fs::remove_dir(&in_the_way).unwrap();
        offsets.commit("readers", vec![at("t", 0, 10)]).await.unwrap();
        assert_eq!(offsets.read_to("t", 0, None), Some(10));
    }

    #[tokio::test]
    async fn only_a_group_without_members_is_forgotten_and_only_after_a_week() {
        let folder = tempfile::tempdir().unwrap();
        let offsets = CommittedOffsets::open(folder.path()).unwrap();
        offsets.commit("tried once", vec![at("t", 0, 5)]).await.unwrap();
        offsets.commit("quiet", vec![at("t", 0, 90)]).await.unwrap();
        let after = |days: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + days * 86_400);
        let is_quiet = |group: &str| group == "quiet";
        assert!(offsets.forget_abandoned(after(6), is_quiet).await.unwrap().is_empty());
        assert_eq!(offsets.forget_abandoned(after(8), is_quiet).await.unwrap(), ["tried once"]);
        assert_eq!(offsets.read_to("t", 0, None), Some(90));
        let offsets = CommittedOffsets::open(folder.path()).unwrap();
        assert!(offsets.forget_abandoned(after(14), |_| false).await.unwrap().is_empty(), "it had members on day 8");
        assert_eq!(offsets.forget_abandoned(after(16), |_| false).await.unwrap(), ["quiet"]);
    }
}
