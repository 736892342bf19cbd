//! How far the verification is, on standard error while that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over everything that is read. Draws nothing when standard error is no terminal.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar without a known end, until [`Progress::expect`].
    pub(super) fn start() -> Self {
        let bar = ProgressBar::no_length();
        let style = ProgressStyle::with_template("{msg:18} {wide_bar} {human_pos}/{human_len} rows {eta}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { bar }
    }

    /// Names the check that runs and how many rows it will read.
    pub(super) fn expect(&self, check: &'static str, rows: i64) {
        self.bar.set_message(check);
        self.bar.set_position(0);
        self.bar.set_length(u64::try_from(rows).unwrap_or(0));
    }

    /// Counts rows as read.
    pub(super) fn advance(&self, rows: i64) {
        self.bar.inc(u64::try_from(rows).unwrap_or(0));
    }

    /// Takes the bar off the screen.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
