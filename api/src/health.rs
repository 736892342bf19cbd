//! How this process is: whether its roles turn, what holds them up, and whether database and broker answer, which are asked
//! at most once a second however often somebody wants to know.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use opstream_schemas::database::Database;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::config::{BrokerAddress, RoleWatch};

/// How long database and broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an answer is passed on before it is asked for again.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// How long a loop may take for one turn before it counts as stuck. Well above any transaction, because a restart in the
/// middle of slow work only makes it slower.
const STUCK_AFTER: Duration = Duration::from_mins(2);

/// Asks whether the process can do its work.
pub(crate) struct Health {
    database: Database,
    broker: Option<Broker>,
    roles: Vec<RoleWatch>,
    last: Mutex<Option<(Instant, Vec<Check>)>>,
}

/// Whether the process can do its work, and if not, what is missing.
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
    /// `database`, `broker`, or the name of a role.
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

impl Health {
    /// Asks `database`, the broker if there is one, and the roles of this process.
    ///
    /// # Errors
    /// When the broker's settings are none that a client can be made of.
    pub(crate) fn new(
        database: Database,
        broker: Option<&BrokerAddress>,
        roles: Vec<RoleWatch>,
    ) -> Result<Self, KafkaError> {
        let broker = broker.map(Broker::new).transpose()?;
        Ok(Self { database, broker, roles, last: Mutex::new(None) })
    }

    /// Roles whose loop has not turned for too long.
    pub(crate) fn stuck_roles(&self) -> Vec<&'static str> {
        let is_stuck = |role: &&RoleWatch| role.condition.borrow().turned_at.elapsed() > STUCK_AFTER;
        self.roles.iter().filter(is_stuck).map(|role| role.name).collect()
    }

    /// What works and what does not; of database and broker at most a second old.
    pub(crate) async fn check(&self) -> ReadyAnswer {
        let mut checks = self.check_backends().await;
        checks.extend(self.roles.iter().map(RoleWatch::check));
        ReadyAnswer { ready: checks.iter().all(|check| check.ok), checks }
    }

    /// The ends of the logs of these partitions, as far as the broker says them.
    pub(crate) async fn log_ends(&self, partitions: Vec<i32>) -> BTreeMap<i32, i64> {
        let Some(broker) = &self.broker else { return BTreeMap::new() };
        let (client, topic) = (broker.client.clone(), broker.topic.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let end = |partition: i32| Some((partition, client.fetch_watermarks(&topic, partition, PATIENCE).ok()?.1));
            // After the first that has no answer nobody waits for those of the others.
            partitions.into_iter().map_while(end).collect()
        });
        asked.await.unwrap_or_default()
    }

    async fn check_backends(&self) -> Vec<Check> {
        // The lock is held while asking: those who come meanwhile wait for the same answer.
        let mut last = self.last.lock().await;
        match &*last {
            Some((at, checks)) if at.elapsed() < FRESH_FOR => checks.clone(),
            _ => {
                let (database, broker) = tokio::join!(self.ask_database(), self.ask_broker());
                let mut checks = vec![check("database", database)];
                checks.extend(broker.map(|broker| check("broker", broker)));
                *last = Some((Instant::now(), checks.clone()));
                checks
            }
        }
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

impl Broker {
    fn new(address: &BrokerAddress) -> Result<Self, KafkaError> {
        let mut settings = ClientConfig::new();
        settings.extend(address.properties.clone());
        settings.set("bootstrap.servers", &address.bootstrap).set("client.id", "opstream-health");
        // librdkafka repeats every refused connection on its log; the answer of the route says it once.
        settings.set("log_level", "2");
        Ok(Self { client: Arc::new(settings.create()?), topic: address.topics.operations() })
    }
}

impl RoleWatch {
    fn check(&self) -> Check {
        let condition = self.condition.borrow();
        let reasons: Vec<String> =
            condition.hindrances.iter().map(|(undertaking, reason)| format!("{undertaking}: {reason}")).collect();
        check(self.name, if reasons.is_empty() { Ok(()) } else { Err(reasons.join("; ")) })
    }
}

fn describe(client: &BaseConsumer, topic: &str) -> Result<(), String> {
    // What the client reports, and the refresh of its credentials, wait until somebody asks for messages.
    while client.poll(Duration::ZERO).is_some() {}
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
    use opstream_schemas::condition::Reporter;
    use opstream_schemas::database::DatabaseUrl;
    use opstream_schemas::topics::Topics;

    use super::*;

    async fn migrated(folder: &tempfile::TempDir) -> Database {
        let url = DatabaseUrl::Sqlite(folder.path().join("opstream.db"));
        let database = Database::connect(&url).await.unwrap();
        opstream_schemas::migrations::migrate(&database).await.unwrap();
        database
    }

    #[tokio::test]
    async fn ready_when_the_database_answers_and_no_broker_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let health = Health::new(migrated(&folder).await, None, Vec::new()).unwrap();
        assert_eq!(health.check().await, ReadyAnswer { ready: true, checks: vec![check("database", Ok(()))] });
    }

    #[tokio::test]
    async fn a_broker_that_is_away_is_named() {
        let folder = tempfile::tempdir().unwrap();
        // Port 1 of the machine itself refuses at once.
        let address = BrokerAddress {
            bootstrap: "127.0.0.1:1".to_owned(),
            properties: std::collections::BTreeMap::new(),
            topics: Topics::default(),
        };
        let answer = Health::new(migrated(&folder).await, Some(&address), Vec::new()).unwrap().check().await;
        assert!(!answer.ready);
        assert!(answer.checks[0].ok);
        assert!(answer.checks[1].reason.as_ref().unwrap().contains("broker did not answer"), "{answer:?}");
    }

    #[tokio::test]
    async fn a_closed_database_is_named_without_its_address() {
        let folder = tempfile::tempdir().unwrap();
        let database = migrated(&folder).await;
        database.close().await;
        let answer = Health::new(database, None, Vec::new()).unwrap().check().await;
        assert!(!answer.ready);
        assert!(answer.checks[0].reason.as_ref().unwrap().contains("database"), "{answer:?}");
    }

    #[tokio::test]
    async fn what_holds_a_role_up_is_told_at_once_and_until_it_works_again() {
        let folder = tempfile::tempdir().unwrap();
        let reporter = Reporter::default();
        let role = RoleWatch { name: "ingestor", condition: reporter.watch() };
        let health = Health::new(migrated(&folder).await, None, vec![role]).unwrap();
        assert!(health.check().await.ready);
        reporter.hindered("storing a batch", "has failed 3 times");
        let answer = health.check().await;
        assert!(!answer.ready);
        assert_eq!(answer.checks[1], check("ingestor", Err("storing a batch: has failed 3 times".to_owned())));
        assert!(health.stuck_roles().is_empty(), "a role that is held up is not stuck");
        reporter.cleared("storing a batch");
        assert!(health.check().await.ready);
    }
}
