//! What is worth saying about the records after an import of `AiCore`'s data, counted while they are read.

use std::path::Path;

use crate::text_table::grouped;

/// Counts of records with a peculiarity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Remarks {
    /// Records whose output tokens contained their cached tokens.
    pub(super) corrected: u64,
    /// Tokens that were taken out of them.
    pub(super) corrected_tokens: i64,
    /// Records with more cached than output tokens, where nothing can be taken out.
    pub(super) not_corrected: u64,
    /// Records whose input tokens did not contain their cached tokens.
    pub(super) completed: u64,
    /// Failed records without an answer whose usage repeated the record before.
    pub(super) repeated_usage: u64,
    /// Failed records without an answer that have usage of their own.
    pub(super) doubtful_usage: u64,
    /// Records whose workspace and agent come from their session.
    pub(super) doubtful: u64,
    /// Records from which credentials were removed.
    pub(super) without_credentials: u64,
    /// Records without a usable latency.
    pub(super) without_latency: u64,
    /// Records that `AiCore` wrote aside and never reads again.
    pub(super) from_fallback: u64,
}

impl Remarks {
    /// Adds those of another record.
    pub(super) fn add(&mut self, other: Self) {
        self.corrected += other.corrected;
        self.corrected_tokens = self.corrected_tokens.saturating_add(other.corrected_tokens);
        self.not_corrected += other.not_corrected;
        self.completed += other.completed;
        self.repeated_usage += other.repeated_usage;
        self.doubtful_usage += other.doubtful_usage;
        self.doubtful += other.doubtful;
        self.without_credentials += other.without_credentials;
        self.without_latency += other.without_latency;
        self.from_fallback += other.from_fallback;
    }

    /// One sentence for each that occurred.
    pub(super) fn sentences(&self, fallback: Option<&Path>) -> Vec<String> {
        let count = |number: u64| grouped(number.into());
        let mut sentences = vec![format!(
            "{} records corrected: AiCore had added their cached tokens to the output as well ({} tokens taken out)",
            count(self.corrected),
            grouped(self.corrected_tokens.into())
        )];
        let mut say = |number: u64, text: &str| {
            if number > 0 {
                sentences.push(format!("{} records {text}", count(number)));
            }
        };
        say(self.not_corrected, "left as they are: more cached than output tokens, so they were not added there");
        say(self.completed, "with more cached than input tokens: the cached ones were added to the input");
        say(self.repeated_usage, "failed and repeated tokens and cost of the call before; these were not imported");
        say(
            self.doubtful_usage,
            "failed without an answer and have tokens or a cost: tagged aicore.doubtful, they may be an earlier call's",
        );
        say(
            self.doubtful,
            "tagged aicore.doubtful: AiCore keeps workspace and agent once per session, the first ones win",
        );
        say(self.without_credentials, "contained credentials (keys or headers); these were not imported");
        say(self.without_latency, "without a usable latency; they start at their ULID's time");
        if let Some(folder) = fallback.filter(|_| self.from_fallback > 0) {
            say(self.from_fallback, &format!("from {}, which AiCore itself never reads again", folder.display()));
        }
        sentences
    }
}
