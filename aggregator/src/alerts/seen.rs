//! What a rule says of what windows add up to: for each period and combination a value, and the limits that it is compared with. Pure.

use std::collections::BTreeMap;

use opstream_schemas::NanoUsd;
use opstream_schemas::alerts::{AnomalyMeasure, RateWindow, Unit, UnpricedLimit};

use super::baseline::{limit, median, value_of};
use super::percentile::Percentile;
use super::periods::Period;
use super::question::{Group, Sums};

/// One period of one combination of values, as a rule sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The period.
    pub period: Period,
    /// Values of the rule's `per`.
    pub per: Vec<Option<String>>,
    /// What is compared.
    pub value: i64,
    /// Of value and limits.
    pub unit: Unit,
    /// Percent of a budget, or 0, and what the value is compared with: at it, it is reached.
    pub limits: Vec<(i64, i64)>,
    /// Operations of which the value is made.
    pub operations: i64,
    /// Whether they are enough to say something.
    pub is_enough: bool,
}

impl Seen {
    /// The limits that are reached.
    pub fn reached(&self) -> impl Iterator<Item = (i64, i64)> {
        let is_reached = |(_, limit): &&(i64, i64)| self.is_enough && self.value >= *limit;
        self.limits.iter().filter(is_reached).copied()
    }

    /// Whether the value is clearly below the limit of a threshold: a tenth, so that one that goes up and down around it is one alert.
    pub(crate) fn is_back_below(&self, threshold: i64) -> bool {
        let limit = self.limits.iter().find(|(known, _)| *known == threshold).map_or(0, |(_, limit)| *limit);
        self.operations == 0 || i128::from(self.value) * 10 <= i128::from(limit) * 9
    }
}

/// A budget: every period is compared with parts of the amount.
pub(crate) fn of_budget(amount: NanoUsd, thresholds: &[u32], periods: &[Period], groups: Vec<Group>) -> Vec<Seen> {
    let limits: Vec<(i64, i64)> =
        thresholds.iter().map(|percent| (i64::from(*percent), part(amount, *percent))).collect();
    let seen = |group: Group| {
        let period = periods.iter().find(|period| period.start == group.period_start)?;
        Some(Seen {
            period: *period,
            per: group.per,
            value: group.sums.cost_nano_usd,
            unit: Unit::NanoUsd,
            limits: limits.clone(),
            operations: group.sums.operations,
            is_enough: true,
        })
    };
    groups.into_iter().filter_map(seen).collect()
}

/// So many percent, rounded up: a whole number of nano-dollars reaches this exactly if it reaches the percentage.
fn part(amount: NanoUsd, percent: u32) -> i64 {
    let product = i128::from(amount.nanos()) * i128::from(percent);
    i64::try_from(-(-product).div_euclid(100)).unwrap_or(i64::MAX)
}

/// Failures of a million operations.
pub(crate) fn of_failure_rate(ppm: i64, window: RateWindow, period: Period, groups: Vec<Group>) -> Vec<Seen> {
    let value = |sums: Sums| ppm_of(sums.failures, sums.operations);
    groups.into_iter().map(|group| of_rate(group, (Unit::Ppm, ppm), (window, period), value)).collect()
}

/// Operations without a price: how many, or how many of a million.
pub(crate) fn of_unpriced(limit: UnpricedLimit, window: RateWindow, period: Period, groups: Vec<Group>) -> Vec<Seen> {
    let (unit, limit) = match limit {
        UnpricedLimit::Count(count) => (Unit::Operations, count),
        UnpricedLimit::Ppm(ppm) => (Unit::Ppm, ppm),
    };
    let value = |sums: Sums| match unit {
        Unit::Ppm => ppm_of(sums.unpriced, sums.operations),
        _ => sums.unpriced,
    };
    groups.into_iter().map(|group| of_rate(group, (unit, limit), (window, period), value)).collect()
}

/// A percentile, of those operations that have the duration.
pub(crate) fn of_latency(
    above_us: i64,
    window: RateWindow,
    period: Period,
    percentiles: BTreeMap<Vec<Option<String>>, Percentile>,
) -> Vec<Seen> {
    let seen = |(per, (operations, value))| Seen {
        period,
        per,
        value,
        unit: Unit::Micros,
        limits: vec![(0, above_us)],
        operations,
        is_enough: operations >= window.min_operations,
    };
    percentiles.into_iter().map(seen).collect()
}

fn of_rate(
    group: Group,
    (unit, limit): (Unit, i64),
    (window, period): (RateWindow, Period),
    value: impl Fn(Sums) -> i64,
) -> Seen {
    let operations = group.sums.operations;
    Seen {
        period,
        per: group.per,
        value: value(group.sums),
        unit,
        limits: vec![(0, limit)],
        operations,
        is_enough: operations >= window.min_operations,
    }
}

