//! The Schema Registry of a deployment: its flags, and the ids that it gave to our schemas, which producers learn at their start.
//!
//! A registry that is away stops nobody. What a front door takes in is written under the built-in id until the registry answers,
//! because an operation that is turned away may be lost, and one under the built-in id is read by every opstream. Windows and alerts wait: they
//! are in SQL.

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use futures_util::future::join_all;
use opstream_registry::{Registry, RegistryAddress, RegistryError, SubjectNames, Subjects};
use opstream_schemas::avro::{Record, WriterId};
use opstream_schemas::topics::Topics;
use tokio::time::timeout;

use crate::listen::first_line;

/// How long a start waits for a registry that does not answer, before it goes on without.
const PATIENCE_AT_START: Duration = Duration::from_secs(5);
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_secs(30);

/// The Schema Registry of the deployment.
#[derive(Args, Clone)]
pub(crate) struct RegistryArgs {
    /// Schema Registry by whose ids records are written and read, `https://host:8081`, Confluent's protocol; unless set, schemas have
    /// built-in ids, which the api serves under /registry. `opstream schemas register` puts the schemas there
    #[arg(long = "schema-registry", value_name = "URL", env = "OPSTREAM_SCHEMA_REGISTRY", hide_env_values = true)]
    url: Option<String>,
    /// File whose first line is what the registry asks for: USER:PASSWORD, or a token
    #[arg(
        long = "schema-registry-credentials-file",
        value_name = "FILE",
        env = "OPSTREAM_SCHEMA_REGISTRY_CREDENTIALS_FILE"
    )]
    credentials_file: Option<PathBuf>,
    /// How subjects are named there: topic (llm.operations-value), record (opstream.Operation) or topic-record
    /// (llm.operations-opstream.Operation)
    #[arg(long = "schema-subjects", value_name = "BY", env = "OPSTREAM_SCHEMA_SUBJECTS", default_value = "topic")]
    names: SubjectNames,
}

/// Ids that the registry has still to say.
#[derive(Debug, Default)]
pub(crate) struct Learning(Vec<(Subjects, Record, WriterId)>);

impl RegistryArgs {
    /// The registry, if one is named.
    ///
    /// # Errors
    /// When the address or the credentials are not usable; the text repeats neither.
    pub(crate) fn registry(&self) -> anyhow::Result<Option<Registry>> {
        // A variable that is set to nothing counts as not set.
        let Some(url) = self.url.as_deref().filter(|url| !url.is_empty()) else { return Ok(None) };
        let mut address =
            RegistryAddress::parse(url).context("--schema-registry (OPSTREAM_SCHEMA_REGISTRY) is not usable")?;
        if let Some(file) = &self.credentials_file {
            let name = || {
                format!(
                    "--schema-registry-credentials-file (OPSTREAM_SCHEMA_REGISTRY_CREDENTIALS_FILE) {}",
                    file.display()
                )
            };
            address = address.with_credentials(&first_line(file, name)?).with_context(name)?;
        }
        Ok(Some(Registry::open(address)?))
    }

    /// The registry with the subjects of these topics, if one is named.
    ///
    /// # Errors
    /// As [`RegistryArgs::registry`].
    pub(crate) fn subjects(&self, topics: &Topics) -> anyhow::Result<Option<Subjects>> {
        let registry = self.registry()?;
        Ok(registry.map(|registry| Subjects::new(registry, self.names, topics.clone())))
    }
}

impl Learning {
    /// The id under which a process writes these records: the built-in one without a registry, else what the registry says now, or
    /// later if it does not answer.
    ///
    /// # Errors
    /// When the registry answers and has no id: somebody must register the schema, or give other credentials.
    pub(crate) async fn begin(&mut self, subjects: Option<&Subjects>, record: Record) -> anyhow::Result<WriterId> {
        let Some(subjects) = subjects else { return Ok(WriterId::builtin(record)) };
        let id = WriterId::unknown();
        match timeout(PATIENCE_AT_START, subjects.learn(record, &id)).await {
            Ok(Ok(())) => return Ok(id),
            Ok(Err(error @ RegistryError::NotFound { .. })) => {
                bail!("{error}; `opstream schemas register` registers it, with the rights to do so")
            }
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => {}
        }
        let meanwhile = match record {
            Record::Operation => {
                "operations are written under the built-in id, which only opstream knows, until it answers"
            }
            Record::Window => "windows are not published until it answers",
            Record::Alert => "alerts are not published until it answers",
            Record::SpanContent => "content of log records is always written under the built-in id",
        };
        tracing::error!(registry = %subjects.registry(), "the schema registry does not answer; {meanwhile}");
        self.0.push((subjects.clone(), record, id.clone()));
        Ok(id)
    }

    /// Does the work of a process, and asks the registry meanwhile until it has said everything.
    pub(crate) async fn beside<T>(self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let learning = join_all(self.0.into_iter().map(|(subjects, record, id)| learn(subjects, record, id)));
        tokio::select! {
            outcome = &mut work => return outcome,
            _ = learning => {}
        }
        work.await
    }
}

/// Asks until the registry has said it. What it says against it is an error in the log: it was there to be mended at the start.
async fn learn(subjects: Subjects, record: Record, id: WriterId) {
    while let Err(error) = subjects.learn(record, &id).await {
        tracing::error!(%error, subject = subjects.name(record), "the id of a schema is not known");
        tokio::time::sleep(PAUSE_AFTER_REFUSAL).await;
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        args: RegistryArgs,
    }

    fn refusal(arguments: &[&str]) -> String {
        let args = CommandLine::try_parse_from([&["x"], arguments].concat()).unwrap().args;
        format!("{:#}", args.registry().unwrap_err())
    }

    #[test]
    fn wrong_settings_name_their_variable_and_no_secret() {
        let error = refusal(&["--schema-registry", "me:hunter2@registry:8081"]);
        assert!(error.contains("OPSTREAM_SCHEMA_REGISTRY") && !error.contains("hunter2"), "{error}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hunter2 hunter2\n").unwrap();
        let path = file.path().to_str().unwrap();
        let error = refusal(&["--schema-registry", "http://r", "--schema-registry-credentials-file", path]);
        assert!(error.contains("CREDENTIALS_FILE") && error.contains(path) && !error.contains("hunter2"), "{error}");
        let error = refusal(&["--schema-registry", "http://r", "--schema-registry-credentials-file", "/nowhere"]);
        assert!(error.contains("/nowhere cannot be opened"), "{error}");
        let names = CommandLine::try_parse_from(["x", "--schema-subjects", "topics"]).err().unwrap().to_string();
        assert!(names.contains("expected topic, record or topic-record"), "{names}");
    }

    #[tokio::test]
    async fn without_a_registry_ids_are_the_built_in_ones() {
        let mut learning = Learning::default();
        let id = learning.begin(None, Record::Window).await.unwrap();
        assert_eq!(id.get(), Some(Record::Window.newest().id));
        assert_eq!(learning.beside(async { 7 }).await, 7);
    }
}
