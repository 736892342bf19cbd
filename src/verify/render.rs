//! Writes a report: a table for people, or JSON for programs.

use std::io::{self, Write};

use super::report::{Check, Compared, Report};

/// Writes the checks as a table, then every finding with its likely cause and way out.
pub(super) fn table(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "Snapshot of {} taken {}", report.database, report.snapshot_at)?;
    writeln!(out, "Files in {}\n", report.lake)?;
    let lines: Vec<[String; 3]> = report.checks.iter().map(line).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let (names, compared) = (width(0).max("check".len()), width(1).max("compared".len()));
    writeln!(out, "{:names$}  {:compared$}  result", "check", "compared")?;
    for [name, what, result] in &lines {
        writeln!(out, "{name:names$}  {what:compared$}  {result}")?;
    }
    for check in report.checks.iter().filter(|check| check.findings_total > 0) {
        write_findings(check, out)?;
    }
    let mut notes = report.checks.iter().flat_map(|check| &check.notes).peekable();
    let end = if notes.peek().is_some() { "; but see the notes" } else { "" };
    for note in notes {
        writeln!(out, "\nnote: {note}")?;
    }
    match report.findings_total() {
        0 => writeln!(out, "\nclean: every row, live file and window is as promised{end}"),
        total => writeln!(out, "\n{} in all; causes come before their consequences", plural(total, "finding")),
    }
}

/// Writes the report as one JSON object with indentation.
pub(super) fn json(report: &Report, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

fn line(check: &Check) -> [String; 3] {
    let compared: Vec<String> = check.compared.iter().map(compared_text).collect();
    let result = match check.findings_total {
        0 => "ok".to_owned(),
        total => plural(total, "finding"),
    };
    [check.name.to_owned(), compared.join(", "), result]
}

fn compared_text(compared: &Compared) -> String {
    format!("{} {}", grouped(compared.count), compared.what)
}

fn write_findings(check: &Check, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n{}: {}", check.name, check.promise)?;
    // Neighbouring findings mostly share their cause: it is written once, after the last of them.
    for group in check.findings.chunk_by(|one, next| one.cause == next.cause) {
        for finding in group {
            writeln!(out, "  - {}", finding.what)?;
        }
        writeln!(out, "    likely cause: {}", group[0].cause)?;
        writeln!(out, "    way out: {}", group[0].way_out)?;
    }
    let kept = u64::try_from(check.findings.len()).unwrap_or(u64::MAX);
    match check.findings_total.saturating_sub(kept) {
        0 => Ok(()),
        more => writeln!(out, "  and {} more", grouped(more)),
    }
}

fn plural(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// 1234567 → 1,234,567.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use opstream_schemas::UtcMillis;

    use super::*;
    use crate::verify::report::Finding;

    fn report() -> Report {
        let mut files = Check::new("files", "every live file exists");
        files.compared("files", 1_234_567);
        let mut rows = Check::new("rows_and_files", "rows are those of the files");
        rows.compared("rows", 12);
        for n in 0..12 {
            rows.find(|| Finding {
                what: format!("operation {n} is gone"),
                cause: "it was deleted",
                way_out: "a backup",
            });
        }
        Report::new(UtcMillis::from_millis(1_790_000_000_000), vec![files, rows])
            .at("sqlite:a.db".into(), "lake".into())
    }

    #[test]
    fn the_table_names_findings_cause_and_way_out() {
        let mut out = Vec::new();
        table(&report(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let expected = "\
Snapshot of sqlite:a.db taken 2026-09-21T14:13:20.000Z
Files in lake

check           compared         result
files           1,234,567 files  ok
rows_and_files  12 rows          12 findings

rows_and_files: rows are those of the files
";
        assert!(text.starts_with(expected), "{text}");
        let end = "
  - operation 9 is gone
    likely cause: it was deleted
    way out: a backup
  and 2 more

12 findings in all; causes come before their consequences
";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn notes_stand_before_the_verdict_and_in_it() {
        let mut check = Check::new("applied_ranges", "ranges touch");
        check.note("5 offsets were lost".to_owned());
        let mut out = Vec::new();
        table(&Report::new(UtcMillis::from_millis(0), vec![check]), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let end =
            "\nnote: 5 offsets were lost\n\nclean: every row, live file and window is as promised; but see the notes\n";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn json_says_whether_it_is_clean_and_counts_what_it_leaves_out() {
        let mut out = Vec::new();
        json(&report(), &mut out).unwrap();
        let read: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(read["clean"], false);
        assert_eq!(read["checks"][0]["findings_total"], 0);
        assert_eq!(read["checks"][1]["findings_total"], 12);
        assert_eq!(read["checks"][1]["findings"][0]["what"], "operation 0 is gone");
        assert_eq!(read["checks"][0]["compared"][0], serde_json::json!({"what": "files", "count": 1_234_567}));
    }
}
