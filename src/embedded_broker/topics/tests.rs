use bytes::Bytes;

use super::super::batch::BatchHeader;
use super::super::batch::tests::batch;
use super::super::log::ReadError;
use super::*;

fn open(folder: &Path) -> io::Result<Topics> {
    Topics::open(folder, &Writers::default())
}

/// Topics with one topic that holds a record.
async fn filled(folder: &Path) -> (Topics, Uuid) {
    let topics = open(folder).unwrap();
    let id = topics.create("operations", 2, BTreeMap::new()).unwrap();
    let bytes = batch(None, &[("key", Some("value"))]);
    let partition = topics.partition("operations", 1).unwrap();
    partition.append(BatchHeader::parse(&bytes).unwrap(), bytes).await.unwrap();
    (topics, id)
}

fn read(topics: &Topics) -> Result<Bytes, ReadError> {
    topics.partition("operations", 1).unwrap().read(0, 1 << 20)
}

#[tokio::test]
async fn without_the_catalogue_nothing_is_removed_and_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()).await);
    let (catalogue, aside) = (folder.path().join("catalogue.json"), folder.path().join("aside"));
    fs::rename(&catalogue, &aside).unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("catalogue.json is missing") && error.contains("restore"), "{error}");
    assert!(!catalogue.exists(), "an empty catalogue would pass for the right one at the next start");
    fs::rename(&aside, &catalogue).unwrap();
    assert!(!read(&open(folder.path()).unwrap()).unwrap().is_empty());
}

#[tokio::test]
async fn a_catalogue_from_before_the_topic_removes_no_records() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let catalogue = folder.path().join("catalogue.json");
    let old = fs::read(&catalogue).unwrap();
    drop(filled(folder.path()).await);
    let new = fs::read(&catalogue).unwrap();
    fs::write(&catalogue, old).unwrap();
    assert!(open(folder.path()).unwrap().get("operations").is_none());
    fs::write(&catalogue, new).unwrap();
    assert!(!read(&open(folder.path()).unwrap()).unwrap().is_empty());
}

#[tokio::test]
async fn strangers_among_the_folders_stay_and_what_a_crash_left_goes() {
    let folder = tempfile::tempdir().unwrap();
    let (topics, id) = filled(folder.path()).await;
    drop(topics);
    let among = folder.path().join("topics");
    let (never_published, deleted) = (among.join(Uuid::now_v7().to_string()), among.join(format!("{id}.deleted")));
    for stranger in [among.join(".DS_Store"), among.join(Uuid::now_v7().to_string())] {
        fs::write(stranger, b"x").unwrap();
    }
    fs::create_dir(among.join("lost+found")).unwrap();
    fs::create_dir_all(never_published.join("0")).unwrap();
    fs::write(never_published.join("0/00000000000000000000.log"), b"").unwrap();
    fs::create_dir_all(deleted.join("0")).unwrap();
    fs::write(deleted.join("0/00000000000000000000.log"), b"records").unwrap();
    let topics = open(folder.path()).unwrap();
    assert!(!read(&topics).unwrap().is_empty());
    assert_eq!(fs::read_dir(&among).unwrap().count(), 4, "the topic and three strangers");
}

#[tokio::test]
async fn a_deleted_topic_is_gone_even_when_its_files_resist() {
    let folder = tempfile::tempdir().unwrap();
    let (topics, id) = filled(folder.path()).await;
    // Nothing can take this name, because there is a folder with something in it.
    let resisting = folder.path().join(format!("topics/{id}.deleted/file"));
    fs::create_dir_all(&resisting).unwrap();
    topics.delete("operations").unwrap();
    assert!(topics.get("operations").is_none());
    assert!(matches!(topics.delete("operations"), Err(TopicError::Unknown(_))));
    topics.create("operations", 2, BTreeMap::new()).unwrap();
    assert!(read(&topics).unwrap().is_empty());
}

/// Catalogue and open topics must agree whatever the order; a topic in only one of them answers until the next start only.
#[tokio::test(flavor = "multi_thread")]
async fn creating_and_deleting_at_the_same_time_leaves_no_half_topic() {
    let folder = tempfile::tempdir().unwrap();
    let topics = Arc::new(open(folder.path()).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for nth in 0..40 {
        let topics = Arc::clone(&topics);
        tasks.spawn_blocking(move || match nth % 2 {
            0 => topics.create("fought-over", 1, BTreeMap::new()).map(drop).ok(),
            _ => topics.delete("fought-over").ok(),
        });
    }
    while tasks.join_next().await.is_some() {
        let catalogue = topics.catalogue();
        assert_eq!(catalogue.topics().contains_key("fought-over"), topics.get("fought-over").is_some());
    }
}

#[tokio::test]
async fn what_may_be_done_is_said_without_doing_it() {
    let folder = tempfile::tempdir().unwrap();
    let topics = open(folder.path()).unwrap();
    let with = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    for (name, value) in [("retention.ms", "7d"), ("retention.bytes", ""), ("cleanup.policy", "compact,delete")] {
        let error = topics.create("t", 1, with(name, value)).unwrap_err();
        assert!(matches!(&error, TopicError::InvalidSetting { reason, .. } if reason.contains(name)), "{error}");
    }
    topics.may_create("t", 1, &with("retention.ms", "-1")).unwrap();
    assert!(topics.get("t").is_none());
    topics.create("t", 1, with("cleanup.policy", "compact")).unwrap();
    assert!(matches!(topics.may_create("t", 1, &BTreeMap::new()), Err(TopicError::Exists(_))));
    assert_eq!(topics.may_grow("t", 3).unwrap().partitions.len(), 1);
    assert!(topics.may_grow("t", 0).is_err() && topics.may_grow("u", 3).is_err());
}
