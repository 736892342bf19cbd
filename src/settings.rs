//! Flags that several commands share. Each may come from the environment or `.env`; nothing else reads either.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use opstream_aggregator::KeepDays;
use opstream_api::BrokerAddress;
use opstream_schemas::database::{Database, DatabaseUrl};
use opstream_schemas::topics::Topics;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use crate::data_folder::Place;
use crate::embedded_broker::last_address;

/// Where the embedded broker listens unless told otherwise.
const DEFAULT_BOOTSTRAP: &str = "127.0.0.1:9092";

/// The database of the pipeline.
#[derive(Args, Clone)]
pub(crate) struct DatabaseArgs {
    /// Where rows are: `postgres://user@host/database` or `sqlite:FILE`
    #[arg(long, value_name = "URL", env = "OPSTREAM_DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
    /// The same in SQLAlchemy's form, as AiCore has it; used when --database-url is absent, and refused where only other
    /// programs have tables
    #[arg(long, value_name = "URL", env = "CONNECTION_STRING", hide_env_values = true)]
    pub(crate) connection_string: Option<String>,
}

impl DatabaseArgs {
    /// The address, checked before anything is opened.
    ///
    /// # Errors
    /// When there is none or it names no database we know.
    pub(crate) fn url(&self) -> anyhow::Result<DatabaseUrl> {
        let (name, text) = match (&self.database_url, &self.connection_string) {
            (Some(url), _) => ("--database-url (OPSTREAM_DATABASE_URL)", url),
            (None, Some(url)) => ("CONNECTION_STRING", url),
            (None, None) => anyhow::bail!(
                "no database is given; set --database-url or OPSTREAM_DATABASE_URL to postgres://user@host/database or sqlite:FILE"
            ),
        };
        DatabaseUrl::parse(text).with_context(|| format!("{name} is not usable"))
    }

    /// Opens the database and brings its tables to this version.
    ///
    /// # Errors
    /// When it cannot be reached, was migrated by a newer version, or belongs to another program whose variable we share.
    pub(crate) async fn open(&self) -> anyhow::Result<Database> {
        Place::named(self)?.open().await
    }
}

/// Opens the database and brings its tables to this version.
///
/// # Errors
/// When it cannot be reached or was migrated by a newer version.
pub(crate) async fn open_database(url: &DatabaseUrl) -> anyhow::Result<Database> {
    let database = Box::pin(Database::connect(url)).await?;
    Box::pin(opstream_schemas::migrations::migrate(&database))
        .await
        .with_context(|| format!("cannot create the tables in {url}"))?;
    Ok(database)
}

/// The lake of the pipeline.
#[derive(Args, Clone, Debug)]
pub(crate) struct LakeArgs {
    /// Root folder of the Parquet files
    #[arg(long, value_name = "DIR", env = "OPSTREAM_LAKE", default_value = "./opstream-data/lake")]
    pub(crate) lake: PathBuf,
}

/// Reads a whole number of this range. An error says what is allowed, also of something that is no number.
pub(crate) fn whole_number<T: TryFrom<i64> + Clone>(
    range: RangeInclusive<i64>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse::<i64>().ok().filter(|number| range.contains(number));
        let fitting = number.and_then(|number| T::try_from(number).ok());
        fitting.ok_or_else(|| format!("expected a whole number, {} to {}", range.start(), range.end()))
    }
}

/// How long operations are kept.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct RetentionArgs {
    /// Whole UTC days before the present one for which operations are kept, 1 to 36500; totals over time stay. Unless set, all are
    /// kept: nothing is deleted that nobody asked to delete
    #[arg(long, value_name = "N", env = "OPSTREAM_KEEP_DAYS", value_parser = whole_number::<u16>(1..=36_500), allow_negative_numbers = true)]
    keep_days: Option<u16>,
}

impl RetentionArgs {
    /// The number of days, if it is limited.
    pub(crate) fn keep_days(self) -> Option<KeepDays> {
        self.keep_days.and_then(KeepDays::new)
    }
}

