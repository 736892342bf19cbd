//! Cuts a stream of bytes into lines without ever holding more than one line. Pure; knows nothing of JSON.

use bytes::{Bytes, BytesMut};

/// What some editors put at the start of UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Takes pieces of a body and gives back its lines.
pub(crate) struct LineSplitter {
    partial: BytesMut,
    max_bytes: usize,
    lines: u64,
    is_skipping: bool,
}

/// One line that is not blank.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its number in the body, from 1; blank lines count.
    pub(crate) number: u64,
    /// Its bytes without the line end.
    pub(crate) content: Result<Bytes, LineTooLong>,
}

/// A line beyond the limit; it was read past and not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineTooLong;

impl LineSplitter {
    /// Lines of more than `max_bytes` bytes become [`LineTooLong`].
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { partial: BytesMut::new(), max_bytes, lines: 0, is_skipping: false }
    }

    /// The next line that ends within `piece`, which is consumed up to there; none when `piece` is used up.
    pub(crate) fn next_line(&mut self, piece: &mut Bytes) -> Option<Line> {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            let head = piece.split_to(end);
            *piece = piece.slice(1..);
            if let Some(line) = self.complete(head) {
                return Some(line);
            }
        }
        self.keep(piece);
        *piece = Bytes::new();
        None
    }

    /// The last line, when the body does not end with a line end.
    pub(crate) fn last_line(&mut self) -> Option<Line> {
        self.complete(Bytes::new())
    }

    /// Bytes of the line that has begun.
    pub(crate) fn held_bytes(&self) -> usize {
        self.partial.len()
    }

    fn keep(&mut self, head: &[u8]) {
        if self.is_skipping || self.partial.len() + head.len() > self.max_bytes {
            self.is_skipping = true;
            self.partial = BytesMut::new();
        } else {
            self.partial.extend_from_slice(head);
        }
    }

    fn complete(&mut self, head: Bytes) -> Option<Line> {
        let content = if self.partial.is_empty() && !self.is_skipping && head.len() <= self.max_bytes {
            head
        } else {
            self.keep(&head);
            self.partial.split().freeze()
        };
        self.lines += 1;
        let number = self.lines;
        if std::mem::take(&mut self.is_skipping) {
            return Some(Line { number, content: Err(LineTooLong) });
        }
        let is_marked = number == 1 && content.starts_with(BYTE_ORDER_MARK);
        let content = if is_marked { content.slice(BYTE_ORDER_MARK.len()..) } else { content };
        let is_blank = content.iter().all(u8::is_ascii_whitespace);
        (!is_blank).then_some(Line { number, content: Ok(content) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(pieces: &[&[u8]], max_bytes: usize) -> Vec<(u64, Option<Vec<u8>>)> {
        let mut splitter = LineSplitter::new(max_bytes);
        let mut lines = Vec::new();
        for piece in pieces {
            let mut piece = Bytes::copy_from_slice(piece);
            while let Some(line) = splitter.next_line(&mut piece) {
                lines.push(line);
            }
            assert!(splitter.partial.len() <= max_bytes);
        }
        lines.extend(splitter.last_line());
        lines.into_iter().map(|line| (line.number, line.content.ok().map(|bytes| bytes.to_vec()))).collect()
    }

    #[test]
    fn blank_lines_count_but_are_not_given_back() {
        let lines = split(&[b"a\n\n  \r\nb\r\nc"], 10);
        assert_eq!(lines, [(1, Some(b"a".to_vec())), (4, Some(b"b\r".to_vec())), (5, Some(b"c".to_vec()))]);
    }

    #[test]
    fn a_byte_order_mark_is_passed_over_at_the_start_of_the_body_only() {
        assert_eq!(split(&[b"\xef\xbb\xbfa\n"], 10), [(1, Some(b"a".to_vec()))]);
        assert_eq!(split(&[b"\xef\xbb", b"\xbf\r\na\n"], 10), [(2, Some(b"a".to_vec()))]);
        assert_eq!(split(&[b"\n\xef\xbb\xbfa"], 10), [(2, Some(b"\xef\xbb\xbfa".to_vec()))]);
    }

    #[test]
    fn a_line_beyond_the_limit_is_read_past_and_the_next_is_whole() {
        let lines = split(&[b"12345", b"6789\nok\n", b"1234567890\n", b"12345678\n123456789"], 8);
        let expected = [(1, None), (2, Some(b"ok".to_vec())), (3, None), (4, Some(b"12345678".to_vec())), (5, None)];
        assert_eq!(lines, expected);
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_the_body_arrives(
            text in "[ab \n]{0,60}",
            cuts in proptest::collection::vec(0_usize..60, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]).collect();
            prop_assert_eq!(split(&pieces, 7), split(&[text.as_bytes()], 7));
        }
    }
}
