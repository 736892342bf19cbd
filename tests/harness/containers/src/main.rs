//! Starts Kafka and Postgres in Docker, on loopback ports, and prints their addresses: two lines, Kafka's `host:port`
//! and Postgres' URL. Then reads standard input, and removes the containers when it ends.
//!
//! The tests hold the other end of that pipe, which closes however they end: passed, failed or killed.

use std::net::TcpListener;

use anyhow::Context as _;
use testcontainers::core::{ContainerPort, IntoContainerPort as _, WaitFor};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerRequest, GenericImage, ImageExt as _};
use tokio::io::AsyncWriteExt as _;

const KAFKA: (&str, &str) = ("apache/kafka", "4.3.1");
const POSTGRES: (&str, &str) = ("postgres", "17");
/// Guards a throw-away server that only this machine can reach.
const POSTGRES_PASSWORD: &str = "opstream";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let (kafka_port, postgres_port) = (free_port()?, free_port()?);
    let kafka = kafka(kafka_port).start().await.context("starting Kafka")?;
    let postgres = postgres(postgres_port).start().await.context("starting Postgres")?;

    let addresses =
        format!("127.0.0.1:{kafka_port}\npostgres://postgres:{POSTGRES_PASSWORD}@127.0.0.1:{postgres_port}/postgres\n");
    let mut output = tokio::io::stdout();
    output.write_all(addresses.as_bytes()).await?;
    output.flush().await?;

    tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await?;
    kafka.rm().await.context("removing Kafka")?;
    postgres.rm().await.context("removing Postgres")
}

/// One node that is its own controller. Kafka tells its clients where to connect, so it must know the port outside.
fn kafka(port: u16) -> ContainerRequest<GenericImage> {
    let image = GenericImage::new(KAFKA.0, KAFKA.1).with_wait_for(WaitFor::message_on_stdout("Kafka Server started"));
    let settings = [
        ("KAFKA_NODE_ID", "1"),
        ("KAFKA_PROCESS_ROLES", "broker,controller"),
        ("KAFKA_LISTENERS", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"),
        ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
        ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9093"),
        ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1"),
        ("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1"),
        ("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1"),
        ("KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR", "1"),
        ("KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR", "1"),
        ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0"),
        ("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false"),
    ];
    settings
        .into_iter()
        .fold(on_loopback(image, port, 9092.tcp()), |request, (name, value)| request.with_env_var(name, value))
        .with_env_var("KAFKA_ADVERTISED_LISTENERS", format!("PLAINTEXT://127.0.0.1:{port}"))
}

fn postgres(port: u16) -> ContainerRequest<GenericImage> {
    let image = GenericImage::new(POSTGRES.0, POSTGRES.1)
        // Before this line another server says that it is ready, one that only prepares the folder.
        .with_wait_for(WaitFor::message_on_stdout("PostgreSQL init process complete"))
        .with_wait_for(WaitFor::message_on_stderr("database system is ready to accept connections"));
    on_loopback(image, port, 5432.tcp()).with_env_var("POSTGRES_PASSWORD", POSTGRES_PASSWORD)
}

/// Publishes a port of the container on 127.0.0.1 only; Docker's default is every address of the machine.
fn on_loopback(image: GenericImage, port: u16, inside: ContainerPort) -> ContainerRequest<GenericImage> {
    image.with_mapped_port(port, inside).with_host_config_modifier(|host| {
        let bindings = host.port_bindings.iter_mut().flat_map(|ports| ports.values_mut());
        for binding in bindings.flatten().flatten() {
            binding.host_ip = Some("127.0.0.1".to_owned());
        }
    })
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("looking for a free port")?;
    Ok(listener.local_addr()?.port())
}
