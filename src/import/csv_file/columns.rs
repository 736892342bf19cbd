//! Which column fills which field.
//!
//! A field is one of the operation's own, a duration in another unit, or a tag. The mapping is checked against the header
//! before anything is read, and columns without a field are named, so that nothing is left out unnoticed.

use std::str::FromStr;

use super::cells::Kind;

/// Columns of the published Azure LLM inference traces and the fields that they fill.
const AZURE_TRACE: [(&str, &str); 3] =
    [("TIMESTAMP", "started_at"), ("ContextTokens", "input_tokens"), ("GeneratedTokens", "output_tokens")];

/// `--map COLUMN=FIELD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ColumnMapping {
    /// Name in the header.
    column: String,
    /// What it fills.
    target: Target,
}

/// What a column fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A field of the operation, and how its text is read.
    Field {
        /// Name of the field.
        name: &'static str,
        /// How its text is read.
        kind: Kind,
    },
    /// A tag of this name.
    Tag(String),
}

/// A mapping that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MappingError {
    /// Not of the form COLUMN=FIELD.
    #[error("expected COLUMN=FIELD, such as when=started_at")]
    NoPair,
    /// The operation has no such field.
    #[error("{field:?} is no field of an operation; there are {} and tags.NAME", Kind::field_names())]
    NoField {
        /// The name that was given.
        field: String,
    },
    /// Not even a header line.
    #[error("the file is empty; expected a header line, and a row for each operation")]
    NoHeader,
    /// The header has no such column.
    #[error("there is no column {column:?}; there are {header}")]
    NoColumn {
        /// The name that was given.
        column: String,
        /// The header's names.
        header: String,
    },
    /// Two columns fill one field.
    #[error("columns {first:?} and {second:?} both fill {field}")]
    Twice {
        /// A column.
        first: String,
        /// Another column.
        second: String,
        /// The field.
        field: String,
    },
    /// No operation without a time.
    #[error("no column gives the time: name it with --map COLUMN=started_at; there are {header}")]
    NoTime {
        /// The header's names.
        header: String,
    },
}

/// A header's columns and what each fills.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns {
    /// One entry per column of the header.
    pub(super) targets: Vec<Option<Target>>,
    /// Names of the columns that fill nothing.
    pub(super) unused: Vec<String>,
}

impl Target {
    fn named(text: &str) -> Option<Self> {
        match text.strip_prefix("tags.") {
            Some(tag) if !tag.is_empty() => Some(Self::Tag(tag.to_owned())),
            _ => Kind::of_field(text).map(|(name, kind)| Self::Field { name, kind }),
        }
    }

    /// What is filled, in the operation: the same for `latency_ms` and `latency_us`.
    fn label(&self) -> String {
        match self {
            Self::Field { name, .. } => (*name).to_owned(),
            Self::Tag(tag) => format!("tags.{tag}"),
        }
    }
}

impl FromStr for ColumnMapping {
    type Err = MappingError;

    /// The last `=` divides, because fields have none and columns may.
    fn from_str(text: &str) -> Result<Self, MappingError> {
        let (column, field) = text.rsplit_once('=').ok_or(MappingError::NoPair)?;
        if column.is_empty() || field.is_empty() {
            return Err(MappingError::NoPair);
        }
        let target = Target::named(field).ok_or_else(|| MappingError::NoField { field: field.to_owned() })?;
        Ok(Self { column: column.to_owned(), target })
    }
}

impl Columns {
    /// The columns of a header. `--map` goes before the column's own name; the Azure traces' header goes without either.
    ///
    /// # Errors
    /// `NoHeader`, `NoColumn`, `Twice` or `NoTime`.
    pub(super) fn of(header: &[&str], mappings: &[ColumnMapping]) -> Result<Self, MappingError> {
        if header.is_empty() {
            return Err(MappingError::NoHeader);
        }
        let shown = || header.join(", ");
        if let Some(unknown) = mappings.iter().find(|mapping| !header.contains(&mapping.column.as_str())) {
            return Err(MappingError::NoColumn { column: unknown.column.clone(), header: shown() });
        }
        let is_azure_trace = mappings.is_empty() && header == AZURE_TRACE.map(|(column, _)| column);
        let target = |column: &&str| {
            let mapped =
                mappings.iter().find(|mapping| mapping.column == *column).map(|mapping| mapping.target.clone());
            let known = || AZURE_TRACE.iter().find(|(name, _)| is_azure_trace && name == column);
            mapped.or_else(|| Target::named(known().map_or(*column, |(_, field)| field)))
        };
        let targets: Vec<Option<Target>> = header.iter().map(target).collect();
        let filled: Vec<(&str, String)> = header
            .iter()
            .zip(&targets)
            .filter_map(|(column, target)| target.as_ref().map(|target| (*column, target.label())))
            .collect();
        for (index, (second, field)) in filled.iter().enumerate() {
            if let Some((first, _)) = filled[..index].iter().find(|(_, earlier)| earlier == field) {
                let (first, second) = ((*first).to_owned(), (*second).to_owned());
                return Err(MappingError::Twice { first, second, field: field.clone() });
            }
        }
        if !filled.iter().any(|(_, field)| field == "started_at" || field == "operation_id") {
            return Err(MappingError::NoTime { header: shown() });
        }
        let without_target = header.iter().zip(&targets).filter(|(_, target)| target.is_none());
        let unused = without_target.map(|(column, _)| (*column).to_owned()).collect();
        Ok(Self { targets, unused })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(columns: &Columns) -> Vec<Option<String>> {
        columns.targets.iter().map(|target| target.as_ref().map(Target::label)).collect()
    }

    #[test]
    fn the_azure_header_needs_no_mapping_and_any_other_needs_a_time() {
        let columns = Columns::of(&["TIMESTAMP", "ContextTokens", "GeneratedTokens"], &[]).unwrap();
        let expected = ["started_at", "input_tokens", "output_tokens"].map(|name| Some(name.to_owned()));
        assert_eq!(labels(&columns), expected);
        let error = Columns::of(&["TIMESTAMP", "tokens"], &[]).unwrap_err();
        assert!(error.to_string().contains("--map COLUMN=started_at; there are TIMESTAMP, tokens"), "{error}");
    }

    #[test]
    fn a_mapping_goes_before_the_columns_own_name_and_unused_columns_are_named() {
        let map: Vec<ColumnMapping> =
            ["a=b=started_at", "model=tags.kind", "took=latency_s"].map(|text| text.parse().unwrap()).into();
        let columns = Columns::of(&["a=b", "model", "took", "provider", "colour"], &map).unwrap();
        let expected = ["started_at", "tags.kind", "latency_us", "provider"].map(|name| Some(name.to_owned()));
        assert_eq!(labels(&columns)[..4], expected);
        assert_eq!(columns.unused, ["colour"]);
    }

    #[test]
    fn a_mapping_that_cannot_work_says_what_could() {
        let refused = |text: &str| text.parse::<ColumnMapping>().unwrap_err().to_string();
        assert!(refused("when").contains("expected COLUMN=FIELD"));
        assert!(refused("when=start").contains("started_at"));
        let map = ["t=started_at".parse().unwrap()];
        assert!(Columns::of(&["time"], &map).unwrap_err().to_string().contains("no column \"t\"; there are time"));
        assert_eq!(Columns::of(&[], &map), Err(MappingError::NoHeader));
        let twice = Columns::of(&["t", "started_at"], &map).unwrap_err();
        assert_eq!(twice.to_string(), "columns \"t\" and \"started_at\" both fill started_at");
    }
}
