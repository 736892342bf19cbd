//! Which rows were in which merged file: told from counts and hashes of ids. Computes, and neither reads nor writes anything.
//!
//! Compaction takes files as a whole and parts them at the end of a UTC day only. So the rows of one day that one transaction stored,
//! a portion, are always together in one file, however often they were merged. A portion can only be in a file whose ids span its own
//! and whose number is higher than that of its first file, which was there before. What remains open is settled by
//! the hashes of ids, which add up: those of a file's portions are the file's. Nothing is guessed: a file without exactly
//! one answer has none.

use opstream_schemas::OperationId;

/// Portions that a file may have or not have, at most, for all combinations to be tried: twice 2^16 sums. More of them would also
/// make it likely that 64 bits of hash fit by chance.
const MOST_FREE: usize = 32;

/// The rows of one UTC day that one transaction stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Portion {
    /// The file that they were written to first.
    pub(super) file: i64,
    /// Lowest and highest id.
    pub(super) ids: (OperationId, OperationId),
    /// How many they are, and the hash of their ids.
    pub(super) sum: Sum,
}

/// A file that compaction made, of whose rows nothing is known but what the manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Merged {
    /// Its number.
    pub(super) file: i64,
    /// Lowest and highest id.
    pub(super) ids: (OperationId, OperationId),
    /// How many rows it had, and the hash of their ids.
    pub(super) sum: Sum,
}

/// Rows and the hash of their ids; sums of disjoint sets add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    /// How many.
    pub(super) rows: i64,
    /// `opstream_schemas::lake::id_hash`.
    pub(super) id_hash: i64,
}

/// What is known of a file whose portions cannot be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Untold {
    /// Rows that may have been in it.
    pub(super) rows: i64,
    /// Other files without an answer that some of these rows may have been in as well.
    pub(super) rivals: Vec<i64>,
}

impl Sum {
    /// This and another.
    pub(super) fn plus(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, id_hash: self.id_hash.wrapping_add(other.id_hash) }
    }

    fn minus(self, other: Self) -> Self {
        Self { rows: self.rows - other.rows, id_hash: self.id_hash.wrapping_sub(other.id_hash) }
    }
}

/// For each file the places of its portions, or why they cannot be told.
pub(super) fn tell(portions: &[Portion], files: &[Merged]) -> Vec<Result<Vec<usize>, Untold>> {
    let mut open = Open::new(portions, files);
    // Every answer narrows the others; trying combinations comes last, since it is the most work.
    while open.settle_next(Open::add_up) || open.settle_next(Open::search) {}
    (0..files.len()).map(|file| open.told[file].clone().ok_or_else(|| open.untold(file))).collect()
}

/// What is not settled yet.
struct Open<'a> {
    portions: &'a [Portion],
    files: &'a [Merged],
    /// For each portion the places of the files that it may be in; none once it is settled.
    homes: Vec<Vec<usize>>,
    told: Vec<Option<Vec<usize>>>,
}

impl<'a> Open<'a> {
    fn new(portions: &'a [Portion], files: &'a [Merged]) -> Self {
        let homes = portions.iter().map(|portion| {
            let homes: Vec<usize> = (0..files.len()).filter(|place| may_be_in(portion, &files[*place])).collect();
            // The row with a file's lowest or highest id is in that file.
            let ends = homes.iter().copied().find(|place| {
                let ids = files[*place].ids;
                portion.ids.0 == ids.0 || portion.ids.1 == ids.1
            });
            ends.map_or(homes, |place| vec![place])
        });
        Self { portions, files, homes: homes.collect(), told: vec![None; files.len()] }
    }

    /// Settles the first file that is told this way; returns whether there was one.
    fn settle_next(&mut self, way: impl Fn(&Self, usize) -> Option<Vec<usize>>) -> bool {
        let mut unsettled = (0..self.files.len()).filter(|file| self.told[*file].is_none());
        let Some((file, chosen)) = unsettled.find_map(|file| Some((file, way(self, file)?))) else { return false };
        for homes in &mut self.homes {
            homes.retain(|home| *home != file);
        }
        for portion in &chosen {
            self.homes[*portion].clear();
        }
        self.told[file] = Some(chosen);
        true
    }

    /// Portions that must be in the file, and those that may or may not be.
    fn candidates(&self, file: usize) -> (Vec<usize>, Vec<usize>) {
        let candidates = (0..self.portions.len()).filter(|portion| self.homes[*portion].contains(&file));
        candidates.partition(|portion| self.homes[*portion].len() == 1)
    }

    fn sum(&self, portions: &[usize]) -> Sum {
        portions.iter().fold(Sum::default(), |sum, portion| sum.plus(self.portions[*portion].sum))
    }

    /// What must be in the file is all of it, or whatever may be.
    fn add_up(&self, file: usize) -> Option<Vec<usize>> {
        let (mut chosen, free) = self.candidates(file);
        if self.sum(&chosen) != self.files[file].sum {
            chosen.extend(free);
        }
        (self.sum(&chosen) == self.files[file].sum).then_some(chosen)
    }

    /// The one combination that adds up to the file; none also when there are several, or too many to be tried.
    fn search(&self, file: usize) -> Option<Vec<usize>> {
        let (mut chosen, free) = self.candidates(file);
        if free.len() > MOST_FREE {
            return None;
        }
        let wanted = self.files[file].sum.minus(self.sum(&chosen));
        let (left, right) = free.split_at(free.len() / 2);
        let mut sums: Vec<(Sum, u32)> = self.combinations(right);
        sums.sort_unstable_by_key(|(sum, _)| sum.id_hash);
        let mut answers = Vec::new();
        for (sum, of_left) in self.combinations(left) {
            let rest = wanted.minus(sum);
            let first = sums.partition_point(|(sum, _)| sum.id_hash < rest.id_hash);
            let same_hash = sums[first..].iter().take_while(|(sum, _)| sum.id_hash == rest.id_hash);
            answers.extend(same_hash.filter(|(sum, _)| *sum == rest).map(|(_, of_right)| (of_left, *of_right)));
        }
        let [(of_left, of_right)] = answers[..] else { return None };
        chosen.extend(members(left, of_left));
        chosen.extend(members(right, of_right));
        Some(chosen)
    }

    /// The sum of every combination of at most half of `MOST_FREE` portions, each a bit of the number beside it.
    fn combinations(&self, portions: &[usize]) -> Vec<(Sum, u32)> {
        let mut sums = vec![(Sum::default(), 0)];
        for (bit, portion) in portions.iter().enumerate() {
            let with = |(sum, members): &(Sum, u32)| (sum.plus(self.portions[*portion].sum), members | 1 << bit);
            let more: Vec<(Sum, u32)> = sums.iter().map(with).collect();
            sums.extend(more);
        }
        sums
    }

    fn untold(&self, file: usize) -> Untold {
        let (must, may) = self.candidates(file);
        let rivals = (0..self.files.len())
            .filter(|other| *other != file && may.iter().any(|portion| self.homes[*portion].contains(other)));
        Untold {
            rows: self.sum(&must).plus(self.sum(&may)).rows,
            rivals: rivals.map(|other| self.files[other].file).collect(),
        }
    }
}

fn may_be_in(portion: &Portion, file: &Merged) -> bool {
    portion.file < file.file && file.ids.0 <= portion.ids.0 && portion.ids.1 <= file.ids.1
}

fn members(portions: &[usize], bits: u32) -> impl Iterator<Item = usize> {
    portions.iter().enumerate().filter(move |(bit, _)| bits >> bit & 1 == 1).map(|(_, portion)| *portion)
}

#[cfg(test)]
mod tests;
