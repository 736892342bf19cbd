//! What an hour is compared with: the median of the same local hour in the weeks before. Pure.

use opstream_schemas::alerts::AnomalyMeasure;

use super::question::Sums;

/// What of an hour is compared; none where no operation has it.
pub(crate) fn value_of(measure: AnomalyMeasure, sums: Sums) -> Option<i64> {
    match measure {
        AnomalyMeasure::Cost => Some(sums.cost_nano_usd),
        AnomalyMeasure::Operations => Some(sums.operations),
        AnomalyMeasure::Failures => Some(sums.failures),
        AnomalyMeasure::Latency => sums.latency_sum_us.checked_div(sums.latency_count),
    }
}

/// The median; of an even number of values the mean of the two in the middle, rounded down. None of fewer values than half of
/// `weeks`: too little is known then.
pub(crate) fn median(mut values: Vec<i64>, weeks: u8) -> Option<i64> {
    if values.is_empty() || values.len() * 2 < usize::from(weeks) {
        return None;
    }
    values.sort_unstable();
    let middle = values.len() / 2;
    let (low, high) = if values.len() % 2 == 1 { (middle, middle) } else { (middle - 1, middle) };
    i64::try_from((i128::from(values[low]) + i128::from(values[high])).div_euclid(2)).ok()
}

/// The least that is an anomaly: so many thousandths of the median, rounded up, and not below the minimum.
pub(crate) fn limit(median: i64, factor_thousandths: i64, minimum: i64) -> i64 {
    let product = i128::from(median) * i128::from(factor_thousandths);
    let rounded_up = -(-product).div_euclid(1000);
    i64::try_from(rounded_up).unwrap_or(i64::MAX).max(minimum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_that_of_the_weeks_that_are_known_if_they_are_enough() {
        assert_eq!(median(vec![9, 1, 5], 4), Some(5));
        assert_eq!(median(vec![10, 1, 5, 2], 4), Some(3));
        assert_eq!(median(vec![7, 7], 4), Some(7));
        assert_eq!(median(vec![7], 4), None, "a single week of four");
        assert_eq!(median(Vec::new(), 1), None);
        assert_eq!(median(vec![i64::MAX, i64::MAX], 2), Some(i64::MAX));
    }

    #[test]
    fn a_limit_is_rounded_up_and_not_below_the_minimum() {
        assert_eq!(limit(1001, 2500, 1), 2503);
        assert_eq!(limit(0, 2500, 40), 40);
        assert_eq!(limit(i64::MAX, 2000, 1), i64::MAX);
    }

    #[test]
    fn an_hour_without_known_latencies_has_none() {
        assert_eq!(value_of(AnomalyMeasure::Latency, Sums::default()), None);
        let sums = Sums { latency_count: 2, latency_sum_us: 7, ..Sums::default() };
        assert_eq!(value_of(AnomalyMeasure::Latency, sums), Some(3));
        assert_eq!(value_of(AnomalyMeasure::Cost, sums), Some(0));
    }
}
