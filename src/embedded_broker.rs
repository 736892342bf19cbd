//! A Kafka broker inside the process: one node, on a local folder, for laptops and tests.
//!
//! It speaks as much of Kafka's protocol as producers, consumers, consumer groups and topic tools need, so everything else
//! works the same on it and on a cluster. What it promises:
//!
//! - an acknowledged record is on disk (`fdatasync`) and survives `kill -9` and a power cut; consumers see a record only then;
//! - a record that an idempotent producer sends again is stored once, across restarts too;
//! - memory stays bounded whatever clients do: [`MOST_CONNECTIONS`] with 64 KiB each, beyond that 64 MiB for all requests
//!   and 256 MiB for all records on their way to consumers; messages may have up to 16 MiB;
//! - a client that stops in the middle of something is let go after half a minute and holds up nobody else;
//! - topics that are not compacted lose a segment (64 MiB) a week after it was last written, or when the partition is larger
//!   than 1 GiB *and* every consumer group with committed offsets has read it, the topic's own reader included
//!   (`retention.ms`, `retention.bytes`); what a group committed is forgotten a week after its last member left;
//! - of compacted topics the last record of each key stays for ever; older ones go segment (16 MiB) by segment.
//!
//! What it does not do: transactions, replication, access control, TLS, quotas, changing a topic's settings. Consumer groups
//! use the classic protocol; their members are forgotten when the broker stops and join again on their own.
//!
//! On disk: `catalogue.json` (cluster id, topics), `committed-offsets.json`, `topics/<topic id>/<partition>/<offset>.log`
//! with the batches as producers sent them, `lock`, which keeps a second process out, and, while it runs, `address`.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use address::AddressFile;
use connection::ConnectionError;
use coordinator::Coordinator;
use offsets::CommittedOffsets;
use partition::Writers;
use requests::Broker;
use topics::{TopicError, Topics};

mod address;
mod batch;
mod catalogue;
mod compaction;
mod connection;
mod coordinator;
mod group;
#[cfg(test)]
mod hostile;
mod log;
mod maintenance;
mod offsets;
mod partition;
mod producers;
mod records;
mod requests;
mod segment;
mod topics;

pub(crate) use address::last_address;

/// What connections may take to finish their last request.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// Each producer and consumer has one or two; beyond it new ones are closed at once.
const MOST_CONNECTIONS: usize = if cfg!(test) { 50 } else { 1_000 };
/// Between two warnings that there are too many.
const WARNING_PAUSE: Duration = Duration::from_mins(1);
/// When the system refuses a connection (usually too many open files), trying again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where the broker lives and what it offers from the start.
#[derive(Clone, Debug)]
pub(crate) struct EmbeddedBrokerConfig {
    /// Holds everything; created when missing. One process at a time may use it.
    pub(crate) folder: PathBuf,
    /// Where clients connect; port 0 takes any free one.
    pub(crate) listen: SocketAddr,
    /// Topics that exist once the broker has started.
    pub(crate) topics: Vec<TopicPlan>,
}

/// A topic that must exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicPlan {
    /// 1 to 249 letters, digits, dots, underscores and hyphens.
    pub(crate) name: String,
    /// 1 to 256. An existing topic gets more partitions if it has fewer, and keeps what it has if it has more.
    pub(crate) partitions: i32,
    /// Whether only the last record of each key stays; of an existing topic this is not changed.
    pub(crate) compacted: bool,
    /// The consumer group that must have read a record before retention by size may remove it, whether or not the group
    /// has ever been seen. What other groups have not read stays too once they have committed something.
    pub(crate) reader: Option<String>,
}

/// A running broker.
#[derive(Debug)]
pub(crate) struct EmbeddedBroker {
    address: SocketAddr,
    broker: Arc<Broker>,
    shutdown: CancellationToken,
    /// What must run as long as the broker does.
    duties: JoinSet<&'static str>,
    connections: TaskTracker,
    writers: Writers,
    /// Ends all connections even when the broker is dropped instead of stopped.
    _stop: DropGuard,
    /// Says to others where clients connect.
    _address_file: Option<AddressFile>,
    /// Dropped last of all.
    _lock: Arc<FolderLock>,
}

