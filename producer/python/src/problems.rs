//! Values that could not be used: counted by field and reason, and logged the first time.
//!
//! A recording never raises, so this is where a mistake shows. A reason names types and limits, never a text that was given.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::lines;

/// Different problems that are told apart; a program that has more has one cause for all of them.
const KEPT_PROBLEMS: usize = 200;

/// The problems of one recorder, by `field: reason`.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    counts: Mutex<BTreeMap<String, u64>>,
}

impl Problems {
    /// Counts a value that was left out.
    pub(crate) fn note(&self, field: &str, reason: &str) {
        let problem = format!("{}: {reason}", excerpt(field));
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&problem) {
            *count += 1;
        } else if counts.len() < KEPT_PROBLEMS {
            let hint = "said once; opstream.problems() counts";
            lines::push(lines::WARNING, format!("a value could not be recorded: {problem} ({hint})"));
            counts.insert(problem, 1);
        } else {
            *counts.entry("(others)".to_owned()).or_default() += 1;
        }
    }

    /// How often each occurred.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A field's name is the caller's, and may be anything.
fn excerpt(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).take(60).collect()
}
