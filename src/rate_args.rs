//! How much one caller may send: the flags of the roles that have a front door.

use std::num::NonZeroU64;
use std::time::Duration;

use clap::Args;
use opstream_api::{Network, RateLimits};

/// Limits of rates. A caller is whoever sends the token, else an address or an IPv6 /64.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Rates of one caller: whoever sends the token, else an address or an IPv6 /64")]
pub(crate) struct RateArgs {
    /// Most requests a second, but for health; any number unless set. Beyond it the answer is 429 with Retry-After
    #[arg(long, value_name = "N", env = "OPSTREAM_MAX_REQUESTS_PER_S", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    max_requests_per_s: Option<u64>,
    /// Most operations a second, refused ones and spans too; any number unless set
    #[arg(long, value_name = "N", env = "OPSTREAM_MAX_OPERATIONS_PER_S", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    max_operations_per_s: Option<u64>,
    /// Most MiB of bodies a second, as they come or once they are unpacked, whichever is more; any number unless set
    #[arg(long, value_name = "MIB", env = "OPSTREAM_MAX_MIB_PER_S", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    max_mib_per_s: Option<u64>,
    /// Seconds' worth of these that a caller who was quiet may send at once, 1 to 3600: exporters and imports send in batches
    #[arg(long, value_name = "S", env = "OPSTREAM_RATE_BURST_S", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    rate_burst_s: u64,
    /// Address or network of proxies, such as 10.0.0.0/8, whose X-Forwarded-For says who called; several by commas. None
    /// unless set, since anybody can send that header; then everybody behind a proxy is one caller
    #[arg(long, value_name = "CIDR", env = "OPSTREAM_TRUSTED_PROXIES", value_delimiter = ',')]
    trusted_proxies: Vec<Network>,
}

impl RateArgs {
    /// The limits that these flags describe.
    pub(crate) fn limits(&self) -> RateLimits {
        RateLimits {
            requests_per_s: self.max_requests_per_s.and_then(NonZeroU64::new),
            operations_per_s: self.max_operations_per_s.and_then(NonZeroU64::new),
            bytes_per_s: self.max_mib_per_s.and_then(|mebibytes| NonZeroU64::new(mebibytes << 20)),
            burst: Duration::from_secs(self.rate_burst_s),
            trusted_proxies: self.trusted_proxies.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        rates: RateArgs,
    }

    fn parse(arguments: &[&str]) -> Result<RateLimits, clap::Error> {
        Command::try_parse_from([&["api"], arguments].concat()).map(|command| command.rates.limits())
    }

    #[test]
    fn nothing_is_limited_unless_it_is_asked_for() {
        assert_eq!(parse(&[]).unwrap(), RateLimits::default());
    }

    #[test]
    fn flags_become_limits_and_wrong_ones_are_refused() {
        let limits = parse(&[
            "--max-requests-per-s=50",
            "--max-operations-per-s=1000",
            "--max-mib-per-s=2",
            "--rate-burst-s=3",
            "--trusted-proxies=10.0.0.0/8,fd00::1",
        ])
        .unwrap();
        assert_eq!(limits.requests_per_s.unwrap().get(), 50);
        assert_eq!(limits.operations_per_s.unwrap().get(), 1000);
        assert_eq!((limits.bytes_per_s.unwrap().get(), limits.burst), (2 << 20, Duration::from_secs(3)));
        assert_eq!(limits.trusted_proxies, ["10.0.0.0/8".parse().unwrap(), "fd00::1/128".parse().unwrap()]);
        for argument in ["--max-requests-per-s=0", "--max-mib-per-s=0", "--rate-burst-s=0", "--rate-burst-s=4000"] {
            assert!(parse(&[argument]).is_err(), "{argument}");
        }
        let refused = parse(&["--trusted-proxies=10.0.0.0/40"]).unwrap_err().to_string();
        assert!(refused.contains("10.0.0.0/40") && refused.contains("fd00::/8"), "{refused}");
    }
}
