//! Promises of the backends: nothing is shared, nothing is hidden, nothing is left behind.

use std::sync::Mutex;

use super::*;

#[tokio::test]
async fn no_story_sees_what_another_one_wrote() {
    let seen = Mutex::new(Vec::new());
    for _ in 0..2 {
        each_combination(async |backends| {
            let mut seen = seen.lock().unwrap();
            seen.push(backends.database_url.clone());
            seen.push(backends.topic_prefix.clone());
        })
        .await;
    }
    let mut seen = seen.into_inner().unwrap();
    let all = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), all);
}

#[tokio::test]
async fn a_database_exists_during_its_story_and_is_gone_afterwards() {
    let Some(backends) = Backends::create(Combination::KafkaPostgres).await else { return };
    let url = backends.database_url.clone();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let name: String = sqlx::query_scalar("select current_database()::text").fetch_one(&mut connection).await.unwrap();
    assert_eq!(name, database_name(&url));
    backends.remove().await;
    assert!(PgConnection::connect(&url).await.is_err());
}

#[tokio::test]
async fn a_story_that_fails_runs_on_every_combination_and_fails() {
    let ran = Mutex::new(Vec::new());
    let story = each_combination(async |backends| {
        ran.lock().unwrap().push((backends.folder.path().to_owned(), database_name_of(backends)));
        panic!("as it should");
    });
    let outcome = AssertUnwindSafe(story).catch_unwind().await;
    assert_eq!(outcome.unwrap_err().downcast_ref(), Some(&"as it should"));
    let servers = servers::find().await;
    let kept = ran.into_inner().unwrap();
    assert_eq!(kept.len(), if servers.is_some() { 2 } else { 1 });
    for (folder, database) in kept {
        std::fs::remove_dir_all(folder).unwrap();
        if let Some(database) = database {
            drop_database(&mut connect(servers.unwrap()).await, &database).await;
        }
    }
}

fn database_name_of(backends: &Backends) -> Option<String> {
    (backends.combination == Combination::KafkaPostgres).then(|| database_name(&backends.database_url))
}

#[test]
fn only_our_own_databases_have_an_age() {
    let now = Uuid::now_v7();
    assert_eq!(age(&format!("{DATABASE_PREFIX}{}", now.simple()), now), Some(Duration::ZERO));
    assert_eq!(age("opstream_test_of_someone_else", now), None);
    assert_eq!(age("postgres", now), None);
}
