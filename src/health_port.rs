//! The health port of a role that has no other door: its flags, and how it runs beside the role.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use opstream_api::{BrokerAddress, HealthConfig, RoleWatch, Secret};
use opstream_schemas::database::Database;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::listen::{check_health_listen, read_token};
use crate::telemetry::start_metrics;

/// Where a role answers how it is.
#[derive(Args, Clone)]
pub(crate) struct HealthArgs {
    /// Address for /health/live, /health/ready and /metrics, such as 127.0.0.1:8081 [default: no such port]
    #[arg(long, value_name = "ADDR", env = "OPSTREAM_HEALTH_LISTEN")]
    health_listen: Option<SocketAddr>,
    /// File whose first line is the token that /metrics asks for; health is answered to everybody
    #[arg(long, value_name = "FILE", env = "OPSTREAM_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// Answer /metrics to everybody who reaches the address, even from other machines
    #[arg(long)]
    insecure: bool,
}

/// A port that is bound and does not answer yet.
pub(crate) struct HealthPort {
    listener: TcpListener,
    token: Option<Secret>,
}

impl HealthArgs {
    /// Binds the port, if one is wanted.
    ///
    /// # Errors
    /// When the address is open to other machines without a word about it, the token is not usable, or the port is taken.
    pub(crate) async fn bind(&self) -> anyhow::Result<Option<HealthPort>> {
        let Some(address) = self.health_listen else { return Ok(None) };
        let token = read_token(self.token_file.as_deref())?;
        check_health_listen(address, token.as_ref(), self.insecure)?;
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("cannot listen on {address}; choose another address with --health-listen (OPSTREAM_HEALTH_LISTEN)")
        })?;
        Ok(Some(HealthPort { listener, token }))
    }
}

/// Runs the role until it ends, and the port beside it.
///
/// # Errors
/// Those of the role, and wrong settings of the broker.
pub(crate) async fn run_with_health(
    port: Option<HealthPort>,
    (database, broker, role): (Database, BrokerAddress, RoleWatch),
    running: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let Some(HealthPort { listener, token }) = port else { return running.await };
    let config = HealthConfig { database, broker, roles: vec![role], token, metrics: start_metrics()? };
    let stop = CancellationToken::new();
    let mut server = JoinSet::new();
    server.spawn(opstream_api::serve_health(listener, config, stop.clone()));
    let outcome = tokio::select! {
        outcome = running => outcome,
        Some(ended) = server.join_next() => return ended.context("the health port crashed")?,
    };
    stop.cancel();
    while let Some(ended) = server.join_next().await {
        ended.context("the health port crashed")??;
    }
    outcome
}
