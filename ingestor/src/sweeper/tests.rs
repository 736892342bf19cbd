//! What is deleted, and above all what is not.

use std::fs::{self, File};
use std::time::UNIX_EPOCH;

use opstream_schemas::database::DatabaseUrl;
use opstream_schemas::lake::{FileKind, file_path};
use opstream_schemas::time::DAY_MILLIS;
use uuid::Uuid;

use super::*;

struct Fixture {
    folder: tempfile::TempDir,
    sweeper: Sweeper,
    now: UtcMillis,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::connect(&DatabaseUrl::Sqlite(folder.path().join("opstream.db"))).await.unwrap();
        opstream_schemas::migrations::migrate(&database).await.unwrap();
        let sweeper = Sweeper { database, lake: folder.path().join("lake"), swept: BTreeSet::new() };
        Self { folder, sweeper, now: UtcMillis::now() }
    }

    /// A file that was named and written so many days ago.
    fn file(&self, days_ago: i64) -> String {
        let named_at = self.now.plus_millis(-days_ago * DAY_MILLIS);
        let path = file_path(FileKind::Operations, named_at, Uuid::new_v4());
        self.write(&path, days_ago);
        path
    }

    fn write(&self, path: &str, days_ago: i64) {
        let local = self.sweeper.lake.join(path);
        fs::create_dir_all(local.parent().unwrap()).unwrap();
        let written_at = u64::try_from(self.now.plus_millis(-days_ago * DAY_MILLIS).millis()).unwrap();
        File::create(local).unwrap().set_modified(UNIX_EPOCH + Duration::from_millis(written_at)).unwrap();
    }

    /// A file that was listed so many days ago and is not live any more.
    async fn listed(&self, days_ago: i64) -> String {
        let path = self.file(days_ago);
        self.list(&path, Some(1)).await;
        path
    }

    async fn list(&self, path: &str, removed_at: Option<i64>) {
        let sql = "insert into lake_files (path, kind, named_at_ms, committed_at_ms, rows, bytes, id_hash, min_operation_id, \
                   max_operation_id, failures, unpriced, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, \
                   cost_nano_usd, reported_cost_nano_usd, removed_at_ms) \
                   values ($1, 'operations', 0, 0, 0, 0, 0, x'', x'', 0, 0, 0, 0, 0, 0, 0, 0, $2)";
        let mut tx = self.sweeper.database.begin().await.unwrap();
        tx.execute(sql, &[path.into(), removed_at.into()]).await.unwrap();
        tx.commit().await.unwrap();
    }

    fn is_there(&self, path: &str) -> bool {
        self.folder.path().join("lake").join(path).exists()
    }
}

#[tokio::test]
async fn an_old_file_that_was_never_listed_is_deleted_and_nothing_else() {
    let mut fixture = Fixture::new().await;
    let kept = [fixture.listed(3).await, fixture.listed(3).await, fixture.listed(3).await];
    let orphan = fixture.file(3);
    let young = fixture.file(0);
    let day = orphan.rsplit_once('/').unwrap().0.to_owned();
    let strangers = [
        format!("{day}/notes.txt"),
        format!("{day}/1-x.parquet"),
        // Ours by its form, but of another day.
        orphan.replace(&day, fixture.file(5).rsplit_once('/').unwrap().0),
        "other/1.parquet".to_owned(),
    ];
    for stranger in &strangers {
        fixture.write(stranger, 3);
    }
    // Named long ago, but somebody has written it lately.
    let touched = file_path(FileKind::Operations, fixture.now.plus_millis(-3 * DAY_MILLIS), Uuid::new_v4());
    fixture.write(&touched, 0);

    fixture.sweeper.sweep(fixture.now).await.unwrap();
    assert!(!fixture.is_there(&orphan));
    for path in kept.iter().chain(&strangers).chain([&young, &touched]) {
        assert!(fixture.is_there(path), "{path}");
    }
}

#[tokio::test]
async fn the_lake_of_another_database_is_left_alone() {
    let mut fixture = Fixture::new().await;
    let strange = [fixture.file(3), fixture.file(3)];
    let known = fixture.listed(3).await;
    fixture.sweeper.sweep(fixture.now).await.unwrap();
    for path in strange.iter().chain([&known]) {
        assert!(fixture.is_there(path), "{path}");
    }
}

#[tokio::test]
async fn what_a_crash_left_goes_although_the_files_of_its_day_were_all_merged_elsewhere() {
    let mut fixture = Fixture::new().await;
    let orphans = [fixture.file(3), fixture.file(3)];
    let live = fixture.file(0);
    fixture.list(&live, None).await;
    // A live file that is not there: the lake may be another one.
    let missing = file_path(FileKind::Operations, fixture.now, Uuid::new_v4());
    fixture.list(&missing, None).await;
    fixture.sweeper.sweep(fixture.now).await.unwrap();
    assert!(orphans.iter().all(|path| fixture.is_there(path)));

    fixture.write(&missing, 0);
    fixture.sweeper.swept.clear();
    fixture.sweeper.sweep(fixture.now).await.unwrap();
    assert!(!orphans.iter().any(|path| fixture.is_there(path)));
    assert!(fixture.is_there(&live) && fixture.is_there(&missing));
}

#[tokio::test]
async fn many_unlisted_files_are_kept_whatever_the_lake_looks_like() {
    let mut fixture = Fixture::new().await;
    let strange: Vec<String> = (0..=FEW).map(|_| fixture.file(3)).collect();
    let live = fixture.file(0);
    fixture.list(&live, None).await;
    fixture.sweeper.sweep(fixture.now).await.unwrap();
    assert!(strange.iter().all(|path| fixture.is_there(path)));
}

#[tokio::test]
async fn a_clock_that_is_ahead_makes_no_file_old() {
    let mut fixture = Fixture::new().await;
    let (listed, unlisted) = (fixture.listed(0).await, fixture.file(0));
    // The database's clock has the last word.
    fixture.sweeper.sweep(fixture.now.plus_millis(10 * DAY_MILLIS)).await.unwrap();
    assert!(fixture.is_there(&listed) && fixture.is_there(&unlisted));
}

#[tokio::test]
async fn a_lake_without_folders_is_swept() {
    let mut fixture = Fixture::new().await;
    fixture.sweeper.sweep(fixture.now).await.unwrap();
}
