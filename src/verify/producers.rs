//! Counts what producers gave a number and nobody stored: operations that were lost before the topic.
//!
//! In: the rows, in any order. Out: the check `producer_numbers`, which finds nothing wrong, since such a loss happened
//! outside the pipeline: it only remarks. A producer numbers what it is given from 0, without a gap and without a
//! repetition, so the numbers between its first and its highest that no row has are missing. What comes later is above
//! the highest, and so no gap. Memory is bounded by a number of producers and of runs of their numbers.

use std::collections::HashMap;
use std::sync::Arc;

use opstream_schemas::{OperationId, UtcMillis};

use super::facts::{number_place, text_place};
use super::number_set::NumberSet;
use super::report::Check;
use super::slice::Slice;
use super::snapshot::{Snapshot, VerifyError};

const PRODUCER: usize = text_place("producer_id");
const NUMBER: usize = number_place("producer_seq");

/// Producers that are looked at: about 40 MB. Each start of a process is one.
const MOST_PRODUCERS: usize = 100_000;
/// Runs of numbers that are remembered for all of them: about 60 MB. Whole numbering takes one for each producer.
const MOST_RUNS: usize = 1_000_000;
/// Producers that a note names, those with the most missing operations.
const NAMED: usize = 3;

/// What the rows show of every producer.
#[derive(Debug)]
pub(super) struct Producers {
    seen: HashMap<Arc<str>, Numbers>,
    most: usize,
    most_runs: usize,
    /// Runs of all producers.
    runs: usize,
    /// Rows of producers beyond [`MOST_PRODUCERS`].
    left_out: u64,
}

/// The numbers of one producer.
#[derive(Debug, Default)]
struct Numbers {
    rows: u64,
    /// None when they took too many runs.
    set: Option<NumberSet>,
}

/// What they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    Missing {
        operations: u64,
        of: u64,
    },
    /// More rows than numbers.
    Repeated,
    /// The numbers were not remembered.
    Scattered,
}

impl Default for Producers {
    fn default() -> Self {
        Self { seen: HashMap::new(), most: MOST_PRODUCERS, most_runs: MOST_RUNS, runs: 0, left_out: 0 }
    }
}

impl Producers {
    /// Takes the rows of a slice. Operations without a number are their caller's to repeat.
    pub(super) fn take(&mut self, slice: &Slice) {
        for row in &slice.rows {
            if let (Some(producer), Some(number)) = (row.text(PRODUCER), row.number(NUMBER)) {
                self.add(slice.interner.text(producer), number);
            }
        }
    }

    fn add(&mut self, producer: &Arc<str>, number: i64) {
        if !self.seen.contains_key(producer) {
            if self.seen.len() >= self.most {
                self.left_out += 1;
                return;
            }
            self.seen.insert(Arc::clone(producer), Numbers { rows: 0, set: Some(NumberSet::default()) });
        }
        let Some(numbers) = self.seen.get_mut(producer) else { return };
        numbers.rows += 1;
        let Some(set) = &mut numbers.set else { return };
        let before = set.runs();
        set.insert(number);
        self.runs = self.runs - before + set.runs();
        if self.runs > self.most_runs {
            self.runs -= set.runs();
            numbers.set = None;
        }
    }

