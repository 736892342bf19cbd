//! Which sessions or traces come first in an order.

use std::cmp::Ordering;

use polars::prelude::*;

use super::{Bond, Order};
use crate::scan::groups::collect;
use crate::scan::sums::{SumColumns, SumError, sum_of};

pub(super) const FIRST: &str = "first_us";
pub(super) const LAST: &str = "last_us";

/// What comes first.
pub(super) struct Leading {
    /// Workspace and name of each, in order.
    pub(super) keys: Vec<(String, String)>,
    /// How many more there are.
    pub(super) left_out: usize,
}

impl Leading {
    /// Of the operations of a table that all have a name.
    pub(super) fn find(table: LazyFrame, bond: Bond, order: Order, limit: usize) -> Result<Self, SumError> {
        let sums = order.sums();
        let mut needed: Vec<Expr> = sums.iter().flat_map(|column| sum_of(column)).collect();
        if matches!(order, Order::First | Order::Duration) {
            needed.push(col("started_at_us").min().alias(FIRST));
        }
        needed.push(end().max().alias(LAST));
        let all = collect(table.group_by([col("workspace"), col(bond.column())]).agg(needed))?;
        // Before the cut: a sum that overflowed must not put a line elsewhere.
        SumColumns::of(&all, sums)?;
        let text = |name: &str| all.column(name)?.str();
        let (workspaces, names) = (text("workspace")?, text(bond.column())?);
        let last = all.column(LAST)?.i64()?;
        let numbers = order.numbers(&all)?;
        // The largest first, what has no number last, and equals in one order from answer to answer.
        let compare = |a: &usize, b: &usize| -> Ordering {
            let (a, b) = (*a, *b);
            let by_number = numbers.get(b).cmp(&numbers.get(a)).then_with(|| last.get(b).cmp(&last.get(a)));
            by_number
                .then_with(|| workspaces.get(a).cmp(&workspaces.get(b)))
                .then_with(|| names.get(a).cmp(&names.get(b)))
        };
        let mut places: Vec<usize> = (0..all.height()).collect();
        let left_out = places.len().saturating_sub(limit);
        if left_out > 0 {
            places.select_nth_unstable_by(limit, compare);
            places.truncate(limit);
        }
        places.sort_unstable_by(compare);
        let key = |place: usize| {
            let text = |texts: &StringChunked| texts.get(place).unwrap_or_default().to_owned();
            (text(workspaces), text(names))
        };
        Ok(Self { keys: places.into_iter().map(key).collect(), left_out })
    }
}

/// When an operation ended, as far as that is known.
pub(super) fn end() -> Expr {
    col("started_at_us") + col("latency_us").fill_null(lit(0_i64))
}

impl Order {
    /// The sums that it is by.
    const fn sums(self) -> &'static [&'static str] {
        match self {
            Self::Cost => &["cost_nano_usd"],
            Self::Operations => &["operations"],
            Self::Failures => &["failures"],
            Self::Last | Self::First | Self::Duration => &[],
        }
    }

    /// The number of each group.
    fn numbers(self, groups: &DataFrame) -> PolarsResult<Int64Chunked> {
        let column = |name: &str| groups.column(name)?.i64().cloned();
        match self {
            Self::Last => column(LAST),
            Self::First => column(FIRST),
            Self::Duration => Ok(column(LAST)? - column(FIRST)?),
            Self::Cost | Self::Operations | Self::Failures => column(self.sums()[0]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> LazyFrame {
        df!(
            "workspace" => ["w", "w", "w", "v", "w"],
            "session_id" => ["a", "a", "b", "a", "c"],
            "started_at_us" => [100_i64, 200, 150, 50, 10],
            "latency_us" => [Some(10_i64), Some(500), None, Some(20), None],
            "success" => [true, false, false, true, true],
            "cost_nano_usd" => [Some(1_i64), Some(2), Some(9), Some(3), None],
        )
        .unwrap()
        .lazy()
    }

    fn names(order: Order, limit: usize) -> (Vec<String>, usize) {
        let Leading { keys, left_out } = Leading::find(table(), Bond::Session, order, limit).unwrap();
        (keys.into_iter().map(|(workspace, name)| format!("{workspace}/{name}")).collect(), left_out)
    }

    #[test]
    fn the_largest_come_first_and_equals_by_their_end_and_name() {
        for (order, expected) in [
            // Ends at 700, 150, 70 and 10.
            (Order::Last, ["w/a", "w/b", "v/a", "w/c"]),
            (Order::First, ["w/b", "w/a", "v/a", "w/c"]),
            (Order::Duration, ["w/a", "v/a", "w/b", "w/c"]),
            (Order::Operations, ["w/a", "w/b", "v/a", "w/c"]),
            (Order::Failures, ["w/a", "w/b", "v/a", "w/c"]),
            // Sums of 3 are equal; what has no price costs nothing.
            (Order::Cost, ["w/b", "w/a", "v/a", "w/c"]),
        ] {
            assert_eq!(names(order, 10), (expected.map(str::to_owned).to_vec(), 0), "{order:?}");
            for limit in 1..4 {
                assert_eq!(
                    names(order, limit),
                    (expected[..limit].iter().map(|&name| name.to_owned()).collect(), 4 - limit)
                );
            }
        }
    }
}
