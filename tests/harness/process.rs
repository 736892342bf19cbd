//! The real `opstream` process: started as a user starts it, watched through its log, killed as a machine kills it.

use std::fs::OpenOptions;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::process::{Child, Command};

use super::eventually::eventually;
use super::servers::announce;

/// How much of the log a failure shows.
const LINES_SHOWN: usize = 60;
/// Long enough for a debug build on a busy machine.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// A running `opstream`. Dropping it kills it; if that happens in a failing test, the end of its log is shown.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    command_line: String,
}

impl Process {
    /// Starts `opstream` with these arguments and variables, working in `folder` and without any other setting from
    /// outside: neither variables nor a `.env` reach it. Output is appended to `folder/NAME.log`, NAME being the first
    /// argument.
    ///
    /// Unless the variables say otherwise it leaves the standard ports of OpenTelemetry alone: many pipelines run at a time.
    pub(crate) fn start_with(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_untold(folder, arguments, &[&[("OPSTREAM_OTLP_LISTEN", "off")], variables].concat())
    }

    /// The same with the default for these ports.
    pub(crate) fn start_untold(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let log = folder.join(format!("{}.log", arguments.first().unwrap_or(&"opstream")));
        let output = OpenOptions::new().create(true).append(true).open(&log).expect("the test's folder is writable");
        let errors = output.try_clone().expect("a file that was just opened can be cloned");
        let child = Command::new(env!("CARGO_BIN_EXE_opstream"))
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .env("RUST_BACKTRACE", "1")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .expect("cargo built the binary before this test");
        Self { child, log, command_line: arguments.join(" ") }
    }

    /// Waits until `GET {url}/health/ready` answers 200, `url` being `http://127.0.0.1:PORT`.
    ///
    /// # Panics
    /// When the process ends first, or is not ready within a minute.
    pub(crate) async fn ready(&mut self, url: &str) {
        let client = reqwest::Client::new();
        let address = format!("{url}/health/ready");
        eventually(READY_WITHIN, async || {
            self.assert_runs();
            match client.get(&address).timeout(Duration::from_secs(5)).send().await {
                Ok(answer) if answer.status().is_success() => Ok(()),
                Ok(answer) => Err(format!("{} from {address}", answer.status())),
                Err(error) => Err(format!("{error:?}")),
            }
        })
        .await;
    }

    /// `kill -9`: no handler runs, nothing is flushed. Does nothing to a process that has ended.
    pub(crate) async fn kill(&mut self) {
        // The only error is that it has ended meanwhile.
        self.child.start_kill().ok();
        self.child.wait().await.expect("a killed process ends");
    }

    /// Asks the process to stop, as Ctrl-C and a container platform do, and waits for its end.
    ///
    /// # Panics
    /// When it does not end within `deadline`.
    pub(crate) async fn stop(&mut self, deadline: Duration) -> ExitStatus {
        self.signal("TERM").await;
        self.ended(deadline).await
    }

    /// Sends a signal: `STOP` freezes the process as a paused machine does, `CONT` lets it go on.
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.child.id().expect("the process still runs").to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().await.expect("every Unix has kill");
        assert!(sent.success(), "kill -s {name} {id} failed");
    }

    /// The first argument.
    pub(crate) fn role(&self) -> &str {
        self.command_line.split(' ').next().unwrap_or_default()
    }

    /// Memory that is resident now, in bytes. `None` where there is no `/proc`.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
    }

    /// Waits until the process ends by itself.
    ///
    /// # Panics
    /// When it does not end within `deadline`.
    pub(crate) async fn ended(&mut self, deadline: Duration) -> ExitStatus {
        let ended = tokio::time::timeout(deadline, self.child.wait()).await;
        ended
            .unwrap_or_else(|_| panic!("`opstream {}` still ran after {deadline:?}", self.command_line))
            .expect("the process is ours")
    }

    /// Everything written so far, by earlier processes with the same log too.
    pub(crate) fn log(&self) -> String {
        std::fs::read(&self.log).map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Whether it has ended, by itself or otherwise.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the process is ours").is_some()
    }

    fn assert_runs(&mut self) {
        if let Some(status) = self.child.try_wait().expect("the process is ours") {
            panic!("`opstream {}` ended too early: {status}", self.command_line);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let shown = lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n");
            announce(&format!("end of the log of `opstream {}` ({}):\n{shown}", self.command_line, self.log.display()));
        }
    }
}

/// A loopback port that is free now and given to nobody else in this test run.
///
/// Taken from below the range that the system gives to outgoing connections, else one of those could grab it first.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 10_000;
    const APART: u32 = 617;
    // Test runs at the same time, whose processes often have numbers in a row, begin far from each other.
    let start = std::process::id().wrapping_mul(APART) % u32::from(COUNT);
    let start = u16::try_from(start).expect("the remainder is below COUNT");
    (0..COUNT)
        .map(|_| FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT) % COUNT)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("not all of ten thousand ports are taken")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let mut ports: Vec<u16> = (0..50).map(|_| free_port()).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 50);
    }
}
