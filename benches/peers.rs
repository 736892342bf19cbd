//! Other tools on the same machine in the same run: starts `peers/measure.py` and puts its figures beside our own.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::figures::{Figure, Unit};
use crate::harness::backends::Combination;
use crate::report::Report;

/// A figure of another tool beside ours.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    /// Tool and version.
    pub(crate) tool: String,
    /// What was measured there.
    pub(crate) what: &'static str,
    /// Its figure.
    pub(crate) theirs: f64,
    /// Our figure that answers the same question, if it was measured in this run.
    pub(crate) ours: Option<Figure>,
    /// Unit of both.
    pub(crate) unit: Unit,
}

/// Which value of the script's answer stands beside which figure.
struct Pair {
    peer: &'static str,
    path: &'static str,
    what: &'static str,
    unit: Unit,
    ours: (Option<Combination>, &'static str),
}

const LAPTOP: Option<Combination> = Some(Combination::EmbeddedSqlite);
const PAIRS: [Pair; 7] = [
    Pair {
        peer: "aicore",
        path: "/json/p50_ns",
        what: "record_completion() to JSON, p50",
        unit: Unit::Seconds,
        ours: (None, "record(), p50, broker up"),
    },
    Pair {
        peer: "aicore",
        path: "/json/p99_ns",
        what: "record_completion() to JSON, p99",
        unit: Unit::Seconds,
        ours: (None, "record(), p99, broker up"),
    },
    Pair {
        peer: "aicore",
        path: "/sqlite/p50_ns",
        what: "record_completion() to SQLite, p50",
        unit: Unit::Seconds,
        ours: (None, "record(), p50, broker up"),
    },
    Pair {
        peer: "aicore",
        path: "/sqlite/operations_per_second",
        what: "stored in SQLite",
        unit: Unit::PerSecond,
        ours: (LAPTOP, "topic to SQL and Parquet, committed"),
    },
    Pair {
        peer: "phoenix",
        path: "/accepted_per_second",
        what: "accepted over OTLP/HTTP, protobuf",
        unit: Unit::PerSecond,
        ours: (LAPTOP, "accepted over OTLP/HTTP, protobuf"),
    },
    Pair {
        peer: "phoenix",
        path: "/queryable_per_second",
        what: "OTLP/HTTP, protobuf, until all can be queried",
        unit: Unit::PerSecond,
        ours: (LAPTOP, "OTLP/HTTP, protobuf, until all can be queried"),
    },
    Pair {
        peer: "phoenix",
        path: "/peak_memory_bytes",
        what: "peak memory",
        unit: Unit::Bytes,
        ours: (LAPTOP, "peak memory, opstream up"),
    },
];

impl Comparison {
    /// How many times better ours is; below 1 it is worse.
    pub(crate) fn ratio(&self) -> Option<f64> {
        let ours = self.ours.as_ref()?.value;
        Some(if self.unit == Unit::PerSecond { ours / self.theirs } else { self.theirs / ours })
    }
}

/// Measures the tools, or says in the report why one could not be.
pub(crate) async fn measure(report: &mut Report, quick: bool) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/measure.py");
    let mut command = Command::new("python3");
    command.arg(script).args(quick.then_some("--quick")).stderr(Stdio::inherit()).kill_on_drop(true);
    let answer = match command.output().await {
        Ok(output) if output.status.success() => serde_json::from_slice::<Value>(&output.stdout).ok(),
        _ => None,
    };
    let Some(answer) = answer else {
        report.not_run.push("AiCore and Phoenix: benches/peers/measure.py needs Python 3.11 or newer".to_owned());
        return;
    };
    for (peer, entry) in answer.as_object().into_iter().flatten() {
        if let Some(error) = entry["error"].as_str() {
            report.not_run.push(format!("{peer}: {error}"));
        }
    }
    report.comparisons = PAIRS.iter().filter_map(|pair| compare(pair, &answer, &report.figures)).collect();
}

fn compare(pair: &Pair, answer: &Value, figures: &[Figure]) -> Option<Comparison> {
    let entry = &answer[pair.peer];
    let theirs = entry["measured"].pointer(pair.path)?.as_f64()?;
    let theirs = if pair.path.ends_with("_ns") { theirs / 1e9 } else { theirs };
    let (on, what) = pair.ours;
    Some(Comparison {
        tool: format!("{} {}", entry["package"].as_str()?, entry["version"].as_str()?),
        what: pair.what,
        theirs,
        ours: figures.iter().find(|figure| figure.on == on && figure.what == what).cloned(),
        unit: pair.unit,
    })
}
