//! Whether database and broker answer, asked at most once a second however often somebody wants to know.

use std::sync::Arc;
use std::time::Duration;

use opstream_producer::Sink;
use opstream_schemas::database::Database;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use utoipa::ToSchema;

/// How long database and broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an answer is passed on before it is asked for again.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// Asks whether the api can do its work.
pub(crate) struct Readiness {
    database: Database,
    broker: Option<Broker>,
    last: Mutex<Option<(Instant, ReadyAnswer)>>,
}

/// Whether the api can do its work, and if not, what is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ReadyAnswer {
    /// Whether everything needed answers.
    pub(crate) ready: bool,
    /// Answers of the parts.
    pub(crate) checks: Vec<Check>,
}

/// Answer of one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Check {
    /// `database` or `broker`.
    pub(crate) name: &'static str,
    /// Whether it answers.
    pub(crate) ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

struct Broker {
    /// Kept open: a client that is made for every question would connect anew each time.
    client: Arc<BaseConsumer>,
    topic: String,
}

impl Readiness {
    /// Asks `database` and, if operations go to one, the broker for the topic of operations.
    ///
    /// # Errors
    /// When the broker's settings are none that a client can be made of.
    pub(crate) fn new(database: Database, sink: &Sink) -> Result<Self, KafkaError> {
        let broker = match sink {
            Sink::Kafka(config) => {
                let mut settings = ClientConfig::new();
                settings.extend(config.properties.clone());
                settings.set("bootstrap.servers", &config.bootstrap).set("client.id", "opstream-api-readiness");
                // librdkafka repeats every refused connection on its log; the answer of the route says it once.
                settings.set("log_level", "2");
                Some(Broker { client: Arc::new(settings.create()?), topic: config.topics.operations() })
            }
            Sink::JsonLines { .. } => None,
        };
        Ok(Self { database, broker, last: Mutex::new(None) })
    }

    /// The answer, at most a second old.
    pub(crate) async fn check(&self) -> ReadyAnswer {
        // The lock is held while asking: those who come meanwhile wait for the same answer.
        let mut last = self.last.lock().await;
        match &*last {
            Some((at, answer)) if at.elapsed() < FRESH_FOR => answer.clone(),
            _ => {
                let answer = self.ask().await;
                *last = Some((Instant::now(), answer.clone()));
                answer
            }
        }
    }

    async fn ask(&self) -> ReadyAnswer {
        let (database, broker) = tokio::join!(self.ask_database(), self.ask_broker());
        let mut checks = vec![check("database", database)];
        checks.extend(broker.map(|broker| check("broker", broker)));
        ReadyAnswer { ready: checks.iter().all(|check| check.ok), checks }
    }

    async fn ask_database(&self) -> Result<(), String> {
        let question =
            self.database.fetch_optional("select value from settings where name = 'retention_floor_ms'", &[]);
        match tokio::time::timeout(PATIENCE, question).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the database does not answer the readiness check");
                Err("the database refuses the question; the server's log says why".to_owned())
            }
            Err(_) => Err(format!("the database did not answer within {} s", PATIENCE.as_secs())),
        }
    }

    async fn ask_broker(&self) -> Option<Result<(), String>> {
        let broker = self.broker.as_ref()?;
        let (client, topic) = (broker.client.clone(), broker.topic.clone());
        let question = tokio::task::spawn_blocking(move || describe(&client, &topic));
        Some(question.await.unwrap_or_else(|_| Err("the question to the broker failed".to_owned())))
    }
}

fn describe(client: &BaseConsumer, topic: &str) -> Result<(), String> {
    let metadata = client
        .fetch_metadata(Some(topic), PATIENCE)
        .map_err(|error| format!("the broker did not answer within {} s: {error}", PATIENCE.as_secs()))?;
    let described = metadata.topics().iter().find(|described| described.name() == topic);
    match described {
        Some(found) if found.error().is_none() && !found.partitions().is_empty() => Ok(()),
        _ => Err(format!("the broker has no topic {topic}")),
    }
}

fn check(name: &'static str, outcome: Result<(), String>) -> Check {
    Check { name, ok: outcome.is_ok(), reason: outcome.err() }
}

#[cfg(test)]
mod tests {
    use opstream_producer::ProducerConfig;
    use opstream_schemas::database::DatabaseUrl;

    use super::*;

    fn file_sink() -> Sink {
        Sink::JsonLines { file: "unused.jsonl".into(), producer_id: None }
    }

    async fn migrated(folder: &tempfile::TempDir) -> Database {
        let url = DatabaseUrl::Sqlite(folder.path().join("opstream.db"));
        let database = Database::connect(&url).await.unwrap();
        opstream_schemas::migrations::migrate(&database).await.unwrap();
        database
    }

    #[tokio::test]
    async fn ready_when_the_database_answers_and_no_broker_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let readiness = Readiness::new(migrated(&folder).await, &file_sink()).unwrap();
        assert_eq!(readiness.check().await, ReadyAnswer { ready: true, checks: vec![check("database", Ok(()))] });
    }

    #[tokio::test]
    async fn a_broker_that_is_away_is_named() {
        let folder = tempfile::tempdir().unwrap();
        // Port 1 of the machine itself refuses at once.
        let readiness =
            Readiness::new(migrated(&folder).await, &Sink::Kafka(ProducerConfig::new("127.0.0.1:1"))).unwrap();
        let answer = readiness.check().await;
        assert!(!answer.ready);
        assert!(answer.checks[0].ok);
        assert!(answer.checks[1].reason.as_ref().unwrap().contains("broker did not answer"), "{answer:?}");
    }

    #[tokio::test]
    async fn a_closed_database_is_named_without_its_address() {
        let folder = tempfile::tempdir().unwrap();
        let database = migrated(&folder).await;
        database.close().await;
        let answer = Readiness::new(database, &file_sink()).unwrap().check().await;
        assert!(!answer.ready);
        assert!(answer.checks[0].reason.as_ref().unwrap().contains("database"), "{answer:?}");
    }
}
