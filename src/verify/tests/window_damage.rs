//! Damage to windows and to what says how far they reach.

use opstream_schemas::window::OTHER;

use super::fixture::{Fixture, MINUTE_MS, START_MS, operation};
use super::{check, compared, failing, found};

#[tokio::test]
async fn one_nano_dollar_in_a_window_of_any_set_and_level_is_found() {
    let fixture = Fixture::filled().await;
    let add = "update windows set cost_nano_usd = cost_nano_usd + $3 where (dimension_set, level, window_start_ms, dimension_id) = (select dimension_set, level, window_start_ms, dimension_id from windows where dimension_set = $1 and level = $2 limit 1)";
    for set in 0..7_i64 {
        for level in 0..4_i64 {
            assert_eq!(fixture.run(add, &[set.into(), level.into(), 1_i64.into()]).await, 1);
            let report = fixture.verify().await;
            assert_eq!(failing(&report), ["windows", "totals"]);
            let findings = found(&report, "windows");
            assert_eq!(findings.len(), 1, "{findings:#?}");
            assert!(findings[0].contains("table ≠ files: cost_nano_usd: "), "{findings:#?}");
            fixture.run(add, &[set.into(), level.into(), (-1_i64).into()]).await;
        }
    }
}

#[tokio::test]
async fn the_window_is_named_by_its_key() {
    let fixture = Fixture::filled().await;
    let sql = "update windows set operations = operations + 1 where level = 3 and dimension_set = 1 and dimension_id = (select dimension_id from window_dimensions where dimension_set = 1 and workspace = 'lab')";
    assert_eq!(fixture.run(sql, &[]).await, 1);
    let report = fixture.verify().await;
    let expected = format!(
        "window [\"day\",{START_MS},\"workspace\",\"lab\"] (2026-09-22T00:00:00.000Z): table ≠ files: operations: 21 ≠ 20"
    );
    assert_eq!(found(&report, "windows"), [expected]);
}

#[tokio::test]
async fn a_deleted_minute_is_missed() {
    let fixture = Fixture::filled().await;
    let sql = "delete from windows where level = 0 and dimension_set = 1 and window_start_ms = $1";
    assert_eq!(fixture.run(sql, &[START_MS.into()]).await, 2);
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["windows", "totals"]);
    assert_eq!(check(&report, "windows").findings_total, 2);
    assert!(found(&report, "windows")[0].contains("is missing; the files hold "), "{report:#?}");
}

#[tokio::test]
async fn a_deleted_hour_is_missed_although_it_decides_what_the_hour_keeps() {
    let fixture = Fixture::filled().await;
    let sql = "delete from windows where level = 2 and dimension_set = 2 and window_start_ms = $1 and dimension_id = (select dimension_id from window_dimensions where dimension_set = 2 and workspace = 'core' and model = 'gpt-b')";
    assert_eq!(fixture.run(sql, &[START_MS.into()]).await, 1);
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["windows", "totals"]);
    assert!(
        found(&report, "windows").iter().any(|what| what.contains("of an unknown combination is missing")),
        "{report:#?}"
    );
}

#[tokio::test]
async fn a_window_without_operations_is_found() {
    let fixture = Fixture::filled().await;
    let sql = "update windows set window_start_ms = window_start_ms + 86400000 where level = 3 and dimension_set = 1";
    assert_eq!(fixture.run(sql, &[]).await, 2);
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["windows", "totals"]);
    assert_eq!(check(&report, "windows").findings_total, 4);
}

#[tokio::test]
async fn a_sketch_that_counts_other_values_is_found() {
    let fixture = Fixture::filled().await;
    let sql = "update windows set latency_sketch = x'01050a' where level = 3 and dimension_set = 1";
    assert_eq!(fixture.run(sql, &[]).await, 2);
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["windows"]);
    assert!(found(&report, "windows")[0].contains("latency_sketch: counts 10 values ≠ "), "{report:#?}");
}

#[tokio::test]
async fn what_an_hour_does_not_keep_is_expected_in_other() {
    let mut fixture = Fixture::filled().await;
    fixture.aggregate(&["gpt-b"]).await;
    let other =
        fixture.database().fetch_all("select 1 as n from window_dimensions where model = $1", &[OTHER.into()]).await;
    assert_eq!(other.unwrap().len(), 2, "the model's workspace, in the base and in provider and model");
    let report = fixture.verify().await;
    assert!(report.clean, "{report:#?}");
    let sql = "update windows set cost_nano_usd = cost_nano_usd + 1 where level = 2 and dimension_set = 2 and dimension_id = (select dimension_id from window_dimensions where dimension_set = 2 and workspace = 'core' and model = $1) and window_start_ms = $2";
    assert_eq!(fixture.run(sql, &[OTHER.into(), START_MS.into()]).await, 1);
    assert_eq!(failing(&fixture.verify().await), ["windows", "totals"]);
}

