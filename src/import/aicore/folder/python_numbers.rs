//! Makes JSON of what Python's `json` writes: the words `NaN`, `Infinity` and `-Infinity` become `null`.
//!
//! JSON has no such numbers, and a reader that insists on that would lose the file from the first of them on.

use std::io::{self, BufRead, Read};

/// Words, and what stands for each.
const WORDS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];

/// Replaces the words outside of texts while it is read through.
pub(super) struct PythonNumbers<R> {
    inner: R,
    is_in_text: bool,
    is_escaped: bool,
    /// Bytes that are decided and not yet handed out, the next one last.
    ready: Vec<u8>,
}

impl<R: BufRead> PythonNumbers<R> {
    /// Reads from `inner`.
    pub(super) fn new(inner: R) -> Self {
        Self { inner, is_in_text: false, is_escaped: false, ready: Vec::new() }
    }

    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        if let Some(byte) = self.ready.pop() {
            return Ok(Some(byte));
        }
        let Some(byte) = take_byte(&mut self.inner)? else { return Ok(None) };
        if self.is_in_text {
            self.is_in_text = self.is_escaped || byte != b'"';
            self.is_escaped = !self.is_escaped && byte == b'\\';
            return Ok(Some(byte));
        }
        self.is_in_text = byte == b'"';
        if !WORDS.iter().any(|word| word[0] == byte) {
            return Ok(Some(byte));
        }
        let mut read = vec![byte];
        while let Some(next) = peek_byte(&mut self.inner)?
            && WORDS.iter().any(|word| word.starts_with(&[&read[..], &[next]].concat()))
        {
            self.inner.consume(1);
            read.push(next);
        }
        self.ready = if WORDS.contains(&&read[..]) { b"null".to_vec() } else { read };
        self.ready.reverse();
        Ok(self.ready.pop())
    }
}

impl<R: BufRead> Read for PythonNumbers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut n_read = 0;
        while n_read < buffer.len() {
            let Some(byte) = self.next_byte()? else { break };
            buffer[n_read] = byte;
            n_read += 1;
        }
        Ok(n_read)
    }
}

fn peek_byte(source: &mut impl BufRead) -> io::Result<Option<u8>> {
    Ok(source.fill_buf()?.first().copied())
}

fn take_byte(source: &mut impl BufRead) -> io::Result<Option<u8>> {
    let byte = peek_byte(source)?;
    source.consume(usize::from(byte.is_some()));
    Ok(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_lacks_become_null_and_texts_stay() {
        let cases = [
            (r#"{"cost": NaN, "a": [Infinity,-Infinity, -1.5]}"#, r#"{"cost": null, "a": [null,null, -1.5]}"#),
            (r#"["NaN", "\"NaN", "\\", NaN]"#, r#"["NaN", "\"NaN", "\\", null]"#),
            ("[-Inf, Nav", "[-Inf, Nav"),
            ("Na", "Na"),
        ];
        for (python, json) in cases {
            // A small buffer, so that words are cut anywhere.
            for capacity in 1..5 {
                let mut text = String::new();
                let source = io::BufReader::with_capacity(capacity, python.as_bytes());
                PythonNumbers::new(source).read_to_string(&mut text).unwrap();
                assert_eq!(text, json);
            }
        }
    }
}
