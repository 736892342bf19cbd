//! Reads lines of bounded length, so that a file without line ends cannot fill the memory.

use std::io::{self, BufRead, Read as _};

/// Longest line: above what a topic takes as one record.
pub(crate) const LONGEST_LINE_BYTES: usize = 16 << 20;

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line stands in the buffer, without its end.
    Text {
        /// Bytes that it takes in the file.
        weight: u64,
    },
    /// A line was too long and has been passed over.
    TooLong {
        /// Bytes that it takes in the file.
        weight: u64,
    },
    /// There are no more lines.
    End,
}

/// Reads the next line into the buffer.
///
/// # Errors
/// When the source cannot be read.
pub(crate) fn next_line(source: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<Line> {
    buffer.clear();
    let limit = u64::try_from(LONGEST_LINE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let n_read = source.take(limit).read_until(b'\n', buffer)?;
    if n_read == 0 {
        return Ok(Line::End);
    }
    let weight = u64::try_from(n_read).unwrap_or(u64::MAX);
    if buffer.last() == Some(&b'\n') {
        buffer.pop();
        return Ok(Line::Text { weight });
    }
    if n_read <= LONGEST_LINE_BYTES {
        return Ok(Line::Text { weight });
    }
    let n_skipped = source.skip_until(b'\n')?;
    Ok(Line::TooLong { weight: weight.saturating_add(u64::try_from(n_skipped).unwrap_or(u64::MAX)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_the_next_one_is_read() {
        let mut text = b"first\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', LONGEST_LINE_BYTES + 5));
        text.extend(b"\nlast");
        let (mut source, mut buffer) = (text.as_slice(), Vec::new());
        assert_eq!(next_line(&mut source, &mut buffer).unwrap(), Line::Text { weight: 6 });
        assert_eq!(buffer, b"first");
        let weight = u64::try_from(LONGEST_LINE_BYTES).unwrap() + 6;
        assert_eq!(next_line(&mut source, &mut buffer).unwrap(), Line::TooLong { weight });
        assert_eq!(next_line(&mut source, &mut buffer).unwrap(), Line::Text { weight: 4 });
        assert_eq!(buffer, b"last");
        assert_eq!(next_line(&mut source, &mut buffer).unwrap(), Line::End);
    }
}
