//! What is merged, in single cases, and what holds of whole histories.

use opstream_schemas::time::DAY_MILLIS;
use proptest::prelude::*;

use super::*;

/// 2026-11-23 00:00 UTC.
const DAY: i64 = 1_795_392_000_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// 17 doublings, the end of the hour, the end of the day, one split.
const MOST_REWRITES: u32 = 20;

fn at(millis: i64) -> UtcMillis {
    UtcMillis::from_millis(millis)
}

/// Files that were committed a minute after their last operation.
fn files(spans: &[(i64, i64, i64)]) -> Vec<Candidate> {
    let file = |(number, (rows, first, last)): (i64, &(i64, i64, i64))| Candidate {
        number,
        rows: *rows,
        first: at(*first),
        last: at(*last),
        committed_at: at(*last + MINUTE),
        content: ContentPlace::Nowhere,
    };
    (1..).zip(spans).map(file).collect()
}

/// Files of some rows each, all within the first minutes of the day.
fn of_first_hour(rows: &[i64]) -> Vec<Candidate> {
    files(&rows.iter().map(|rows| (*rows, DAY, DAY + MINUTE)).collect::<Vec<_>>())
}

fn planned(files: &[Candidate], now: i64) -> Option<(Reason, Vec<i64>)> {
    plan(files, at(now)).map(|plan| (plan.reason, plan.files))
}

#[test]
fn in_an_open_hour_files_are_merged_when_they_are_several_times_the_largest() {
    let now = DAY + 10 * MINUTE;
    assert_eq!(planned(&of_first_hour(&[3; 7]), now), None);
    assert_eq!(planned(&of_first_hour(&[3; 8]), now), Some((Reason::Many, (1..=8).collect())));
    // The large one would be written again for little.
    assert_eq!(planned(&of_first_hour(&[3, 3, 3, 3, 3, 3, 3, 3, 300]), now), Some((Reason::Many, (1..=8).collect())));
    let grown = of_first_hour(&[300, 100, 100, 100, 100, 100, 100, 200, 250]);
    assert_eq!(planned(&grown, now), Some((Reason::Many, vec![2, 3, 4, 5, 6, 7, 8, 9, 1])));
    let hours: Vec<_> = (0..8).map(|n| (3, DAY + n * HOUR, DAY + n * HOUR)).collect();
    assert_eq!(planned(&files(&hours), DAY), None, "files of other hours are no company");
}

#[test]
fn what_came_in_time_is_merged_once_after_the_end_of_its_hour() {
    let mut hour = of_first_hour(&[40_000, 1, 7]);
    assert_eq!(planned(&hour, DAY + HOUR + 4 * MINUTE), None, "batches may still be on their way");
    let closed = DAY + HOUR + 5 * MINUTE;
    assert_eq!(planned(&hour, closed), Some((Reason::Closed, vec![2, 3, 1])));
    // As they are after that merge, and a late file.
    hour.truncate(1);
    hour[0].committed_at = at(closed);
    assert_eq!(planned(&hour, closed), None);
    hour.extend(of_first_hour(&[1]));
    hour[1] = Candidate { number: 9, committed_at: at(closed + HOUR), ..hour[1].clone() };
    assert_eq!(planned(&hour, closed + HOUR), None, "a late operation does not write the hour again");
    hour.push(Candidate { number: 10, ..hour[1].clone() });
    assert_eq!(planned(&hour, closed + HOUR), Some((Reason::Late, vec![9, 10])));
}

#[test]
fn after_the_end_of_a_day_its_small_hours_are_merged_with_their_neighbours() {
    let hours: Vec<_> = (0..24).map(|n| (15_000, DAY + n * HOUR, DAY + n * HOUR + MINUTE)).collect();
    let closed = DAY + DAY_MILLIS + HOUR;
    let mut hours = files(&hours);
    for file in &mut hours {
        file.committed_at = at(file.last.millis() + HOUR + 6 * MINUTE);
    }
    assert_eq!(planned(&hours, closed - 1), None);
    assert_eq!(planned(&hours, closed), Some((Reason::Closed, (1..=6).collect())));
    assert_eq!(planned(&hours[6..], closed), Some((Reason::Closed, (7..=12).collect())));
}

