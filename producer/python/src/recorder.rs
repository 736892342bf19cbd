//! What the Python package holds: a producer, and the ways in which operations reach it.
//!
//! An operation is read with the interpreter's lock, because it is made of Python's objects, and then encoded and queued, a
//! microsecond's work. Giving the lock away for that would cost more than it saves: a thread that wants it back waits for up to 5
//! ms where others compute. It is given away where it pays: for large contents, and for whatever waits.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use opstream_producer::{
    Capture, ContentPolicy, Counters, Producer, ProducerConfig, Redaction, Sink, Spool, StartError,
};
use opstream_schemas::topics::Topics;
use opstream_schemas::{Operation, OperationId, UtcMicros};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::context::Context;
use crate::fields::Reader;
use crate::lines;
use crate::minter::Minter;
use crate::problems::Problems;
use crate::repair::repair;

/// Contents above this size are redacted and encoded without the interpreter's lock.
const LARGE_BYTES: usize = 8 * 1024;
/// How often it is looked whether a queue has become empty.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Settings of a recorder, a dict in Python. `_settings.py` fills all of them and knows the defaults.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Settings {
    json_lines: Option<PathBuf>,
    bootstrap: String,
    topic_prefix: String,
    kafka_properties: BTreeMap<String, String>,
    spool_folder: Option<PathBuf>,
    spool_bytes: u64,
    queue_operations: usize,
    queue_bytes: usize,
    producer_id: Option<String>,
    capture_content: bool,
    /// Most bytes of each content field; none for no limit.
    capture_bytes: Option<usize>,
    /// Whether secrets and payloads that are known by their looks are replaced.
    redact: bool,
    /// The application's own patterns, by name.
    redact_patterns: BTreeMap<String, String>,
}

/// Records operations by a Rust producer with threads of its own.
#[pyclass(frozen, module = "opstream._native")]
pub(crate) struct Recorder {
    producer: Producer,
    with_content: bool,
    /// What every operation has unless the call or its context says otherwise.
    defaults: Py<Context>,
    /// Called without arguments when lines of the log wait.
    on_lines: Py<PyAny>,
    minter: Minter,
    problems: Problems,
    /// Calls that ended in an error of this module, and recorded nothing.
    broken: AtomicU64,
}

#[pymethods]
impl Recorder {
    /// Starts it. Raises `ValueError` for a setting outside its range, `OSError` for files that cannot be opened.
    #[new]
    fn new(py: Python<'_>, settings: Settings, defaults: Py<Context>, on_lines: Py<PyAny>) -> PyResult<Self> {
        let with_content = settings.capture_content;
        let minter = Minter::default();
        let policy = policy(&settings)?;
        let sink = sink(settings, &minter)?;
        let producer = py.detach(|| Producer::start_with(sink, policy)).map_err(|error| start_error(&error))?;
        let (problems, broken) = (Problems::default(), AtomicU64::new(0));
        Ok(Self { producer, with_content, defaults, on_lines, minter, problems, broken })
    }

    /// Records the operation with these fields; returns its id. Never raises: none is returned where nothing was recorded.
    fn record(&self, fields: &Bound<'_, PyDict>, context: Option<&Bound<'_, Context>>) -> Option<String> {
        self.record_with(fields.py(), context, |reader| reader.read(fields))
    }

    /// The same for the arguments of AiCore's `record_completion`.
    fn record_completion(&self, arguments: &Bound<'_, PyDict>, context: Option<&Bound<'_, Context>>) -> Option<String> {
        self.record_with(arguments.py(), context, |reader| reader.read_completion(arguments))
    }

    /// Waits until nothing is queued any more, for at most so many seconds; true when that is so.
    fn flush(&self, py: Python<'_>, timeout: f64) -> bool {
        let deadline = Instant::now() + seconds(timeout);
        let is_empty = py.detach(|| {
            while self.producer.counters().queued > 0 {
                if Instant::now() >= deadline {
                    return false;
                }
                thread::sleep(LOOK_EVERY);
            }
            true
        });
        self.tell_lines(py);
        is_empty
    }

    /// Delivers what waits for at most so many seconds and ends the producer; true when all was delivered or is on disk.
    fn close(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let before = self.producer.counters();
        let after = py.detach(|| runtime.block_on(self.producer.close(seconds(timeout))));
        self.tell_lines(py);
        Ok(after.failed == before.failed)
    }

    /// Numbers of operations by fate.
    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let Counters { sent, dropped, failed, queued, spooled, content_dropped, spool } = self.producer.counters();
        let counters = PyDict::new(py);
        for (name, count) in [
            ("sent", sent),
            ("dropped", dropped),
            ("failed", failed),
            ("queued", queued),
            ("spooled", spooled),
            ("content_dropped", content_dropped),
            ("spool_waiting", spool.waiting),
            ("spool_resent", spool.resent),
            ("spool_discarded", spool.discarded),
            ("spool_damaged", spool.damaged),
            ("spool_refused", spool.refused),
            ("broken", self.broken.load(Ordering::Relaxed)),
        ] {
            counters.set_item(name, count)?;
        }
        Ok(counters)
    }

    /// Values that could not be used, and how often: `field: reason`.
    fn problems(&self) -> BTreeMap<String, u64> {
        self.problems.counts()
    }

    /// In the child of a fork: never touches the parent's producer again. Its threads are not here and its locks may be held.
    fn abandon(&self) {
        // One handle that is never dropped keeps the others from ending it.
        std::mem::forget(self.producer.clone());
    }
}

