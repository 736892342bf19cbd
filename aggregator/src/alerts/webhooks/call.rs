//! One call: the name is resolved once, all its addresses are looked at, and these alone are connected to.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use opstream_schemas::UtcMillis;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode};
use url::Host;

use super::address::{is_allowed, is_private};
use super::sign::signature;
use super::target::{Format, Target, Webhooks};

/// How long a call may take in all.
const CALL_LIMIT: Duration = Duration::from_secs(10);
/// Longest pause that a receiver may ask for.
const LONGEST_ASKED: Duration = Duration::from_hours(1);

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was taken.
    Delivered,
    /// Try again, after what was asked for at least.
    Failed { reason: String, asked: Option<Duration> },
    /// It would fail again.
    Refused { reason: String },
}

/// Addresses of names.
#[cfg(test)]
type TestNames = dyn Fn(&str) -> Vec<SocketAddr> + Send + Sync;

/// How names become addresses.
#[derive(Clone)]
pub(super) enum Resolver {
    /// As the system does it.
    System,
    /// As a test says.
    #[cfg(test)]
    Test(std::sync::Arc<TestNames>),
}

/// Sends a body to a webhook at the time `now`.
pub(super) async fn call(
    (webhooks, target): (&Webhooks, &Target),
    resolver: &Resolver,
    (alert_id, body): (&str, String),
    now: UtcMillis,
) -> Outcome {
    match tokio::time::timeout(CALL_LIMIT, try_call((webhooks, target), resolver, (alert_id, body), now)).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome::failed("did not answer within 10 s"),
    }
}

async fn try_call(
    (webhooks, target): (&Webhooks, &Target),
    resolver: &Resolver,
    (alert_id, body): (&str, String),
    now: UtcMillis,
) -> Outcome {
    let addresses = match resolver.addresses(target).await {
        Ok(addresses) => addresses,
        Err(reason) => return Outcome::failed(reason),
    };
    if !addresses.iter().all(|address| is_allowed(address.ip(), webhooks.private)) {
        return Outcome::failed("its host has an address that may not be called");
    }
    if target.url.scheme() != "https" && !addresses.iter().all(|address| is_private(address.ip())) {
        return Outcome::failed("its host has an address outside of private networks, where only https:// is called");
    }
    let mut client =
        reqwest::Client::builder().no_proxy().redirect(Policy::none()).timeout(CALL_LIMIT).user_agent("opstream");
    if let Host::Domain(name) = target.host() {
        client = client.resolve_to_addrs(name, &addresses);
    }
    let Ok(client) = client.build() else { return Outcome::failed("no client of HTTP could be made") };
    let timestamp = now.millis().div_euclid(1000);
    let mut request = client
        .post(target.url.clone())
        .header(CONTENT_TYPE, "application/json")
        .header("opstream-alert-id", alert_id)
        .header("opstream-timestamp", timestamp);
    if let (Format::Json, Some(secret)) = (target.format, &webhooks.secret) {
        request = request.header("opstream-signature", signature(secret.bytes(), timestamp, body.as_bytes()));
    }
    match request.body(body).send().await {
        // Its body is not read: nothing of it is needed.
        Ok(response) => judge(&response, now),
        Err(error) => Outcome::failed(kind_of(&error)),
    }
}

/// The error itself may have the address.
fn kind_of(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "did not answer within 10 s"
    } else if error.is_connect() {
        "cannot be connected to"
    } else {
        "the connection broke off"
    }
}

fn judge(response: &Response, now: UtcMillis) -> Outcome {
    let status = response.status();
    if status.is_success() {
        return Outcome::Delivered;
    }
    let reason = format!("answered {}", status.as_u16());
    let is_temporary = status.is_server_error()
        || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS);
    if is_temporary {
        let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        return Outcome::Failed { reason, asked: header.and_then(|text| asked_for(text, now)) };
    }
    let reason = if status.is_redirection() { format!("{reason}, and redirects are not followed") } else { reason };
    Outcome::Refused { reason }
}

/// Seconds, or a date.
fn asked_for(text: &str, now: UtcMillis) -> Option<Duration> {
    let asked = if let Ok(seconds) = text.trim().parse() {
        Duration::from_secs(seconds)
    } else {
        let date = chrono::DateTime::parse_from_rfc2822(text.trim()).ok()?;
        Duration::from_millis(u64::try_from(date.timestamp_millis() - now.millis()).ok()?)
    };
    Some(asked.min(LONGEST_ASKED))
}

impl Outcome {
    pub(super) fn failed(reason: &str) -> Self {
        Self::Failed { reason: reason.to_owned(), asked: None }
    }
}

impl Resolver {
    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, &'static str> {
        let port = target.url.port_or_known_default().unwrap_or(443);
        let name = match target.host() {
            Host::Ipv4(address) => return Ok(vec![SocketAddr::new(IpAddr::V4(address), port)]),
            Host::Ipv6(address) => return Ok(vec![SocketAddr::new(IpAddr::V6(address), port)]),
            Host::Domain(name) => name,
        };
        let addresses: Vec<SocketAddr> = match self {
            Self::System => {
                let found = tokio::net::lookup_host((name, port)).await;
                found.map_err(|_| "its host's name cannot be resolved")?.collect()
            }
            #[cfg(test)]
            Self::Test(resolve) => resolve(name),
        };
        if addresses.is_empty() { Err("its host's name has no address") } else { Ok(addresses) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_may_ask_for_seconds_or_a_date() {
        let now = UtcMillis::from_millis(1_795_435_200_000);
        assert_eq!(asked_for("120", now), Some(Duration::from_mins(2)));
        assert_eq!(asked_for("Mon, 23 Nov 2026 12:00:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(asked_for("Mon, 23 Nov 2026 11:00:30 GMT", now), None);
        assert_eq!(asked_for("soon", now), None);
        assert_eq!(asked_for("9999999999", now), Some(LONGEST_ASKED));
    }
}
