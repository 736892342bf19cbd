//! Redaction: replaces secrets and payloads in the texts of an operation before it leaves the process.
//!
//! In: an operation with whatever texts the application gave it. Out: the same operation, in which every finding is a short
//! marker in square brackets. Counts, times, ids and dimensions are not looked at. docs/producer.md lists what is found and what
//! is not.
//!
//! The order within one text: payloads, built-in secrets, the caller's patterns, the caller's hook.

mod json;
mod media;
mod operation;
mod payloads;
mod prefilter;
mod secrets;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, LazyLock};

use regex::{Captures, Regex, RegexSet};

pub(crate) use operation::redact_operation;

/// Name of the group of a pattern that is replaced instead of the whole match.
const SECRET_GROUP: &str = "secret";
/// Levels of JSON that are looked into: the text itself, and JSON within its strings, such as the arguments of a tool call.
const JSON_LEVELS: usize = 4;

/// Compiled once in a process.
static BUILTIN: LazyLock<Redaction> = LazyLock::new(|| {
    let patterns = secrets::PATTERNS.iter().map(|(name, pattern)| {
        let regex = Regex::new(pattern).expect("the built-in patterns are tested");
        Pattern { marker: marker(name), regex }
    });
    let patterns = patterns.collect();
    let any = RegexSet::new(secrets::PATTERNS.map(|(_, pattern)| pattern)).expect("as each of them");
    Redaction { rules: Arc::new(Rules { patterns, any, is_builtin: true, hook: None }) }
});

type Hook = dyn Fn(&str, &str) -> Option<String> + Send + Sync;

/// What is replaced in texts. Clones are cheap.
///
/// ```
/// use opstream_producer::Redaction;
///
/// let redaction = Redaction::builtin()
///     .pattern("customer number", r"\bCN-\d{6}\b")?
///     .hook(|_field, text| text.contains("confidential").then(|| "[withheld]".to_owned()));
///
/// let redacted = |text: &str| redaction.redact(text);
/// assert_eq!(redacted("I am CN-104711").as_deref(), Some("I am [redacted customer number]"));
/// assert_eq!(redacted("Authorization: Bearer 8sGq0b2").as_deref(), None); // too short for a token
/// assert_eq!(redacted("a confidential note").as_deref(), Some("[withheld]"));
/// assert_eq!(
///     redacted(r#"{"type": "input_audio", "input_audio": {"data": "UklGRiQAAABXQVZFZm10IBAAAA==", "format": "wav"}}"#).as_deref(),
///     Some(r#"{"input_audio":{"data":"[redacted audio/wav, 19 bytes]","format":"wav"},"type":"input_audio"}"#)
/// );
/// # Ok::<(), opstream_producer::PatternError>(())
/// ```
#[derive(Clone)]
pub struct Redaction {
    rules: Arc<Rules>,
}

#[derive(Clone)]
struct Rules {
    patterns: Vec<Pattern>,
    /// All patterns in one pass: what most texts have none of costs no more.
    any: RegexSet,
    is_builtin: bool,
    hook: Option<Arc<Hook>>,
}

#[derive(Clone)]
struct Pattern {
    marker: String,
    regex: Regex,
}

/// A pattern of the caller that is no regular expression, or too large a one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("pattern {name:?} cannot be used: {reason}")]
pub struct PatternError {
    /// Name of the pattern.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Redaction {
    /// What is built in: keys of known providers, tokens and passwords in headers, URLs and JSON, private keys; images, audio
    /// and files in every provider's shape.
    pub fn builtin() -> Self {
        BUILTIN.clone()
    }

    /// Nothing; a start for patterns and a hook of the caller's own.
    pub fn empty() -> Self {
        Self { rules: Arc::new(Rules { patterns: Vec::new(), any: RegexSet::empty(), is_builtin: false, hook: None }) }
    }

