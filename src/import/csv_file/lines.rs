//! On which line of the file a row begins, as an editor counts.
//!
//! The CSV reader's own count is taken before it has passed the rest of the last row's end, so it is too low behind CRLF
//! and behind empty lines. This reader sits below it, notes where lines begin as bytes pass, and is asked afterwards.

use std::collections::VecDeque;
use std::io::{self, Read};

/// Passes bytes on and remembers the lines that begin in them.
pub(super) struct LineStarts<R> {
    inner: R,
    /// Bytes that have passed.
    n_bytes: u64,
    /// Number of the line that the next byte belongs to, from 1.
    line: u64,
    is_at_start: bool,
    /// Position and number of the lines that are not empty, as far as they have not been asked about.
    starts: VecDeque<(u64, u64)>,
}

impl<R> LineStarts<R> {
    /// The lines of `inner`, none of which has been read.
    pub(super) fn new(inner: R) -> Self {
        Self { inner, n_bytes: 0, line: 1, is_at_start: true, starts: VecDeque::new() }
    }

    /// Number of the first line that is not empty and begins at this byte or behind it; forgets those before it.
    pub(super) fn line_from(&mut self, position: u64) -> u64 {
        while self.starts.front().is_some_and(|(start, _)| *start < position) {
            self.starts.pop_front();
        }
        self.starts.front().map_or(self.line, |(_, line)| *line)
    }

    fn note(&mut self, bytes: &[u8]) {
        for (position, byte) in (self.n_bytes..).zip(bytes) {
            let is_line_end = matches!(byte, b'\n' | b'\r');
            if self.is_at_start && !is_line_end {
                self.starts.push_back((position, self.line));
            }
            self.is_at_start = is_line_end;
            self.line += u64::from(*byte == b'\n');
        }
        self.n_bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    }
}

impl<R: Read> Read for LineStarts<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_read = self.inner.read(buffer)?;
        self.note(&buffer[..n_read]);
        Ok(n_read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line of every row, as the CSV reader asks for it.
    fn lines(text: &str) -> Vec<u64> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(LineStarts::new(text.as_bytes()));
        reader.headers().unwrap();
        let mut row = csv::ByteRecord::new();
        let mut lines = Vec::new();
        while reader.read_byte_record(&mut row).unwrap() {
            let position = row.position().unwrap().byte();
            lines.push(reader.get_mut().line_from(position));
        }
        lines
    }

    #[test]
    fn rows_are_counted_as_an_editor_counts_whatever_ends_a_line() {
        let text = "a,b\n1,2\n\n3,\"x\ny\"\n4,5";
        assert_eq!(lines(text), [2, 4, 6]);
        assert_eq!(lines(&text.replace('\n', "\r\n")), [2, 4, 6]);
        assert_eq!(lines(&format!("\u{feff}{text}")), [2, 4, 6]);
    }

    #[test]
    fn rows_longer_than_the_readers_buffer_are_counted_too() {
        let text = format!("a\r\n\"{}\"\r\nlast\r\n", "x\r\n".repeat(100_000));
        assert_eq!(lines(&text), [2, 100_003]);
    }
}
