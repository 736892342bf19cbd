//! Gives each story backends of its own and runs it on every combination that can be had.
//!
//! A story gets a fresh folder, a fresh topic prefix and, on Postgres, a fresh database. They are removed when the
//! story passes and kept, with a line that names them, when it fails; databases left behind go after a day.

use std::fmt;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use futures_util::FutureExt as _;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;

use super::private_server::{Kind, PrivateServer};
use super::servers::{self, Servers, announce};

/// A broker and a database that are run together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Combination {
    /// As on a laptop; everywhere.
    EmbeddedSqlite,
    /// As in a fleet; where real servers can be had.
    KafkaPostgres,
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmbeddedSqlite => "embedded broker + SQLite",
            Self::KafkaPostgres => "Kafka + Postgres",
        })
    }
}

/// Backends that no other story touches.
#[derive(Debug)]
pub(crate) struct Backends {
    pub(crate) combination: Combination,
    /// `host:port`, or `None` for the embedded broker, which the story starts itself, with its data under `folder`.
    pub(crate) kafka_bootstrap: Option<String>,
    /// An empty database: `sqlite:FILE` under `folder`, or `postgres://…`.
    pub(crate) database_url: String,
    /// Unique, and valid in a topic name.
    pub(crate) topic_prefix: String,
    /// Empty at the start, except for what the backends put there.
    pub(crate) folder: TempDir,
    /// The broker or the database, where it is nobody else's and may be crashed.
    own: Option<PrivateServer>,
}

const DATABASE_PREFIX: &str = "opstream_test_";
const KEPT_AFTER_FAILURE: Duration = Duration::from_hours(24);

/// Runs the story on each combination in turn, on all of them even when one fails.
///
/// # Panics
/// With the first panic of the story, after a line that says on which combination, and where its traces are.
pub(crate) async fn each_combination(story: impl AsyncFn(&Backends)) {
    let mut failure = None;
    for combination in [Combination::EmbeddedSqlite, Combination::KafkaPostgres] {
        let Some(mut backends) = Backends::create(combination).await else { continue };
        match AssertUnwindSafe(story(&backends)).catch_unwind().await {
            Ok(()) => backends.remove().await,
            Err(panic) => {
                backends.keep();
                failure = failure.or(Some(panic));
            }
        }
    }
    if let Some(panic) = failure {
        resume_unwind(panic);
    }
}

impl Backends {
    /// `None` when this combination cannot be had here; that was said once.
    pub(crate) async fn create(combination: Combination) -> Option<Self> {
        let servers = servers::find().await;
        let folder = tempfile::Builder::new().prefix("opstream-test-").tempdir().expect("the temp folder is writable");
        let unique = Uuid::now_v7().simple();
        let topic_prefix = format!("t{unique}");
        let (kafka_bootstrap, database_url) = match combination {
            Combination::EmbeddedSqlite => (None, format!("sqlite:{}", folder.path().join("opstream.db").display())),
            Combination::KafkaPostgres => {
                let servers = servers?;
                let database = create_database(servers, &format!("{DATABASE_PREFIX}{unique}")).await;
                (Some(servers.kafka_bootstrap.clone()), database)
            }
        };
        Some(Self { combination, kafka_bootstrap, database_url, topic_prefix, folder, own: None })
    }

    /// Kafka and Postgres, one of them started for this story alone. `None` when that cannot be had here; that was said.
    pub(crate) async fn with_own(kind: Kind) -> Option<Self> {
        servers::find().await?;
        let own = PrivateServer::start(kind).await?;
        let mut backends = Self::create(Combination::KafkaPostgres).await?;
        match kind {
            Kind::Kafka => backends.kafka_bootstrap = Some(own.address.clone()),
            Kind::Postgres => {
                backends.remove_database().await;
                backends.database_url.clone_from(&own.address);
            }
        }
        backends.own = Some(own);
        Some(backends)
    }

    /// The server that belongs to this story.
    pub(crate) fn own(&self) -> &PrivateServer {
        self.own.as_ref().expect("the backends were made with a server of their own")
    }

