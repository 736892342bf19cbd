//! What became of the letters of a run.

use std::collections::BTreeMap;
use std::io::Write;

use crate::escaped::excerpt;

/// Refusals that are listed; the others are only counted.
const LISTED: usize = 20;
/// Characters of a reason.
const REASON_CHARACTERS: usize = 300;

/// Counts, and the first refusals in words.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Letters that the broker has, or would be sent in a dry run.
    pub(super) sent: i64,
    /// Letters that were redriven before.
    pub(super) already: i64,
    refused: BTreeMap<&'static str, i64>,
    listed: Vec<String>,
}

impl Account {
    /// Counts a letter that is not sent.
    pub(super) fn refuse(&mut self, name: &str, code: &'static str, reason: &str) {
        *self.refused.entry(code).or_default() += 1;
        if self.listed.len() < LISTED {
            self.listed.push(format!("{name}: {}", excerpt(reason, REASON_CHARACTERS)));
        }
    }

    /// Whether no letter was refused.
    pub(super) fn is_complete(&self) -> bool {
        self.refused.is_empty()
    }

    /// Writes the report.
    ///
    /// # Errors
    /// When the output is closed.
    pub(super) fn write(&self, topic: &str, is_dry_run: bool, out: &mut impl Write) -> std::io::Result<()> {
        for refusal in &self.listed {
            writeln!(out, "not sent: {refusal}")?;
        }
        let n_refused = self.refused.values().sum::<i64>();
        let unlisted = n_refused - i64::try_from(self.listed.len()).unwrap_or(0);
        if unlisted > 0 {
            writeln!(out, "not sent: {unlisted} more")?;
        }
        let sent = if is_dry_run { "would be sent" } else { "sent" };
        writeln!(out, "{sent:26} {:>12}  to {topic}", self.sent)?;
        writeln!(out, "{:26} {:>12}", "redriven before", self.already)?;
        writeln!(out, "{:26} {n_refused:>12}", "not sent")?;
        for (code, letters) in &self.refused {
            writeln!(out, "  {code:24} {letters:>12}")?;
        }
        Ok(())
    }
}
