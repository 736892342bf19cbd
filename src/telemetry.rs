//! Logs to standard error and the process's metrics.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// Starts logging. `OPSTREAM_LOG` chooses levels, such as `debug` or `opstream_ingestor=debug`.
pub(crate) fn start_logging() {
    let filter =
        EnvFilter::try_from_env("OPSTREAM_LOG").unwrap_or_else(|_| EnvFilter::new("info,librdkafka=error,sqlx=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

/// Starts counting; the handle renders what was counted as Prometheus text.
///
/// # Errors
/// When a recorder is installed already.
pub(crate) fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    Ok(PrometheusBuilder::new().install_recorder()?)
}