    /// Leaves everything where it is, and says where.
    pub(crate) fn keep(&mut self) {
        self.folder.disable_cleanup(true);
        let database = match self.combination {
            Combination::EmbeddedSqlite => String::new(),
            Combination::KafkaPostgres => format!(", database {}", database_name(&self.database_url)),
        };
        announce(&format!("failed on {}; kept: {}{database}", self.combination, self.folder.path().display()));
    }

    /// Removes everything.
    pub(crate) async fn remove(self) {
        let own = self.own.as_ref().map(PrivateServer::kind);
        if let Some(bootstrap) = self.kafka_bootstrap.as_ref().filter(|_| own != Some(Kind::Kafka)) {
            delete_topics(bootstrap, &self.topic_prefix).await;
        }
        if self.combination == Combination::KafkaPostgres && own != Some(Kind::Postgres) {
            self.remove_database().await;
        }
        if let Some(own) = self.own {
            own.stop().await;
        }
    }

    async fn remove_database(&self) {
        let servers = servers::find().await.expect("the database was created on one of them");
        drop_database(&mut connect(servers).await, &database_name(&self.database_url)).await;
    }
}

async fn connect(servers: &Servers) -> PgConnection {
    PgConnection::connect(&servers.postgres_url).await.expect("the Postgres of this run answers")
}

/// Creates an empty database and returns its URL. Drops what failed runs left behind more than a day ago.
async fn create_database(servers: &Servers, name: &str) -> String {
    let mut connection = connect(servers).await;
    drop_old_databases(&mut connection).await;
    sqlx::raw_sql(AssertSqlSafe(format!("create database {name}")))
        .execute(&mut connection)
        .await
        .expect("the role of OPSTREAM_TEST_POSTGRES may create databases");
    let mut url = url::Url::parse(&servers.postgres_url).expect("the address was just used to connect");
    url.set_path(name);
    url.into()
}

async fn drop_old_databases(connection: &mut PgConnection) {
    let names: Vec<String> = sqlx::query_scalar("select datname::text from pg_database where starts_with(datname, $1)")
        .bind(DATABASE_PREFIX)
        .fetch_all(&mut *connection)
        .await
        .expect("pg_database is readable");
    let now = Uuid::now_v7();
    for name in names.iter().filter(|name| age(name, now).is_some_and(|age| age > KEPT_AFTER_FAILURE)) {
        drop_database(connection, name).await;
    }
}

async fn drop_database(connection: &mut PgConnection, name: &str) {
    sqlx::raw_sql(AssertSqlSafe(format!("drop database if exists {name} with (force)")))
        .execute(connection)
        .await
        .expect("whoever created the database may drop it");
}

fn database_name(url: &str) -> String {
    url::Url::parse(url).expect("create_database wrote this address").path().trim_start_matches('/').to_owned()
}

/// How long before `now` the database was created: its name holds a UUIDv7. `None` for a name that is not ours.
fn age(name: &str, now: Uuid) -> Option<Duration> {
    let seconds = |id: Uuid| id.get_timestamp().map(|at| at.to_unix().0);
    let created = Uuid::try_parse(name.strip_prefix(DATABASE_PREFIX)?).ok()?;
    Some(Duration::from_secs(seconds(now)?.saturating_sub(seconds(created)?)))
}

/// Topics left behind do no harm, so failures are not errors; a shared broker is just kept tidy.
async fn delete_topics(bootstrap: &str, prefix: &str) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().expect("the configuration is valid");
    let Ok(metadata) = admin.inner().fetch_metadata(None, Duration::from_secs(10)) else { return };
    let topics: Vec<&str> = metadata
        .topics()
        .iter()
        .map(rdkafka::metadata::MetadataTopic::name)
        .filter(|name| name.starts_with(prefix))
        .collect();
    if !topics.is_empty() {
        drop(admin.delete_topics(&topics, &AdminOptions::new()).await);
    }
}

#[cfg(test)]
mod tests;