    /// The check with its notes.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn finish(self, snapshot: &mut Snapshot) -> Result<Check, VerifyError> {
        let sql = "select cast(count(*) as bigint) as total from dead_letters";
        let rows = snapshot.fetch("dead_letters", sql, &[]).await?;
        let dead_letters = rows.first().map_or(Ok(0), |row| row.int("total"));
        let dead_letters =
            dead_letters.map_err(|source| VerifyError::Database { what: "dead_letters", source })?.unsigned_abs();
        Ok(self.judge(snapshot.settings.floor, dead_letters))
    }

    fn judge(self, floor: UtcMillis, dead_letters: u64) -> Check {
        let promise = "the numbers that producers give their operations have no gaps (remarked, never a finding)";
        let mut check = Check::new("producer_numbers", promise);
        let producers = self.seen.len();
        check.compared("producers", u64::try_from(producers).unwrap_or(u64::MAX));
        check.compared("numbered rows", self.seen.values().map(|numbers| numbers.rows).sum());
        let (mut gaps, mut repeated, mut scattered) = (Vec::new(), Vec::new(), Vec::new());
        for (name, numbers) in self.seen {
            match numbers.judge(began_above(&name, floor)) {
                Judgement::Missing { operations: 0, .. } => {}
                Judgement::Missing { operations, of } => gaps.push((operations, of, name)),
                Judgement::Repeated => repeated.push(name),
                Judgement::Scattered => scattered.push(name),
            }
        }
        if !gaps.is_empty() {
            check.note(gaps_text(gaps, producers, dead_letters));
        }
        if let Some(example) = repeated.iter().min() {
            check.note(format!(
                "producers whose numbers repeat: {}, such as {example:?}; the name was used by more than one start of a \
                 process, so that gaps cannot be told: leave producer_id unset to get a name for each start",
                repeated.len()
            ));
        }
        if let Some(example) = scattered.iter().min() {
            check.note(format!(
                "producers whose numbers were not compared: {}, such as {example:?}; they have too many gaps to remember",
                scattered.len()
            ));
        }
        if self.left_out > 0 {
            check.note(format!(
                "the numbers of {} rows were not looked at: they are of more than the first {producers} producers",
                self.left_out
            ));
        }
        check
    }
}

impl Numbers {
    /// Which numbers are missing from the first on: 0, or the lowest that was seen when lower ones may have been dropped with
    /// their day.
    fn judge(&self, from_zero: bool) -> Judgement {
        let Some((set, (lowest, highest))) = self.set.as_ref().and_then(|set| Some((set, set.bounds()?))) else {
            return Judgement::Scattered;
        };
        let first = if from_zero { 0 } else { lowest };
        let of = highest.abs_diff(first).saturating_add(1);
        if self.rows > of {
            return Judgement::Repeated;
        }
        Judgement::Missing { operations: of.saturating_sub(set.count_from(first)), of }
    }
}

/// Whether all that a producer ever sent is above the retention floor. A generated name says when its producer started.
fn began_above(name: &str, floor: UtcMillis) -> bool {
    name.parse::<OperationId>().is_ok_and(|id| id.time() >= floor)
}

