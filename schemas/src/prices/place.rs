//! Where in the price files a value stands, and why it is refused there.

use chrono::NaiveDate;
use toml::value::Datetime;

use crate::money::MoneyError;

/// Why a catalogue is refused. The whole catalogue is: half of it would price half of the operations.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// Not a price file at all, or a field is missing, unknown or of the wrong type.
    #[error("price file {file} cannot be read")]
    Syntax {
        /// Name of the file.
        file: String,
        /// Where and what, with the line.
        source: Box<toml::de::Error>,
    },
    /// A field's value is not acceptable.
    #[error("price file {file}{}, field {field}", .model.as_ref().map(|id| format!(", model {id}")).unwrap_or_default())]
    Field {
        /// Name of the file.
        file: String,
        /// Id of the model, for fields inside one.
        model: Option<String>,
        /// Path of the field, as `interval[1].rates.input`; places count from 0.
        field: String,
        /// What is wrong.
        source: Problem,
    },
    /// There are no files.
    #[error("the price catalogue has no files")]
    Empty,
}

impl CatalogueError {
    pub(super) fn in_file(file: &str, field: &str, problem: Problem) -> Self {
        Self::Field { file: file.to_owned(), model: None, field: field.to_owned(), source: problem }
    }
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A price that is none.
    #[error(transparent)]
    Price(#[from] MoneyError),
    /// Only one value is understood.
    #[error("is {found}, but only {expected} is understood")]
    Unsupported {
        /// What the file says.
        found: String,
        /// What it must say.
        expected: &'static str,
    },
    /// Something else was expected here.
    #[error("is {found}; expected {expected}")]
    Unexpected {
        /// What the file says.
        found: String,
        /// What it should say.
        expected: &'static str,
    },
    /// Nothing was given.
    #[error("is empty")]
    Missing,
    /// The name belongs to another provider or model already.
    #[error("{name:?} is taken by another entry")]
    Taken {
        /// The name.
        name: String,
    },
    /// Two spans of time that both claim a moment, or that are not in order.
    #[error("begins before the one before it ends")]
    Overlap,
    /// A span of time without a moment in it.
    #[error("ends before it begins")]
    Backwards,
    /// Tiers that are not in order.
    #[error("does not begin above the tier before it")]
    NotAscending,
}

/// Where in the files a value stands, for the error that refuses it.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) model: Option<&'a str>,
}

impl Place<'_> {
    pub(super) fn refuse(self, field: &str, problem: Problem) -> CatalogueError {
        CatalogueError::Field {
            file: self.file.to_owned(),
            model: self.model.map(str::to_owned),
            field: field.to_owned(),
            source: problem,
        }
    }

    pub(super) fn expect(self, field: &str, found: &str, expected: &'static str) -> Result<(), CatalogueError> {
        if found == expected {
            return Ok(());
        }
        Err(self.refuse(field, Problem::Unsupported { found: format!("{found:?}"), expected }))
    }

    pub(super) fn check_name(self, field: &str, name: &str) -> Result<(), CatalogueError> {
        if !name.is_empty() && name.trim() == name && name.to_ascii_lowercase() == *name {
            return Ok(());
        }
        let expected = "a lower-case name without surrounding spaces";
        Err(self.refuse(field, Problem::Unexpected { found: format!("{name:?}"), expected }))
    }

    /// Checks a name that becomes part of a price key, whose parts are separated by spaces.
    pub(super) fn check_word(self, field: &str, word: &str) -> Result<(), CatalogueError> {
        if !word.contains(char::is_whitespace) {
            return self.check_name(field, word);
        }
        let expected = "a lower-case word without spaces";
        Err(self.refuse(field, Problem::Unexpected { found: format!("{word:?}"), expected }))
    }

    pub(super) fn date(self, field: &str, value: Datetime) -> Result<NaiveDate, CatalogueError> {
        let found = value.to_string();
        NaiveDate::parse_from_str(&found, "%Y-%m-%d")
            .map_err(|_| self.refuse(field, Problem::Unexpected { found, expected: "a day, such as 2026-11-23" }))
    }
}
