//! Waits for a re-pricing, and shows meanwhile how far it is: a bar on a terminal, a line every few seconds elsewhere.

use std::cell::Cell;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use opstream_aggregator::repricing::{self, RepricingState};
use opstream_schemas::database::Database;
use tokio_util::sync::CancellationToken;

use super::OutputArgs;
use super::report::Report;

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Pause between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// How long nothing may happen before it is said who would have to do it.
const PATIENCE: Duration = Duration::from_secs(15);

/// How many files are done of how many.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    last_line: Cell<Instant>,
}

impl Progress {
    /// Begins to show it.
    pub(super) fn start() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {bar:30} {pos}/{len} files, {eta} left {msg}");
            ProgressBar::new(0).with_style(style.expect("the template is well-formed"))
        });
        Self { bar, last_line: Cell::new(Instant::now()) }
    }

    /// Shows this.
    pub(super) fn tell(&self, done: usize, of: usize) {
        if let Some(bar) = &self.bar {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
        } else if self.last_line.get().elapsed() >= LINE_EVERY {
            self.last_line.set(Instant::now());
            self.note(&format!("{done} of {of} files"));
        }
    }

    /// Says something that is not overwritten.
    fn note(&self, text: &str) {
        // A closed standard error is no reason to stop.
        let line = || drop(writeln!(std::io::stderr(), "{text}"));
        match &self.bar {
            Some(bar) => bar.suspend(line),
            None => line(),
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Waits until a re-pricing or its undoing is over, unless that is not wanted, and reports it.
///
/// # Errors
/// When the database fails, or `shutdown` is cancelled before the end.
pub(super) async fn until_done(
    database: &Database,
    (number, no_wait): (i64, bool),
    output: OutputArgs,
    shutdown: CancellationToken,
) -> anyhow::Result<ExitCode> {
    let progress = Progress::start();
    let (mut moved_at, mut last, mut was_told) = (Instant::now(), None, false);
    loop {
        let found = repricing::show(database, number).await.context("cannot read the re-pricing")?;
        let shown = found.with_context(|| format!("re-pricing {number} is gone"))?;
        let (state, files_left) = (shown.repricing.state, shown.files_left);
        if no_wait || !state.is_under_way() {
            progress.finish();
            let failed = state == RepricingState::Failed;
            output.write(&Report::One(shown))?;
            return Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
        let done = repricing::files_done(database).await.context("cannot read the re-pricing")?;
        progress.tell(done, done + files_left);
        let now = (done, files_left, shown.repricing.changed);
        if last.replace(now) != Some(now) {
            (moved_at, was_told) = (Instant::now(), false);
        }
        if moved_at.elapsed() >= PATIENCE && !was_told {
            was_told = true;
            progress.note(
                "nothing was priced for a while: is an aggregator running? Its log names files that cannot be read, and it waits while \
                 windows are built again",
            );
        }
        tokio::select! {
            () = shutdown.cancelled() => {
                progress.finish();
                anyhow::bail!("interrupted; the aggregator goes on, and `opstream reprice show {number}` says how far it is");
            }
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}
