//! Where a producer sends to, and how much it may hold. Checked before anything is connected; reads no environment.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use opstream_schemas::avro::{Record, WriterId};
use opstream_schemas::topics::Topics;

/// Operations that may wait by default: about 100 seconds of an outage at 1,000 operations per second.
pub const DEFAULT_QUEUE_OPERATIONS: usize = 100_000;
/// Bytes that may wait by default. An application gives this much memory to its telemetry at most.
pub const DEFAULT_QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// How long operations are collected by default before they are sent together.
pub const DEFAULT_LINGER: Duration = Duration::from_millis(5);
/// How long `record_acked` waits by default; shorter than the patience of usual HTTP clients and proxies.
pub const DEFAULT_ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(30);

/// Bytes of a spool by default: more than two million operations without content.
pub const DEFAULT_SPOOL_BYTES: u64 = 1 << 30;

const QUEUE_OPERATIONS: RangeInclusive<usize> = 1..=10_000_000;
const QUEUE_BYTES: RangeInclusive<usize> = 1024..=1 << 40;
const SPOOL_BYTES: RangeInclusive<u64> = 1 << 20..=1 << 40;
const LONGEST_LINGER: Duration = Duration::from_secs(10);
/// Longest that anybody waits for anything, which keeps deadlines far from the end of the clock.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// Settings that the producer computes itself, with the field that takes their place.
const RESERVED: [(&str, &str); 10] = [
    ("bootstrap.servers", "bootstrap"),
    ("metadata.broker.list", "bootstrap"),
    ("queue.buffering.max.messages", "queue_operations"),
    ("queue.buffering.max.kbytes", "queue_bytes"),
    ("queue.buffering.max.ms", "linger"),
    ("linger.ms", "linger"),
    ("acks", "nothing: every operation is acknowledged by all replicas"),
    ("request.required.acks", "nothing: every operation is acknowledged by all replicas"),
    ("partitioner", "nothing: placement equals that of Java clients"),
    ("transactional.id", "nothing: re-sent operations are recognised by their id"),
];

/// Where operations go. Both have the same interface.
#[derive(Clone, Debug)]
pub enum Sink {
    /// The topic of operations on a Kafka cluster.
    Kafka(ProducerConfig),
    /// One JSON object per line, appended to a file that no other producer has open. For local work and tests.
    JsonLines {
        /// The file; created when it is missing.
        file: PathBuf,
        /// As [`ProducerConfig::producer_id`].
        producer_id: Option<String>,
    },
}

/// A place on disk for operations that the broker cannot take now. They are sent when it can, or after the next start.
///
/// docs/producer.md says what an outage, a crash and a loss of power may cost with one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spool {
    /// A folder on a local disk that outlives the process; made when it is missing. Processes may share it: each uses a
    /// part of its own, and sends what one that is gone has left.
    pub folder: PathBuf,
    /// Bytes that one producer may use there, 1 MiB to 1 TiB. When they are full, the oldest operations are dropped and
    /// counted.
    pub bytes: u64,
}

impl Spool {
    /// A spool of 1 GiB in this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), bytes: DEFAULT_SPOOL_BYTES }
    }
}

/// How to reach a Kafka cluster, and the bounds of the queue towards it.
#[derive(Clone)]
pub struct ProducerConfig {
    /// Addresses, `host:port[,host:port]`. Not reached at start: a broker may come later.
    pub bootstrap: String,
    /// Names of the topics.
    pub topics: Topics,
    /// Names this producer in its operations; by default generated, unique per start.
    pub producer_id: Option<String>,
    /// Operations that may wait for the broker, 1 to 10,000,000; further ones are dropped and counted.
    pub queue_operations: usize,
    /// Bytes that may wait for the broker, 1 KiB to 1 TiB, with 256 bytes of bookkeeping per operation.
    pub queue_bytes: usize,
    /// How long operations are collected before they are sent together, 0 to 10 s; below 1 ms it is 1 ms. `record_acked`
    /// does not wait for it.
    pub linger: Duration,
    /// How long `record_acked` waits for the acknowledgement, up to a day.
    pub acknowledge_within: Duration,
    /// Where operations wait on disk when the broker cannot take them; by default nowhere: they wait in memory alone.
    pub spool: Option<Spool>,
    /// Id of the schema in the frame of each value: the built-in one, unless a Schema Registry of yours gave another. While it
    /// is not known, values carry the built-in id. docs/producer.md shows how to ask a registry.
    pub schema_id: WriterId,
    /// Further settings of librdkafka, such as SASL, `message.max.bytes`, `message.timeout.ms` or `compression.type`.
    pub properties: BTreeMap<String, String>,
}

