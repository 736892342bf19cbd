//! What another file in the place of one changes in windows: new less old, of everything that windows add up.

use std::collections::HashMap;

use opstream_schemas::UtcMillis;
use opstream_schemas::sketch::Sketch;
use opstream_schemas::window::{Dimensions, SUM_COLUMNS, SumOverflow, WindowSums};

use crate::file_sums::Group;

/// The differences, in the order of time. Groups with none are left out, so that their windows stay untouched.
pub(super) fn differences(before: Vec<Group>, after: Vec<Group>) -> Result<Vec<Group>, SumOverflow> {
    let mut sums: HashMap<(UtcMillis, Dimensions), [i64; SUM_COLUMNS.len()]> = HashMap::new();
    let signed = before.into_iter().map(|group| (group, -1)).chain(after.into_iter().map(|group| (group, 1)));
    for (group, sign) in signed {
        let found = sums.entry((group.minute, group.dimensions)).or_default();
        for ((sum, more), column) in found.iter_mut().zip(group.sums.to_array()).zip(SUM_COLUMNS) {
            let more = more.checked_mul(sign).and_then(|more| sum.checked_add(more));
            *sum = more.ok_or(SumOverflow { column })?;
        }
    }
    sums.retain(|_, sums| sums.iter().any(|sum| *sum != 0));
    let group = |((minute, dimensions), sums)| {
        let (latency, ttft) = (Sketch::default(), Sketch::default());
        Group { minute, dimensions, sums: WindowSums::from_array(sums), latency, ttft }
    };
    let mut groups: Vec<Group> = sums.into_iter().map(group).collect();
    groups.sort_unstable_by(|a, b| (a.minute, &a.dimensions).cmp(&(b.minute, &b.dimensions)));
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(minute: i64, workspace: &str, cost: i64) -> Group {
        Group {
            minute: UtcMillis::from_millis(minute * 60_000),
            dimensions: Dimensions { workspace: workspace.to_owned(), ..Dimensions::default() },
            sums: WindowSums {
                operations: 1,
                cost: opstream_schemas::NanoUsd::from_nanos(cost),
                ..WindowSums::default()
            },
            latency: Sketch::default(),
            ttft: Sketch::default(),
        }
    }

    #[test]
    fn a_combination_that_comes_twice_is_one_and_what_stays_is_left_out() {
        let before = vec![group(1, "a", 5), group(1, "a", 7), group(2, "a", 1), group(3, "b", 9)];
        let after = vec![group(1, "a", 10), group(1, "a", 4), group(2, "a", 1), group(3, "b", 2)];
        let found = differences(before, after).unwrap();
        let costs: Vec<_> = found.iter().map(|group| (group.minute.millis(), group.sums.cost.nanos())).collect();
        assert_eq!(costs, [(60_000, 2), (180_000, -7)]);
        assert!(found.iter().all(|group| group.sums.operations == 0));
    }
}