/// Keeps other processes out of the folder until the last part of the broker is gone, or the process dies.
#[derive(Debug)]
struct FolderLock(#[expect(dead_code, reason = "held, never used")] File);

impl EmbeddedBroker {
    /// Starts a broker; returns when it accepts connections and the planned topics exist.
    ///
    /// # Errors
    /// When the folder cannot be used or another process uses it, the address cannot be listened on, or a planned topic is
    /// not possible.
    pub(crate) async fn start(config: EmbeddedBrokerConfig) -> anyhow::Result<Self> {
        // Of a folder that is there its lock says best who uses it; a new one is made only where the address is free.
        let early = if config.folder.exists() { None } else { Some(bind(config.listen).await?) };
        let lock = Arc::new(lock_folder(&config.folder)?);
        let listener = match early {
            Some(listener) => listener,
            None => bind(config.listen).await?,
        };
        let address = listener.local_addr().context("the listening address cannot be read")?;
        let (shutdown, writers, connections) = (CancellationToken::new(), Writers::default(), TaskTracker::new());
        let reader = |plan: &TopicPlan| Some((plan.name.clone(), plan.reader.clone()?));
        let readers = config.topics.iter().filter_map(reader).collect();
        let (folder, for_partitions) = (config.folder.clone(), writers.clone());
        let opening = tokio::task::spawn_blocking(move || {
            let (topics, offsets) = open(&folder, &for_partitions, &config.topics)?;
            anyhow::Ok((topics, offsets, AddressFile::write(&folder, address)))
        });
        let (topics, offsets, file) = opening.await.context("opening the broker's folder panicked")??;
        let broker = Arc::new(Broker {
            topics,
            offsets,
            coordinator: Coordinator::default(),
            readers,
            request_memory: Semaphore::new(connection::REQUEST_MEMORY_BYTES),
            response_memory: Arc::new(Semaphore::new(requests::RESPONSE_MEMORY_BYTES)),
            unpacking: tokio::sync::Mutex::default(),
            shutdown: shutdown.clone(),
            _lock: Arc::clone(&lock),
        });
        let mut duties = JoinSet::new();
        duties.spawn(accept(listener, Arc::clone(&broker), connections.clone()));
        let (clock, housekeeping) = (Arc::clone(&broker), Arc::clone(&broker));
        duties.spawn(async move {
            clock.coordinator.run(&clock.shutdown).await;
            "the clock of the consumer groups"
        });
        duties.spawn(async move {
            maintenance::run(&housekeeping, &housekeeping.shutdown).await;
            "housekeeping"
        });
        tracing::info!(%address, folder = %config.folder.display(), "the embedded broker accepts connections");
        let stop = shutdown.clone().drop_guard();
        Ok(Self {
            address,
            broker,
            shutdown,
            duties,
            connections,
            writers,
            _stop: stop,
            _address_file: file,
            _lock: lock,
        })
    }

    /// Where clients connect: the bootstrap address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The cluster id that clients see; it belongs to the folder.
    #[cfg(test)]
    pub(crate) fn cluster_id(&self) -> String {
        self.broker.topics.cluster_id().to_owned()
    }

    /// The id of a topic; a topic that is deleted and created again gets another one.
    #[cfg(test)]
    pub(crate) fn topic_id(&self, name: &str) -> Option<uuid::Uuid> {
        self.broker.topics.get(name).map(|topic| topic.entry.id)
    }

    /// Returns only when the broker has failed and must be stopped; may be cancelled and called again.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        let lost = async {
            match self.duties.join_next().await {
                Some(Ok(duty)) => anyhow::anyhow!("the embedded broker lost {duty}"),
                Some(Err(error)) => anyhow::Error::new(error).context("a part of the embedded broker panicked"),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            error = lost => error,
            () = self.writers.broken.cancelled() => {
                anyhow::anyhow!("a partition of the embedded broker broke; what it acknowledged is safe, start again")
            }
        }
    }

    /// Lets requests that are under way finish, then closes everything. Nothing acknowledged depends on this.
    ///
    /// # Errors
    /// When connections do not end in time; the records are safe all the same.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        self.connections.close();
        let ended = tokio::time::timeout(STOP_PATIENCE, self.connections.wait()).await;
        let duties = async { while self.duties.join_next().await.is_some() {} };
        let relieved = tokio::time::timeout(STOP_PATIENCE, duties).await;
        // The writers end when nothing can reach their partitions any more.
        drop(self.broker);
        self.writers.tasks.close();
        let written = tokio::time::timeout(STOP_PATIENCE, self.writers.tasks.wait()).await;
        ended.and(relieved).and(written).context("some work of the embedded broker did not end in time")
    }
}

