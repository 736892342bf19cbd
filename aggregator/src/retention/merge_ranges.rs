//! Applied ranges of which nothing is kept any more become one range per partition, and their dead letters are deleted with it.
//!
//! Merged are the first ranges of a partition, as far as they were applied before the floor, are in windows, name no file that reaches
//! above the floor, and have no dead letter that is not on the topic yet. The ranges of a partition go on touching, with the same
//! counts. A retention gap of the broker keeps a range of its own: it says that operations were lost.

use opstream_schemas::UtcMillis;
use opstream_schemas::database::{Database, Row, Transaction, Value};
use opstream_schemas::offsets::Fence;

use super::{RetentionError, lowest_kept};
use crate::{lease, metrics};

/// Ranges that are looked at together: the limit of `ranges_to_merge.sql`.
const PAGE: usize = 500;
/// Dead letters that a transaction deletes, unless a single range has more: each may have a megabyte.
const MOST_DEAD: i64 = 2_000;

/// A range as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    from: i64,
    to: i64,
    /// Rows, duplicates, dead letters, skipped.
    counts: [i64; 4],
    applied_at: i64,
    is_gap: bool,
    is_merged: bool,
    /// Nothing of it is kept any more.
    is_over: bool,
}

/// Ranges that become one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    ranges: Vec<Range>,
}

/// Merges the next ranges of each partition. Returns whether there may be more.
pub(super) async fn merge_slice(
    database: &Database,
    fence: Fence,
    (floor, now): (UtcMillis, UtcMillis),
) -> Result<bool, RetentionError> {
    let mut more = false;
    let places = "select stream_id, cast(partition as bigint) as partition, next_offset from windowed_offsets \
                  order by stream_id, partition";
    for row in database.fetch_all(places, &[]).await? {
        let place = (row.int("stream_id")?, row.int("partition")?);
        let windowed_to = row.int("next_offset")?;
        let mut after = i64::MIN;
        loop {
            let page = read_page(database, place, (after, windowed_to), floor).await?;
            let runs = runs_of(&page);
            for run in &runs {
                merge(database, fence, place, (run, now)).await?;
            }
            more |= !runs.is_empty();
            // Many gaps leave many ranges in front that cannot become fewer.
            let Some(last) = page.last().filter(|last| runs.is_empty() && page.len() >= PAGE && last.is_passed())
            else {
                break;
            };
            after = last.from;
        }
    }
    Ok(more)
}

async fn read_page(
    database: &Database,
    (stream_id, partition): (i64, i64),
    (after, windowed_to): (i64, i64),
    floor: UtcMillis,
) -> Result<Vec<Range>, sqlx::Error> {
    let values: [Value; 6] =
        [stream_id.into(), partition.into(), after.into(), windowed_to.into(), floor.into(), lowest_kept(floor).into()];
    let rows = database.fetch_all(include_str!("ranges_to_merge.sql"), &values).await?;
    rows.iter().map(read_range).collect()
}

fn read_range(row: &Row) -> Result<Range, sqlx::Error> {
    Ok(Range {
        from: row.int("from_offset")?,
        to: row.int("to_offset")?,
        counts: [row.int("rows")?, row.int("duplicates")?, row.int("dead")?, row.int("skipped")?],
        applied_at: row.int("applied_at_ms")?,
        is_gap: row.text("reason")? != "batch",
        is_merged: row.optional_int("merged_at_ms")?.is_some(),
        is_over: row.int("is_over")? == 1,
    })
}

impl Range {
    /// Whether what follows it may still be merged.
    const fn is_passed(&self) -> bool {
        self.is_gap || self.is_over
    }

    /// Dead letters that are still there.
    const fn dead(&self) -> i64 {
        if self.is_merged { 0 } else { self.counts[2] }
    }
}

/// The runs at the front of a partition that are worth a transaction.
fn runs_of(page: &[Range]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut expected = None;
    for range in page.iter().take_while(|range| range.is_passed()) {
        // Across a hole, which is damage, nothing is claimed.
        if expected.is_some_and(|expected| expected != range.from) {
            break;
        }
        expected = Some(range.to);
        if range.is_gap {
            runs.push(Run { ranges: Vec::new() });
            continue;
        }
        let dead: i64 = runs.last().map_or(0, |run| run.ranges.iter().map(Range::dead).sum());
        match runs.last_mut() {
            Some(run) if dead == 0 || dead + range.dead() <= MOST_DEAD => run.ranges.push(*range),
            // The next slice goes on from here, when this part is one range.
            Some(run) if !run.ranges.is_empty() => break,
            _ => runs.push(Run { ranges: vec![*range] }),
        }
    }
    runs.retain(|run| run.ranges.len() > 1 || run.ranges.iter().any(|range| !range.is_merged));
    runs
}

