//! Starts single roles of a pipeline on given backends: the embedded broker where it belongs to them, else nothing.

use std::path::PathBuf;
use std::time::Duration;

use opstream_schemas::database::{Database, DatabaseUrl};
use tokio::net::TcpStream;

use crate::harness::backends::Backends;
use crate::harness::process::{Process, free_port};
use crate::waiting::moment_when;

/// Partitions of the operations topic: the embedded broker's default.
const PARTITIONS: &str = "4";
/// How long a process may take to end by itself or when it is told to.
pub(crate) const ENDS_WITHIN: Duration = Duration::from_mins(1);

/// Backends with a broker that has the topics, and a database that has the tables.
pub(crate) struct Roles<'a> {
    backends: &'a Backends,
    broker_port: u16,
    broker: Option<Process>,
    pub(crate) database: Database,
}

impl<'a> Roles<'a> {
    /// Makes the backends ready.
    pub(crate) async fn prepare(backends: &'a Backends) -> Self {
        let url = DatabaseUrl::parse(&backends.database_url).expect("the harness writes usable addresses");
        let database = Database::connect(&url).await.expect("the database can be opened");
        opstream_schemas::migrations::migrate(&database).await.expect("an empty database takes the tables");
        let mut roles = Self { backends, broker_port: free_port(), broker: None, database };
        if backends.kafka_bootstrap.is_some() {
            let created = roles.start(&["topics", "--partitions", PARTITIONS]).ended(ENDS_WITHIN).await;
            assert!(created.success(), "the topics were not created");
        } else {
            let listen = format!("127.0.0.1:{}", roles.broker_port);
            let data = roles.data().display().to_string();
            let arguments = ["broker", "--data", &data, "--broker-listen", &listen, "--partitions", PARTITIONS];
            roles.broker = Some(roles.start(&arguments));
            moment_when(Duration::from_millis(20), async || TcpStream::connect(&listen).await.is_ok()).await;
        }
        roles
    }

    /// Starts a role with these arguments.
    pub(crate) fn start(&self, arguments: &[&str]) -> Process {
        let folder = self.backends.folder.path();
        let (lake, bootstrap) = (self.lake(), self.bootstrap());
        let variables = [
            ("OPSTREAM_LAKE", lake.to_str()),
            ("OPSTREAM_TOPIC_PREFIX", Some(self.backends.topic_prefix.as_str())),
            ("OPSTREAM_BOOTSTRAP", Some(bootstrap.as_str())),
            ("OPSTREAM_DATABASE_URL", Some(self.backends.database_url.as_str())),
        ];
        let variables = variables.map(|(name, value)| (name, value.expect("temporary folders have plain names")));
        Process::start_with(folder, arguments, &variables)
    }

    /// Stops what was started here.
    pub(crate) async fn stop(self) {
        self.database.close().await;
        if let Some(mut broker) = self.broker {
            broker.stop(ENDS_WITHIN).await;
        }
    }

    /// Address for Kafka clients.
    pub(crate) fn bootstrap(&self) -> String {
        self.backends.kafka_bootstrap.clone().unwrap_or_else(|| format!("127.0.0.1:{}", self.broker_port))
    }

    /// First part of the topics' names.
    pub(crate) fn topic_prefix(&self) -> &str {
        &self.backends.topic_prefix
    }

    /// Whether the broker is ours.
    pub(crate) const fn has_embedded_broker(&self) -> bool {
        self.broker.is_some()
    }

    /// Root of the lake.
    pub(crate) fn lake(&self) -> PathBuf {
        self.data().join("lake")
    }

    fn data(&self) -> PathBuf {
        self.backends.folder.path().join("data")
    }
}