fn gaps_text(mut gaps: Vec<(u64, u64, Arc<str>)>, producers: usize, dead_letters: u64) -> String {
    gaps.sort_unstable_by(|one, other| other.0.cmp(&one.0).then_with(|| one.2.cmp(&other.2)));
    let missing: u64 = gaps.iter().map(|(operations, ..)| operations).sum();
    let named: Vec<String> = gaps
        .iter()
        .take(NAMED)
        .map(|(operations, of, name)| format!("producer {name:?} lacks {operations} of its first {of}"))
        .collect();
    let more = if gaps.len() > NAMED { "; …" } else { "" };
    let dead = match dead_letters {
        0 => String::new(),
        1 => "; the dead letter may be one of them".to_owned(),
        dead_letters => format!("; {dead_letters} dead letters may be among them"),
    };
    format!(
        "producers with gaps in their numbers: {} of {producers}; missing operations: {missing}, lost before the topic, or \
         waiting in a producer's spool or on the topic ({}{more}){dead}",
        gaps.len(),
        named.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: UtcMillis = UtcMillis::from_millis(1_000_000);

    fn judged(rows: &[(&str, &[i64])], most: usize) -> Check {
        let mut producers = Producers { most, ..Producers::default() };
        for (name, numbers) in rows {
            numbers.iter().for_each(|number| producers.add(&Arc::from(*name), *number));
        }
        producers.judge(FLOOR, 0)
    }

    fn generated(at: i64) -> String {
        OperationId::generate(UtcMillis::from_millis(at)).to_string()
    }

    #[test]
    fn numbers_without_a_gap_are_not_remarked_in_whatever_order_they_come() {
        let check = judged(&[(&generated(1_000_000), &[3, 0, 2, 1]), ("named", &[8, 9, 7])], 9);
        assert!(check.notes.is_empty(), "{:?}", check.notes);
        assert_eq!(check.compared.iter().map(|compared| compared.count).collect::<Vec<_>>(), [2, 7]);
    }

    #[test]
    fn what_is_missing_below_the_highest_number_is_counted_for_each_producer() {
        let (one, other) = (generated(1_000_000), generated(2_000_000));
        let check = judged(&[(&one, &[2, 5]), (&other, &[0, 1, 3]), ("whole", &[0, 1])], 9);
        let [note] = &check.notes[..] else { panic!("{:?}", check.notes) };
        assert!(
            note.starts_with("producers with gaps in their numbers: 2 of 3; missing operations: 5, lost"),
            "{note}"
        );
        let named = format!("(producer {one:?} lacks 4 of its first 6; producer {other:?} lacks 1 of its first 4)");
        assert!(note.ends_with(&named), "{note}");
        assert_eq!(check.findings_total, 0);
    }

    #[test]
    fn a_number_that_came_twice_hides_none_that_is_missing() {
        let one = generated(1_000_000);
        let check = judged(&[(&one, &[0, 5, 5])], 9);
        let named = format!(
            "missing operations: 4, lost before the topic, or waiting in a producer's spool or on the topic (producer {one:?} lacks 4 of its first 6)"
        );
        assert!(check.notes[0].ends_with(&named), "{:?}", check.notes);
    }

    #[test]
    fn numbers_with_too_many_gaps_to_remember_are_named_and_not_judged() {
        let mut producers = Producers { most_runs: 3, ..Producers::default() };
        for (name, number) in [("a", 0), ("b", 0), ("b", 2), ("b", 4), ("b", 5), ("a", 1)] {
            producers.add(&Arc::from(name), number);
        }
        assert_eq!(producers.runs, 1, "those of b are forgotten");
        let check = producers.judge(FLOOR, 0);
        assert!(
            check.notes.len() == 1 && check.notes[0].contains("not compared: 1, such as \"b\""),
            "{:?}",
            check.notes
        );
    }

    #[test]
    fn numbers_that_may_have_been_dropped_with_their_day_are_not_missing() {
        let check = judged(&[(&generated(999_999), &[7, 8]), ("named", &[3, 5])], 9);
        assert_eq!(check.notes.len(), 1);
        assert!(check.notes[0].contains("numbers: 1 of 2;") && check.notes[0].contains("lacks 1 of its first 3"));
    }

    #[test]
    fn a_name_of_several_starts_is_not_judged_but_named() {
        let check = judged(&[("fixed", &[0, 1, 2, 0, 1])], 9);
        let [note] = &check.notes[..] else { panic!("{:?}", check.notes) };
        assert!(note.starts_with("producers whose numbers repeat: 1, such as \"fixed\""), "{note}");
    }

    #[test]
    fn producers_beyond_the_bound_are_counted_and_not_kept() {
        let check = judged(&[("a", &[0]), ("b", &[0]), ("c", &[0, 1, 5])], 2);
        assert_eq!(check.compared[0].count, 2);
        assert!(check.notes[0].contains("3 rows were not looked at"), "{:?}", check.notes);
    }

    #[test]
    fn dead_letters_are_named_as_an_explanation() {
        let mut producers = Producers::default();
        for number in [0, 2] {
            producers.add(&Arc::from("p"), number);
        }
        assert!(producers.judge(FLOOR, 4).notes[0].ends_with("; 4 dead letters may be among them"));
    }
}
