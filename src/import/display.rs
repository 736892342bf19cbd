//! Progress of an import on standard error: a bar on a terminal, a line every few seconds elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::delivery::Delivered;
use super::feed::Extent;
use crate::text_table::grouped;

/// Pause between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Shortest pause between two notes.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// Pause between two turns of the bar's wheel.
const TURN_EVERY: Duration = Duration::from_millis(120);

/// Shows how far an import is. Clones show the same import.
#[derive(Clone)]
pub(super) struct Display {
    bar: Option<ProgressBar>,
    last_line: Arc<Mutex<Instant>>,
    last_note: Arc<Mutex<Option<Instant>>>,
    source: Arc<str>,
}

impl Display {
    /// Begins to show the import of a source.
    pub(super) fn start(source: &str, extent: Extent) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| bar(extent));
        let (last_line, last_note) = (Arc::new(Mutex::new(Instant::now())), Arc::default());
        Self { bar, last_line, last_note, source: Arc::from(source) }
    }

    /// Counts a part of the source's extent as read.
    pub(super) fn advance(&self, weight: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(weight);
        }
    }

    /// Shows the account so far.
    pub(super) fn tell(&self, delivered: &Delivered) {
        let mut text = format!("{} sent", grouped(delivered.n_sent.into()));
        for (count, what) in [(delivered.n_existing, "already there"), (delivered.n_refused, "refused")] {
            if count > 0 {
                text = format!("{text}, {} {what}", grouped(count.into()));
            }
        }
        self.show(text);
    }

    /// Shows what the import is waiting for.
    pub(super) fn tell_waiting(&self, behind: &str) {
        self.show(format!("waiting: {behind}"));
    }

    /// Says something that must not be overwritten; batches that meet the same trouble at the same time say it once.
    pub(super) fn note(&self, text: &str) {
        {
            let mut last_note = self.last_note.lock().unwrap_or_else(PoisonError::into_inner);
            if last_note.is_some_and(|at| at.elapsed() < NOTE_EVERY) {
                return;
            }
            *last_note = Some(Instant::now());
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| print_line(text)),
            None => print_line(text),
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn show(&self, text: String) {
        let Some(bar) = &self.bar else {
            let mut last_line = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
            if last_line.elapsed() >= LINE_EVERY {
                *last_line = Instant::now();
                print_line(&format!("{}: {text}", self.source));
            }
            return;
        };
        bar.set_message(text);
    }
}

fn bar(extent: Extent) -> ProgressBar {
    let (bar, template) = match extent {
        Extent::Bytes(bytes) => (ProgressBar::new(bytes), "{spinner} {bar:30} {bytes}/{total_bytes} {msg}"),
        Extent::Records(records) => (ProgressBar::new(records), "{spinner} {bar:30} {pos}/{len} {msg}"),
        Extent::Unknown => (ProgressBar::no_length(), "{spinner} {bytes} {msg}"),
    };
    bar.set_style(ProgressStyle::with_template(template).expect("the templates above are well-formed"));
    bar.enable_steady_tick(TURN_EVERY);
    bar
}

fn print_line(text: &str) {
    // A closed standard error is no reason to stop an import; the exit code and the summary still speak.
    drop(writeln!(std::io::stderr(), "{text}"));
}
