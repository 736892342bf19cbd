//! One column added up per group, in one pass over its values in the order in which they are stored.

use opstream_schemas::prices::CostStatus;
use opstream_schemas::sketch::{Bucket, bucket_of};
use polars::prelude::*;

/// The bucket of each row's value.
pub(super) type RowBuckets = Vec<Option<Bucket>>;

/// Rows per group.
pub(super) fn count_rows(group_of_row: &[usize], groups: usize) -> Vec<i64> {
    let mut counts = vec![0; groups];
    for group in group_of_row {
        counts[*group] += 1;
    }
    counts
}

/// Rows with `false` per group.
pub(super) fn count_false(column: &BooleanChunked, group_of_row: &[usize], groups: usize) -> Vec<i64> {
    let mut counts = vec![0; groups];
    for (value, group) in column.iter().zip(group_of_row) {
        counts[*group] += i64::from(value == Some(false));
    }
    counts
}

/// Rows with a value per group.
pub(super) fn count_values(column: &Int64Chunked, group_of_row: &[usize], groups: usize) -> Vec<i64> {
    if column.null_count() == 0 {
        return count_rows(group_of_row, groups);
    }
    let mut counts = vec![0; groups];
    for (value, group) in column.iter().zip(group_of_row) {
        counts[*group] += i64::from(value.is_some());
    }
    counts
}

/// Rows without a value per group.
pub(super) fn count_nulls(column: &Int64Chunked, group_of_row: &[usize], groups: usize) -> Vec<i64> {
    let values = count_values(column, group_of_row, groups);
    count_rows(group_of_row, groups).into_iter().zip(values).map(|(rows, values)| rows - values).collect()
}

/// Sums per group, nulls left out; `None` when one leaves 64 bits.
pub(super) fn sum_column(column: &Int64Chunked, group_of_row: &[usize], groups: usize) -> Option<Vec<i64>> {
    let mut sums = vec![0_i64; groups];
    let mut rest = group_of_row;
    for chunk in column.downcast_iter() {
        let (here, behind) = rest.split_at(chunk.len());
        rest = behind;
        if chunk.validity().is_none() {
            for (value, group) in chunk.values().iter().zip(here) {
                sums[*group] = sums[*group].checked_add(*value)?;
            }
        } else {
            for (value, group) in chunk.iter().zip(here) {
                sums[*group] = sums[*group].checked_add(value.copied().unwrap_or(0))?;
            }
        }
    }
    Some(sums)
}

/// Sums per group of the first less the second, where both have a value; `None` when one leaves 64 bits.
pub(super) fn sum_differences(
    (from, less): (&Int64Chunked, &Int64Chunked),
    group_of_row: &[usize],
    groups: usize,
) -> Option<Vec<i64>> {
    let mut sums = vec![0_i64; groups];
    if less.null_count() == less.len() {
        return Some(sums);
    }
    for ((from, less), group) in from.iter().zip(less.iter()).zip(group_of_row) {
        if let (Some(from), Some(less)) = (from, less) {
            sums[*group] = sums[*group].checked_add(from.checked_sub(less)?)?;
        }
    }
    Some(sums)
}

/// Sums per group of the costs whose status is `reported`; `None` when one leaves 64 bits.
pub(super) fn sum_reported(
    (costs, statuses): (&Int64Chunked, &StringChunked),
    group_of_row: &[usize],
    groups: usize,
) -> Option<Vec<i64>> {
    let mut sums = vec![0_i64; groups];
    for ((cost, status), group) in costs.iter().zip(statuses.iter()).zip(group_of_row) {
        if status == Some(CostStatus::Reported.name()) {
            sums[*group] = sums[*group].checked_add(cost.unwrap_or(0))?;
        }
    }
    Some(sums)
}

/// The bucket of each value; `None` when one is negative.
pub(super) fn bucket_rows(column: &Int64Chunked) -> Option<RowBuckets> {
    let bucket = |value: Option<i64>| match value.map(u64::try_from) {
        None => Some(None),
        Some(Ok(value)) => Some(Some(bucket_of(value))),
        Some(Err(_)) => None,
    };
    column.iter().map(bucket).collect()
}
