//! A file of rules: TOML with one table `[[rule]]` for each.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::{MAX_RULES, Rule, RuleError, RuleText};

/// A file whose rules cannot be taken. None of them is: half a file would watch half of what was meant.
#[derive(Debug, thiserror::Error)]
pub enum RuleFileError {
    /// No TOML.
    #[error("{file} cannot be read: {source}")]
    Syntax {
        /// Name of the file.
        file: String,
        /// Where and what, with the line.
        source: Box<toml::de::Error>,
    },
    /// Something else than rules at its top.
    #[error("{file} has {found}; a file of rules has one [[rule]] after the other, 1 to {MAX_RULES}")]
    Top {
        /// Name of the file.
        file: String,
        /// What is there.
        found: String,
    },
    /// A field that is unknown or of the wrong type.
    #[error("{file}, rule {rule}: {reason}")]
    Field {
        /// Name of the file.
        file: String,
        /// Name of the rule, or its place, from 1.
        rule: String,
        /// What is wrong, with the field.
        reason: String,
    },
    /// A field whose value makes no rule.
    #[error("{file}, rule {rule}, {source}")]
    Rule {
        /// Name of the file.
        file: String,
        /// Name of the rule, or its place, from 1.
        rule: String,
        /// Which field, and what is wrong.
        source: RuleError,
    },
}

/// Reads the rules of a file; `file` names it in errors.
///
/// # Errors
/// The first thing that is wrong, with the name of the file, the rule and the field.
pub fn read_rules(file: &str, text: &str) -> Result<Vec<Rule>, RuleFileError> {
    let named = || file.to_owned();
    let table: Table =
        toml::from_str(text).map_err(|source| RuleFileError::Syntax { file: named(), source: Box::new(source) })?;
    let top = |found: String| RuleFileError::Top { file: named(), found };
    if let Some(other) = table.keys().find(|key| *key != "rule") {
        return Err(top(format!("{other:?}")));
    }
    let rules = match table.get("rule") {
        Some(Value::Array(rules)) if (1..=MAX_RULES).contains(&rules.len()) => rules,
        Some(Value::Array(rules)) => return Err(top(format!("{} rules", rules.len()))),
        Some(_) => return Err(top("a rule that is no [[rule]]".to_owned())),
        None => return Err(top("no rule".to_owned())),
    };
    let mut names = BTreeSet::new();
    let mut read = Vec::with_capacity(rules.len());
    for (place, value) in rules.iter().enumerate() {
        let name = value.get("name").and_then(Value::as_str).map(|name| name.chars().take(100).collect());
        let rule: String = name.unwrap_or_else(|| format!("number {}", place + 1));
        let text = RuleText::read(value.clone()).map_err(|reason| RuleFileError::Field {
            file: named(),
            rule: rule.clone(),
            reason,
        })?;
        let refused = |source| RuleFileError::Rule { file: named(), rule: rule.clone(), source };
        let valid = Rule::try_from(text).map_err(refused)?;
        if !names.insert(valid.name.clone()) {
            return Err(refused(RuleError::new("name", "is that of another rule of the file")));
        }
        read.push(valid);
    }
    Ok(read)
}
