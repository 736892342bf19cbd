//! What the figures were measured with: machine, program and time.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use opstream_schemas::UtcMicros;

/// The machine and the program.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// Cores that this process may use.
    pub(crate) cores: usize,
    /// Name of the processor.
    pub(crate) processor: String,
    /// Memory, bytes.
    pub(crate) memory: u64,
    /// Name and version of the kernel.
    pub(crate) kernel: String,
    /// Commit of the program, with a mark if files were changed since.
    pub(crate) commit: String,
    /// When the run began.
    pub(crate) at: UtcMicros,
}

impl Machine {
    /// This machine, now. What it does not tell is `unknown`.
    pub(crate) fn here(at: UtcMicros) -> Self {
        let unknown = || "unknown".to_owned();
        Self {
            cores: available_parallelism().map_or(0, usize::from),
            processor: first_value("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            memory: first_value("/proc/meminfo", "MemTotal")
                .and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok())
                .map_or(0, |kibibytes| kibibytes * 1024),
            kernel: answer_of("uname", &["-sr"]).unwrap_or_else(unknown),
            commit: answer_of("git", &["describe", "--always", "--dirty", "--abbrev=10"]).unwrap_or_else(unknown),
            at,
        }
    }

    /// Everything on one line.
    pub(crate) fn line(&self) -> String {
        let memory = self.memory as f64 / f64::from(1 << 30);
        let Self { cores, processor, kernel, commit, at, .. } = self;
        let day = at.to_string();
        let day = day.get(..10).unwrap_or(&day);
        format!("{cores} cores of {processor}, {memory:.0} GiB, {kernel}; commit {commit}; {day}")
    }
}

/// Value of the first `NAME : VALUE` in a file.
fn first_value(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(found, _)| found.trim() == name).map(|(_, value)| value.trim().to_owned())
}

fn answer_of(program: &str, arguments: &[&str]) -> Option<String> {
    let answer = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
    answer.status.success().then(|| String::from_utf8_lossy(&answer.stdout).trim().to_owned())
}