async fn merge(
    database: &Database,
    fence: Fence,
    (stream_id, partition): (i64, i64),
    (run, now): (&Run, UtcMillis),
) -> Result<(), RetentionError> {
    let (Some(first), Some(last)) = (run.ranges.first(), run.ranges.last()) else { return Ok(()) };
    let place: [Value; 4] = [stream_id.into(), partition.into(), first.from.into(), last.to.into()];
    let mut tx = lease::begin(database, fence).await?;
    let letters = delete_letters(&mut tx, run, &place).await?;
    let others =
        "delete from applied_ranges where stream_id = $1 and partition = $2 and from_offset > $3 and from_offset < $4";
    tx.execute(others, &place).await?;
    let mut values = Vec::from(place);
    for count in 0..4 {
        values.push(run.ranges.iter().map(|range| range.counts[count]).sum::<i64>().into());
    }
    values.push(run.ranges.iter().map(|range| range.applied_at).max().into());
    values.push(now.into());
    tx.execute(include_str!("merge_ranges.sql"), &values).await?;
    tx.commit().await?;
    metrics::record_merged_ranges(run.ranges.len(), letters);
    Ok(())
}

async fn delete_letters(tx: &mut Transaction, run: &Run, place: &[Value; 4]) -> Result<u64, sqlx::Error> {
    if run.ranges.iter().all(|range| range.dead() == 0) {
        return Ok(0);
    }
    let letters = "delete from dead_letters where stream_id = $1 and partition = $2 \
                   and source_offset >= $3 and source_offset < $4";
    tx.execute(letters, place).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ranges of ten offsets that touch; what `change` does to each makes the difference.
    fn page(length: i64, change: impl Fn(i64, &mut Range)) -> Vec<Range> {
        let range = |n| {
            let counts = [10, 0, 0, 0];
            let (is_gap, is_merged) = (false, false);
            let mut range =
                Range { from: n * 10, to: n * 10 + 10, counts, applied_at: n, is_gap, is_merged, is_over: true };
            change(n, &mut range);
            range
        };
        (0..length).map(range).collect()
    }

    fn spans(page: &[Range]) -> Vec<(i64, i64)> {
        let span = |run: &Run| (run.ranges[0].from, run.ranges[run.ranges.len() - 1].to);
        runs_of(page).iter().map(span).collect()
    }

    #[test]
    fn ranges_are_merged_up_to_the_first_of_which_something_is_kept() {
        assert_eq!(spans(&page(5, |n, range| range.is_over = n != 3)), [(0, 30)]);
        assert_eq!(spans(&page(5, |_, range| range.is_over = false)), []);
        assert_eq!(spans(&page(1, |_, _| {})), [(0, 10)], "a single one is marked as well");
    }

    #[test]
    fn what_is_merged_already_is_left_alone_until_more_follows() {
        assert_eq!(spans(&page(1, |_, range| range.is_merged = true)), []);
        let grown = page(3, |n, range| (range.is_merged, range.is_over) = (n == 0, n < 2));
        assert_eq!(spans(&grown), [(0, 20)]);
    }

    #[test]
    fn a_retention_gap_stays_between_two_merged_ranges_and_a_hole_ends_everything() {
        let gap = page(5, |n, range| (range.is_gap, range.is_over) = (n == 2, n != 2));
        assert_eq!(spans(&gap), [(0, 20), (30, 50)]);
        let mut hole = page(5, |_, _| {});
        hole.remove(2);
        assert_eq!(spans(&hole), [(0, 20)]);
    }

    #[test]
    fn a_transaction_deletes_a_bounded_number_of_dead_letters_but_at_least_one_range() {
        let dead = |count: i64| page(4, move |_, range| range.counts = [0, 0, count, 0]);
        assert_eq!(spans(&dead(MOST_DEAD / 2)), [(0, 20)]);
        assert_eq!(spans(&dead(MOST_DEAD + 1)), [(0, 10)]);
        let next = page(4, |n, range| (range.is_merged, range.counts) = (n == 0, [0, 0, MOST_DEAD + 1, 0]));
        assert_eq!(spans(&next), [(0, 20)], "a merged range has none left");
    }
}