/// The Kafka cluster of the pipeline.
#[derive(Args, Clone)]
pub(crate) struct KafkaArgs {
    /// Kafka brokers to begin with, host:port separated by commas [default: 127.0.0.1:9092]
    #[arg(long, value_name = "ADDRS", env = "OPSTREAM_BOOTSTRAP")]
    bootstrap: Option<String>,
    /// First part of every topic's name
    #[arg(long, value_name = "NAME", env = "OPSTREAM_TOPIC_PREFIX", default_value = "llm")]
    pub(crate) topic_prefix: String,
    /// A setting of librdkafka, such as `security.protocol=SASL_SSL`; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) kafka_property: Vec<String>,
    /// Settings of librdkafka separated by ;, for the environment; a value that contains ; needs --kafka-property, which wins
    #[arg(long, value_name = "NAME=VALUE;…", env = "OPSTREAM_KAFKA_PROPERTIES", hide_env_values = true)]
    pub(crate) kafka_properties: Option<String>,
}

/// Kafka brokers to begin with, and who named them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bootstrap {
    /// host:port, separated by commas.
    pub(crate) addresses: String,
    /// The flag, or the file that says it, for messages.
    pub(crate) named_by: String,
}

impl KafkaArgs {
    /// Brokers to begin with.
    pub(crate) fn bootstrap(&self) -> &str {
        self.bootstrap.as_deref().unwrap_or(DEFAULT_BOOTSTRAP)
    }

    /// Brokers to begin with for a command that works on this folder of `opstream up`: unless they are named, those that run on it.
    pub(crate) fn bootstrap_beside(&self, folder: Option<&Path>) -> Bootstrap {
        let broker = folder.filter(|_| self.bootstrap.is_none()).map(|folder| folder.join("broker"));
        match broker.and_then(|broker| Some((last_address(&broker)?, broker))) {
            Some((address, broker)) => {
                Bootstrap { addresses: address.to_string(), named_by: format!("as {}/address says", broker.display()) }
            }
            None => Bootstrap {
                addresses: self.bootstrap().to_owned(),
                named_by: "--bootstrap, OPSTREAM_BOOTSTRAP".to_owned(),
            },
        }
    }

    /// Everything that is needed to reach the cluster.
    ///
    /// # Errors
    /// When the prefix is not usable or a property has no `=`.
    pub(crate) fn address(&self) -> anyhow::Result<BrokerAddress> {
        let (topics, properties) = (self.topics()?, self.properties()?);
        Ok(BrokerAddress { bootstrap: self.bootstrap().to_owned(), properties, topics })
    }

    /// Names of the topics.
    ///
    /// # Errors
    /// When the prefix is not usable.
    pub(crate) fn topics(&self) -> anyhow::Result<Topics> {
        topics_of(&self.topic_prefix)
    }

    /// The further settings by name, each of which librdkafka knows.
    ///
    /// # Errors
    /// When one has no `=`, is not known, or cannot have this value.
    pub(crate) fn properties(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let together =
            self.kafka_properties.iter().flat_map(|text| text.split(';')).filter(|piece| !piece.trim().is_empty());
        let mut properties = BTreeMap::new();
        for text in together.chain(self.kafka_property.iter().map(String::as_str)) {
            let (name, value) =
                property(text).context("--kafka-property or --kafka-properties (OPSTREAM_KAFKA_PROPERTIES)")?;
            properties.insert(name, value);
        }
        Ok(properties)
    }
}

/// Names of the topics with this prefix.
///
/// # Errors
/// When the prefix is not usable.
pub(crate) fn topics_of(prefix: &str) -> anyhow::Result<Topics> {
    Topics::new(prefix).context("--topic-prefix (OPSTREAM_TOPIC_PREFIX)")
}

/// Takes one setting apart and has librdkafka check it. An error repeats no value: it may be a password.
fn property(text: &str) -> anyhow::Result<(String, String)> {
    let Some((name, value)) = text.split_once('=') else {
        // A password with a ; comes apart in the middle; what stands behind must not be shown.
        let is_known = !matches!(check(text.trim(), ""), Err(Refused::Unknown(_)));
        let named = if is_known { text.trim() } else { "a piece that is no setting's name" };
        anyhow::bail!("{named} has no value; expected NAME=VALUE");
    };
    let name = name.trim();
    match check(name, value) {
        Ok(()) => Ok((name.to_owned(), value.to_owned())),
        Err(Refused::Unknown(reason)) => anyhow::bail!("{reason}"),
        Err(Refused::Value(reason)) if !value.is_empty() => anyhow::bail!("{name}: {}", reason.replace(value, "…")),
        Err(Refused::Value(_)) => anyhow::bail!("{name} cannot be empty"),
    }
}

