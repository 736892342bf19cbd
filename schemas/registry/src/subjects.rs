//! What our schemas are called in a registry, and the ids that it gave them.

use std::str::FromStr;
use std::time::Duration;

use opstream_schemas::avro::{Record, WriterId};
use opstream_schemas::topics::Topics;
use rand::Rng as _;

use crate::client::{Registered, Registry};
use crate::error::RegistryError;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How a registry's subjects are named; Confluent calls it the name strategy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubjectNames {
    /// Topic and `-value`: `llm.operations-value`. What clients do unless told otherwise.
    #[default]
    Topic,
    /// The record's full name: `opstream.Operation`.
    Record,
    /// Both: `llm.operations-opstream.Operation`.
    TopicRecord,
}

/// A registry and what our schemas are called there.
#[derive(Clone, Debug)]
pub struct Subjects {
    registry: Registry,
    names: SubjectNames,
    topics: Topics,
}

/// A name that no strategy has.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected topic, record or topic-record")]
pub struct UnknownSubjectNames;

impl SubjectNames {
    /// The subject of this record's schemas.
    pub fn subject(self, record: Record, topics: &Topics) -> String {
        let topic = match record {
            Record::Operation => topics.operations(),
            Record::Window => topics.windows(),
            Record::SpanContent => topics.contents(),
            Record::Alert => topics.alerts(),
        };
        match self {
            Self::Topic => format!("{topic}-value"),
            Self::Record => record.full_name().to_owned(),
            Self::TopicRecord => format!("{topic}-{}", record.full_name()),
        }
    }
}

impl Subjects {
    /// The subjects of these topics.
    pub const fn new(registry: Registry, names: SubjectNames, topics: Topics) -> Self {
        Self { registry, names, topics }
    }

    /// Whom to ask.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The subject of this record's schemas.
    pub fn name(&self, record: Record) -> String {
        self.names.subject(record, &self.topics)
    }

    /// Where our newest schema of this record is registered.
    ///
    /// # Errors
    /// `NotFound` when it is not.
    pub async fn look_up(&self, record: Record) -> Result<Registered, RegistryError> {
        self.registry.look_up(&self.name(record), record.newest().text).await
    }

    /// Asks for the id of our newest schema of this record until the registry answers, after longer and longer pauses.
    ///
    /// # Errors
    /// When it answers and has no id to give; waiting does not help then.
    pub async fn learn(&self, record: Record, id: &WriterId) -> Result<(), RegistryError> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.look_up(record).await {
                Ok(Registered { id: said, .. }) => {
                    tracing::info!(
                        subject = self.name(record),
                        schema_id = said.0,
                        "the registry has said the id of a schema"
                    );
                    id.learn(said);
                    return Ok(());
                }
                Err(error @ RegistryError::Unavailable { .. }) => {
                    tracing::warn!(%error, subject = self.name(record), "the id of a schema is not known yet");
                }
                Err(error) => return Err(error),
            }
            // With jitter, so that many processes do not ask at once.
            let jittered = pause.mul_f64(rand::rng().random_range(0.5..1.0));
            tokio::time::sleep(jittered).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

impl FromStr for SubjectNames {
    type Err = UnknownSubjectNames;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "topic" => Ok(Self::Topic),
            "record" => Ok(Self::Record),
            "topic-record" => Ok(Self::TopicRecord),
            _ => Err(UnknownSubjectNames),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_strategy_names_the_subject() {
        let topics = Topics::new("prod.llm").unwrap();
        let names = |strategy: &str| {
            let strategy: SubjectNames = strategy.parse().unwrap();
            [Record::Operation, Record::Window].map(|record| strategy.subject(record, &topics))
        };
        assert_eq!(names("topic"), ["prod.llm.operations-value", "prod.llm.windows-value"]);
        assert_eq!(names("record"), ["opstream.Operation", "opstream.Window"]);
        let both = ["prod.llm.operations-opstream.Operation", "prod.llm.windows-opstream.Window"];
        assert_eq!(names("topic-record"), both);
        assert_eq!("topics".parse::<SubjectNames>(), Err(UnknownSubjectNames));
    }
}
