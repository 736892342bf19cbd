//! The summary that an import prints: what became of the records, and what the operations add up to.

use std::io::{self, Write};

use opstream_schemas::OperationId;

use super::delivery::Delivered;
use crate::text_table::grouped;

/// Ids of operations without a row that are listed; the others are only counted.
const LISTED_IDS: usize = 1000;

/// Everything that the summary says.
pub(super) struct Summary<'a> {
    /// The source in a few words.
    pub(super) source: &'a str,
    /// The account of the delivery.
    pub(super) delivered: &'a Delivered,
    /// What the source has to say, one sentence each.
    pub(super) remarks: &'a [String],
}

impl Summary<'_> {
    /// Writes the summary as text: refusals first, because they are what somebody has to act on.
    ///
    /// # Errors
    /// When the output is closed.
    pub(super) fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        let Delivered { n_sent, n_existing, n_repeated, n_refused, ref refusals, ref not_stored, ref totals, .. } =
            *self.delivered;
        for refusal in refusals {
            writeln!(out, "refused: {refusal}")?;
        }
        if let Some(unlisted) = n_refused.checked_sub(refusals.len().try_into().unwrap_or(u64::MAX)).filter(|n| *n > 0)
        {
            writeln!(out, "refused: {} more", grouped(unlisted.into()))?;
        }
        for id in not_stored.iter().take(LISTED_IDS) {
            writeln!(out, "not stored: {id}")?;
        }
        if not_stored.len() > LISTED_IDS {
            writeln!(out, "not stored: {} more", grouped(count(&not_stored[LISTED_IDS..])))?;
        }
        writeln!(out, "{}", self.source)?;
        let row = |out: &mut dyn Write, label: &str, value: String| writeln!(out, "  {label:<18} {value:>16}");
        row(out, "new", grouped(n_sent.into()))?;
        row(out, "already there", grouped(n_existing.into()))?;
        if n_repeated > 0 {
            row(out, "repeated", grouped(n_repeated.into()))?;
        }
        row(out, "refused", grouped(n_refused.into()))?;
        if !not_stored.is_empty() {
            row(out, "not stored", grouped(count(not_stored)))?;
        }
        row(out, "operations", grouped(totals.operations.into()))?;
        row(out, "input tokens", grouped(totals.input_tokens))?;
        row(out, "  of them cached", grouped(totals.cache_read_tokens))?;
        row(out, "output tokens", grouped(totals.output_tokens))?;
        let cost = totals.reported_cost().map_or_else(|error| error.to_string(), |cost| format!("${cost}"));
        row(out, "reported cost", cost)?;
        for remark in self.remarks {
            writeln!(out, "- {remark}")?;
        }
        writeln!(out, "{}", verdict(self.delivered))
    }
}

fn verdict(delivered: &Delivered) -> String {
    let (refused, missing) = (delivered.n_refused > 0, !delivered.not_stored.is_empty());
    let sentence = match (delivered.n_sent, delivered.n_existing) {
        (0, 0) if refused => "No record could be imported.",
        (0, 0) => "There was nothing to import.",
        (0, _) if refused => {
            "Every other operation was there before: the first import wins, and this one added nothing."
        }
        (0, _) => "Every operation was there before: the first import wins, and this one added nothing.",
        (_, 0) if refused || missing => "All others are committed and counted in windows.",
        (_, 0) => "All of them are committed and counted in windows.",
        _ if refused || missing => {
            "All others are committed and counted in windows; those already there stay as first imported."
        }
        _ => "All of them are committed and counted in windows; those already there stay as first imported.",
    };
    if missing {
        return format!("Some were taken in and are not stored; the table dead_letters says why. {sentence}");
    }
    sentence.to_owned()
}

fn count(ids: &[OperationId]) -> i128 {
    i128::try_from(ids.len()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(delivered: &Delivered) -> String {
        let mut out = Vec::new();
        let remarks = ["corrected nothing".to_owned()];
        Summary { source: "trace.csv", delivered, remarks: &remarks }.write_to(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_second_run_says_that_it_added_nothing() {
        let second = text(&Delivered { n_existing: 300, ..Delivered::default() });
        assert!(second.contains("this one added nothing"), "{second}");
        let first = text(&Delivered { n_sent: 300, ..Delivered::default() });
        assert!(first.contains("committed and counted in windows"), "{first}");
        assert!(first.contains("corrected nothing"), "{first}");
    }

    #[test]
    fn nothing_is_said_of_records_that_it_does_not_hold_for() {
        let refused = text(&Delivered { n_sent: 3, n_refused: 1, ..Delivered::default() });
        assert!(refused.contains("All others are committed"), "{refused}");
        let refused = text(&Delivered { n_existing: 3, n_refused: 1, ..Delivered::default() });
        assert!(refused.contains("Every other operation was there"), "{refused}");
        let ids = vec![OperationId::default(); LISTED_IDS + 2];
        let missing = text(&Delivered { n_sent: 3000, not_stored: ids, ..Delivered::default() });
        for words in ["not stored: 00000000-", "not stored: 2 more", "1,002", "dead_letters", "All others"] {
            assert!(missing.contains(words), "{words}: {missing}");
        }
    }
}