#[test]
fn a_file_over_midnight_is_split_when_that_is_worth_it() {
    let midnight = DAY + DAY_MILLIS;
    let over = |rows| (rows, midnight - MINUTE, midnight + MINUTE);
    assert_eq!(planned(&files(&[over(40)]), midnight + HOUR), None);
    assert_eq!(planned(&files(&[over(2000)]), midnight + HOUR), Some((Reason::Split, vec![1])));
    assert_eq!(planned(&files(&[over(40); 3]), midnight + HOUR), None);
    assert_eq!(planned(&files(&[over(40); 4]), midnight + HOUR), Some((Reason::Split, vec![1, 2, 3, 4])));
    let years = (40_000, DAY - 1000 * DAY_MILLIS, DAY);
    assert_eq!(planned(&files(&[years; 10]), midnight + HOUR), None, "a thousand files of forty rows help nobody");
}

#[test]
fn closed_hours_come_before_open_ones_and_more_files_before_fewer() {
    let now = DAY + 3 * HOUR;
    let span = |hour: i64, count: usize| vec![(5, DAY + hour * HOUR, DAY + hour * HOUR + MINUTE); count];
    let all = files(&[span(3, 20), span(0, 3), span(1, 4), span(2, 4)].concat());
    assert_eq!(planned(&all, now + 2 * MINUTE), Some((Reason::Closed, (24..=27).collect())));
    assert_eq!(planned(&all[..20], now + 2 * MINUTE), Some((Reason::Many, (1..=20).collect())));
}

#[test]
fn a_merge_takes_no_more_files_and_rows_than_it_may() {
    let now = DAY + 10 * MINUTE;
    let (_, many) = planned(&of_first_hour(&[1; 1000]), now).unwrap();
    assert_eq!(many.len(), MOST_FILES);
    let (_, large) = planned(&of_first_hour(&[12_000; 20]), now).unwrap();
    assert_eq!(large.len(), 8);
    let (_, closed) = planned(&of_first_hour(&[49_000; 20]), now + 2 * HOUR).unwrap();
    assert_eq!(closed.len(), 2);
}

#[test]
fn files_with_content_in_sql_and_files_with_content_elsewhere_stay_apart() {
    let now = DAY + 10 * MINUTE;
    let with = |places: &[(ContentPlace, usize)]| {
        let all: Vec<ContentPlace> = places.iter().flat_map(|(place, count)| vec![*place; *count]).collect();
        let mut files = of_first_hour(&vec![3; all.len()]);
        files.iter_mut().zip(all).for_each(|(file, place)| file.content = place);
        planned(&files, now).map(|(_, files)| files)
    };
    let (nowhere, lake, sql) = (ContentPlace::Nowhere, ContentPlace::Lake, ContentPlace::Sql);
    assert_eq!(with(&[(nowhere, 4), (lake, 4)]), Some((1..=8).collect()));
    assert_eq!(with(&[(nowhere, 4), (sql, 4)]), Some((1..=8).collect()));
    assert_eq!(with(&[(lake, 7), (sql, 7)]), None);
    assert_eq!(with(&[(nowhere, 4), (lake, 4), (sql, 7)]), Some((1..=8).collect()));
    assert_eq!(with(&[(nowhere, 1), (lake, 1), (sql, 8)]), Some((3..=10).collect()));
}

/// A file with all its rows: how many of them at which time.
#[derive(Clone, Debug)]
struct Simulated {
    file: Candidate,
    rows: Vec<(i64, i64)>,
    rewrites: u32,
}

/// Carries plans out at once.
#[derive(Default)]
struct Lake {
    files: Vec<Simulated>,
    numbers: i64,
    merges: usize,
}

impl Lake {
    fn add(&mut self, rows: Vec<(i64, i64)>, committed_at: i64, rewrites: u32) {
        self.numbers += 1;
        let times = || rows.iter().map(|(time, _)| *time);
        let file = Candidate {
            number: self.numbers,
            rows: rows.iter().map(|(_, rows)| rows).sum(),
            first: at(times().min().unwrap()),
            last: at(times().max().unwrap()),
            committed_at: at(committed_at),
            content: ContentPlace::Nowhere,
        };
        self.files.push(Simulated { file, rows, rewrites });
    }

