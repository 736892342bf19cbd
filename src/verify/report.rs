//! What a verification found: one [`Check`] per promise, each with its [`Finding`]s.
//!
//! A check counts everything it compared, so that "ok" says how much was looked at. It keeps the first findings in full
//! and only counts the rest: a lost day would otherwise fill memory and screen. Nothing here reads or prints.

use opstream_schemas::UtcMillis;
use serde::Serialize;

/// Findings of one check that are kept in full.
const FINDINGS_KEPT: usize = 10;

/// One thing that is not as promised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What is wrong, naming the row, range, file or window and the two values that differ.
    pub(crate) what: String,
    /// What most likely made it so.
    pub(crate) cause: &'static str,
    /// What an operator can do.
    pub(crate) way_out: &'static str,
}

/// The outcome of one promise.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    /// Stable name, as in `docs/verify.md`.
    pub(crate) name: &'static str,
    /// What holds when there are no findings.
    pub(crate) promise: &'static str,
    /// How much was compared, by noun: `rows` → 1,000,000.
    pub(crate) compared: Vec<Compared>,
    /// Everything that is not as promised, kept or not.
    pub(crate) findings_total: u64,
    /// The first of them.
    pub(crate) findings: Vec<Finding>,
    /// What is as promised and still must be known, such as records that the broker deleted before they were read.
    pub(crate) notes: Vec<String>,
}

/// A number of compared things.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Compared {
    /// Plural noun.
    pub(crate) what: &'static str,
    /// How many.
    pub(crate) count: u64,
}

impl Check {
    /// A check that has compared nothing yet.
    pub(crate) const fn new(name: &'static str, promise: &'static str) -> Self {
        Self { name, promise, compared: Vec::new(), findings_total: 0, findings: Vec::new(), notes: Vec::new() }
    }

    /// Counts `count` more things of this noun as compared.
    pub(crate) fn compared(&mut self, what: &'static str, count: u64) {
        match self.compared.iter_mut().find(|compared| compared.what == what) {
            Some(compared) => compared.count += count,
            None => self.compared.push(Compared { what, count }),
        }
    }

    /// Records a finding. The closure runs only while findings are still kept in full.
    pub(crate) fn find(&mut self, finding: impl FnOnce() -> Finding) {
        self.findings_total += 1;
        if self.has_room() {
            self.findings.push(finding());
        }
    }

    /// Adds a note.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Whether the next finding would be kept in full, for callers that look up what to write.
    pub(crate) fn has_room(&self) -> bool {
        self.findings.len() < FINDINGS_KEPT
    }
}

/// Every check of one snapshot.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// Whether nothing was found.
    pub(crate) clean: bool,
    /// When the snapshot was taken, by this machine's clock.
    pub(crate) snapshot_at: UtcMillis,
    /// Where the tables are, without passwords.
    pub(crate) database: String,
    /// Root folder of the files.
    pub(crate) lake: String,
    /// The checks, in the order in which causes come before their consequences.
    pub(crate) checks: Vec<Check>,
}

impl Report {
    /// The report of a snapshot.
    pub(crate) fn new(snapshot_at: UtcMillis, checks: Vec<Check>) -> Self {
        let clean = checks.iter().all(|check| check.findings_total == 0);
        Self { clean, snapshot_at, database: String::new(), lake: String::new(), checks }
    }

    /// The same report, with the places that were verified.
    #[must_use]
    pub(crate) fn at(self, database: String, lake: String) -> Self {
        Self { database, lake, ..self }
    }

    /// Findings of all checks.
    pub(crate) fn findings_total(&self) -> u64 {
        self.checks.iter().map(|check| check.findings_total).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_is_counted_and_the_first_are_kept() {
        let mut check = Check::new("rows", "rows are rows");
        for n in 0..25 {
            check.find(|| Finding { what: format!("row {n}"), cause: "", way_out: "" });
        }
        assert_eq!(check.findings_total, 25);
        assert_eq!(check.findings.len(), FINDINGS_KEPT);
        assert_eq!(check.findings[0].what, "row 0");
    }

    #[test]
    fn compared_things_add_up_by_noun() {
        let mut check = Check::new("rows", "rows are rows");
        check.compared("rows", 2);
        check.compared("files", 1);
        check.compared("rows", 3);
        assert_eq!(check.compared, [Compared { what: "rows", count: 5 }, Compared { what: "files", count: 1 }]);
    }
}
