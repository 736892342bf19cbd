//! What a run has found: as a table for people, as Markdown for the page of benchmarks, and as JSON for programs.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::figures::Figure;
use crate::harness::page::put_between;
use crate::machine::Machine;
use crate::peers::Comparison;

/// Between these lines a page holds the table of the last run.
const MARKERS: (&str, &str) = ("<!-- figures -->", "<!-- /figures -->");

/// Everything that a run has found.
#[derive(Debug)]
pub(crate) struct Report {
    /// What it ran on.
    pub(crate) machine: Machine,
    /// Operations per measurement.
    pub(crate) operations: u64,
    /// The figures, in the order in which they were measured.
    pub(crate) figures: Vec<Figure>,
    /// Other tools.
    pub(crate) comparisons: Vec<Comparison>,
    /// What was left out, and why.
    pub(crate) not_run: Vec<String>,
    /// What was tried and failed.
    pub(crate) failed: Vec<String>,
}

/// Texts of a table; the first row is its head.
type Table = Vec<Vec<String>>;

impl Report {
    /// Nothing yet.
    pub(crate) fn new(machine: Machine, operations: u64) -> Self {
        Self {
            machine,
            operations,
            figures: Vec::new(),
            comparisons: Vec::new(),
            not_run: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// For a terminal.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\n", self.conditions());
        for table in self.tables() {
            text.push('\n');
            let widths = widths(&table);
            for row in table {
                let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
                text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
                text.push('\n');
            }
        }
        self.add_remarks(&mut text);
        text
    }

    /// For a page.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("{}\n", self.conditions());
        for table in self.tables() {
            text.push('\n');
            for (number, row) in table.iter().enumerate() {
                writeln!(text, "| {} |", row.join(" | ")).expect("writing to a string cannot fail");
                if number == 0 {
                    writeln!(text, "|{}", "---|".repeat(row.len())).expect("writing to a string cannot fail");
                }
            }
        }
        self.add_remarks(&mut text);
        text
    }

    /// Puts the Markdown between the markers of a page.
    ///
    /// # Errors
    /// When the page cannot be read or written, or has no markers.
    pub(crate) fn write_into_page(&self, page: &Path) -> anyhow::Result<()> {
        put_between(page, MARKERS, &self.markdown())
    }

    /// For programs: values in seconds, operations per second and bytes.
    pub(crate) fn json(&self) -> Value {
        let machine = &self.machine;
        json!({
            "machine": {
                "cores": machine.cores,
                "processor": machine.processor,
                "memory_bytes": machine.memory,
                "kernel": machine.kernel,
            },
            "commit": machine.commit,
            "at": machine.at,
            "operations": self.operations,
            "figures": self.figures.iter().map(figure_json).collect::<Vec<_>>(),
            "comparisons": self.comparisons.iter().map(comparison_json).collect::<Vec<_>>(),
            "not_run": self.not_run,
            "failed": self.failed,
        })
    }

    fn conditions(&self) -> String {
        format!("{}; {} operations per measurement", self.machine.line(), self.operations)
    }

    fn tables(&self) -> Vec<Table> {
        let head = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut tables = Vec::new();
        if !self.figures.is_empty() {
            let mut table = vec![head(&["what", "on", "figure", "budget", "goal", "reached", "note"])];
            table.extend(self.figures.iter().map(figure_row));
            tables.push(table);
        }
        if !self.comparisons.is_empty() {
            let mut table = vec![head(&["other tool", "what", "figure", "ours", "times better"])];
            table.extend(self.comparisons.iter().map(comparison_row));
            tables.push(table);
        }
        tables
    }

    fn add_remarks(&self, text: &mut String) {
        for (name, remarks) in [("not run", &self.not_run), ("FAILED", &self.failed)] {
            for remark in remarks {
                write!(text, "\n{name}: {remark}\n").expect("writing to a string cannot fail");
            }
        }
    }
}

fn figure_row(figure: &Figure) -> Vec<String> {
    let (required, goal) = figure.budget.map(|budget| budget.texts(figure.unit)).unwrap_or_default();
    vec![
        figure.what.to_owned(),
        figure.on.map(|on| on.to_string()).unwrap_or_default(),
        figure.text(),
        required,
        goal,
        figure.verdict().map(|verdict| verdict.to_string()).unwrap_or_default(),
        figure.note.clone().unwrap_or_default(),
    ]
}

fn comparison_row(comparison: &Comparison) -> Vec<String> {
    let Comparison { tool, what, theirs, ours, unit } = comparison;
    vec![
        tool.clone(),
        (*what).to_owned(),
        unit.text(*theirs),
        ours.as_ref().map(|ours| format!("{} ({})", ours.text(), ours.what)).unwrap_or_default(),
        comparison.ratio().map(ratio_text).unwrap_or_default(),
    ]
}

fn ratio_text(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.1} ×") } else { format!("{ratio:.0} ×") }
}

fn figure_json(figure: &Figure) -> Value {
    json!({
        "what": figure.what,
        "on": figure.on.map(|on| on.to_string()),
        "value": figure.value,
        "unit": figure.unit.name(),
        "budget": figure.budget.map(|budget| budget.required),
        "goal": figure.budget.and_then(|budget| budget.goal),
        "reached": figure.verdict().map(|verdict| verdict.to_string()),
        "note": figure.note,
    })
}

fn comparison_json(comparison: &Comparison) -> Value {
    json!({
        "tool": comparison.tool,
        "what": comparison.what,
        "theirs": comparison.theirs,
        "ours": comparison.ours.as_ref().map(|ours| ours.value),
        "unit": comparison.unit.name(),
        "times_better": comparison.ratio(),
    })
}

/// Width of each column: that of its longest text.
fn widths(table: &Table) -> Vec<usize> {
    let columns = table.first().map_or(0, Vec::len);
    (0..columns).map(|column| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect()
}
