//! One line of a dialect's table: which field of a usage object goes into which counts or units.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::count::{Count, Counts};
use super::error::UsageError;
use super::number;
use crate::NanoUsd;

/// Longest name of a billed unit that is taken over, bytes. Providers' names are far shorter; hostile ones need not be.
const MAX_UNIT_NAME_BYTES: usize = 64;

/// Where a count comes from, and where it goes. Paths are dotted; a path that is absent or null states nothing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// The field is added to each of these counts. Of several paths, which are names of the same number, the first that
    /// is not 0 counts: gateways fill the names that they do not know with zeros.
    Tokens { into: &'static [Count], paths: &'static [&'static str] },
    /// The entries of a list that are of this modality (in any case) are added to each of these counts.
    Modality { into: &'static [Count], lists: &'static [&'static str], modality: &'static str },
    /// The field is a billed unit that is no token of the prompt or the answer.
    Unit { name: &'static str, paths: &'static [&'static str] },
    /// So is every number of this object but these; names that nobody knows yet are billed rather than lost.
    UnitsOf { object: &'static str, except: &'static [&'static str] },
}

/// What has been read of a usage object so far.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) counts: Counts,
    /// Billed units above 0 by name.
    pub(super) units: BTreeMap<String, i64>,
    pub(super) reported_cost: Option<NanoUsd>,
}

impl Reading {
    /// Applies a dialect's table.
    ///
    /// # Errors
    /// Names the first field that is no count.
    pub(super) fn apply(&mut self, rules: &[Rule], usage: &Map<String, Value>) -> Result<(), UsageError> {
        rules.iter().try_for_each(|rule| self.apply_one(*rule, usage))
    }

    fn apply_one(&mut self, rule: Rule, usage: &Map<String, Value>) -> Result<(), UsageError> {
        match rule {
            Rule::Tokens { into, paths } => {
                if let Some(tokens) = first_tokens(usage, paths)? {
                    self.add(into, tokens);
                }
            }
            Rule::Modality { into, lists, modality } => {
                let is_meant = |name: &str| name.eq_ignore_ascii_case(modality);
                for (list, entry) in entries(usage, lists) {
                    if entry.get("modality").and_then(Value::as_str).is_some_and(is_meant) {
                        let tokens = first_tokens(entry, &["tokenCount", "token_count", "tokens"]);
                        self.add(into, tokens.map_err(|error| error.within(list))?.unwrap_or(0));
                    }
                }
            }
            Rule::Unit { name, paths } => {
                for (path, value) in present(usage, paths).take(1) {
                    self.add_units(name, number::units(path, value)?);
                }
            }
            Rule::UnitsOf { object, except } => {
                let members = find(usage, object).and_then(Value::as_object).into_iter().flatten();
                for (name, value) in members.filter(|(name, _)| !except.contains(&name.as_str())) {
                    if is_unit_name(name) && number::is_numeric(value) {
                        self.add_units(name, number::units(&format!("{object}.{name}"), value)?);
                    }
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, into: &[Count], tokens: i64) {
        for count in into {
            self.counts.add(*count, tokens);
        }
    }

    /// Adds to a billed unit. None of a unit is no unit: an operation with units is not priced by tokens alone.
    pub(super) fn add_units(&mut self, name: &str, units: i64) {
        if units > 0 {
            let sum = self.units.entry(name.to_owned()).or_default();
            *sum = sum.saturating_add(units);
        }
    }
}

/// The field at a dotted path, unless it is null.
pub(super) fn find<'a>(usage: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let value = usage.get(first)?;
    match rest {
        Some(rest) => find(value.as_object()?, rest),
        None => Some(value).filter(|value| !value.is_null()),
    }
}

/// The count of tokens at the first of these paths that is not 0; 0 if one is there; else none.
///
/// # Errors
/// Names the first field that is no count.
pub(super) fn first_tokens(usage: &Map<String, Value>, paths: &[&str]) -> Result<Option<i64>, UsageError> {
    let mut found = None;
    for (path, value) in present(usage, paths) {
        let tokens = number::tokens(path, value)?;
        if tokens != 0 {
            return Ok(Some(tokens));
        }
        found = Some(0);
    }
    Ok(found)
}

/// The objects of the first of these lists that is there, each with the list's name.
pub(super) fn entries<'a, 'b>(
    usage: &'a Map<String, Value>,
    lists: &'b [&'b str],
) -> impl Iterator<Item = (&'b str, &'a Map<String, Value>)> + use<'a, 'b> {
    let list = lists.iter().find_map(|path| Some((*path, find(usage, path)?.as_array()?)));
    list.into_iter().flat_map(|(path, list)| list.iter().filter_map(move |entry| Some((path, entry.as_object()?))))
}

fn present<'a, 'b>(
    usage: &'a Map<String, Value>,
    paths: &'b [&'b str],
) -> impl Iterator<Item = (&'b str, &'a Value)> + use<'a, 'b> {
    paths.iter().filter_map(|path| Some((*path, find(usage, path)?)))
}

/// Whether a name is one as providers give them: letters, digits and underscores.
pub(super) fn is_unit_name(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.len() <= MAX_UNIT_NAME_BYTES
        && name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && name.bytes().all(is_word)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(rule: Rule, usage: &Value) -> Result<Reading, UsageError> {
        let mut reading = Reading::default();
        reading.apply(&[rule], usage.as_object().unwrap()).map(|()| reading)
    }

    #[test]
    fn of_several_names_the_first_that_is_not_zero_counts_once() {
        let rule = Rule::Tokens { into: &[Count::InputTokens, Count::CacheReadTokens], paths: &["a.b", "c"] };
        let counts = |usage| {
            let counts = read(rule, &usage).unwrap().counts;
            assert_eq!(counts.get(Count::InputTokens), counts.get(Count::CacheReadTokens));
            counts.get(Count::InputTokens)
        };
        assert_eq!(counts(json!({"a": {"b": 3}, "c": 4})), Some(3));
        assert_eq!(counts(json!({"a": {"b": 0}, "c": 4})), Some(4));
        assert_eq!(counts(json!({"a": {"b": 0}})), Some(0));
        assert_eq!(counts(json!({"a": {"b": null}, "c": null})), None);
        assert_eq!(counts(json!({"a": 5})), None);
        let error = read(rule, &json!({"a": {"b": "x"}})).unwrap_err();
        assert_eq!(error.path(), Some("a.b"));
    }

    #[test]
    fn unknown_units_are_kept_and_what_is_no_count_or_no_name_is_not() {
        let rule = Rule::UnitsOf { object: "tools", except: &["free_calls"] };
        let usage = json!({"tools": {"free_calls": 3, "new_calls": 2, "none": 0, "mode": "deep", "nested": {"n": 1},
            "__proto__": 1, "a\u{0}b": 1, "x".repeat(65): 1, "hours": 0.25}});
        let expected = [("hours".to_owned(), 1), ("new_calls".to_owned(), 2)];
        assert_eq!(read(rule, &usage).unwrap().units, expected.into());
        let error = read(rule, &json!({"tools": {"new_calls": -1}})).unwrap_err();
        assert_eq!((error.code(), error.path()), ("negative_count", Some("tools.new_calls")));
    }

    #[test]
    fn entries_of_a_modality_are_summed_in_any_case() {
        let rule = Rule::Modality { into: &[Count::InputAudioTokens], lists: &["xs", "ys"], modality: "audio" };
        let usage = json!({"ys": [{"modality": "AUDIO", "tokenCount": 2}, {"modality": "audio", "tokens": 3},
            {"modality": "TEXT", "tokenCount": 9}, {"modality": "AUDIO"}, null, 5, {}]});
        assert_eq!(read(rule, &usage).unwrap().counts.get(Count::InputAudioTokens), Some(5));
        assert_eq!(read(rule, &json!({"ys": 5})).unwrap().counts.get(Count::InputAudioTokens), None);
        let error = read(rule, &json!({"ys": [{"modality": "AUDIO", "tokenCount": 0.5}]})).unwrap_err();
        assert_eq!(error.path(), Some("ys.tokenCount"));
    }
}
