//! The judge of the torture is judged: each damage that is done by hand to a clean pipeline adds to its verdict.

use std::sync::Arc;

use crate::harness::backends::{Backends, each_combination};
use crate::harness::pipeline::Pipeline;
use crate::torture::ledger::Ledger;
use crate::torture::load::Load;
use crate::torture::oracle::{self, Verdict};

const OPERATIONS: u64 = 5_000;

/// What is done.
type Damage = &'static str;
/// What it must add to the counts of the verdict, at least: lost, doubled and wrong.
type Found = [u64; 3];

const DAMAGES: [(Damage, Found); 6] = [
    // The file still has it, and the windows count it.
    (
        "delete from operations where operation_id = (select operation_id from operations order by operation_id limit 1)",
        [1, 0, 2],
    ),
    (
        "update operations set cost_nano_usd = cost_nano_usd + 1 where operation_id = \
         (select operation_id from operations where cost_nano_usd > 0 order by operation_id desc limit 1)",
        [0, 0, 1],
    ),
    // Of two workspaces, in the table and against the topic.
    ("update windows set operations = operations + 1 where level = 3 and dimension_set = 1", [0, 0, 2]),
    ("delete from windows where level = 2 and dimension_set = 3", [0, 0, 2]),
    (
        "update lake_files set removed_at_ms = 1 where kind = 'operations' and file_number = \
         (select min(file_number) from lake_files where kind = 'operations')",
        [1, 0, 0],
    ),
    // Neither row nor letter any more, and on the topic without being in the table.
    ("delete from dead_letters where source_offset = (select min(source_offset) from dead_letters)", [1, 0, 1]),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_damage_adds_to_the_verdict() {
    each_combination(async |backends: &Backends| {
        let mut pipeline = Pipeline::start(backends).await;
        let ledger = Arc::new(Ledger::create(&pipeline.folder().join("ledger")));
        let ledger = Load::start(&pipeline, ledger, OPERATIONS).finish().await;
        pipeline.settle().await;
        let clean = oracle::judge(&pipeline, &ledger).await;
        assert!(clean.is_clean() && clean.acknowledged > OPERATIONS * 9 / 10, "{clean}");
        let database = pipeline.database().await;
        let mut before = counts(&clean);
        for (damage, expected) in DAMAGES {
            let mut tx = database.begin().await.unwrap();
            assert!(tx.execute(damage, &[]).await.unwrap() > 0, "{damage} changes nothing");
            tx.commit().await.unwrap();
            let verdict = Box::pin(oracle::judge(&pipeline, &ledger)).await;
            let after = counts(&verdict);
            let is_found = (0..3).all(|place| after[place] >= before[place] + expected[place]);
            assert!(is_found, "{damage} was not found: {before:?} became {verdict}");
            before = after;
        }
        database.close().await;
        pipeline.kill().await;
    })
    .await;
}

fn counts(verdict: &Verdict) -> [u64; 3] {
    [verdict.lost, verdict.doubled, verdict.wrong]
}
