//! The operations with the largest or the smallest of a number.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use opstream_schemas::OperationId;
use polars::prelude::*;

use super::child::batches;
use crate::routes::list_operations::{AskedRanked, Direction, Place};

const VALUE: &str = "value";
const ID: &str = "operation_id";

/// Of a table whose rows all pass: the places of a page in their order, and whether there are more behind them. Rows are looked at as
/// they are read and only those of the page are kept, however many there are.
pub(super) fn ranked(table: LazyFrame, asked: &AskedRanked) -> PolarsResult<(Vec<Place>, bool)> {
    let value = col(asked.ranking.column).cast(DataType::Int64).alias(VALUE);
    let mut rows = table.select([col(ID), value]).filter(col(VALUE).is_not_null());
    if let Some(Place { value, id }) = asked.after {
        let is_further = match asked.direction {
            Direction::Descending => col(VALUE).lt(lit(value)),
            Direction::Ascending => col(VALUE).gt(lit(value)),
        };
        let is_behind = col(VALUE).eq(lit(value)).and(col(ID).lt(lit(id.bytes().to_vec())));
        rows = rows.filter(is_further.or(is_behind));
    }
    // Its own inverse, and no number is too large for it.
    let rank_of = |value: i64| match asked.direction {
        Direction::Descending => value,
        Direction::Ascending => !value,
    };
    let most = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    // The least of those that are kept stands first.
    let mut kept: BinaryHeap<Reverse<(i64, OperationId)>> = BinaryHeap::new();
    let (batches, reading) = batches(rows)?;
    for batch in batches {
        let batch = batch?;
        let (values, ids) = (batch.column(VALUE)?.i64()?, batch.column(ID)?.binary()?);
        for (value, id) in values.iter().zip(ids.iter()) {
            let Some(rank) = value.map(rank_of) else { continue };
            let is_full = kept.len() > most;
            if is_full && kept.peek().is_some_and(|Reverse((least, _))| rank < *least) {
                continue;
            }
            let Some(Ok(id)) = id.map(<[u8; 16]>::try_from) else { continue };
            kept.push(Reverse((rank, OperationId::from_bytes(id))));
            if is_full {
                kept.pop();
            }
        }
    }
    reading.join().map_err(|_| polars_err!(ComputeError: "the reading of the files ended early"))?;
    let mut places: Vec<Place> =
        kept.into_sorted_vec().into_iter().map(|Reverse((rank, id))| Place { value: rank_of(rank), id }).collect();
    let has_more = places.len() > most;
    places.truncate(most);
    Ok((places, has_more))
}

#[cfg(test)]
mod tests {
    use opstream_schemas::UtcMillis;

    use super::*;
    use crate::query::parameters_of;

    #[test]
    fn pages_follow_each_other_without_gap_or_repetition() {
        let id = |number: i64| OperationId::lowest_at(UtcMillis::from_millis(1_795_000_000_000 + number));
        let ids: Vec<Vec<u8>> = (0..100).map(|number| id(number).bytes().to_vec()).collect();
        // Numbers repeat, and every seventh has none.
        let costs: Vec<Option<i64>> = (0..100).map(|number| (number % 7 != 0).then_some(number * 37 % 10)).collect();
        let table = || {
            let ids = ids.iter().map(Vec::as_slice).collect::<Vec<&[u8]>>();
            df!("operation_id" => ids, "cost_nano_usd" => costs.clone()).unwrap().lazy()
        };
        let mut expected: Vec<(i64, OperationId)> =
            (0..).zip(&costs).filter_map(|(number, cost)| cost.map(|cost| (cost, id(number)))).collect();
        let found = |direction: &str| {
            let asked = parameters_of(&format!("order=cost_usd&limit=13&direction={direction}"));
            let mut asked = AskedRanked::read(asked).unwrap().unwrap();
            let mut found = Vec::new();
            loop {
                let (places, has_more) = ranked(table(), &asked).unwrap();
                found.extend(places.iter().map(|place| (place.value, place.id)));
                asked.after = places.last().copied();
                if !has_more {
                    return found;
                }
            }
        };
        // Of one number, the newest first in both directions.
        expected.sort_unstable_by_key(|(cost, id)| Reverse((*cost, *id)));
        assert_eq!(found("descending"), expected);
        expected.sort_unstable_by_key(|(cost, id)| (*cost, Reverse(*id)));
        assert_eq!(found("ascending"), expected);
    }
}