    /// Adds a pattern in the syntax of the [`regex`] crate. What it matches becomes `[redacted NAME]`; of a pattern with a
    /// group named `secret` that group alone.
    ///
    /// It is matched against each text on its own, in JSON against each string after its escapes are resolved.
    ///
    /// # Errors
    /// When it is no regular expression or compiles to more than 10 MiB.
    pub fn pattern(mut self, name: &str, pattern: &str) -> Result<Self, PatternError> {
        let failed = |error: regex::Error| PatternError { name: name.to_owned(), reason: error.to_string() };
        let regex = Regex::new(pattern).map_err(failed)?;
        let rules = Arc::make_mut(&mut self.rules);
        let patterns = rules.patterns.iter().map(|pattern| pattern.regex.as_str()).chain([pattern]);
        rules.any = RegexSet::new(patterns).map_err(failed)?;
        rules.patterns.push(Pattern { marker: marker(name), regex });
        Ok(self)
    }

    /// Calls the application for every text, after everything else, with the name of the operation's field and the text. What
    /// it returns takes the text's place; none leaves it. A later hook replaces an earlier one.
    ///
    /// It runs on the thread that records. If it panics, the field is dropped, and the operation says so; see
    /// [`ContentPolicy`](crate::ContentPolicy).
    #[must_use]
    pub fn hook(mut self, hook: impl Fn(&str, &str) -> Option<String> + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.rules).hook = Some(Arc::new(hook));
        self
    }

    /// The text with every finding replaced, or none when nothing is found. JSON is written anew, without white space.
    ///
    /// For trying patterns out; the producer does this by itself with everything that it takes. A panic of the hook is the
    /// caller's here.
    pub fn redact(&self, text: &str) -> Option<String> {
        self.redact_field("text", text)
    }

    /// As [`redact`](Self::redact), in this field.
    fn redact_field(&self, field: &str, text: &str) -> Option<String> {
        if self.rules.are_builtin_alone() && !prefilter::may_hold(text) {
            return None;
        }
        json::redact(&Pass { redaction: self, field }, text, JSON_LEVELS)
    }
}

impl Rules {
    /// Whether the caller added nothing, of which nobody knows what it finds.
    fn are_builtin_alone(&self) -> bool {
        self.is_builtin && self.hook.is_none() && self.patterns.len() == secrets::PATTERNS.len()
    }
}

/// One field of one operation, on its way through the rules.
#[derive(Clone, Copy)]
struct Pass<'a> {
    redaction: &'a Redaction,
    field: &'a str,
}

impl Pass<'_> {
    /// Whether names of secrets and payloads are looked for.
    fn is_builtin(&self) -> bool {
        self.redaction.rules.is_builtin
    }

    /// Text that is no JSON.
    fn redact_text(&self, text: &str) -> Option<String> {
        let rules = &*self.redaction.rules;
        let mut redacted = if rules.is_builtin { payloads::redact_text(text) } else { None };
        // The text itself is looked at once; what replaces it is shorter, and new to each pattern.
        for index in &rules.any.matches(redacted.as_deref().unwrap_or(text)) {
            redacted = rules.patterns[index].replace(redacted.as_deref().unwrap_or(text)).or(redacted);
        }
        if let Some(hook) = &rules.hook {
            redacted = hook(self.field, redacted.as_deref().unwrap_or(text)).or(redacted);
        }
        redacted.filter(|redacted| redacted != text)
    }
}

impl Pattern {
    fn replace(&self, text: &str) -> Option<String> {
        let replaced = self.regex.replace_all(text, |found: &Captures<'_>| {
            let whole = &found[0];
            let start = found.get(0).map_or(0, |found| found.start());
            let Some(secret) = found.name(SECRET_GROUP) else { return self.marker.clone() };
            format!("{}{}{}", &whole[..secret.start() - start], self.marker, &whole[secret.end() - start..])
        });
        match replaced {
            Cow::Borrowed(_) => None,
            Cow::Owned(text) => Some(text),
        }
    }
}

/// What stands in the place of a finding.
fn marker(name: &str) -> String {
    format!("[redacted {name}]")
}

/// Names the patterns; the hook is somebody else's code.
impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let markers: Vec<&str> = self.rules.patterns.iter().map(|pattern| pattern.marker.as_str()).collect();
        f.debug_struct("Redaction")
            .field("patterns", &markers)
            .field("is_builtin", &self.rules.is_builtin)
            .field("has_hook", &self.rules.hook.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests;