    /// What the manifest offers.
    fn candidates(&self) -> Vec<Candidate> {
        self.files.iter().map(|file| file.file.clone()).filter(|file| file.rows < TARGET_ROWS / 2).collect()
    }

    fn settle(&mut self, now: i64) {
        while let Some(plan) = plan(&self.candidates(), at(now)) {
            self.merge(&plan, now);
        }
    }

    fn merge(&mut self, plan: &Plan, now: i64) {
        self.merges += 1;
        let (inputs, others): (Vec<_>, Vec<_>) =
            self.files.drain(..).partition(|file| plan.files.contains(&file.file.number));
        assert_eq!(inputs.len(), plan.files.len());
        assert!(inputs.len() > 1 || plan.reason == Reason::Split);
        assert!(inputs.len() <= MOST_FILES && inputs.iter().map(|file| file.file.rows).sum::<i64>() <= TARGET_ROWS);
        self.files = others;
        let rewrites = inputs.iter().map(|file| file.rewrites).max().unwrap() + 1;
        let mut days: BTreeMap<UtcMillis, Vec<(i64, i64)>> = BTreeMap::new();
        for (time, rows) in inputs.iter().flat_map(|file| &file.rows) {
            days.entry(at(*time).day_start()).or_default().push((*time, *rows));
        }
        if plan.reason != Reason::Split {
            assert_eq!(days.len(), 1, "only a split reaches over days");
        }
        for rows in days.into_values() {
            self.add(rows, now, rewrites);
        }
    }
}

/// How long after the last one a batch is committed, how long before that its operations are, and how many rows it has how much earlier.
type Batch = (i64, i64, Vec<(i64, i64)>);

fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let age = prop_oneof![8 => 0..2 * MINUTE, 2 => 0..3 * HOUR, 1 => 0..4 * DAY_MILLIS];
    let rows = prop_oneof![8 => 1..50_i64, 1 => 1..20_000_i64];
    let spread = prop_oneof![8 => 0..MINUTE, 1 => 0..3 * DAY_MILLIS];
    let batch = (0..20 * MINUTE, age, proptest::collection::vec((spread, rows), 1..4));
    proptest::collection::vec(batch, 1..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_are_written_again_a_bounded_number_of_times_and_few_files_are_left(batches in batches()) {
        let (mut lake, mut now, mut total) = (Lake::default(), DAY, 0);
        for (pause, age, rows) in batches {
            now += pause;
            total += rows.iter().map(|(_, rows)| rows).sum::<i64>();
            lake.add(rows.iter().map(|(spread, rows)| (now - age - spread, *rows)).collect(), now, 0);
            lake.settle(now);
        }
        lake.settle(now + 3 * DAY_MILLIS);
        prop_assert_eq!(lake.files.iter().map(|file| file.file.rows).sum::<i64>(), total);
        let most = lake.files.iter().map(|file| file.rewrites).max().unwrap();
        prop_assert!(most <= MOST_REWRITES, "{} rewrites", most);
        // Of a day's small files each holds more rows than all smaller ones together, which doubles 17 times at most.
        let mut small: BTreeMap<UtcMillis, usize> = BTreeMap::new();
        for file in lake.candidates() {
            if file.rows < TARGET_ROWS / 4 && file.first.day_start() == file.last.day_start() {
                *small.entry(file.first.day_start()).or_default() += 1;
            }
        }
        prop_assert!(small.values().all(|count| *count <= 18), "{:?}", small);
    }
}

#[test]
fn a_trickle_of_a_day_becomes_one_file_and_is_written_again_a_few_times() {
    let mut lake = Lake::default();
    // Three operations a second; the compactor looks every ten seconds.
    for second in 0..86_400 {
        let now = DAY + second * 1000;
        lake.add(vec![(now - 500, 1)], now, 0);
        if second % 10 == 0 {
            lake.settle(now);
        }
    }
    assert!(lake.files.len() < 60, "{} files at the end of the day", lake.files.len());
    lake.settle(DAY + DAY_MILLIS + HOUR);
    let largest = lake.files.iter().max_by_key(|file| file.file.rows).unwrap();
    assert_eq!(largest.file.rows, 86_399);
    assert!(largest.rewrites <= 10, "{} rewrites", largest.rewrites);
}
