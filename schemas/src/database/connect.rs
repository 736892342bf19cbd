//! Opens a database and hands out transactions and reads.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, SqlSafeStr, SqliteConnection, SqlitePool};

use super::transaction::{postgres_query, sqlite_query};
use super::{DatabaseUrl, Row, Transaction, Value};

/// Connections to Postgres per process: one for the ingest transaction, one for its look-ups, the rest for readers.
const POSTGRES_CONNECTIONS: u32 = 8;
/// Memory for pages of the writer, in KiB as SQLite wants it (negative): the inner pages of a large table stay in it.
const SQLITE_WRITER_CACHE_KIB: &str = "-32768";
/// Pages of 4 KiB in the log after which they are copied into the database: after some batches of the ingestor, not after
/// each, since a page that several of them changed is then copied once.
const SQLITE_CHECKPOINT_PAGES: &str = "8000";
/// Memory for pages of each reader, in KiB: a panel of a month reads about a MiB of sums, and every page that is not kept is a
/// call of the system.
const SQLITE_READER_CACHE_KIB: &str = "-4096";
/// Rows on their way from SQLite's thread to ours. With few, the two wait for each other more than they work.
const SQLITE_ROW_BUFFER: usize = 1024;
/// Read-only SQLite connections; more than the machine's cores would only contend.
const SQLITE_READERS: u32 = 4;
/// How long a SQLite writer of another process may hold its lock before we give up.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before a file is opened again that another process is opening.
const SQLITE_OPEN_AGAIN: Duration = Duration::from_millis(10);
/// How long to wait for a connection before the database counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection that comes back to the pool may take to show that it is still alive.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// What Postgres is told about each session. Nothing here bounds how long a statement may work.
const POSTGRES_SESSION: [(&str, &str); 6] = [
    ("timezone", "UTC"),
    // Whoever waits longer tries again: what is in the way may be a session whose client is gone.
    ("lock_timeout", "30s"),
    // A transaction whose client has stopped gives its locks up; snapshots, which read files meanwhile, are exempt.
    ("idle_in_transaction_session_timeout", "60s"),
    // A client behind a broken network is noticed within a minute; unset, it would take two hours.
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
];

/// An open database. Clones share its connections.
#[derive(Clone, Debug)]
pub enum Database {
    /// Postgres or a database that speaks its protocol.
    Postgres(PgPool),
    /// SQLite in WAL mode with `synchronous=FULL`: every commit survives a power loss.
    Sqlite {
        /// The one writer connection; its pool is the first-come, first-served gate.
        writer: SqlitePool,
        /// Read-only connections.
        readers: SqlitePool,
    },
}

/// Which of the two databases this is, for the few places where their SQL differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Postgres.
    Postgres,
    /// SQLite.
    Sqlite,
}

/// A database that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the database {place}")]
pub struct ConnectError {
    place: String,
    source: sqlx::Error,
}

/// A SQLite file that was not closed in order, where nobody can write.
#[derive(Debug, thiserror::Error)]
#[error(
    "its folder cannot be written, and its last commits are in the -wal file beside it; copy both to a folder that can be written"
)]
struct UnfinishedLog;

impl Database {
    /// Connects, creating the SQLite file when there is none. Tables come from [`crate::migrations::migrate`].
    ///
    /// # Errors
    /// When the server does not answer, refuses, or the file cannot be opened.
    pub async fn connect(url: &DatabaseUrl) -> Result<Self, ConnectError> {
        let opened = match url {
            DatabaseUrl::Postgres(url) => Box::pin(connect_postgres(url)).await,
            DatabaseUrl::Sqlite(file) => connect_sqlite(file).await,
        };
        opened.map_err(|source| ConnectError { place: url.to_string(), source })
    }

    /// Connects to a database that is only read. A SQLite file that was closed in order is opened on a disk that cannot be written
    /// too, where SQLite cannot keep the files with which it would look out for writers: nobody can write there.
    ///
    /// # Errors
    /// As [`Self::connect`]; that the file was not closed in order, and must be copied to where SQLite can do so.
    pub async fn connect_to_read(url: &DatabaseUrl) -> Result<Self, ConnectError> {
        let failed = match (Self::connect(url).await, url) {
            (Err(error), DatabaseUrl::Sqlite(file)) if is_protected(&error.source) && file.is_file() => (error, file),
            (connected, _) => return connected,
        };
        let (ConnectError { place, source }, file) = failed;
        if has_log(file) {
            return Err(ConnectError { place, source: sqlx::Error::Configuration(Box::new(UnfinishedLog)) });
        }
        connect_protected(file).await.map_err(|_| ConnectError { place, source })
    }

