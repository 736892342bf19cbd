//! Columns of text for people.

use std::io::{self, Write};

use crate::escaped::escaped;
use crate::failure::unless_reader_left;

/// On which side of a column its shorter cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Rows whose columns stand below each other.
pub(crate) struct Table<const COLUMNS: usize> {
    alignments: [Align; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// A table with this first row.
    pub(crate) fn new(alignments: [Align; COLUMNS], head: [&str; COLUMNS]) -> Self {
        Self { alignments, rows: vec![head.map(str::to_owned)] }
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, row: [String; COLUMNS]) {
        self.rows.push(row);
    }

    /// The rows as lines, with two spaces between columns and none behind the last.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut widths = [0; COLUMNS];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let line = |row: &[String; COLUMNS]| {
            let cells = row.iter().zip(widths).zip(self.alignments).map(|((cell, width), align)| match align {
                Align::Left => format!("{cell:width$}"),
                Align::Right => format!("{cell:>width$}"),
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

/// Writes lines for people to standard output: names come from operations and files, and must not move a reader's cursor.
///
/// # Errors
/// Those of writing.
pub(crate) fn print_text(lines: &[String]) -> io::Result<()> {
    let safe: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
    print(&safe)
}

/// Writes lines to standard output, as far as somebody reads them.
///
/// # Errors
/// Those of writing.
pub(crate) fn print(lines: &[String]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let written = lines.iter().try_for_each(|line| writeln!(out, "{line}")).and_then(|()| out.flush());
    unless_reader_left(written)
}

/// A number with commas between groups of three digits.
pub(crate) fn grouped(number: i128) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new([Align::Left, Align::Right, Align::Left], ["class", "n", "why"]);
        table.add(["é".to_owned(), "1234".to_owned(), String::new()]);
        assert_eq!(table.lines(), ["class     n  why", "é      1234"]);
    }

    #[test]
    fn numbers_are_grouped_in_threes() {
        let pairs = [(0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "-1,234,567"), (18_059_974, "18,059,974")];
        for (number, expected) in pairs {
            assert_eq!(grouped(number), expected);
        }
    }
}
