//! Files that somebody declared lost. They are named before everything else, since what lacks their operations follows from that.

use super::report::{Check, Finding};
use super::snapshot::{Snapshot, VerifyError, unfetched};

const CAUSE: &str =
    "it was declared lost with `opstream aggregator --give-up-file`; what lacks its operations below follows from that";
const WAY_OUT: &str =
    "if the file is there or a copy turns up, put it at its path and take that back, as docs/verify.md shows";

/// Adds a finding for each of them.
///
/// # Errors
/// When the database fails.
pub(super) async fn find_given_up(snapshot: &mut Snapshot, check: &mut Check) -> Result<(), VerifyError> {
    let broken = |source| VerifyError::Database { what: "given_up_files", source };
    let rows = snapshot.fetch("given_up_files", include_str!("given_up/files.sql"), &[]).await?;
    check.findings_total += unfetched(&rows).map_err(broken)?;
    for row in rows {
        let (number, path) = (row.int("file_number").map_err(broken)?, row.text("path").map_err(broken)?);
        let operations = row.int("rows").map_err(broken)?;
        let what = format!("file {number} ({path}) with {operations} operations was given up");
        check.find(|| Finding { what, cause: CAUSE, way_out: WAY_OUT });
    }
    Ok(())
}
