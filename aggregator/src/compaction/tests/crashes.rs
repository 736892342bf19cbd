//! Ends between two steps: what is on disk and in the tables is consistent, and the next run finishes.

use opstream_schemas::lake::FileKind;
use opstream_schemas::offsets::Fence;
use tokio_util::sync::CancellationToken;

use super::super::flip::{Merge, flip};
use super::super::merge::Outputs;
use super::yard::{DAY, HOUR, Yard, operation};
use crate::rewriting::grounds::Grounds;
use crate::rewriting::listed::{Input, load_inputs};
use crate::tests::{NOON, at};

/// Does what a compactor does before the transaction, and no more.
pub(super) async fn write_only(yard: &Yard<'_>) -> (Grounds, Vec<Input>, Outputs) {
    let (mut compactor, stop) = (yard.compactor(), CancellationToken::new());
    let grounds = Grounds::read(&yard.station.database).await.unwrap().unwrap();
    let plan = compactor.next_plan(grounds, at(NOON + DAY)).await.unwrap().unwrap();
    let inputs = load_inputs(&yard.station.database, &plan.files).await.unwrap();
    let decoded = compactor.decode_inputs(inputs.clone(), &stop).await;
    assert_eq!(decoded.len(), inputs.len());
    let outputs = compactor.write(decoded, &stop).await.unwrap().unwrap();
    (grounds, inputs, outputs)
}

async fn filled(yard: &mut Yard<'_>) -> Fence {
    yard.commit_each((0..10).map(|n| operation(NOON + n, n))).await;
    yard.window().await
}

#[tokio::test]
async fn a_crash_before_the_transaction_leaves_unlisted_files_and_the_next_run_merges() {
    Yard::each(async |yard| {
        let fence = filled(yard).await;
        let before = yard.on_disk();
        let (_, _, outputs) = write_only(yard).await;
        yard.assert_same_rows().await;
        assert_eq!(yard.live(FileKind::Operations).await.len(), 10);
        assert_eq!(yard.on_disk(), before + 2);

        yard.compact(&mut yard.compactor(), fence, NOON + DAY).await;
        yard.assert_same_rows().await;
        assert_eq!(yard.live(FileKind::Operations).await.len(), 1);
        // The sweeper finds what was left by its name and by its absence from the manifest.
        let path = &outputs.files[0].operations.path;
        assert!(yard.station.lake().join(path).is_file());
        let values = [path.as_str().into()];
        let row = yard.station.database.fetch_optional("select 1 from lake_files where path = $1", &values);
        assert!(row.await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_crash_after_the_transaction_leaves_what_is_to_be_deleted_in_the_manifest() {
    Yard::each(async |yard| {
        let fence = filled(yard).await;
        let (grounds, inputs, outputs) = write_only(yard).await;
        flip(&yard.station.database, fence, &Merge { grounds, inputs: &inputs, outputs: &outputs }).await.unwrap();
        yard.assert_same_rows().await;
        let (all, now) = (yard.on_disk(), yard.now().await);

        let mut removed = yard.removed_files();
        assert!(!removed.delete_slice(fence, now.plus_millis(HOUR - 60_000)).await.unwrap());
        assert_eq!(yard.on_disk(), all, "readers have an hour");
        assert!(!removed.delete_slice(fence, now.plus_millis(HOUR)).await.unwrap());
        assert_eq!(yard.on_disk(), 2);
        yard.assert_same_rows().await;
        assert_eq!(yard.station.int("select count(*) as n from lake_files").await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_crash_between_the_disk_and_the_manifest_is_made_up_for() {
    Yard::each(async |yard| {
        let fence = filled(yard).await;
        let inputs = yard.live(FileKind::Operations).await;
        yard.compact(&mut yard.compactor(), fence, NOON + DAY).await;
        for file in &inputs[..5] {
            std::fs::remove_file(file).unwrap();
        }
        let later = yard.now().await.plus_millis(HOUR);
        yard.removed_files().delete_slice(fence, later).await.unwrap();
        assert_eq!(yard.on_disk(), 2);
        assert_eq!(yard.station.int("select count(*) as n from lake_files").await, 2);
        assert_eq!(yard.station.int("select count(*) as n from past_files").await, 10);
        yard.assert_same_rows().await;
    })
    .await;
}

#[tokio::test]
async fn an_order_to_stop_leaves_nothing_behind() {
    Yard::each(async |yard| {
        let fence = filled(yard).await;
        let (before, stop) = (yard.on_disk(), CancellationToken::new());
        let mut compactor = yard.compactor();
        let grounds = Grounds::read(&yard.station.database).await.unwrap().unwrap();
        let plan = compactor.next_plan(grounds, at(NOON + DAY)).await.unwrap().unwrap();
        let inputs = load_inputs(&yard.station.database, &plan.files).await.unwrap();
        let decoded = compactor.decode_inputs(inputs, &stop).await;
        stop.cancel();
        assert_eq!(compactor.write(decoded, &stop).await.unwrap(), None);
        assert_eq!(yard.on_disk(), before);
        compactor.step((fence, at(NOON + DAY)), &stop).await.unwrap();
        assert_eq!(yard.live(FileKind::Operations).await.len(), 10);
    })
    .await;
}
