//! What is deleted an hour later, what is kept, and what goes on without it.

use opstream_schemas::lake::FileKind;
use opstream_schemas::offsets::Fence;

use super::yard::{DAY, HOUR, Yard, operation};
use crate::give_up::give_up_file;
use crate::offsets::{Ahead, look_ahead};
use crate::tests::NOON;
use crate::tests::station::Station;

#[tokio::test]
async fn forgotten_files_leave_what_ranges_need_and_nothing_waits_for_them() {
    Yard::each(async |yard| {
        let numbers = yard.commit_each((0..12).map(|n| operation(NOON + n, n))).await;
        let fence = yard.window().await;
        // As when an earlier file could not be read for long: the offsets have not passed the files yet.
        yard.station.execute("delete from windowed_offsets", &[]).await;
        yard.compact(&mut yard.compactor(), fence, NOON + DAY).await;
        let later = yard.now().await.plus_millis(HOUR);
        yard.removed_files().delete_slice(fence, later).await.unwrap();
        for (query, expected) in [
            ("select count(*) as n from lake_files", 2),
            ("select count(*) as n from windowed_files", 1),
            ("select count(*) as n from past_files", 12),
            ("select count(*) as n from past_files p join applied_ranges r on r.file_number = p.file_number and r.rows = p.rows", 12),
        ] {
            assert_eq!(yard.station.int(query).await, expected, "{query}");
        }
        assert_eq!(numbers.len(), 12);
        let ahead = look_ahead(&yard.station.database, 1, &std::collections::HashMap::new()).await.unwrap();
        assert_eq!(ahead.iter().flat_map(Ahead::files).count(), 0);
        let mut windower = yard.station.windower();
        yard.station.settle(&mut windower).await;
        assert_eq!(yard.station.int("select next_offset as n from windowed_offsets where partition = 0").await, 12);
        yard.assert_same_rows().await;
    })
    .await;
}

#[tokio::test]
async fn a_merged_file_that_was_merged_again_is_forgotten_without_a_trace() {
    let mut station = Station::on_sqlite().await;
    let mut yard = Yard::new(&mut station);
    yard.commit_each((0..8).map(|n| operation(NOON + n, n))).await;
    let fence = yard.window().await;
    let mut compactor = yard.compactor();
    yard.compact(&mut compactor, fence, NOON).await;
    yard.commit_each((8..16).map(|n| operation(NOON + n, n))).await;
    yard.window().await;
    yard.compact(&mut compactor, fence, NOON).await;
    yard.station.execute("update lake_files set committed_at_ms = $1", &[NOON.into()]).await;
    yard.compact(&mut compactor, fence, NOON + DAY).await;
    assert_eq!(yard.station.int("select max(merges) as n from lake_files").await, 2);
    let later = yard.now().await.plus_millis(HOUR);
    yard.removed_files().delete_slice(fence, later).await.unwrap();
    assert_eq!(yard.station.int("select count(*) as n from past_files").await, 16);
    assert_eq!(yard.station.int("select count(*) as n from lake_files").await, 2);
    assert_eq!(yard.on_disk(), 2);
}

#[tokio::test]
async fn a_file_that_was_given_up_stays_listed_and_on_disk() {
    Yard::each(async |yard| {
        let number = yard.commit(&[operation(NOON, 1), operation(NOON, 3)]).await;
        yard.window().await;
        give_up_file(&yard.station.database, number).await.unwrap();
        let fence = Fence(yard.station.int("select fence as n from aggregator_lease").await);
        let later = yard.now().await.plus_millis(100 * DAY);
        yard.removed_files().delete_slice(fence, later).await.unwrap();
        assert_eq!(yard.station.int("select count(*) as n from lake_files where removed_at_ms is not null").await, 2);
        assert_eq!(yard.on_disk(), 2);
        yard.station
            .execute("update settings set value = $1 where name = 'retention_floor_ms'", &[(NOON + DAY).into()])
            .await;
        while yard.removed_files().delete_slice(fence, later).await.unwrap() {}
        for table in ["select count(*) as n from lake_files", "select count(*) as n from given_up_files"] {
            assert_eq!(yard.station.int(table).await, 0, "{table}, below the floor");
        }
        assert_eq!(yard.on_disk(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_file_that_cannot_be_deleted_stays_listed_and_is_counted() {
    let mut station = Station::on_sqlite().await;
    let mut yard = Yard::new(&mut station);
    yard.commit_each((0..10).map(|n| operation(NOON + n, 1 + 3 * n))).await;
    let fence = yard.window().await;
    let inputs = yard.live(FileKind::Operations).await;
    yard.compact(&mut yard.compactor(), fence, NOON + DAY).await;
    // The system deletes no folder in place of a file.
    std::fs::remove_file(&inputs[3]).unwrap();
    std::fs::create_dir(&inputs[3]).unwrap();
    let later = yard.now().await.plus_millis(HOUR);
    let mut removed = yard.removed_files();
    removed.delete_slice(fence, later).await.unwrap();
    assert_eq!(removed.refused(), 1);
    assert_eq!(yard.station.int("select count(*) as n from lake_files where removed_at_ms is not null").await, 1);
    std::fs::remove_dir(&inputs[3]).unwrap();
    removed.delete_slice(fence, later).await.unwrap();
    assert_eq!(removed.refused(), 0);
    assert_eq!(yard.station.int("select count(*) as n from lake_files").await, 1);
}

#[tokio::test]
async fn a_reader_that_has_a_file_open_reads_it_to_its_end() {
    let mut station = Station::on_sqlite().await;
    let mut yard = Yard::new(&mut station);
    yard.commit_each((0..10).map(|n| operation(NOON + n, 1 + 3 * n))).await;
    let fence = yard.window().await;
    let planned = yard.live(FileKind::Operations).await;
    let open = std::fs::File::open(&planned[0]).unwrap();
    yard.compact(&mut yard.compactor(), fence, NOON + DAY).await;
    let readable = || planned.iter().filter(|file| file.is_file()).count();
    assert_eq!(readable(), 10, "what a reader planned with is there for an hour");
    let later = yard.now().await.plus_millis(HOUR);
    yard.removed_files().delete_slice(fence, later).await.unwrap();
    assert_eq!(readable(), 0);
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(open).unwrap().build().unwrap();
    assert_eq!(reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 1);
}

#[tokio::test]
async fn many_removed_files_go_in_slices() {
    let mut station = Station::on_sqlite().await;
    let mut yard = Yard::new(&mut station);
    let fence = yard.window().await;
    let insert = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1200) \
                  insert into lake_files (path, kind, named_at_ms, committed_at_ms, removed_at_ms, rows, bytes, id_hash, \
                  min_operation_id, max_operation_id, failures, unpriced, input_tokens, output_tokens, cache_read_tokens, \
                  cache_write_tokens, cost_nano_usd, reported_cost_nano_usd) \
                  select 'operations/gone-' || i, 'operations', 0, 0, 1, 1, 0, 0, x'00', x'00', 0, 0, 0, 0, 0, 0, 0, 0 from n";
    yard.station.execute(insert, &[]).await;
    let mut removed = yard.removed_files();
    let mut slices = 1;
    while removed.delete_slice(fence, yard.now().await).await.unwrap() {
        slices += 1;
    }
    assert_eq!(slices, 3);
    assert_eq!(yard.station.int("select count(*) as n from lake_files").await, 0);
}