    /// Which database this is.
    pub const fn engine(&self) -> Engine {
        match self {
            Self::Postgres(_) => Engine::Postgres,
            Self::Sqlite { .. } => Engine::Sqlite,
        }
    }

    /// Begins a write transaction; in SQLite it waits its turn for the one writer.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        match self {
            Self::Postgres(pool) => pool.begin().await.map(Transaction::Postgres),
            Self::Sqlite { writer, .. } => writer.begin_with("BEGIN IMMEDIATE").await.map(Transaction::Sqlite),
        }
    }

    /// Begins a transaction that sees one state of the database throughout and writes nothing. It may stand still for as
    /// long as it likes.
    ///
    /// # Errors
    /// When no connection can be had.
    pub async fn begin_snapshot(&self) -> Result<Transaction, sqlx::Error> {
        self.begin_snapshot_with("").await
    }

    /// A snapshot of which Postgres is told `settings` too. They go with the first statement, because one more way there and back takes
    /// as long as a small answer.
    pub(super) async fn begin_snapshot_with(&self, settings: &str) -> Result<Transaction, sqlx::Error> {
        match self {
            Self::Postgres(pool) => {
                let begin = format!(
                    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0; {settings}"
                );
                pool.begin_with(AssertSqlSafe(begin)).await.map(Transaction::Postgres)
            }
            Self::Sqlite { readers, .. } => readers.begin().await.map(Transaction::Sqlite),
        }
    }

    /// Runs one read-only query outside any transaction.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn fetch_all(&self, sql: impl SqlSafeStr, values: &[Value]) -> Result<Vec<Row>, sqlx::Error> {
        let sql = sql.into_sql_str();
        match self {
            Self::Postgres(pool) => {
                Ok(postgres_query(sql, values).fetch_all(pool).await?.into_iter().map(Row::Postgres).collect())
            }
            Self::Sqlite { readers, .. } => {
                Ok(sqlite_query(sql, values).fetch_all(readers).await?.into_iter().map(Row::Sqlite).collect())
            }
        }
    }

    /// Runs one read-only query and returns its first row.
    ///
    /// # Errors
    /// What the database answers.
    pub async fn fetch_optional(&self, sql: impl SqlSafeStr, values: &[Value]) -> Result<Option<Row>, sqlx::Error> {
        let sql = sql.into_sql_str();
        match self {
            Self::Postgres(pool) => Ok(postgres_query(sql, values).fetch_optional(pool).await?.map(Row::Postgres)),
            Self::Sqlite { readers, .. } => {
                Ok(sqlite_query(sql, values).fetch_optional(readers).await?.map(Row::Sqlite))
            }
        }
    }

    /// Closes every connection, waiting for those in use.
    pub async fn close(&self) {
        match self {
            Self::Postgres(pool) => pool.close().await,
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }
}

async fn connect_postgres(url: &str) -> Result<Database, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    let options = options.application_name("opstream").options(POSTGRES_SESSION);
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_release(|connection, _| Box::pin(is_alive(connection)));
    match pool.connect_with(options.clone()).await {
        Ok(pool) => Ok(Database::Postgres(pool)),
        // The pool has tried for as long as that and does not say what was wrong.
        Err(sqlx::Error::PoolTimedOut) => {
            let reason = within(RELEASE_TIMEOUT, PgConnection::connect_with(&options)).await.err();
            Err(reason.unwrap_or(sqlx::Error::PoolTimedOut))
        }
        Err(error) => Err(error),
    }
}

/// Asks a connection that comes back whether it is alive. The pool itself would wait without end for one whose peer is
/// gone, and such connections would use up the pool. An error makes the pool drop it without a farewell.
async fn is_alive(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    within(RELEASE_TIMEOUT, connection.ping()).await.map(|()| true)
}

