//! How far each partition is in windows, and which files lie ahead.
//!
//! The applied ranges of a partition touch each other, so walking them from where its windows reach misses nothing, in
//! whatever order files were numbered and committed; and what was walked over is complete. Reading is separate from deciding:
//! [`Ahead`] computes.

use std::collections::HashMap;

use opstream_schemas::database::{Database, Row, Value};

/// Ranges that one look reads per partition: the limit in `ranges_ahead.sql`. A bound limit would keep Postgres from seeing how
/// little is asked.
const RANGES: usize = 256;

/// One partition of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    /// The stream.
    pub(crate) stream_id: i64,
    /// The partition.
    pub(crate) partition: i64,
}

/// The next ranges of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ahead {
    /// Which partition.
    pub(crate) place: Place,
    /// Every offset below is in windows.
    windowed_to: i64,
    /// The ranges from here on; above `windowed_to` when the look began behind files that failed.
    from: i64,
    ranges: Vec<Range>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    from: i64,
    to: i64,
    /// The file that must be windowed first; `None` when there is none, it is windowed, or it is gone.
    waits_for: Option<i64>,
}

/// A partition that moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Which partition.
    pub(crate) place: Place,
    /// Every offset below is in windows.
    pub(crate) next_offset: i64,
}

impl Ahead {
    /// Whether `settled_to`, from [`Ahead::walk`], is any further than the look began.
    pub(crate) const fn moved(&self, settled_to: i64) -> bool {
        settled_to > self.from
    }

    /// Whether more ranges may follow.
    pub(crate) fn is_full(&self) -> bool {
        self.ranges.len() >= RANGES
    }

    /// The files of the ranges that are not windowed.
    pub(crate) fn files(&self) -> impl Iterator<Item = i64> + '_ {
        self.ranges.iter().filter_map(|range| range.waits_for)
    }

    /// How far the partition is once the files that `is_done` names are windowed.
    pub(crate) fn reached(&self, is_done: impl Fn(i64) -> bool) -> Option<Reached> {
        let next_offset = self.walk(is_done);
        let moves = self.from == self.windowed_to && next_offset > self.windowed_to;
        moves.then_some(Reached { place: self.place, next_offset })
    }

    /// Up to where nothing is to be done any more, given what is windowed or known to fail.
    pub(crate) fn walk(&self, is_settled: impl Fn(i64) -> bool) -> i64 {
        let mut at = self.from;
        for range in &self.ranges {
            // A hole is damage, which nothing must be claimed about.
            if range.from != at || range.waits_for.is_some_and(|file| !is_settled(file)) {
                break;
            }
            at = range.to;
        }
        at
    }
}

/// The next ranges of every partition that is not wholly in the windows of `generation`. `looked_to` lets a partition begin
/// behind files that failed.
pub(crate) async fn look_ahead(
    database: &Database,
    generation: i64,
    looked_to: &HashMap<Place, i64>,
) -> Result<Vec<Ahead>, sqlx::Error> {
    let mut ahead = Vec::new();
    for row in database.fetch_all(include_str!("places_ahead.sql"), &[]).await? {
        let place = Place { stream_id: row.int("stream_id")?, partition: row.int("partition")? };
        let windowed_to = row.int("windowed_to")?;
        let from = looked_to.get(&place).map_or(windowed_to, |looked_to| windowed_to.max(*looked_to));
        let values = [generation, place.stream_id, place.partition, from].map(Value::from);
        let rows = database.fetch_all(include_str!("ranges_ahead.sql"), &values).await?;
        let ranges = rows.iter().map(read_range).collect::<Result<_, _>>()?;
        ahead.push(Ahead { place, windowed_to, from, ranges });
    }
    Ok(ahead)
}

fn read_range(row: &Row) -> Result<Range, sqlx::Error> {
    let is_windowed = row.optional_int("windowed_at_ms")?.is_some();
    // A file that is no longer live, or no longer listed, is not waited for.
    let waits_for = row.optional_int("live_file")?.filter(|_| !is_windowed);
    Ok(Range { from: row.int("from_offset")?, to: row.int("to_offset")?, waits_for })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { stream_id: 1, partition: 0 };

    fn ahead(from: i64, files: &[Option<i64>]) -> Ahead {
        let ranges = files.iter().zip(1..).map(|(file, n)| Range {
            from: from + 10 * (n - 1),
            to: from + 10 * n,
            waits_for: *file,
        });
        Ahead { place: PLACE, windowed_to: 100, from, ranges: ranges.collect() }
    }

    #[test]
    fn a_partition_moves_to_the_first_file_that_waits() {
        let reached = |files: &[Option<i64>], done: &[i64]| {
            ahead(100, files).reached(|file| done.contains(&file)).map(|reached| reached.next_offset)
        };
        assert_eq!(reached(&[Some(1), None, Some(2), Some(3)], &[1]), Some(120));
        assert_eq!(reached(&[Some(1), None, Some(2), Some(3)], &[1, 3]), Some(120));
        assert_eq!(reached(&[Some(1), None, Some(2), Some(3)], &[3, 2, 1]), Some(140));
        assert_eq!(reached(&[Some(1), None], &[]), None);
        assert_eq!(reached(&[None], &[]), Some(110));
        assert_eq!(reached(&[], &[]), None);
    }

    #[test]
    fn nothing_is_claimed_across_a_hole() {
        let mut ahead = ahead(100, &[None, None, None]);
        ahead.ranges.remove(1);
        assert_eq!(ahead.walk(|_| true), 110);
    }

    #[test]
    fn a_look_behind_a_failed_file_finds_others_and_claims_nothing() {
        let behind = ahead(150, &[None, Some(7)]);
        assert_eq!(behind.files().collect::<Vec<_>>(), [7]);
        assert_eq!(behind.reached(|_| true), None);
        assert_eq!(behind.walk(|_| false), 160);
    }
}
