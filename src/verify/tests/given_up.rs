//! A file that was given up is named first, and giving it up can be taken back as docs/verify.md says.

use sqlx::AssertSqlSafe;

use super::fixture::{Fixture, operation};
use super::{failing, found};
use crate::aggregator_command::give_up;
use crate::verify::whole_file::{FileState, state_of_file};

/// The statements of docs/verify.md, for this file.
fn documented_undo(number: i64) -> Vec<String> {
    let page = include_str!("../../../docs/verify.md");
    let (_, behind) = page.split_once("## Files that were given up").expect("docs/verify.md has the section");
    let (_, block) = behind.split_once("```sql\n").expect("the section has statements");
    let (block, _) = block.split_once("```").expect("the statements end");
    let statements = block.replace("4711", &number.to_string());
    statements.split(';').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

#[tokio::test]
async fn what_follows_from_giving_up_a_file_stands_behind_it_and_it_can_be_taken_back() {
    let fixture = Fixture::filled().await;
    opstream_aggregator::give_up_file(fixture.database(), 1).await.unwrap();
    let report = fixture.verify().await;
    assert_eq!(failing(&report)[0], "files", "{report:#?}");
    assert!(failing(&report).contains(&"rows_and_files"));
    let named = "file 1 (operations/2026-09-22/1.parquet) with 20 operations was given up";
    assert_eq!(found(&report, "files"), [named]);

    for statement in documented_undo(1) {
        let mut tx = fixture.database().begin().await.unwrap();
        assert!(tx.execute(AssertSqlSafe(statement), &[]).await.unwrap() > 0);
        tx.commit().await.unwrap();
    }
    let report = fixture.verify().await;
    assert!(report.clean, "{report:#?}");
}

#[tokio::test]
async fn a_whole_file_is_told_from_one_that_is_missing_damaged_or_not_listed() {
    let mut fixture = Fixture::filled().await;
    let state =
        async |fixture: &Fixture, number| state_of_file(fixture.database(), fixture.lake(), number).await.unwrap();
    let FileState::Whole { operations, .. } = state(&fixture, 1).await else {
        panic!("{:?}", state(&fixture, 1).await)
    };
    assert_eq!(operations, 20);
    assert_eq!(state(&fixture, 99).await, FileState::Unlisted);
    fixture.run("update lake_files set input_tokens = input_tokens + 1 where file_number = 1", &[]).await;
    let FileState::Broken { reason } = state(&fixture, 1).await else { panic!("it does not add up") };
    assert!(reason.contains("input_tokens"), "{reason}");
    let lost = fixture.commit(0, vec![operation(0, 44, 0)], &[]).await;
    std::fs::remove_file(fixture.lake().join(format!("operations/2026-09-22/{lost}.parquet"))).unwrap();
    assert_eq!(state(&fixture, lost).await, FileState::Broken { reason: "file is missing".to_owned() });
}

#[tokio::test]
async fn a_whole_file_is_not_given_up_unasked_and_a_wrong_folder_proves_no_loss() {
    let mut fixture = Fixture::filled().await;
    let lost = fixture.commit(0, vec![operation(0, 44, 0)], &[]).await;
    let (database, lake) = (fixture.database(), fixture.lake());
    let refused = give_up(database, 1, Some(lake.to_owned())).await.unwrap_err().to_string();
    for word in ["file 1 (operations/2026-09-22/1.parquet) is not lost", "20 operations, from 2026-09-22T", "--yes"] {
        assert!(refused.contains(word), "{word}: {refused}");
    }
    let refused = give_up(database, 1, Some(lake.join("elsewhere"))).await.unwrap_err().to_string();
    assert!(refused.contains("there is no lake") && refused.contains("elsewhere"), "{refused}");
    assert_eq!(fixture.count("given_up_files").await, 0);
    let unlisted = give_up(database, 99, Some(lake.to_owned())).await.unwrap_err().to_string();
    assert!(unlisted.contains("no live file"), "{unlisted}");

    give_up(database, 1, None).await.unwrap();
    std::fs::remove_file(lake.join(format!("operations/2026-09-22/{lost}.parquet"))).unwrap();
    give_up(database, lost, Some(lake.to_owned())).await.unwrap();
    assert_eq!(fixture.count("given_up_files").await, 2);
}
