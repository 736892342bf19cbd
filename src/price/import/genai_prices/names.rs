//! Rules by which a list finds models, as far as they are names.

use serde::Deserialize;

/// A rule.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Clause {
    Equals(String),
    StartsWith(String),
    EndsWith(String),
    Contains(String),
    Regex(String),
    Or(Vec<Clause>),
    And(Vec<Clause>),
}

/// The names of a rule.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) exact: Vec<String>,
    /// A price file takes them only with a version behind.
    pub(super) beginnings: Vec<String>,
    /// Rules that are no names.
    pub(super) others: Vec<String>,
}

/// Divides a rule into names and what is none.
pub(super) fn names(clause: &Clause) -> Names {
    let mut names = Names::default();
    names.add(clause);
    names.exact.sort_unstable();
    names.exact.dedup();
    names
}

impl Names {
    fn add(&mut self, clause: &Clause) {
        match clause {
            Clause::Equals(name) => self.exact.push(name.to_lowercase()),
            Clause::StartsWith(beginning) => {
                self.beginnings.push(beginning.to_lowercase().trim_end_matches('-').to_owned());
            }
            Clause::Or(clauses) => clauses.iter().for_each(|clause| self.add(clause)),
            // A beginning with exceptions: versions are none of them.
            Clause::And(clauses) => {
                let beginnings = clauses.iter().filter(|clause| matches!(clause, Clause::StartsWith(_)));
                let is_one = beginnings.clone().count() == 1;
                beginnings.filter(|_| is_one).for_each(|clause| self.add(clause));
                self.others.push("several rules at once".to_owned());
            }
            Clause::EndsWith(end) => self.others.push(format!("ends_with {end}")),
            Clause::Contains(part) => self.others.push(format!("contains {part}")),
            // Snapshots of a date need no rule.
            Clause::Regex(regex) if is_snapshot(regex) => {}
            Clause::Regex(regex) => self.others.push(format!("regex {regex}")),
        }
    }
}

fn is_snapshot(regex: &str) -> bool {
    [r"-\d{8}$", r"[-@]\d{8}$", r"-\d{4}-\d{2}-\d{2}$"].iter().any(|end| regex.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_beginnings_are_kept_and_snapshots_need_none() {
        let rule = r#"{"or":[{"equals":"M"},{"starts_with":"m-pro-"},{"regex":"^m-\\d{8}$"},{"regex":"x+"},{"ends_with":"-m"},
            {"and":[{"starts_with":"n"},{"contains":"tts"}]}]}"#;
        let names = names(&serde_json::from_str(rule).unwrap());
        assert_eq!((names.exact, names.beginnings), (vec!["m".to_owned()], vec!["m-pro".to_owned(), "n".to_owned()]));
        assert_eq!(names.others, ["regex x+", "ends_with -m", "several rules at once"]);
    }
}
