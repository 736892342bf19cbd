//! `--dry-run`: the first rows as they would be imported, and every row that would be refused. Sends nothing.

use std::io::Write;

use opstream_schemas::Operation;
use opstream_schemas::validate::{AcceptedTimes, check_operation};

use super::{CsvArgs, rows};
use crate::import::feed::{Record, Refusal};

/// Operations that are shown.
const SHOWN_OPERATIONS: u64 = 3;
/// Refused rows that are listed, as after an import; the others are counted.
const LISTED_REFUSALS: u64 = 1000;

/// What became of the rows.
#[derive(Debug, Default)]
struct Seen {
    good: u64,
    repeated: u64,
    refused: u64,
}

/// Reads the whole file, checks each row as the front door would within `accepted`, and writes what would come of it.
/// Gives back the number of refused rows.
///
/// # Errors
/// Those of [`super::open`], and when the output is closed.
pub(in crate::import) fn preview(args: &CsvArgs, accepted: AcceptedTimes, out: &mut impl Write) -> anyhow::Result<u64> {
    let mut rows = rows(args)?;
    for remark in rows.remarks() {
        writeln!(out, "{remark}")?;
    }
    let mut seen = Seen::default();
    while let Some(record) = rows.next_record()? {
        seen.take(record, accepted, out)?;
    }
    seen.conclude(out)?;
    Ok(seen.refused)
}

impl Seen {
    fn take(&mut self, record: Record, accepted: AcceptedTimes, out: &mut impl Write) -> anyhow::Result<()> {
        let item = match record {
            Record::Refused { refusal, .. } => return self.refuse(&refusal, out),
            Record::Repeated { .. } => {
                self.repeated += 1;
                return Ok(());
            }
            Record::Item(item) => item,
        };
        // The text is what would be sent, so it is read again as the front door reads it.
        let operation: Operation = serde_json::from_str(&item.json)?;
        if let Err(violation) = check_operation(&operation, accepted) {
            return self.refuse(&Refusal::because(item.place, &violation), out);
        }
        self.good += 1;
        if self.good <= SHOWN_OPERATIONS {
            let shown: serde_json::Value = serde_json::from_str(&item.json)?;
            writeln!(out, "{}: {shown:#}", item.place)?;
        }
        Ok(())
    }

    fn refuse(&mut self, refusal: &Refusal, out: &mut impl Write) -> anyhow::Result<()> {
        self.refused += 1;
        if self.refused <= LISTED_REFUSALS {
            writeln!(out, "refused: {refusal}")?;
        }
        Ok(())
    }

    fn conclude(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let Self { good, repeated, refused } = *self;
        if let Some(unlisted) = refused.checked_sub(LISTED_REFUSALS).filter(|n| *n > 0) {
            writeln!(out, "refused: {unlisted} more")?;
        }
        if repeated > 0 {
            writeln!(out, "{} the operation_id of an earlier row.", counted(repeated, "row repeats", "rows repeat"))?;
        }
        let good = counted(good, "row passes", "rows pass");
        let refused = counted(refused, "row is", "rows are");
        writeln!(out, "Nothing was sent. {good} the checks and would be sent without --dry-run; {refused} refused.")?;
        Ok(())
    }
}

fn counted(n: u64, one: &str, several: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { several })
}
