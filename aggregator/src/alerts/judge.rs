//! Which alerts a rule raises, and which of its alerts are over. Pure.

use std::collections::{BTreeMap, BTreeSet};

use opstream_schemas::UtcMillis;
use opstream_schemas::alerts::{AlertKey, Because};

use super::seen::Seen;

/// The alerts of one version of a rule that are stored already.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Of all periods that are looked at.
    pub(crate) keys: BTreeSet<AlertKey>,
    /// Those that are not over.
    pub(crate) open: Vec<OpenAlert>,
}

/// An alert that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenAlert {
    pub(crate) alert_id: String,
    pub(crate) key: AlertKey,
    pub(crate) period_end: UtcMillis,
}

/// A limit that was reached for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Crossing {
    pub(crate) key: AlertKey,
    pub(crate) limit: i64,
    pub(crate) seen: Seen,
}

/// What is to be written of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) raised: Vec<Crossing>,
    pub(crate) resolved: Vec<(String, Because)>,
}

/// A budget of the calendar: each period has its own alerts, and they are over when it is.
pub(crate) fn judge_periods(seen: &[Seen], known: &Known, now: UtcMillis) -> Verdict {
    let mut verdict = Verdict::default();
    for seen in seen {
        for (threshold, limit) in seen.reached() {
            let key = AlertKey::new(seen.period.start, threshold, &seen.per);
            if !known.keys.contains(&key) {
                verdict.raised.push(Crossing { key, limit, seen: seen.clone() });
            }
        }
    }
    let ended = known.open.iter().filter(|alert| alert.period_end <= now);
    verdict.resolved = ended.map(|alert| (alert.alert_id.clone(), Because::PeriodEnded)).collect();
    verdict
}

/// What goes up and down: an alert is open until the value is clearly below, and meanwhile there is no other of its kind. What is
/// seen of several periods of a combination counts together, the oldest first.
///
/// Where `is_cut`, there are combinations that are not seen; of them nothing is over.
pub(crate) fn judge_states(seen: &[Seen], known: &Known, is_cut: bool) -> Verdict {
    let mut verdict = Verdict::default();
    let mut open: BTreeSet<(i64, [u8; 16])> =
        known.open.iter().map(|alert| (alert.key.threshold, alert.key.combination)).collect();
    let mut of_combination: BTreeMap<[u8; 16], Vec<&Seen>> = BTreeMap::new();
    for seen in seen {
        let AlertKey { combination, .. } = AlertKey::new(seen.period.start, 0, &seen.per);
        of_combination.entry(combination).or_default().push(seen);
    }
    for (combination, seen) in &of_combination {
        for seen in seen {
            for (threshold, limit) in seen.reached() {
                let key = AlertKey { period_start: seen.period.start, threshold, combination: *combination };
                if !known.keys.contains(&key) && open.insert((threshold, *combination)) {
                    verdict.raised.push(Crossing { key, limit, seen: (*seen).clone() });
                }
            }
        }
    }
    for alert in &known.open {
        if is_cut && !of_combination.contains_key(&alert.key.combination) {
            continue;
        }
        // Of a combination that is not seen there are no operations.
        let seen = of_combination.get(&alert.key.combination).into_iter().flatten();
        let mut seen = seen.filter(|seen| seen.limits.iter().any(|(threshold, _)| *threshold == alert.key.threshold));
        if seen.all(|seen| seen.is_back_below(alert.key.threshold)) {
            verdict.resolved.push((alert.alert_id.clone(), Because::BackBelow));
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use opstream_schemas::alerts::Unit;

    use super::*;
    use crate::alerts::periods::Period;

    fn at(millis: i64) -> UtcMillis {
        UtcMillis::from_millis(millis)
    }

    fn seen(start: i64, value: i64, limits: &[(i64, i64)]) -> Seen {
        Seen {
            period: Period { start: at(start), end: at(start + 10) },
            per: Vec::new(),
            value,
            unit: Unit::Operations,
            limits: limits.to_vec(),
            operations: 1,
            is_enough: true,
        }
    }

    fn open(start: i64, threshold: i64) -> OpenAlert {
        let key = AlertKey::new(at(start), threshold, &[]);
        OpenAlert { alert_id: format!("{start}/{threshold}"), key, period_end: at(start + 10) }
    }

    fn known(open: &[OpenAlert]) -> Known {
        Known { keys: open.iter().map(|alert| alert.key).collect(), open: open.to_vec() }
    }

    #[test]
    fn each_period_has_its_alerts_and_they_end_with_it() {
        let limits = [(50, 5), (100, 10)];
        let verdict = judge_periods(&[seen(10, 7, &limits), seen(0, 12, &limits)], &known(&[open(0, 50)]), at(15));
        let raised: Vec<_> =
            verdict.raised.iter().map(|crossing| (crossing.key.period_start, crossing.key.threshold)).collect();
        assert_eq!(raised, [(at(10), 50), (at(0), 100)]);
        assert_eq!(verdict.resolved, [("0/50".to_owned(), Because::PeriodEnded)]);
        let lowered = judge_periods(&[seen(10, 0, &limits)], &known(&[open(10, 50)]), at(15));
        assert_eq!(lowered, Verdict::default(), "a crossing stays, whatever the period adds up to later");
    }

    #[test]
    fn a_state_is_raised_once_and_over_when_it_is_clearly_below() {
        let limits = [(0, 100)];
        let first = judge_states(&[seen(0, 100, &limits)], &Known::default(), false);
        assert_eq!(first.raised.len(), 1);
        let opened = known(&[open(0, 0)]);
        assert_eq!(judge_states(&[seen(1, 150, &limits)], &opened, false), Verdict::default());
        assert_eq!(judge_states(&[seen(1, 91, &limits)], &opened, false), Verdict::default());
        let over = [("0/0".to_owned(), Because::BackBelow)];
        assert_eq!(judge_states(&[seen(1, 90, &limits)], &opened, false).resolved, over);
        assert_eq!(judge_states(&[], &opened, false).resolved, over, "no operations at all");
        assert_eq!(judge_states(&[], &opened, true), Verdict::default(), "or it was not among those that are seen");
        let few = Seen { is_enough: false, ..seen(1, 150, &limits) };
        assert_eq!(judge_states(&[few], &opened, false), Verdict::default(), "too few to say that it is over");
        let closed = Known { open: Vec::new(), ..opened };
        assert_eq!(
            judge_states(&[seen(0, 150, &limits)], &closed, false),
            Verdict::default(),
            "the same period raises no second"
        );
        assert_eq!(judge_states(&[seen(1, 150, &limits)], &closed, false).raised.len(), 1);
    }

    #[test]
    fn of_two_hours_the_older_raises_and_both_must_be_below() {
        let limits = [(0, 100)];
        let both = judge_states(&[seen(0, 150, &limits), seen(10, 150, &limits)], &Known::default(), false);
        assert_eq!(both.raised.iter().map(|crossing| crossing.key.period_start).collect::<Vec<_>>(), [at(0)]);
        let opened = known(&[open(0, 0)]);
        assert_eq!(judge_states(&[seen(0, 150, &limits), seen(10, 3, &limits)], &opened, false), Verdict::default());
        assert_eq!(judge_states(&[seen(10, 3, &limits), seen(20, 3, &limits)], &opened, false).resolved.len(), 1);
    }
}
