//! Reads `.env`: lines of NAME=VALUE that stand in for variables which the environment does not set.
//!
//! Other programs share the file, so a line that cannot be read is skipped and reported by its number alone: its text may
//! be a secret. Values are taken as they stand; `$` means nothing. The process's environment is not changed.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// What a `.env` file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct EnvFile {
    path: PathBuf,
    variables: BTreeMap<String, String>,
    odd_lines: Vec<usize>,
}

impl EnvFile {
    /// Reads the file; none, or a folder of that name, says nothing.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        if path.is_dir() {
            return Ok(Self::default());
        }
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
        };
        Ok(Self { path: path.to_owned(), ..Self::parse(&String::from_utf8_lossy(&bytes)) })
    }

    /// The variable's value; an empty one counts as not set.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Says which lines were skipped.
    pub(crate) fn warn_of_odd_lines(&self) {
        if !self.odd_lines.is_empty() {
            let (file, lines) = (self.path.display(), &self.odd_lines);
            tracing::warn!(%file, ?lines, "lines that are not NAME=VALUE were skipped");
        }
    }

    fn parse(text: &str) -> Self {
        let mut file = Self::default();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match assignment(line.strip_prefix("export ").unwrap_or(line)) {
                Some((name, value)) => drop(file.variables.insert(name.to_owned(), value)),
                None => file.odd_lines.push(index + 1),
            }
        }
        file
    }
}

fn assignment(line: &str) -> Option<(&str, String)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let value = match value.trim_start().split_at_checked(1) {
        Some(("'", rest)) => {
            let (value, behind) = rest.split_once('\'')?;
            alone(value, behind)?.to_owned()
        }
        Some(("\"", rest)) => double_quoted(rest)?,
        _ => without_comment(value).trim().to_owned(),
    };
    is_name.then_some((name, value))
}

/// The text before the closing quote, if nothing but a comment stands behind it.
fn alone<'a>(value: &'a str, behind: &str) -> Option<&'a str> {
    without_comment(behind).trim().is_empty().then_some(value)
}

/// The text up to the closing quote, in which a backslash takes a quote or another backslash literally.
fn double_quoted(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut rest = text.chars();
    loop {
        match rest.next()? {
            '"' => return alone(&value, rest.as_str()).map(str::to_owned),
            '\\' if rest.as_str().starts_with(['"', '\\']) => value.extend(rest.next()),
            other => value.push(other),
        }
    }
}

/// A `#` after white space begins a comment; elsewhere it is a character like others.
fn without_comment(text: &str) -> &str {
    let begins_comment = |(at, _): &(usize, &str)| text[..*at].ends_with(char::is_whitespace);
    text.match_indices('#').find(begins_comment).map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_as_they_stand() {
        let file = EnvFile::parse(concat!(
            "# comment\n\nPLAIN=postgresql://u:pa$word@h/d#1 # the database\nSPACES = two words\nexport EXPORTED=1\n",
            "SINGLE='a\\b #$\"' # comment\nDOUBLE=\"say \\\"hi\\\" to C:\\\\x;y\"\nEMPTY=\nEMPTY_TOO= # nothing\r\n",
        ));
        let expected = [
            ("PLAIN", "postgresql://u:pa$word@h/d#1"),
            ("SPACES", "two words"),
            ("EXPORTED", "1"),
            ("SINGLE", "a\\b #$\""),
            ("DOUBLE", "say \"hi\" to C:\\x;y"),
        ];
        for (name, value) in expected {
            assert_eq!(file.get(name), Some(value), "{name}");
        }
        assert_eq!((file.get("EMPTY"), file.get("EMPTY_TOO")), (None, None));
        assert!(file.odd_lines.is_empty());
    }

    #[test]
    fn an_odd_line_is_skipped_by_number_and_the_others_count() {
        let file = EnvFile::parse("A=1\nno assignment\nB='never closed\nC=\"x\" y\nsk-secret key=2\nD=4\n");
        assert_eq!(file.odd_lines, [2, 3, 4, 5]);
        assert_eq!(file.variables.keys().collect::<Vec<_>>(), ["A", "D"]);
    }

    #[test]
    fn no_file_and_a_folder_of_that_name_say_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(EnvFile::read(&folder.path().join(".env")).unwrap(), EnvFile::default());
        assert_eq!(EnvFile::read(folder.path()).unwrap(), EnvFile::default());
    }
}