fn open(folder: &Path, writers: &Writers, plans: &[TopicPlan]) -> anyhow::Result<(Topics, CommittedOffsets)> {
    let named = || format!("the broker's folder {} cannot be opened", folder.display());
    let topics = Topics::open(folder, writers).with_context(named)?;
    let offsets = CommittedOffsets::open(folder).with_context(named)?;
    for plan in plans {
        ensure_topic(&topics, plan)?;
    }
    Ok((topics, offsets))
}

fn ensure_topic(topics: &Topics, plan: &TopicPlan) -> Result<(), TopicError> {
    let policy = if plan.compacted { "compact" } else { "delete" };
    let configs = BTreeMap::from([("cleanup.policy".to_owned(), policy.to_owned())]);
    match topics.create(&plan.name, plan.partitions, configs) {
        Err(TopicError::Exists(_)) => {}
        outcome => return outcome.map(drop),
    }
    let existing = topics.get(&plan.name).ok_or_else(|| TopicError::Unknown(plan.name.clone()))?;
    let (has, wants) = (existing.entry.partitions, plan.partitions);
    if existing.entry.is_compacted() != plan.compacted {
        tracing::warn!(topic = plan.name, wanted = policy, "a topic exists with another cleanup policy and keeps it");
    }
    if has > wants {
        tracing::warn!(topic = plan.name, has, wants, "a topic exists with more partitions and keeps them");
        return Ok(());
    }
    if has < wants { topics.grow(&plan.name, wants) } else { Ok(()) }
}

fn lock_folder(folder: &Path) -> anyhow::Result<FolderLock> {
    fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be created", folder.display()))?;
    let path = folder.join("lock");
    let lock = File::create(&path).with_context(|| format!("{} cannot be opened", path.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(FolderLock(lock)),
        Err(TryLockError::WouldBlock) => anyhow::bail!(
            "the folder {} is in use by another opstream process; stop that one, or choose another folder with --data",
            folder.display(),
        ),
        Err(TryLockError::Error(error)) => {
            Err(anyhow::Error::new(error).context(format!("{} cannot be locked", path.display())))
        }
    }
}

async fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "the broker cannot listen on {listen}: another process does; stop it, or choose another address with \
             --broker-listen",
        ),
        _ => anyhow::Error::new(error).context(format!("the broker cannot listen on {listen} (--broker-listen)")),
    })
}

async fn accept(listener: TcpListener, broker: Arc<Broker>, connections: TaskTracker) -> &'static str {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut warned_at: Option<Instant> = None;
    while let Some(accepted) = broker.shutdown.run_until_cancelled(listener.accept()).await {
        let (stream, client) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            if warned_at.is_none_or(|at| at.elapsed() > WARNING_PAUSE) {
                warned_at = Some(Instant::now());
                tracing::warn!(%client, "closed a new connection, because {MOST_CONNECTIONS} others are open");
            }
            continue;
        };
        let serving = connection::serve(Arc::clone(&broker), stream);
        connections.spawn(async move {
            match serving.await {
                Ok(()) => {}
                Err(error @ ConnectionError::Io(_)) => tracing::debug!(%client, ?error, "a connection broke"),
                Err(error) => tracing::warn!(%client, %error, "closed the connection of a client"),
            }
            drop(place);
        });
    }
    "its listener"
}

#[cfg(test)]
mod tests;
