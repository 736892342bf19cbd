//! How much questions to the lake's files may take: the flags of the roles that answer questions.

use std::time::Duration;

use clap::Args;
use opstream_api::ScanLimits;

/// Limits of the processes that read the lake's files.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Questions that windows cannot answer, each by a process that reads the lake's files")]
pub(crate) struct ScanArgs {
    /// Most MiB of memory of one such process, 128 to 65536
    #[arg(long, value_name = "MIB", env = "OPSTREAM_SCAN_MEMORY_MIB", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(128..=65_536))]
    scan_memory_mib: u64,
    /// Most seconds until its answer, 1 to 600; keep it below --request-timeout-s
    #[arg(long, value_name = "S", env = "OPSTREAM_SCAN_TIMEOUT_S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    scan_timeout_s: u64,
    /// How many may run at once, 1 to 64; further questions wait, and after 10 s are told to try again. SQL has half as many places of
    /// its own, at least one, and files that are exported as many again
    #[arg(long, value_name = "N", env = "OPSTREAM_SCANS", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    scans: u8,
}

impl ScanArgs {
    /// The limits that these flags describe.
    pub(crate) fn limits(&self) -> ScanLimits {
        ScanLimits {
            memory_bytes: self.scan_memory_mib << 20,
            time: Duration::from_secs(self.scan_timeout_s),
            at_once: usize::from(self.scans),
            ..ScanLimits::default()
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
        scans: ScanArgs,
    }

    #[test]
    fn flags_are_the_limits_and_defaults_are_those_of_the_api() {
        let limits = |arguments: &[&str]| {
            Command::try_parse_from([&["api"], arguments].concat()).map(|command| command.scans.limits())
        };
        assert_eq!(limits(&[]).unwrap(), ScanLimits::default());
        let given = limits(&["--scan-memory-mib", "256", "--scan-timeout-s", "5", "--scans", "1"]).unwrap();
        assert_eq!((given.memory_bytes, given.time, given.at_once), (256 << 20, Duration::from_secs(5), 1));
        assert!(limits(&["--scans", "0"]).is_err());
    }
}