/// Whether the driver takes the connection that comes back for one outside a transaction. When a disk is full, SQLite ends the
/// transaction by itself; the driver does not notice, its own attempt fails, and it would refuse to begin another for ever.
async fn has_no_transaction(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // Answered behind the rollback that is under way.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Waits for an answer of the database for this long. The driver alone would wait for ever when the network breaks while
/// nothing is on its way to the server. What was asked may still happen: after a commit only the database can say.
///
/// # Errors
/// [`sqlx::Error::Io`] when the time is up, else what the database answers.
pub fn within<T, E: From<sqlx::Error>>(
    limit: Duration,
    answer: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Result<T, E>> {
    let timed_out = move |_| {
        let text = format!("the database did not answer within {limit:?}");
        E::from(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, text)))
    };
    // Boxed here, because futures of the driver are large and everyone who awaits this one would grow by them.
    let answer = Box::pin(answer);
    async move { tokio::time::timeout(limit, answer).await.map_err(timed_out)? }
}

async fn connect_sqlite(file: &Path) -> Result<Database, sqlx::Error> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        tokio::fs::create_dir_all(folder).await.map_err(sqlx::Error::Io)?;
    }
    let options = SqliteConnectOptions::new()
        .filename(PathBuf::from(file))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(SQLITE_BUSY_TIMEOUT)
        .row_buffer_size(SQLITE_ROW_BUFFER)
        .statement_cache_capacity(64);
    let single = SqlitePoolOptions::new().max_connections(1).acquire_timeout(Duration::from_mins(1));
    let options_of_writer = options
        .clone()
        .pragma("cache_size", SQLITE_WRITER_CACHE_KIB)
        .pragma("wal_autocheckpoint", SQLITE_CHECKPOINT_PAGES);
    let writer = single.after_release(|connection, _| Box::pin(has_no_transaction(connection)));
    let writer = patiently(async || writer.clone().connect_with(options_of_writer.clone()).await).await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(SQLITE_READERS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A reader may have had a limit of time; the next one has its own or none.
        .after_release(|connection, _| {
            Box::pin(async move {
                connection.lock_handle().await?.remove_progress_handler();
                Ok(true)
            })
        });
    let options = options.read_only(true).create_if_missing(false).pragma("cache_size", SQLITE_READER_CACHE_KIB);
    let readers = patiently(async || readers.clone().connect_with(options.clone()).await).await?;
    Ok(Database::Sqlite { writer, readers })
}

/// A file that nobody can write: SQLite asks for no locks, and for no files beside it.
async fn connect_protected(file: &Path) -> Result<Database, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(PathBuf::from(file)).read_only(true).immutable(true);
    let pool = SqlitePoolOptions::new().max_connections(SQLITE_READERS).acquire_timeout(ACQUIRE_TIMEOUT);
    let readers = pool.connect_with(options).await?;
    Ok(Database::Sqlite { writer: readers.clone(), readers })
}

/// Whether commits are in the log that are not in the file yet.
fn has_log(file: &Path) -> bool {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name).metadata().is_ok_and(|log| log.len() > 0)
}

/// Whether SQLite could not write the file or something beside it.
fn is_protected(error: &sqlx::Error) -> bool {
    const READ_ONLY: i32 = 8;
    const CANNOT_OPEN: i32 = 14;
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    // The low byte of an extended code is the code.
    let code = code.and_then(|code| code.parse::<i32>().ok()).map(|code| code & 0xff);
    matches!(code, Some(READ_ONLY | CANNOT_OPEN))
}

/// Opens again while another process is opening the file for the first time: SQLite does not wait for the lock that the change of a
/// new file to WAL mode takes, but refuses at once.
async fn patiently(open: impl AsyncFn() -> Result<SqlitePool, sqlx::Error>) -> Result<SqlitePool, sqlx::Error> {
    let begun = Instant::now();
    loop {
        match open().await {
            Err(error) if is_busy(&error) && begun.elapsed() < SQLITE_BUSY_TIMEOUT => {
                tokio::time::sleep(SQLITE_OPEN_AGAIN).await;
            }
            opened => return opened,
        }
    }
}

fn is_busy(error: &sqlx::Error) -> bool {
    const SQLITE_BUSY: &str = "5";
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == SQLITE_BUSY)
}
