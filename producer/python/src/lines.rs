//! What the producer's threads have to say, until a thread of Python takes it to `logging`.
//!
//! Those threads never wait for the interpreter: at its end, or while it computes, they would wait long. So they leave
//! their lines here, and the next call that records, flushes or closes takes them. Never content.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tracing::{Level, Metadata, Subscriber, subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;

/// Lines that are kept; the producer writes at most one in half a minute.
const KEPT_LINES: usize = 100;

/// Levels of Python's `logging`.
pub(crate) const WARNING: u8 = 30;
const ERROR: u8 = 40;
const INFO: u8 = 20;

/// One line.
#[derive(Debug)]
pub(crate) struct Line {
    /// Level of Python's `logging`.
    pub(crate) level: u8,
    pub(crate) text: String,
}

/// The lines of one process. A child of a fork begins a new place, because a thread of its parent may have held the lock
/// of the old one at that moment.
struct Place {
    lines: Mutex<VecDeque<Line>>,
    of_child: OnceLock<Box<Place>>,
}

static FIRST: Place = Place::new();
static ARE_WAITING: AtomicBool = AtomicBool::new(false);

impl Place {
    const fn new() -> Self {
        Self { lines: Mutex::new(VecDeque::new()), of_child: OnceLock::new() }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place() -> &'static Place {
    let mut place = &FIRST;
    while let Some(of_child) = place.of_child.get() {
        place = of_child;
    }
    place
}

/// Keeps a line; of too many the oldest goes.
pub(crate) fn push(level: u8, text: String) {
    let mut lines = place().lock();
    if lines.len() == KEPT_LINES {
        lines.pop_front();
    }
    lines.push_back(Line { level, text });
    ARE_WAITING.store(true, Ordering::Release);
}

/// Whether there are any; costs a caller next to nothing.
pub(crate) fn are_waiting() -> bool {
    ARE_WAITING.load(Ordering::Relaxed)
}

/// The lines that wait, oldest first.
pub(crate) fn take() -> Vec<Line> {
    ARE_WAITING.store(false, Ordering::Relaxed);
    place().lock().drain(..).collect()
}

/// Begins anew with nothing.
pub(crate) fn after_fork_in_child() {
    ARE_WAITING.store(false, Ordering::Relaxed);
    // Only the child's one thread is here, so the newest place has no child yet.
    drop(place().of_child.set(Box::new(Place::new())));
}

/// Has the lines of the producer come here. A second call changes nothing.
pub(crate) fn listen() {
    let is_ours =
        |metadata: &Metadata<'_>| metadata.target().starts_with("opstream") && *metadata.level() <= Level::INFO;
    let layer = fmt::layer()
        .without_time()
        .with_ansi(false)
        .with_level(false)
        .with_target(false)
        .with_writer(Lines)
        .with_filter(filter_fn(is_ours));
    use_for_all(registry().with(layer));
}

fn use_for_all(listener: impl Subscriber + Send + Sync) {
    // An error means that the module was loaded twice, by a second interpreter of the process: the first one listens.
    subscriber::set_global_default(listener).ok();
}

/// Where the layer writes to.
struct Lines;

/// Collects what is written of one event.
struct LineWriter {
    level: u8,
    text: Vec<u8>,
}

impl MakeWriter<'_> for Lines {
    type Writer = LineWriter;

    fn make_writer(&self) -> LineWriter {
        LineWriter { level: INFO, text: Vec::new() }
    }

    fn make_writer_for(&self, metadata: &Metadata<'_>) -> LineWriter {
        let level = match *metadata.level() {
            Level::ERROR => ERROR,
            Level::WARN => WARNING,
            _ => INFO,
        };
        LineWriter { level, text: Vec::new() }
    }
}

impl Write for LineWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        push(self.level, String::from_utf8_lossy(&self.text).trim_end().to_owned());
    }
}
