//! Others at the same files: a second compactor, a rebuild, retention, an operator. The transaction decides.

use opstream_schemas::lake::FileKind;
use opstream_schemas::offsets::Fence;

use super::super::flip::{FlipError, Merge, Refusal, flip};
use super::crashes::write_only;
use super::yard::{DAY, HOUR, Yard, operation};
use crate::give_up::give_up_file;
use crate::lease::LeaseError;
use crate::rebuild::{abandon_rebuild, ask};
use crate::tests::{NOON, at};

/// Writes the files of a merge, lets `meanwhile` happen, and returns why the transaction refuses them.
async fn refused(yard: &mut Yard<'_>, meanwhile: impl AsyncFn(&mut Yard<'_>)) -> Option<Refusal> {
    yard.commit_each((0..10).map(|n| operation(NOON + n, n))).await;
    let fence = yard.window().await;
    let (grounds, inputs, outputs) = write_only(yard).await;
    meanwhile(yard).await;
    let manifest = "select count(*) as n from lake_files where removed_at_ms is null";
    let before = yard.station.int(manifest).await;
    let outcome = flip(&yard.station.database, fence, &Merge { grounds, inputs: &inputs, outputs: &outputs }).await;
    assert_eq!(yard.station.int(manifest).await, before, "a refusal changes nothing");
    match outcome {
        Err(FlipError::Refused(refusal)) => Some(refusal),
        Err(FlipError::Lease(LeaseError::Replaced { .. })) => None,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_second_of_two_compactors_finds_its_files_gone_and_removes_its_own() {
    Yard::each(async |yard| {
        yard.commit_each((0..10).map(|n| operation(NOON + n, n))).await;
        let fence = yard.window().await;
        let (grounds, inputs, outputs) = write_only(yard).await;
        let before = yard.on_disk();
        yard.compact(&mut yard.compactor(), fence, NOON + DAY).await;
        let late = Merge { grounds, inputs: &inputs, outputs: &outputs };
        assert!(!yard.compactor().flip(fence, &late).await.unwrap());
        yard.assert_same_rows().await;
        assert_eq!(yard.on_disk(), before, "the files of the second are gone, those of the first are there");
    })
    .await;
}

#[tokio::test]
async fn two_compactors_at_once_merge_every_file_once() {
    Yard::each(async |yard| {
        yard.commit_each((0..40).map(|n| operation(NOON + n, n))).await;
        let fence = yard.window().await;
        let (mut one, mut other) = (yard.compactor(), yard.compactor());
        tokio::join!(yard.compact(&mut one, fence, NOON + DAY), yard.compact(&mut other, fence, NOON + DAY));
        yard.assert_same_rows().await;
        assert_eq!(yard.live(FileKind::Operations).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn whoever_lost_the_lease_flips_nothing() {
    Yard::each(async |yard| {
        let refusal = refused(yard, async |yard| {
            yard.station.execute("update aggregator_lease set fence = fence + 1", &[]).await;
        });
        assert_eq!(refusal.await, None);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_merged_while_windows_are_built_again() {
    Yard::each(async |yard| {
        let refusal = refused(yard, async |yard| {
            assert_eq!(ask(&yard.station.database).await.unwrap(), 2);
        });
        assert_eq!(refusal.await, Some(Refusal::OtherGrounds));
        let fence = Fence(yard.station.int("select fence as n from aggregator_lease").await);
        yard.compact(&mut yard.compactor(), fence, NOON + DAY).await;
        assert_eq!(yard.live(FileKind::Operations).await.len(), 10);
        abandon_rebuild(&yard.station.database).await.unwrap();
        let fence = Fence(yard.station.int("select fence as n from aggregator_lease").await);
        yard.compact(&mut yard.compactor(), fence, NOON + DAY).await;
        assert_eq!(yard.live(FileKind::Operations).await.len(), 1);
        yard.assert_same_rows().await;
    })
    .await;
}

#[tokio::test]
async fn a_generation_that_took_over_and_a_day_that_is_dropped_refuse_older_plans() {
    Yard::each(async |yard| {
        let moved = refused(yard, async |yard| {
            yard.station.execute("update settings set value = value + 1 where name = 'retention_floor_ms'", &[]).await;
        });
        assert_eq!(moved.await, Some(Refusal::OtherGrounds));
    })
    .await;
    Yard::each(async |yard| {
        let taken_over = refused(yard, async |yard| {
            yard.station.execute("update settings set value = 2 where name = 'window_generation'", &[]).await;
        });
        assert_eq!(taken_over.await, Some(Refusal::OtherGrounds));
    })
    .await;
}

#[tokio::test]
async fn a_file_that_was_given_up_unmarked_or_got_contents_is_not_merged() {
    Yard::each(async |yard| {
        let unmarked = refused(yard, async |yard| {
            yard.station
                .execute(
                    "delete from windowed_files where file_number = (select min(file_number) from windowed_files)",
                    &[],
                )
                .await;
        });
        assert_eq!(unmarked.await, Some(Refusal::OtherInputs));
    })
    .await;
    Yard::each(async |yard| {
        let with_contents = refused(yard, async |yard| {
            let number = yard.station.int("select min(file_number) as n from windowed_files").await;
            yard.list(&[operation(NOON, 77)], Some(number)).await;
        });
        assert_eq!(with_contents.await, Some(Refusal::OtherInputs));
    })
    .await;
    Yard::each(async |yard| {
        yard.commit_each((0..10).map(|n| operation(NOON + n, n))).await;
        yard.window().await;
        let (grounds, inputs, outputs) = write_only(yard).await;
        give_up_file(&yard.station.database, inputs[0].operations.number).await.unwrap();
        let fence = Fence(yard.station.int("select fence as n from aggregator_lease").await);
        let merge = Merge { grounds, inputs: &inputs, outputs: &outputs };
        let outcome = flip(&yard.station.database, fence, &merge).await;
        assert!(matches!(outcome, Err(FlipError::Refused(Refusal::OtherInputs))), "{outcome:?}");
    })
    .await;
}

#[tokio::test]
async fn sums_that_differ_and_names_that_are_too_old_are_refused() {
    Yard::each(async |yard| {
        yard.commit_each((0..10).map(|n| operation(NOON + n, n))).await;
        let fence = yard.window().await;
        let (grounds, inputs, outputs) = write_only(yard).await;
        let try_with = async |change: &dyn Fn(&mut super::super::merge::Outputs)| {
            let mut changed = outputs.clone();
            change(&mut changed);
            match flip(&yard.station.database, fence, &Merge { grounds, inputs: &inputs, outputs: &changed }).await {
                Err(FlipError::Refused(refusal)) => refusal,
                other => panic!("{other:?}"),
            }
        };
        for place in 0..opstream_schemas::lake::MANIFEST_SUMS.len() {
            assert_eq!(try_with(&|o| o.files[0].operations.summary.sums[place] += 1).await, Refusal::OtherSums);
        }
        assert_eq!(try_with(&|o| o.files[0].operations.summary.rows += 1).await, Refusal::OtherSums);
        assert_eq!(try_with(&|o| o.files[0].operations.summary.id_hash += 1).await, Refusal::OtherSums);
        assert_eq!(try_with(&|o| o.files[0].contents = None).await, Refusal::OtherSums);
        assert_eq!(try_with(&|o| o.named_at = at(o.named_at.millis() - HOUR)).await, Refusal::Stale);
        yard.assert_same_rows().await;
        flip(&yard.station.database, fence, &Merge { grounds, inputs: &inputs, outputs: &outputs }).await.unwrap();
        yard.assert_same_rows().await;
    })
    .await;
}