/// Why librdkafka does not take a setting, in its words.
enum Refused {
    /// It has no setting of this name.
    Unknown(String),
    /// The setting cannot have this value.
    Value(String),
}

fn check(name: &str, value: &str) -> Result<(), Refused> {
    match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, reason, ..)) => {
            Err(Refused::Unknown(reason))
        }
        Err(KafkaError::ClientConfig(_, reason, ..)) => Err(Refused::Value(reason)),
        Err(other) => Err(Refused::Value(other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(url: Option<&str>, connection_string: Option<&str>) -> DatabaseArgs {
        DatabaseArgs { database_url: url.map(str::to_owned), connection_string: connection_string.map(str::to_owned) }
    }

    #[test]
    fn the_connection_string_is_second_choice_and_an_error_names_its_variable() {
        let both = database(Some("sqlite:a.db"), Some("sqlite:b.db"));
        assert_eq!(both.url().unwrap(), DatabaseUrl::Sqlite("a.db".into()));
        assert_eq!(database(None, Some("sqlite:///b.db")).url().unwrap(), DatabaseUrl::Sqlite("b.db".into()));
        let error = format!("{:#}", database(None, Some("mysql://u:secret@h/d")).url().unwrap_err());
        assert!(error.contains("CONNECTION_STRING") && !error.contains("secret"), "{error}");
        assert!(database(None, None).url().unwrap_err().to_string().contains("OPSTREAM_DATABASE_URL"));
    }

    #[test]
    fn what_is_no_number_of_the_range_is_answered_with_the_range() {
        let read = whole_number::<u16>(1..=36_500);
        assert_eq!(read("90"), Ok(90));
        for wrong in ["abc", "-1", "0", "36501", "9000000000000000000000", "1.5", ""] {
            assert_eq!(read(wrong), Err("expected a whole number, 1 to 36500".to_owned()), "{wrong}");
        }
        assert!(whole_number::<u8>(0..=300)("256").is_err(), "a number that does not fit its type");
    }

    fn kafka(single: &[&str], together: Option<&str>) -> KafkaArgs {
        KafkaArgs {
            bootstrap: None,
            topic_prefix: "llm".to_owned(),
            kafka_property: single.iter().map(|text| (*text).to_owned()).collect(),
            kafka_properties: together.map(str::to_owned),
        }
    }

    #[test]
    fn a_folder_names_its_broker_unless_a_flag_does() {
        let folder = tempfile::tempdir().unwrap();
        let bootstrap = |flag: Option<&str>| {
            let args = KafkaArgs { bootstrap: flag.map(str::to_owned), ..kafka(&[], None) };
            args.bootstrap_beside(Some(folder.path())).addresses
        };
        assert_eq!(bootstrap(None), "127.0.0.1:9092");
        std::fs::create_dir(folder.path().join("broker")).unwrap();
        std::fs::write(folder.path().join("broker/address"), "127.0.0.1:4711\n").unwrap();
        assert_eq!(bootstrap(None), "127.0.0.1:4711");
        assert_eq!(bootstrap(Some("kafka:9092")), "kafka:9092");
        assert_eq!(kafka(&[], None).bootstrap_beside(None).addresses, "127.0.0.1:9092");
    }

    #[test]
    fn only_the_variable_comes_apart_at_semicolons_and_a_single_setting_wins() {
        let both = kafka(&["sasl.password=a;b=c"], Some("sasl.password=x;sasl.username=me;"));
        let properties = both.properties().unwrap();
        assert_eq!((properties["sasl.password"].as_str(), properties["sasl.username"].as_str()), ("a;b=c", "me"));
    }

    #[test]
    fn a_wrong_property_is_named_and_no_value_is_repeated() {
        let error = |text: &str| format!("{:#}", kafka(&[], Some(text)).properties().unwrap_err());
        let missing = error("sasl.password");
        assert!(
            missing.contains("sasl.password has no value") && missing.contains("OPSTREAM_KAFKA_PROPERTIES"),
            "{missing}"
        );
        for wrong in
            ["sasl.password=first;hunter2", "sasl.pasword=hunter2", "security.protocol=hunter2", "retries=hunter2"]
        {
            assert!(!error(wrong).contains("hunter2"), "{}", error(wrong));
        }
        assert!(error("sasl.pasword=x").contains("sasl.pasword"));
        assert!(error("security.protocol=x").contains("security.protocol"));
    }
}
