//! The judge of the torture is judged: each damage that is done by hand to a clean pipeline changes its verdict.

use std::sync::Arc;

use crate::harness::backends::{Backends, each_combination};
use crate::harness::pipeline::Pipeline;
use crate::torture::ledger::Ledger;
use crate::torture::load::{Extent, Load};
use crate::torture::oracle;

/// Nobody tells this load how far the windows are.
const EXTENT: Extent = Extent { operations: 5_000, behind: u64::MAX };

/// What is done, and what the verdict says of it and did not say before.
type Damage = (&'static str, &'static [&'static str]);

const DAMAGES: [Damage; 5] = [
    (
        "update operations set cost_nano_usd = cost_nano_usd + 1 where operation_id = \
         (select operation_id from operations where cost_nano_usd > 0 order by operation_id desc limit 1)",
        &["1 rows are not what they must be"],
    ),
    (
        "update windows set operations = operations + 1 where level = 3 and dimension_set = 1",
        &["windows are wrong", "latest values on the topic of windows are wrong"],
    ),
    (
        "update lake_files set removed_at_ms = 1 where kind = 'operations' and removed_at_ms is null and file_number = \
         (select max(file_number) from lake_files where kind = 'operations' and removed_at_ms is null)",
        &["rows are in no file"],
    ),
    (
        // Of one operation, which may have been sent twice.
        "delete from dead_letters where operation_id = \
         (select operation_id from dead_letters order by operation_id limit 1)",
        &["are neither row nor dead letter", "on the topic of dead letters have no row"],
    ),
    (
        "delete from operations where operation_id = (select operation_id from operations order by operation_id limit 1)",
        &["1 acknowledged operations have no row"],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_damage_changes_the_verdict() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        let ledger = Arc::new(Ledger::create(&pipeline.folder().join("ledger")));
        let ledger = Load::start(&pipeline, ledger, EXTENT).finish().await;
        pipeline.settle().await;
        let clean = oracle::judge(&pipeline, &ledger).await;
        assert!(clean.is_clean() && clean.acknowledged > EXTENT.operations * 9 / 10, "{clean}");
        let database = pipeline.database().await;
        let mut before = clean.to_string();
        for (damage, expected) in DAMAGES {
            let mut tx = database.begin().await.unwrap();
            assert!(tx.execute(damage, &[]).await.unwrap() > 0, "{damage} changes nothing");
            tx.commit().await.unwrap();
            let verdict = Box::pin(oracle::judge(&pipeline, &ledger)).await;
            let after = verdict.to_string();
            assert!(verdict.lost + verdict.wrong > 0, "{damage}: {after}");
            for words in expected {
                assert!(after.contains(words) && !before.contains(words), "{damage} was not found: {after}");
            }
            before = after;
        }
        database.close().await;
        pipeline.kill().await;
    })
    .await;
}
