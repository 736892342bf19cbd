//! Which sessions or traces come first in an order.

use std::cmp::Ordering;

use polars::prelude::*;

use super::{Bond, Order, Position};
use crate::scan::groups::collect;
use crate::scan::sums::{SumColumns, SumError, sum_of};

pub(super) const FIRST: &str = "first_us";
pub(super) const LAST: &str = "last_us";

/// What comes first, or next.
pub(super) struct Leading {
    /// Where each stands, in order.
    pub(super) positions: Vec<Position>,
    /// How many there are behind them.
    pub(super) left_out: usize,
}

impl Leading {
    /// Of the operations of a table that all have a name: those behind a position, or from the first on.
    pub(super) fn find(
        table: LazyFrame,
        bond: Bond,
        order: Order,
        (after, limit): (Option<&Position>, usize),
    ) -> Result<Self, SumError> {
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
        let rank = |place: usize| Rank {
            value: numbers.get(place),
            last: last.get(place),
            workspace: workspaces.get(place).unwrap_or_default(),
            name: names.get(place).unwrap_or_default(),
        };
        let compare = |a: &usize, b: &usize| rank(*a).cmp(&rank(*b));
        let mut places: Vec<usize> = (0..all.height()).collect();
        if let Some(after) = after {
            places.retain(|place| rank(*place) > after.rank());
        }
        let left_out = places.len().saturating_sub(limit);
        if left_out > 0 {
            places.select_nth_unstable_by(limit, compare);
            places.truncate(limit);
        }
        places.sort_unstable_by(compare);
        Ok(Self { positions: places.into_iter().map(|place| rank(place).position(bond, order)).collect(), left_out })
    }
}

/// By what one comes before another: the largest first, what has no number last, and equals in one order from answer to answer.
#[derive(PartialEq, Eq)]
struct Rank<'a> {
    value: Option<i64>,
    last: Option<i64>,
    workspace: &'a str,
    name: &'a str,
}

impl Rank<'_> {
    fn position(self, bond: Bond, order: Order) -> Position {
        let Self { value, last, workspace, name } = self;
        Position { bond, order, value, last, workspace: workspace.to_owned(), name: name.to_owned() }
    }
}

impl Ord for Rank<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_number = other.value.cmp(&self.value).then_with(|| other.last.cmp(&self.last));
        by_number.then_with(|| self.workspace.cmp(other.workspace)).then_with(|| self.name.cmp(other.name))
    }
}

impl PartialOrd for Rank<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Position {
    fn rank(&self) -> Rank<'_> {
        Rank { value: self.value, last: self.last, workspace: &self.workspace, name: &self.name }
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

    fn names(order: Order, after: Option<&Position>, limit: usize) -> (Vec<String>, Option<Position>, usize) {
        let Leading { positions, left_out } = Leading::find(table(), Bond::Session, order, (after, limit)).unwrap();
        let names = positions.iter().map(|position| format!("{}/{}", position.workspace, position.name)).collect();
        (names, positions.into_iter().last(), left_out)
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
            for limit in 1..=5 {
                let mut listed: Vec<String> = Vec::new();
                let mut after = None;
                loop {
                    let (names, last, left_out) = names(order, after.as_ref(), limit);
                    listed.extend(names);
                    assert_eq!(left_out, expected.len() - listed.len(), "{order:?}, {limit} at a time");
                    if left_out == 0 {
                        break;
                    }
                    // As clients give it back.
                    after = last.map(|last| last.to_string().parse().unwrap());
                }
                assert_eq!(listed, expected, "{order:?}, {limit} at a time");
            }
        }
    }
}
