//! `opstream api`: the front door, the answers and the page, as a process of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use opstream_api::{ApiConfig, ContentCapture, Listeners, RequestLimits};
use opstream_producer::{ProducerConfig, Sink};
use opstream_schemas::avro::Record;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::ingestor_command::ContentChoice;
use crate::listen::{check_listen, read_token};
use crate::otlp_listen::OtlpArgs;
use crate::rate_args::RateArgs;
use crate::scan_args::ScanArgs;
use crate::schema_registry::{Learning, RegistryArgs};
use crate::settings::{DatabaseArgs, KafkaArgs, LakeArgs};
use crate::telemetry::start_metrics;

/// Takes operations over HTTP, answers questions about them and serves the dashboard.
///
/// Any number may run side by side: they share nothing but the topic and the database.
#[derive(Args, Clone)]
pub(crate) struct ApiArgs {
    /// Address of the api and the dashboard; beyond loopback it needs --token-file or --insecure
    #[arg(long, value_name = "ADDR", env = "OPSTREAM_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    #[command(flatten)]
    otlp: OtlpArgs,
    /// File whose first line is the token that requests must carry, 16 to 1024 visible characters
    #[arg(long, value_name = "FILE", env = "OPSTREAM_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// Let everybody in who reaches the address
    #[arg(long)]
    insecure: bool,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    lake: LakeArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    registry: RegistryArgs,
    /// What is kept of prompts, messages and tool definitions; with off they are dropped at the door
    #[arg(long, env = "OPSTREAM_CONTENT", value_enum, default_value_t = ContentChoice::Off)]
    content: ContentChoice,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    rates: RateArgs,
    #[command(flatten)]
    scans: ScanArgs,
}

/// Limits of requests.
#[derive(Args, Clone, Debug)]
struct LimitArgs {
    /// Most MiB of a request's body, 1 to 1024
    #[arg(long, value_name = "MIB", env = "OPSTREAM_MAX_BODY_MIB", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1024))]
    max_body_mib: u32,
    /// Longest time from a request to its answer, in seconds, 31 to 600: above the 30 s that the broker may take to
    /// acknowledge
    #[arg(long, value_name = "S", env = "OPSTREAM_REQUEST_TIMEOUT_S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(31..=600))]
    request_timeout_s: u64,
}

impl LimitArgs {
    fn limits(&self) -> RequestLimits {
        let whole = |value: u32| usize::try_from(value).expect("32 bits fit an address on every supported machine");
        RequestLimits {
            body_bytes: whole(self.max_body_mib) << 20,
            timeout: Duration::from_secs(self.request_timeout_s),
            ..RequestLimits::default()
        }
    }
}

/// Serves until `shutdown` is cancelled.
///
/// # Errors
/// When the configuration is wrong, the database cannot be opened, or an address cannot be bound.
pub(crate) async fn run(args: ApiArgs, shutdown: CancellationToken) -> anyhow::Result<()> {
    let token = read_token(args.token_file.as_deref())?;
    check_listen(args.listen, token.as_ref(), args.insecure)?;
    args.otlp.check(token.as_ref(), args.insecure)?;
    let topics = args.kafka.topics()?;
    let subjects = args.registry.subjects(&topics)?;
    let mut producer = ProducerConfig {
        topics: topics.clone(),
        properties: args.kafka.properties()?,
        ..ProducerConfig::new(args.kafka.bootstrap())
    };
    producer.check()?;
    // Before anything is reached.
    args.database.url()?;
    let mut learning = Learning::default();
    let asked = shutdown.run_until_cancelled(learning.begin(subjects.as_ref(), Record::Operation)).await;
    let Some(schema_id) = asked else { return Ok(()) };
    producer.schema_id = schema_id?;
    let Some(opened) = shutdown.run_until_cancelled(args.database.open()).await else { return Ok(()) };
    let database = opened?;
    let listeners = listen(&args).await?;
    let config = ApiConfig {
        database: database.clone(),
        sink: Sink::Kafka(producer),
        schemas: subjects.as_ref().map(|subjects| subjects.registry().clone()),
        topics,
        token,
        content: if args.content == ContentChoice::Off { ContentCapture::Off } else { ContentCapture::On },
        limits: args.limits.limits(),
        rates: args.rates.limits(),
        scans: args.scans.limits(),
        lake: Some(args.lake.lake),
        metrics: Some(start_metrics()?),
        roles: Vec::new(),
    };
    let outcome = learning.beside(opstream_api::run(listeners, config, shutdown)).await;
    database.close().await;
    outcome
}

async fn listen(args: &ApiArgs) -> anyhow::Result<Listeners> {
    let address = args.listen;
    let api = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; choose another address with --listen (OPSTREAM_LISTEN)")
    })?;
    Ok(Listeners { api, otlp: args.otlp.bind(address).await?.listeners })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: ApiArgs,
    }

    fn parse(arguments: &[&str]) -> Result<ApiArgs, clap::Error> {
        Command::try_parse_from([&["api"], arguments].concat()).map(|command| command.args)
    }

    #[tokio::test]
    async fn wrong_settings_fail_before_anything_is_opened() {
        let refusal = async |arguments: &[&str]| {
            let args = parse(arguments).unwrap();
            format!("{:#}", run(args, CancellationToken::new()).await.unwrap_err())
        };
        assert!(refusal(&["--listen", "0.0.0.0:8080"]).await.contains("OPSTREAM_TOKEN_FILE"));
        assert!(refusal(&["--otlp-listen", "0.0.0.0:4318"]).await.contains("OPSTREAM_OTLP_LISTEN"));
        assert!(refusal(&["--token-file", "/nowhere/token"]).await.contains("/nowhere/token"));
        assert!(refusal(&["--topic-prefix", "a_b"]).await.contains("OPSTREAM_TOPIC_PREFIX"));
        assert!(refusal(&["--bootstrap", ","]).await.contains("bootstrap"));
        assert!(refusal(&["--schema-registry", "registry"]).await.contains("OPSTREAM_SCHEMA_REGISTRY"));
    }

    #[test]
    fn limits_outside_their_range_are_refused() {
        for arguments in [["--max-body-mib", "0"], ["--max-body-mib", "2000"], ["--request-timeout-s", "5"]] {
            assert!(parse(&arguments).is_err(), "{arguments:?}");
        }
        let limits = parse(&["--max-body-mib", "3"]).unwrap().limits.limits();
        assert_eq!((limits.body_bytes, limits.timeout), (3 << 20, Duration::from_mins(1)));
    }
}