fn ppm_of(part: i64, operations: i64) -> i64 {
    i64::try_from((i128::from(part) * 1_000_000).checked_div(i128::from(operations)).unwrap_or(0)).unwrap_or(i64::MAX)
}

/// What of an anomaly's rule is needed here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comparison {
    pub(crate) measure: AnomalyMeasure,
    pub(crate) factor_thousandths: i64,
    pub(crate) minimum: i64,
    pub(crate) weeks: u8,
}

/// An hour beside the same hour in the weeks before. `known` are those of them since which there are windows; without operations in
/// one of them its count is 0, and its latency is not known.
pub(crate) fn of_anomaly(comparison: Comparison, hour: Period, known: &[Period], groups: &[Group]) -> Vec<Seen> {
    let Comparison { measure, factor_thousandths, minimum, weeks } = comparison;
    let sums: BTreeMap<_, Sums> = groups.iter().map(|group| ((group.period_start, &group.per), group.sums)).collect();
    let present = groups.iter().filter(|group| group.period_start == hour.start);
    let seen = |group: &Group| {
        let value = value_of(measure, group.sums)?;
        let before = known
            .iter()
            .filter_map(|week| value_of(measure, sums.get(&(week.start, &group.per)).copied().unwrap_or_default()));
        let median = median(before.collect(), weeks);
        Some(Seen {
            period: hour,
            per: group.per.clone(),
            value,
            unit: match measure {
                AnomalyMeasure::Cost => Unit::NanoUsd,
                AnomalyMeasure::Operations | AnomalyMeasure::Failures => Unit::Operations,
                AnomalyMeasure::Latency => Unit::Micros,
            },
            limits: vec![(0, limit(median.unwrap_or(0), factor_thousandths, minimum))],
            operations: group.sums.operations,
            is_enough: median.is_some(),
        })
    };
    present.filter_map(seen).collect()
}

#[cfg(test)]
mod tests {
    use opstream_schemas::UtcMillis;

    use super::*;

    const HOUR: Period = Period { start: UtcMillis::from_millis(0), end: UtcMillis::from_millis(3_600_000) };

    fn group(sums: Sums) -> Group {
        Group { period_start: HOUR.start, per: Vec::new(), sums }
    }

    #[test]
    fn a_budget_is_reached_at_exactly_its_percentage() {
        let reached = |cost_nano_usd| {
            let group = group(Sums { cost_nano_usd, operations: 1, ..Sums::default() });
            let seen = of_budget(NanoUsd::from_nanos(333), &[50, 100], &[HOUR], vec![group]);
            seen[0].reached().map(|(threshold, _)| threshold).collect::<Vec<_>>()
        };
        // Half of 333 is 166.5.
        assert_eq!([166, 167, 332, 333].map(reached), [vec![], vec![50], vec![50], vec![50, 100]]);
        assert_eq!(part(NanoUsd::from_nanos(i64::MAX), 10_000), i64::MAX);
    }

    #[test]
    fn one_of_one_that_fails_at_night_is_no_alarm() {
        let window = RateWindow { minutes: 5, min_operations: 20 };
        let seen = |failures, operations| {
            let group = group(Sums { operations, failures, ..Sums::default() });
            of_failure_rate(50_000, window, HOUR, vec![group]).swap_remove(0)
        };
        assert_eq!(seen(1, 1).reached().count(), 0);
        assert_eq!((seen(1, 20).reached().count(), seen(0, 20).reached().count()), (1, 0));
        assert_eq!(seen(3, 61).value, 49_180);
        assert!(!seen(1, 21).is_back_below(0) && seen(1, 23).is_back_below(0), "within a tenth it is open");
    }

    #[test]
    fn an_hour_is_compared_with_the_weeks_that_are_known() {
        let comparison =
            Comparison { measure: AnomalyMeasure::Operations, factor_thousandths: 2000, minimum: 5, weeks: 3 };
        let week = |number: i64| Period {
            start: UtcMillis::from_millis(-number * 604_800_000),
            end: UtcMillis::from_millis(3_600_000 - number * 604_800_000),
        };
        let of = |period: Period, operations| Group {
            period_start: period.start,
            ..group(Sums { operations, ..Sums::default() })
        };
        let groups = [of(HOUR, 9), of(week(1), 4), of(week(3), 5)];
        // Of the second week there are windows, and none of these operations.
        let seen = of_anomaly(comparison, HOUR, &[week(1), week(2), week(3)], &groups);
        assert_eq!(seen[0].limits, [(0, 8)]);
        assert_eq!(seen[0].reached().count(), 1);
        let unknown = of_anomaly(comparison, HOUR, &[week(1)], &groups);
        assert_eq!(unknown[0].reached().count(), 0, "a single week of three says too little");
    }
}
