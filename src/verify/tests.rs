//! A clean state is clean, and every kind of damage is found by the check that is named for it.

mod column_damage;
mod cost_damage;
mod damage;
mod fixture;
mod given_up;
mod merged_files;
mod repricing_damage;
mod restored_files;
mod restored_merged_files;
mod retention;
mod schema_page;
mod total_damage;
mod window_damage;

use super::report::{Check, Report};
use super::snapshot::VerifyError;
use super::*;
use fixture::{Fixture, MINUTE_MS, operation};

/// Names of the checks that found something.
fn failing(report: &Report) -> Vec<&'static str> {
    report.checks.iter().filter(|check| check.findings_total > 0).map(|check| check.name).collect()
}

/// One check.
fn check<'a>(report: &'a Report, name: &str) -> &'a Check {
    report.checks.iter().find(|check| check.name == name).unwrap()
}

/// What one check found.
fn found(report: &Report, name: &str) -> Vec<String> {
    check(report, name).findings.iter().map(|finding| finding.what.clone()).collect()
}

/// How much one check compared.
fn compared(report: &Report, name: &str, what: &str) -> u64 {
    let compared = &check(report, name).compared;
    compared.iter().find(|compared| compared.what == what).map_or(0, |compared| compared.count)
}

#[tokio::test]
async fn an_empty_pipeline_is_clean() {
    let fixture = Fixture::empty().await;
    let report = fixture.verify().await;
    assert!(report.clean, "{report:#?}");
}

#[tokio::test]
async fn a_pipeline_that_did_its_work_is_clean_and_everything_was_compared() {
    let fixture = Fixture::filled().await;
    let report = fixture.verify().await;
    assert!(report.clean, "{report:#?}");
    assert_eq!(compared(&report, "rows_and_files", "rows"), 60);
    assert_eq!(compared(&report, "rows_and_files", "rows of files"), 60);
    // Three files of operations, each with one of contents.
    assert_eq!(compared(&report, "files", "files"), 6);
    assert_eq!(compared(&report, "contents", "operations with content"), 15);
    assert_eq!(compared(&report, "applied_ranges", "offsets"), 64);
    assert_eq!(compared(&report, "source_offsets", "dead letters"), 2);
    assert_eq!(compared(&report, "windows", "windows"), fixture.count("windows").await);
    // Two workspaces on one day: rows, and windows of seven sets and four levels.
    assert_eq!(compared(&report, "totals", "days of workspaces"), 2);
    assert_eq!(compared(&report, "totals", "sums"), 2 * (1 + 7 * 4) * 30);
}

#[tokio::test]
async fn small_steps_find_what_large_ones_find() {
    let fixture = Fixture::filled().await;
    let small = fixture.verify_in_small_steps().await;
    assert!(small.clean, "{small:#?}");
    assert_eq!(compared(&small, "rows_and_files", "rows of files"), 60);
    assert_eq!(compared(&small, "windows", "windows"), fixture.count("windows").await);

    fixture.run("delete from operations where source_offset > 2", &[]).await;
    fixture.run("update windows set operations = operations + 1 where level = 1", &[]).await;
    let (small, large) = (fixture.verify_in_small_steps().await, fixture.verify().await);
    for (small, large) in small.checks.iter().zip(&large.checks) {
        assert_eq!(small.findings_total, large.findings_total, "{}", small.name);
        assert_eq!(small.compared, large.compared, "{}", small.name);
    }
    assert_eq!(check(&large, "rows_and_files").findings_total, 54);
}

#[tokio::test]
async fn files_that_are_not_windowed_yet_are_no_finding() {
    let mut fixture = Fixture::filled().await;
    let late = (0..20).map(|n| operation(1, 100 + n, 3 * MINUTE_MS)).collect();
    fixture.commit(1, late, &[]).await;
    let report = fixture.verify().await;
    assert!(report.clean, "{report:#?}");
    assert_eq!(compared(&report, "rows_and_files", "rows"), 80);
}

#[tokio::test]
async fn rows_dropped_below_the_retention_floor_are_no_finding() {
    let fixture = Fixture::filled().await;
    let floor = fixture::START_MS + 2 * MINUTE_MS;
    let lowest = opstream_schemas::OperationId::lowest_at(UtcMillis::from_millis(floor));
    fixture.run("update settings set value = $1 where name = 'retention_floor_ms'", &[floor.into()]).await;
    fixture.run("delete from operations where operation_id < $1", &[lowest.into()]).await;
    fixture.run("delete from operation_contents where operation_id < $1", &[lowest.into()]).await;
    let report = fixture.verify().await;
    assert!(report.clean, "{report:#?}");
    assert!(compared(&report, "rows_and_files", "rows") < 60);
}

#[tokio::test]
async fn gaps_in_the_numbers_of_producers_are_a_note_and_no_finding() {
    let fixture = Fixture::filled().await;
    // Offsets of partition 0 are [0, 20) and [22, 42), those of partition 1 [0, 20).
    fixture.run("update operations set producer_id = 'p' || source_partition, producer_seq = source_offset", &[]).await;
    let report = fixture.verify().await;
    let check = check(&report, "producer_numbers");
    assert_eq!((check.findings_total, compared(&report, "producer_numbers", "producers")), (0, 2));
    assert_eq!(compared(&report, "producer_numbers", "numbered rows"), 60);
    let [note] = &check.notes[..] else { panic!("{:?}", check.notes) };
    assert!(note.starts_with("producers with gaps in their numbers: 1 of 2; missing operations: 2,"), "{note}");
    assert!(note.ends_with("(producer \"p0\" lacks 2 of its first 42); 2 dead letters may be among them"), "{note}");
}