#[tokio::test]
async fn a_file_marked_as_windowed_whose_operations_were_not_added_is_found() {
    let mut fixture = Fixture::filled().await;
    let file = fixture.commit(1, vec![operation(1, 30, MINUTE_MS)], &[]).await;
    let sql = "insert into windowed_files (generation, file_number, windowed_at_ms) values (1, $1, 0)";
    fixture.run(sql, &[file.into()]).await;
    assert_eq!(failing(&fixture.verify().await), ["windows", "totals"]);
}

#[tokio::test]
async fn minutes_that_are_no_longer_kept_are_not_missed() {
    let fixture = Fixture::filled().await;
    let before = compared(&fixture.verify().await, "windows", "windows");
    let floor = START_MS + 2 * MINUTE_MS;
    fixture.run("update settings set value = $1 where name = 'window_minute_floor_ms'", &[floor.into()]).await;
    let gone = fixture.run("delete from windows where level = 0 and window_start_ms < $1", &[floor.into()]).await;
    assert!(gone > 0);
    let report = fixture.verify().await;
    assert!(report.clean, "{report:#?}");
    assert_eq!(compared(&report, "windows", "windows"), before - gone);
}

#[tokio::test]
async fn another_generation_is_not_compared() {
    let fixture = Fixture::filled().await;
    let sql = "update windows set generation = 2 where level = 3";
    assert!(fixture.run(sql, &[]).await > 0);
    assert_eq!(failing(&fixture.verify().await), ["windows", "totals"]);
    fixture.run("update windows set generation = 2", &[]).await;
    fixture.run("update windowed_files set generation = 2", &[]).await;
    fixture.run("update settings set value = 2 where name = 'window_generation'", &[]).await;
    assert!(fixture.verify().await.clean);
}

#[tokio::test]
async fn a_window_of_a_fence_that_was_never_given_is_found() {
    let fixture = Fixture::filled().await;
    fixture.run("update aggregator_lease set fence = 4", &[]).await;
    assert!(found(&fixture.verify().await, "windows")[0].ends_with("fence 5 is above the lease's 4"));
}

#[tokio::test]
async fn a_revision_published_before_it_was_made_is_found() {
    let fixture = Fixture::filled().await;
    fixture.run("update windows set published_revision = 3 where level = 3 and dimension_set = 1", &[]).await;
    assert!(found(&fixture.verify().await, "windows")[0].ends_with("revision 2 was published as 3"));
}

#[tokio::test]
async fn a_combination_under_another_name_is_found() {
    let fixture = Fixture::filled().await;
    fixture
        .run("update window_dimensions set workspace = 'thief' where dimension_set = 1 and workspace = 'lab'", &[])
        .await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["windows", "totals"]);
    assert!(found(&report, "windows")[0].ends_with("key_hash is not that of its values"));
}

#[tokio::test]
async fn windows_that_are_said_to_reach_too_far_are_found() {
    let fixture = Fixture::filled().await;
    let sql = "insert into windowed_offsets (stream_id, partition, next_offset) values (1, 0, $1), (1, 1, 20)";
    fixture.run(sql, &[45_i64.into()]).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["bookkeeping"]);
    assert!(
        found(&report, "bookkeeping")[0]
            .ends_with("all offsets below 45 are said to be in windows, the checkpoint is 44")
    );

    fixture.run("update windowed_offsets set next_offset = 44 where partition = 0", &[]).await;
    assert!(fixture.verify().await.clean);
    fixture.run("delete from windowed_files where file_number = 5", &[]).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["windows", "totals", "bookkeeping"]);
    assert!(found(&report, "bookkeeping")[0].ends_with("offset 21 is in file 5, which is not marked as windowed"));
}

#[tokio::test]
async fn a_set_that_nobody_knows_is_found() {
    let fixture = Fixture::filled().await;
    fixture.run("update windows set dimension_set = 9 where level = 3 and dimension_set = 1", &[]).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["windows", "totals", "bookkeeping"]);
    assert_eq!(
        found(&report, "bookkeeping"),
        ["2 windows have the set 9 and level 3, which this opstream does not know"]
    );
}

#[tokio::test]
async fn of_a_file_that_is_being_added_exactly_the_first_part_is_expected_in_windows() {
    let fixture = Fixture::filled().await;
    let sql = "insert into window_progress (generation, file_number, before_ms) select 1, min(file_number), $1 from windowed_files";
    fixture.run(sql, &[(START_MS + 10 * MINUTE_MS).into()]).await;
    assert_eq!(failing(&fixture.verify().await), ["bookkeeping"], "wholly and partly");
    fixture.run("delete from windowed_files where file_number in (select file_number from window_progress)", &[]).await;
    let report = fixture.verify().await;
    assert!(report.clean, "{report:#?}");
    fixture.run("update window_progress set before_ms = $1", &[(START_MS + MINUTE_MS).into()]).await;
    assert_eq!(failing(&fixture.verify().await), ["windows", "totals"]);
}
