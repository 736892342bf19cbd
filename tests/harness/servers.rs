//! Finds the real Kafka and Postgres of this run, once: addresses in the environment, else Docker, else none.
//!
//! Says on standard error which backends the stories run on. Under `CI=true` a run without real servers fails; on
//! anyone's own machine the combination is skipped by name.

use std::io::Write as _;

use tokio::sync::OnceCell;

use super::containers;

/// Addresses of a real Kafka and a real Postgres.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Servers {
    /// `host:port`.
    pub(crate) kafka_bootstrap: String,
    /// URL of a role that may create databases, ending in the name of a database that exists.
    pub(crate) postgres_url: String,
}

const KAFKA: &str = "OPSTREAM_TEST_KAFKA";
const POSTGRES: &str = "OPSTREAM_TEST_POSTGRES";

/// The servers of this run, or `None` where they cannot be had.
///
/// # Panics
/// Under `CI=true` when there are none, and when only one of the two addresses is set.
pub(crate) async fn find() -> Option<&'static Servers> {
    static FOUND: OnceCell<Option<Servers>> = OnceCell::const_new();
    FOUND.get_or_init(search).await.as_ref()
}

async fn search() -> Option<Servers> {
    let addresses = pair(environment(KAFKA), environment(POSTGRES));
    let (servers, origin) = match addresses {
        Some(servers) => (Ok(servers), "addresses from the environment"),
        None => (started_with_docker().await, "started with Docker"),
    };
    match servers {
        Ok(servers) => {
            announce(&format!("backends: embedded broker + SQLite, Kafka + Postgres ({origin})"));
            Some(servers)
        }
        Err(reason) => {
            assert!(!in_ci(), "no real servers: {KAFKA} and {POSTGRES} are not set, and {reason}");
            announce(&format!(
                "backends: embedded broker + SQLite; SKIPPED: Kafka + Postgres \
                 ({KAFKA} and {POSTGRES} are not set, and {reason})"
            ));
            None
        }
    }
}

async fn started_with_docker() -> Result<Servers, String> {
    tokio::task::spawn_blocking(containers::start).await.expect("starting containers does not panic")
}

fn pair(kafka: Option<String>, postgres: Option<String>) -> Option<Servers> {
    match (kafka, postgres) {
        (Some(kafka_bootstrap), Some(postgres_url)) => Some(Servers { kafka_bootstrap, postgres_url }),
        (None, None) => None,
        _ => panic!("set both {KAFKA} and {POSTGRES}, or neither"),
    }
}

/// A variable of the environment; empty counts as unset.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests have no config.rs; this is their only look at the environment"
)]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether a missing backend or missing data is a failure.
pub(super) fn in_ci() -> bool {
    environment("CI").is_some_and(|value| value == "true")
}

/// Prints a line that the test runner does not swallow.
pub(crate) fn announce(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("standard error is open while tests run");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_addresses_together_name_the_servers() {
        let servers = pair(Some("127.0.0.1:9".to_owned()), Some("postgres://x".to_owned())).unwrap();
        assert_eq!(servers.kafka_bootstrap, "127.0.0.1:9");
        assert_eq!(pair(None, None), None);
    }

    #[test]
    #[should_panic(expected = "set both")]
    fn one_address_alone_is_refused() {
        pair(Some("127.0.0.1:9".to_owned()), None);
    }
}
