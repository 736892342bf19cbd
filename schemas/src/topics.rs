//! Names of the topics. The prefix is configurable (`llm` by default), the rest is fixed.

/// Prefix that is used unless the configuration names another.
pub const DEFAULT_PREFIX: &str = "llm";

/// The topics of one deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    prefix: String,
}

/// A prefix that would make an invalid or confusing topic name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("topic prefix {prefix:?} is not usable: 1 to 200 characters out of a-z, A-Z, 0-9, '.' and '-' are allowed")]
pub struct TopicPrefixError {
    prefix: String,
}

impl Topics {
    /// The topics under `prefix`.
    ///
    /// # Errors
    /// Refuses an empty or overlong prefix and characters that Kafka refuses; `_` too, which collides with `.` in
    /// Kafka's metric names.
    pub fn new(prefix: &str) -> Result<Self, TopicPrefixError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        if prefix.is_empty() || prefix.len() > 200 || !prefix.chars().all(allowed) {
            return Err(TopicPrefixError { prefix: prefix.chars().take(64).collect() });
        }
        Ok(Self { prefix: prefix.to_owned() })
    }

    /// Every operation, `cleanup.policy=delete`, keyed by session id, else operation id.
    pub fn operations(&self) -> String {
        format!("{}.operations", self.prefix)
    }

    /// The latest value of every window, compacted.
    pub fn windows(&self) -> String {
        format!("{}.windows", self.prefix)
    }

    /// Prompts and answers that came as log records, keyed by trace id.
    pub fn contents(&self) -> String {
        format!("{}.contents", self.prefix)
    }

    /// The latest state of every alert, compacted, keyed by alert id.
    pub fn alerts(&self) -> String {
        format!("{}.alerts", self.prefix)
    }

    /// Records that could not become operations: their original bytes and the reason as headers.
    pub fn dead_letters(&self) -> String {
        format!("{}.operations.dead", self.prefix)
    }
}

impl Default for Topics {
    fn default() -> Self {
        Self { prefix: DEFAULT_PREFIX.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_that_kafka_would_refuse_is_refused_by_name() {
        assert_eq!(Topics::new("prod.llm").unwrap().operations(), "prod.llm.operations");
        assert!(Topics::new("../x").unwrap_err().to_string().contains("../x"));
        assert!(Topics::new("").is_err());
    }
}
