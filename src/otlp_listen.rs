//! The addresses that exporters of OpenTelemetry try by themselves: 4317 for gRPC and 4318 for HTTP. Each of them takes both here.
//!
//! Unless they were asked for, ports that another program has are left to it: the api's own address takes the same requests.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use anyhow::Context as _;
use clap::Args;
use opstream_api::Secret;
use tokio::net::TcpListener;

use crate::listen::check_otlp_listen;

/// Where exporters send to unless they are told otherwise: gRPC, HTTP.
const STANDARD_PORTS: [u16; 2] = [4317, 4318];

/// Where exporters of OpenTelemetry are answered beside the api's own address.
#[derive(Args, Clone, Debug)]
pub(crate) struct OtlpArgs {
    /// Addresses for OpenTelemetry's exporters alone, separated by commas, or off; each takes gRPC and HTTP [default: ports 4317 and
    /// 4318 beside --listen, as far as they are free]
    #[arg(long, value_name = "ADDRS", env = "OPSTREAM_OTLP_LISTEN")]
    otlp_listen: Option<OtlpAddresses>,
}

/// What was asked for: none for `off`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct OtlpAddresses(Vec<SocketAddr>);

/// Addresses that are bound and do not answer yet, and those that could not be had.
#[derive(Debug, Default)]
pub(crate) struct OtlpPorts {
    /// Bound.
    pub(crate) listeners: Vec<TcpListener>,
    /// Standard addresses that nobody asked for and that cannot be bound: mostly because a collector of OpenTelemetry runs there.
    pub(crate) taken: Vec<SocketAddr>,
}

impl FromStr for OtlpAddresses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().eq_ignore_ascii_case("off") {
            return Ok(Self(Vec::new()));
        }
        let addresses = text.split(',').map(|address| address.trim().parse());
        addresses.collect::<Result<_, _>>().map(Self).map_err(|_| {
            "expected IP:PORT, several separated by commas, such as 127.0.0.1:4317,127.0.0.1:4318, or off".to_owned()
        })
    }
}

impl OtlpArgs {
    /// Refuses addresses that other machines can reach when nothing protects them.
    ///
    /// # Errors
    /// Names the first of them.
    pub(crate) fn check(&self, token: Option<&Secret>, insecure: bool) -> anyhow::Result<()> {
        let named = self.otlp_listen.iter().flat_map(|addresses| &addresses.0);
        named.copied().try_for_each(|address| check_otlp_listen(address, token, insecure))
    }

    /// Binds what was asked for; else the standard ports beside the api's, with a warning for each that cannot be had.
    ///
    /// # Errors
    /// When an address that was asked for cannot be bound.
    pub(crate) async fn bind(&self, api: SocketAddr) -> anyhow::Result<OtlpPorts> {
        let Some(OtlpAddresses(named)) = &self.otlp_listen else { return Ok(bind_standard(api).await) };
        let mut ports = OtlpPorts::default();
        for address in named {
            let listener = TcpListener::bind(address).await.with_context(|| {
                format!("cannot listen on {address}; choose other addresses with --otlp-listen (OPSTREAM_OTLP_LISTEN), or off")
            })?;
            ports.listeners.push(listener);
        }
        Ok(ports)
    }
}

async fn bind_standard(api: SocketAddr) -> OtlpPorts {
    let mut ports = OtlpPorts::default();
    // The api itself may have been put there, and takes the same.
    for address in standard_addresses(api.ip()).into_iter().filter(|address| *address != api) {
        match TcpListener::bind(address).await {
            Ok(listener) => ports.listeners.push(listener),
            Err(error) => {
                let reason = reason_of(&error);
                tracing::warn!(
                    %address, %api, reason,
                    "this standard port of OpenTelemetry is not ours; exporters can send to the api's own address"
                );
                ports.taken.push(address);
            }
        }
    }
    ports
}

fn standard_addresses(ip: IpAddr) -> [SocketAddr; 2] {
    STANDARD_PORTS.map(|port| SocketAddr::new(ip, port))
}

fn reason_of(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there, perhaps a collector".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> OtlpArgs {
        OtlpArgs { otlp_listen: Some(text.parse().unwrap()) }
    }

    #[test]
    fn addresses_are_a_list_or_off() {
        let parsed = |text: &str| text.parse::<OtlpAddresses>().map(|addresses| addresses.0);
        assert_eq!(parsed("off"), Ok(Vec::new()));
        let both = ["127.0.0.1:4317", "[::1]:4318"].map(|address| address.parse().unwrap());
        assert_eq!(parsed("127.0.0.1:4317, [::1]:4318"), Ok(both.to_vec()));
        for wrong in ["", "4317", "127.0.0.1:4317,", "on", "localhost:4317"] {
            assert!(parsed(wrong).unwrap_err().contains("127.0.0.1:4317,127.0.0.1:4318, or off"), "{wrong:?}");
        }
    }

    #[test]
    fn an_open_address_needs_a_token_or_a_word() {
        let open = named("127.0.0.1:4317,0.0.0.0:4318");
        let error = open.check(None, false).unwrap_err().to_string();
        assert!(error.contains("--otlp-listen 0.0.0.0:4318 (OPSTREAM_OTLP_LISTEN)"), "{error}");
        open.check(None, true).unwrap();
        open.check(Some(&Secret::new("0123456789abcdef").unwrap()), false).unwrap();
        named("127.0.0.1:4317").check(None, false).unwrap();
    }

    #[tokio::test]
    async fn an_address_that_was_asked_for_is_had_or_an_error() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let api = "127.0.0.1:8080".parse().unwrap();
        let error = format!("{:#}", named(&address.to_string()).bind(api).await.unwrap_err());
        assert!(error.contains(&address.to_string()) && error.contains("OPSTREAM_OTLP_LISTEN"), "{error}");
        let ports = named("127.0.0.1:0,127.0.0.1:0").bind(api).await.unwrap();
        assert_eq!((ports.listeners.len(), ports.taken.len()), (2, 0));
        assert!(named("off").bind(api).await.unwrap().listeners.is_empty());
    }

    /// On an address of its own, which no collector of this machine has.
    #[tokio::test]
    async fn standard_ports_that_others_have_are_left_to_them() {
        let api: SocketAddr = "127.43.17.18:0".parse().unwrap();
        let Ok(collector) = TcpListener::bind("127.43.17.18:4317").await else {
            // Only Linux has every address of 127.0.0.0/8.
            return;
        };
        let ports = OtlpArgs { otlp_listen: None }.bind(api).await.unwrap();
        assert_eq!(ports.taken, [collector.local_addr().unwrap()]);
        assert_eq!(ports.listeners.len(), 1);
        assert_eq!(ports.listeners[0].local_addr().unwrap(), "127.43.17.18:4318".parse().unwrap());
        drop(ports);
        let ports = OtlpArgs { otlp_listen: None }.bind("127.43.17.18:4318".parse().unwrap()).await.unwrap();
        assert!(ports.listeners.is_empty(), "the api is there itself");
    }
}