impl ProducerConfig {
    /// The defaults, for a cluster at these addresses.
    pub fn new(bootstrap: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
            topics: Topics::default(),
            producer_id: None,
            queue_operations: DEFAULT_QUEUE_OPERATIONS,
            queue_bytes: DEFAULT_QUEUE_BYTES,
            linger: DEFAULT_LINGER,
            acknowledge_within: DEFAULT_ACKNOWLEDGE_WITHIN,
            spool: None,
            schema_id: WriterId::builtin(Record::Operation),
            properties: BTreeMap::new(),
        }
    }

    /// Checks everything that can be checked without a connection.
    ///
    /// # Errors
    /// Names the first field outside its range, or the property that is not the caller's to set.
    pub fn check(&self) -> Result<(), StartError> {
        if self.bootstrap.split(',').any(|address| address.trim().is_empty()) {
            return Err(StartError::setting(
                "bootstrap",
                format!("is {:?}; expected host:port[,host:port]", self.bootstrap),
            ));
        }
        check_range("queue_operations", &self.queue_operations, &QUEUE_OPERATIONS)?;
        check_range("queue_bytes", &self.queue_bytes, &QUEUE_BYTES)?;
        if self.linger > LONGEST_LINGER {
            return Err(StartError::setting(
                "linger",
                format!("is {:?}; allowed is 0 s to {LONGEST_LINGER:?}", self.linger),
            ));
        }
        if self.acknowledge_within.is_zero() || self.acknowledge_within > LONGEST_WAIT {
            return Err(StartError::setting(
                "acknowledge_within",
                format!("is {:?}; allowed is 1 ms to {LONGEST_WAIT:?}", self.acknowledge_within),
            ));
        }
        if let Some(Spool { folder, bytes }) = &self.spool {
            if folder.as_os_str().is_empty() {
                return Err(StartError::setting("spool.folder", "is empty; name a folder".to_owned()));
            }
            check_range("spool.bytes", bytes, &SPOOL_BYTES)?;
        }
        match RESERVED.iter().find(|(name, _)| self.properties.contains_key(*name)) {
            Some((name, instead)) => Err(StartError::Property {
                name: (*name).to_owned(),
                reason: format!("is set by the producer; use {instead}"),
            }),
            None => Ok(()),
        }
    }
}

fn check_range<T: PartialOrd + fmt::Display>(
    name: &'static str,
    value: &T,
    allowed: &RangeInclusive<T>,
) -> Result<(), StartError> {
    if allowed.contains(value) {
        return Ok(());
    }
    Err(StartError::setting(name, format!("is {value}; allowed is {} to {}", allowed.start(), allowed.end())))
}

/// Names the properties without their values, since any of them may be a secret.
impl fmt::Debug for ProducerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProducerConfig")
            .field("bootstrap", &self.bootstrap)
            .field("topics", &self.topics)
            .field("producer_id", &self.producer_id)
            .field("queue_operations", &self.queue_operations)
            .field("queue_bytes", &self.queue_bytes)
            .field("linger", &self.linger)
            .field("acknowledge_within", &self.acknowledge_within)
            .field("spool", &self.spool)
            .field("schema_id", &self.schema_id)
            .field("properties", &self.properties.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// Why a producer did not start. A broker that cannot be reached is no reason.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A field is outside its range.
    #[error("{name} {reason}")]
    Setting {
        /// Name of the field.
        name: &'static str,
        /// Its value and what is allowed.
        reason: String,
    },
    /// A property that librdkafka does not know, cannot take, or that the producer sets itself.
    #[error("property {name}: {reason}")]
    Property {
        /// Name of the property; never its value.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// librdkafka refuses the settings as a whole, such as certificates that cannot be read.
    #[error("kafka client could not be created: {reason}")]
    Client {
        /// librdkafka's words.
        reason: String,
    },
    /// The file of JSON lines cannot be opened for appending.
    #[error("{} cannot be opened for appending", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another producer appends to the file of JSON lines.
    #[error("{} is in use by another producer; give each producer a file of its own", path.display())]
    FileInUse {
        /// The file.
        path: PathBuf,
    },
    /// The folder of the spool cannot be made or written.
    #[error("spool.folder {} cannot be used", path.display())]
    Spool {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The system gives no further thread.
    #[error("the producer's thread could not be started")]
    Thread {
        /// What the system says.
        source: std::io::Error,
    },
}

impl StartError {
    pub(crate) fn setting(name: &'static str, reason: String) -> Self {
        Self::Setting { name, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut ProducerConfig)) -> String {
        let mut config = ProducerConfig::new("127.0.0.1:9092");
        config.check().unwrap();
        change(&mut config);
        config.check().unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_setting_is_refused_by_name_with_its_range() {
        assert_eq!(refusal(|config| config.queue_operations = 0), "queue_operations is 0; allowed is 1 to 10000000");
        assert!(refusal(|config| config.queue_bytes = 10).starts_with("queue_bytes is 10; allowed is 1024 to"));
        assert!(refusal(|config| config.bootstrap = "a:1,,b:1".to_owned()).contains("host:port"));
        assert!(refusal(|config| config.linger = Duration::from_secs(11)).starts_with("linger is 11s"));
        assert!(refusal(|config| config.acknowledge_within = Duration::MAX).starts_with("acknowledge_within is"));
        let spool = |bytes| Some(Spool { bytes, ..Spool::new("spool") });
        assert_eq!(
            refusal(|config| config.spool = spool(10)),
            "spool.bytes is 10; allowed is 1048576 to 1099511627776"
        );
        assert_eq!(refusal(|config| config.spool = Some(Spool::new(""))), "spool.folder is empty; name a folder");
        let reserved = refusal(|config| drop(config.properties.insert("linger.ms".to_owned(), "7".to_owned())));
        assert_eq!(reserved, "property linger.ms: is set by the producer; use linger");
    }

    #[test]
    fn debug_output_names_properties_without_their_values() {
        let mut config = ProducerConfig::new("127.0.0.1:9092");
        config.properties.insert("sasl.password".to_owned(), "hunter2".to_owned());
        let text = format!("{:?}", Sink::Kafka(config));
        assert!(text.contains("sasl.password") && !text.contains("hunter2"), "{text}");
    }
}
