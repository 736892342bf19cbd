//! Logs to standard error and the process's metrics.

use std::io::IsTerminal as _;

use clap::Args;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// What is logged.
#[derive(Args, Clone, Debug)]
pub(crate) struct LogArgs {
    /// What is logged to standard error: error, warn, info, debug or trace, also for a part, such as `opstream_ingestor=debug`
    #[arg(
        long = "log",
        value_name = "LEVELS",
        env = "OPSTREAM_LOG",
        default_value = "info,librdkafka=error,sqlx=warn",
        value_parser = parse_levels,
        global = true,
        display_order = 900,
    )]
    levels: String,
}

/// Starts logging.
pub(crate) fn start_logging(args: &LogArgs) {
    let filter = EnvFilter::new(&args.levels);
    // Escape sequences only where somebody sees colours: not in a file, and not in what a container platform collects.
    let has_colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(has_colours).with_writer(std::io::stderr).init();
}

/// Starts counting; the handle renders what was counted as Prometheus text.
///
/// # Errors
/// When a recorder is installed already.
pub(crate) fn start_metrics() -> anyhow::Result<PrometheusHandle> {
    Ok(PrometheusBuilder::new().install_recorder()?)
}

/// Checks the levels. A word without `=` must be a level: the filter itself would take it for the name of a part.
fn parse_levels(text: &str) -> Result<String, String> {
    let expected = "expected error, warn, info, debug, trace or off, also as PART=LEVEL, separated by commas";
    for word in text.split(',').map(str::trim).filter(|word| !word.contains(['=', '['])) {
        word.parse::<LevelFilter>().map_err(|_| format!("{word:?} is no level; {expected}"))?;
    }
    EnvFilter::try_new(text).map_err(|error| format!("{error}; {expected}"))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_that_would_log_something_else_are_refused() {
        for levels in
            ["debug", "warn,opstream_api=trace", "info,librdkafka=error,sqlx=warn", "off", "opstream_ingestor[x]=debug"]
        {
            assert_eq!(parse_levels(levels).unwrap(), levels);
        }
        for levels in ["verbose", "info,opstream_api", "opstream_api=loud"] {
            assert!(parse_levels(levels).unwrap_err().contains("expected error, warn"), "{levels}");
        }
    }
}
