//! What the processes that a measurement started have used, as Linux counts it.
//!
//! They are found as children of this process, by the `opstream` command that they run.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

/// Ticks per second in `/proc`; the same on every Linux, whatever the kernel's own clock.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running `opstream` process.
#[derive(Clone, Debug)]
pub(crate) struct RunningProcess {
    id: String,
}

impl RunningProcess {
    /// The child of this process that runs this command, such as `up`, and was started just now.
    ///
    /// # Panics
    /// When there is none.
    pub(crate) fn find(command: &str) -> Self {
        let deadline = Instant::now() + Duration::from_secs(1);
        loop {
            if let Some(id) = child(command) {
                return Self { id };
            }
            // For a moment a new process does not tell its command.
            assert!(Instant::now() < deadline, "no child of this process runs `opstream {command}`");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Processor time of all its threads so far, seconds, to the hundredth.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        // User and system time are the 14th and 15th field.
        let ticks = |field| stat_field(&self.id, field).and_then(|text| text.parse::<f64>().ok()).unwrap_or(f64::NAN);
        (ticks(14) + ticks(15)) / TICKS_PER_SECOND
    }

    /// The most memory that it ever had resident, bytes.
    pub(crate) fn peak_memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        kibibytes.map_or(f64::NAN, |kibibytes| kibibytes * 1024.0)
    }
}

fn child(command: &str) -> Option<String> {
    let processes = fs::read_dir("/proc").expect("processes are measured on Linux, which has /proc");
    let mut names = processes.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.find(|id| is_child(id) && runs(id, command))
}

fn is_child(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii_digit()) && stat_field(id, 4) == Some(std::process::id().to_string())
}

fn runs(id: &str, command: &str) -> bool {
    let line = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let mut words = line.split('\0');
    let is_opstream = words.next().is_some_and(|program| Path::new(program).ends_with("opstream"));
    is_opstream && words.next() == Some(command)
}

/// A field of `/proc/ID/stat`, counted from 1 as in the manual, at least the third.
fn stat_field(id: &str, field: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The second field is the program's name in brackets, which may itself hold blanks and brackets.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(field - 3).map(str::to_owned)
}
