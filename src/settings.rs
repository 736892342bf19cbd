//! Flags that several commands share. Each may come from the environment or `.env`; nothing else reads either.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use opstream_api::BrokerAddress;
use opstream_schemas::database::{Database, DatabaseUrl};
use opstream_schemas::topics::Topics;

/// The database of the pipeline.
#[derive(Args, Clone)]
pub(crate) struct DatabaseArgs {
    /// Where rows are: `postgres://user@host/database` or `sqlite:FILE`
    #[arg(long, value_name = "URL", env = "OPSTREAM_DATABASE_URL", hide_env_values = true)]
    pub(crate) database_url: Option<String>,
    /// `AiCore`'s name for the same, used when --database-url is absent; `SQLAlchemy`'s form is understood
    #[arg(long, value_name = "URL", env = "CONNECTION_STRING", hide = true, hide_env_values = true)]
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
    /// When it cannot be reached or was migrated by a newer version.
    pub(crate) async fn open(&self) -> anyhow::Result<Database> {
        open_database(&self.url()?).await
    }
}

/// Opens the database and brings its tables to this version.
///
/// # Errors
/// When it cannot be reached or was migrated by a newer version.
pub(crate) async fn open_database(url: &DatabaseUrl) -> anyhow::Result<Database> {
    let database = Database::connect(url).await?;
    opstream_schemas::migrations::migrate(&database)
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

/// The Kafka cluster of the pipeline.
#[derive(Args, Clone)]
pub(crate) struct KafkaArgs {
    /// Kafka brokers to begin with, host:port separated by commas
    #[arg(long, value_name = "ADDRS", env = "OPSTREAM_BOOTSTRAP", default_value = "127.0.0.1:9092")]
    pub(crate) bootstrap: String,
    /// First part of every topic's name
    #[arg(long, value_name = "NAME", env = "OPSTREAM_TOPIC_PREFIX", default_value = "llm")]
    pub(crate) topic_prefix: String,
    /// A librdkafka setting, such as `security.protocol=SASL_SSL`; may be repeated, in the environment separated by ;
    #[arg(
        long,
        value_name = "NAME=VALUE",
        env = "OPSTREAM_KAFKA_PROPERTIES",
        value_delimiter = ';',
        hide_env_values = true
    )]
    pub(crate) kafka_property: Vec<String>,
}

impl KafkaArgs {
    /// Everything that is needed to reach the cluster.
    ///
    /// # Errors
    /// When the prefix is not usable or a property has no `=`.
    pub(crate) fn address(&self) -> anyhow::Result<BrokerAddress> {
        let (topics, properties) = (self.topics()?, self.properties()?);
        Ok(BrokerAddress { bootstrap: self.bootstrap.clone(), properties, topics })
    }

    /// Names of the topics.
    ///
    /// # Errors
    /// When the prefix is not usable.
    pub(crate) fn topics(&self) -> anyhow::Result<Topics> {
        Topics::new(&self.topic_prefix).context("--topic-prefix (OPSTREAM_TOPIC_PREFIX)")
    }

    /// The further settings by name.
    ///
    /// # Errors
    /// When one has no `=`.
    pub(crate) fn properties(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let split = |text: &String| {
            let name = text.split('=').next().unwrap_or_default();
            let (name, value) = text.split_once('=').with_context(|| {
                format!("--kafka-property (OPSTREAM_KAFKA_PROPERTIES) {name:?} has no value; expected NAME=VALUE")
            })?;
            Ok((name.trim().to_owned(), value.to_owned()))
        };
        self.kafka_property.iter().filter(|text| !text.is_empty()).map(split).collect()
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
    fn a_property_without_a_value_is_named() {
        let kafka = |properties: &[&str]| KafkaArgs {
            bootstrap: String::new(),
            topic_prefix: "llm".to_owned(),
            kafka_property: properties.iter().map(|text| (*text).to_owned()).collect(),
        };
        assert_eq!(kafka(&["sasl.password=a=b"]).properties().unwrap()["sasl.password"], "a=b");
        assert!(kafka(&["sasl.password"]).properties().unwrap_err().to_string().contains("sasl.password"));
    }
}