#[tokio::test]
async fn a_commit_during_the_verification_is_not_seen() {
    let mut fixture = Fixture::filled().await;
    let snapshot = Snapshot::begin(fixture.database().clone(), fixture.lake()).await.unwrap();
    fixture.commit(0, vec![operation(0, 500, 0)], &[]).await;
    fixture.run("delete from operations where source_offset = 3", &[]).await;
    let report = verify_snapshot(snapshot, UtcMillis::from_millis(0)).await.unwrap();
    assert!(report.clean, "{report:#?}");
    assert!(!fixture.verify().await.clean);
}

#[tokio::test]
async fn a_file_that_the_pipeline_removed_meanwhile_ends_the_verification() {
    let fixture = Fixture::filled().await;
    let snapshot = Snapshot::begin(fixture.database().clone(), fixture.lake()).await.unwrap();
    fixture.run("update lake_files set removed_at_ms = 1 where file_number = 1", &[]).await;
    fixture.delete_file(1).await;
    let outcome = verify_snapshot(snapshot, UtcMillis::from_millis(0)).await;
    assert!(matches!(outcome, Err(VerifyError::Outrun { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_database_without_tables_is_no_clean_one() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::Sqlite(folder.path().join("other.db"));
    let database = Database::connect(&url).await.unwrap();
    assert!(verify(&database, folder.path(), UtcMillis::from_millis(0)).await.is_err());
}

fn args_of(folder: &Path) -> VerifyArgs {
    VerifyArgs {
        data: Some(folder.to_owned()),
        database: DatabaseArgs { database_url: None, connection_string: None },
        lake: LakeArgs { lake: PathBuf::new() },
        json: false,
    }
}

#[tokio::test]
async fn a_pipeline_that_has_written_no_file_needs_no_lake() {
    let fixture = Fixture::empty().await;
    std::fs::remove_dir(fixture.lake()).unwrap();
    assert!(verify_and_print(&args_of(fixture.folder())).await.unwrap());
}

#[tokio::test]
async fn a_lake_that_is_elsewhere_is_not_taken_for_the_loss_of_every_file() {
    let fixture = Fixture::filled().await;
    std::fs::rename(fixture.lake(), fixture.folder().join("away")).unwrap();
    let error = verify_and_print(&args_of(fixture.folder())).await.unwrap_err().to_string();
    assert!(error.contains("there is no lake") && error.contains("--lake"), "{error}");
}

#[test]
fn the_folder_of_up_is_the_default_and_wins_over_a_database() {
    let args = |data: Option<&str>, url: Option<&str>| VerifyArgs {
        data: data.map(PathBuf::from),
        database: DatabaseArgs { database_url: url.map(str::to_owned), connection_string: None },
        lake: LakeArgs { lake: PathBuf::from("there") },
        json: false,
    };
    let sqlite = |file: &str| DatabaseUrl::Sqlite(PathBuf::from(file));
    let found = |args: VerifyArgs| {
        let (place, lake) = place_beside(&args, Path::new(DEFAULT_DATA)).unwrap();
        (place.url, lake)
    };
    let default = found(args(None, None));
    assert_eq!(default, (sqlite("./opstream-data/opstream.db"), PathBuf::from("./opstream-data/lake")));
    let folder = found(args(Some("here"), Some("sqlite:x.db")));
    assert_eq!(folder, (sqlite("here/opstream.db"), PathBuf::from("here/lake")));
    let deployment = found(args(None, Some("sqlite:x.db")));
    assert_eq!(deployment, (sqlite("x.db"), PathBuf::from("there")));
    assert!(place_beside(&args(None, Some("mysql://x")), Path::new(DEFAULT_DATA)).is_err());
}

#[test]
fn another_programs_variable_does_not_lead_away_from_a_folder_that_is_there() {
    let data = tempfile::tempdir().unwrap();
    let args = |data: &Path| VerifyArgs {
        data: None,
        database: DatabaseArgs { database_url: None, connection_string: Some("sqlite:x.db".to_owned()) },
        lake: LakeArgs { lake: data.join("lake") },
        json: false,
    };
    let place = || place_beside(&args(data.path()), data.path()).unwrap();
    assert_eq!(place().0.url, DatabaseUrl::Sqlite("x.db".into()), "a fleet has no folder");
    std::fs::write(data.path().join("opstream.db"), "").unwrap();
    assert_eq!(place().0.url, DatabaseUrl::Sqlite(data.path().join("opstream.db")));
}

#[tokio::test]
async fn a_folder_without_a_database_is_refused_and_stays_empty() {
    let folder = tempfile::tempdir().unwrap();
    let args = args_of(folder.path());
    let error = verify_and_print(&args).await.unwrap_err().to_string();
    assert!(error.contains("there is no file") && error.contains("--data"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