impl Recorder {
    fn record_with(
        &self,
        py: Python<'_>,
        context: Option<&Bound<'_, Context>>,
        read: impl FnOnce(&Reader<'_>) -> Operation,
    ) -> Option<String> {
        // A mistake of this module must not end an application; the tests see it as `broken`.
        let recorded = catch_unwind(AssertUnwindSafe(|| {
            let reader = Reader { with_content: self.with_content, problems: &self.problems };
            let mut operation = read(&reader);
            if let Some(context) = context {
                context.get().apply_to(&mut operation);
            }
            self.defaults.get().apply_to(&mut operation);
            self.hand_over(py, operation)
        }));
        if recorded.is_err() {
            self.broken.fetch_add(1, Ordering::Relaxed);
        }
        if lines::are_waiting() {
            self.tell_lines(py);
        }
        recorded.ok().map(|id| id.to_string())
    }

    fn hand_over(&self, py: Python<'_>, mut operation: Operation) -> OperationId {
        let now = UtcMicros::now();
        if operation.started_at == UtcMicros::default() {
            let has_id = operation.operation_id != OperationId::MIN;
            // Whoever knows the latency records when the call has ended.
            let ago = operation.latency_us.unwrap_or(0).max(0);
            let begun = UtcMicros::from_micros(now.micros().saturating_sub(ago));
            operation.started_at = if has_id { operation.operation_id.time().into() } else { begun };
        }
        if operation.operation_id == OperationId::MIN {
            operation.operation_id = self.minter.mint(operation.started_at);
        }
        repair(&mut operation, now, &self.minter, &self.problems);
        let id = operation.operation_id;
        if content_bytes(&operation) > LARGE_BYTES {
            py.detach(|| self.producer.record(operation));
        } else {
            self.producer.record(operation);
        }
        id
    }

    fn tell_lines(&self, py: Python<'_>) {
        // A handler of logging that raises is not the application's concern here.
        drop(self.on_lines.call0(py));
    }
}

fn content_bytes(operation: &Operation) -> usize {
    let contents =
        [&operation.system_prompt, &operation.input_messages, &operation.output_messages, &operation.tool_definitions];
    contents.into_iter().flatten().map(String::len).sum()
}

/// A timeout from Python; what is no duration is none, or a day.
fn seconds(timeout: f64) -> Duration {
    const DAY: f64 = 86_400.0;
    Duration::from_secs_f64(if timeout.is_nan() { 0.0 } else { timeout.clamp(0.0, DAY) })
}

fn policy(settings: &Settings) -> PyResult<ContentPolicy> {
    let capture = match (settings.capture_content, settings.capture_bytes) {
        (false, _) => Capture::Off,
        (true, Some(bytes)) => Capture::Truncated(bytes),
        (true, None) => Capture::On,
    };
    let mut redaction = settings.redact.then(Redaction::builtin);
    for (name, pattern) in &settings.redact_patterns {
        let refused = |error| PyValueError::new_err(format!("redact_patterns: {name}: {error}"));
        let known = redaction.unwrap_or_else(Redaction::empty);
        redaction = Some(known.pattern(name, pattern).map_err(refused)?);
    }
    Ok(ContentPolicy { capture, redaction })
}

fn sink(settings: Settings, minter: &Minter) -> PyResult<Sink> {
    // Not the producer's own choice, whose generator a fork copies.
    let producer_id = Some(settings.producer_id.unwrap_or_else(|| minter.mint(UtcMicros::now()).to_string()));
    if let Some(file) = settings.json_lines {
        return Ok(Sink::JsonLines { file, producer_id });
    }
    let mut config = ProducerConfig::new(&settings.bootstrap);
    config.topics = Topics::new(&settings.topic_prefix)
        .map_err(|error| PyValueError::new_err(format!("topic_prefix (OPSTREAM_TOPIC_PREFIX): {error}")))?;
    config.producer_id = producer_id;
    config.queue_operations = settings.queue_operations;
    config.queue_bytes = settings.queue_bytes;
    config.spool = settings.spool_folder.map(|folder| Spool { bytes: settings.spool_bytes, ..Spool::new(folder) });
    config.properties = settings.kafka_properties;
    Ok(Sink::Kafka(config))
}

fn start_error(error: &StartError) -> PyErr {
    let cause = std::error::Error::source(error).map_or_else(String::new, |cause| format!(": {cause}"));
    let text = format!("{error}{cause}");
    match error {
        StartError::Setting { .. } | StartError::Property { .. } | StartError::Client { .. } => {
            PyValueError::new_err(text)
        }
        StartError::File { .. }
        | StartError::FileInUse { .. }
        | StartError::Spool { .. }
        | StartError::Thread { .. } => PyOSError::new_err(text),
    }
}
