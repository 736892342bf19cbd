//! Files that are not what the manifest says are never merged, are named, and stop no other.

use opstream_schemas::lake::FileKind;

use super::yard::{DAY, Operation, Yard, batch_of, operation, write_file};
use crate::tests::NOON;
use crate::tests::station::Station;

/// Commits ten files, damages the first of the kind, and merges twice: as it is, and after it was brought back.
async fn damaged(kind: FileKind, damage: impl AsyncFn(&Yard<'_>, &std::path::Path)) {
    let mut station = Station::on_sqlite().await;
    let mut yard = Yard::new(&mut station);
    yard.commit_each((0..10).map(|n| operation(NOON + n, 3 * n))).await;
    let fence = yard.window().await;
    let file = yard.live(kind).await.remove(0);
    let kept = std::fs::read(&file).unwrap();
    damage(&yard, &file).await;
    let mut compactor = yard.compactor();
    yard.compact(&mut compactor, fence, NOON + DAY).await;
    assert_eq!(compactor.failed_files(), 1);
    assert_eq!(yard.live(FileKind::Operations).await.len(), 2, "the other nine are merged");

    std::fs::write(&file, kept).unwrap();
    yard.assert_same_rows().await;
    yard.commit(&[operation(NOON + 10, 11)]).await;
    yard.window().await;
    compactor.try_failed_files_now();
    yard.compact(&mut compactor, fence, NOON + DAY).await;
    assert_eq!(compactor.failed_files(), 0);
    assert_eq!(yard.live(FileKind::Operations).await.len(), 2, "it is merged with the new one");
    yard.assert_same_rows().await;
}

#[tokio::test]
async fn a_missing_file_is_left_out() {
    for kind in [FileKind::Operations, FileKind::Contents] {
        damaged(kind, async |_, file| std::fs::remove_file(file).unwrap()).await;
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_decoded_is_left_out() {
    for kind in [FileKind::Operations, FileKind::Contents] {
        damaged(kind, async |_, file| {
            let bytes = std::fs::read(file).unwrap();
            std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
        })
        .await;
        damaged(kind, async |_, file| {
            let bytes = std::fs::read(file).unwrap();
            let scribbled = |(place, byte): (usize, &u8)| if place % 7 == 3 { byte ^ 0x5a } else { *byte };
            std::fs::write(file, bytes.iter().enumerate().map(scribbled).collect::<Vec<u8>>()).unwrap();
        })
        .await;
    }
}

#[tokio::test]
async fn a_file_with_other_rows_than_the_manifest_says_is_left_out() {
    // Another id, another cost, a row more.
    let first = operation(NOON, 0);
    let others: [&[Operation]; 3] =
        [&[operation(NOON, 1000)], &[Operation { seed: 4, ..first }], &[first, operation(NOON + 1, 2000)]];
    for other in others {
        damaged(FileKind::Operations, async |_, file| write_file(file, &batch_of(FileKind::Operations, other))).await;
    }
    damaged(FileKind::Contents, async |_, file| {
        write_file(file, &batch_of(FileKind::Contents, &[operation(NOON, 1000)]));
    })
    .await;
}

#[tokio::test]
async fn a_file_of_another_version_is_left_out() {
    damaged(FileKind::Operations, async |_, file| {
        let batch = batch_of(FileKind::Operations, &[operation(NOON, 0)]);
        let columns: Vec<usize> = (0..batch.num_columns()).filter(|column| *column != 5).collect();
        write_file(file, &batch.project(&columns).unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_operation_with_content_that_no_file_has_is_left_out() {
    let mut station = Station::on_sqlite().await;
    let mut yard = Yard::new(&mut station);
    yard.commit_each((0..10).map(|n| operation(NOON + n, 3 * n))).await;
    let fence = yard.window().await;
    yard.station
        .execute("update lake_files set removed_at_ms = 1 where file_number = (select min(file_number) from lake_files where kind = 'contents')", &[])
        .await;
    let mut compactor = yard.compactor();
    yard.compact(&mut compactor, fence, NOON + DAY).await;
    assert_eq!((compactor.failed_files(), yard.live(FileKind::Operations).await.len()), (1, 2));
}

#[tokio::test]
async fn an_operation_that_is_in_two_files_is_written_into_neither() {
    let mut station = Station::on_sqlite().await;
    let mut yard = Yard::new(&mut station);
    yard.commit_each((0..10).map(|n| operation(NOON + n, 3 * n))).await;
    yard.list(&[operation(NOON, 0), operation(NOON, 4)].map(|o| Operation { has_content: false, ..o }), None).await;
    let fence = yard.window().await;
    yard.station.execute("insert into windowed_files select 1, max(file_number), 0 from lake_files where true on conflict do nothing", &[]).await;
    let before = yard.on_disk();
    let mut compactor = yard.compactor();
    yard.compact(&mut compactor, fence, NOON + DAY).await;
    assert_eq!((compactor.failed_files(), yard.live(FileKind::Operations).await.len()), (1, 2));
    assert_eq!(yard.on_disk(), before + 2, "what was begun with it was removed");
}

#[tokio::test]
async fn a_failure_is_forgotten_with_its_file() {
    let mut station = Station::on_sqlite().await;
    let mut yard = Yard::new(&mut station);
    yard.commit_each((0..10).map(|n| operation(NOON + n, 1 + 3 * n))).await;
    let fence = yard.window().await;
    let file = yard.live(FileKind::Operations).await.remove(0);
    std::fs::remove_file(file).unwrap();
    let mut compactor = yard.compactor();
    yard.compact(&mut compactor, fence, NOON + DAY).await;
    assert_eq!(compactor.failed_files(), 1);
    let fence = {
        let number = yard.station.int("select min(file_number) as n from lake_files where removed_at_ms is null").await;
        crate::give_up::give_up_file(&yard.station.database, number).await.unwrap();
        assert_ne!(yard.station.int("select fence as n from aggregator_lease").await, fence.0);
        opstream_schemas::offsets::Fence(fence.0 + 1)
    };
    yard.compact(&mut compactor, fence, NOON + DAY).await;
    assert_eq!(compactor.failed_files(), 0);
}
