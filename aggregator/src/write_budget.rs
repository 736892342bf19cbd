//! How many windows one transaction writes, measured so that it does not hold SQLite's writer for long. Pure.
//!
//! All roles share that writer: while windows hold it, ingest waits. How long a window takes depends on the machine, its load and the
//! size of the tables, so the last transactions say it. Postgres has a writer for everybody.

use std::time::Duration;

use opstream_schemas::database::Engine;

/// How long a transaction is meant to hold SQLite's writer.
const HOLD: Duration = Duration::from_millis(100);
/// Windows after which a transaction on Postgres ends. Tests have portions there, too, with fewer.
const MOST_WINDOWS: usize = if cfg!(test) { 2_000 } else { 20_000 };
/// Fewer windows would mostly write the windows of the same day again and again.
const FEWEST_WINDOWS: usize = 500;
/// Assumed until something was measured: ten times what a laptop takes.
const FIRST_GUESS: Duration = Duration::from_micros(80);
/// Smaller transactions measure the disk and not the windows.
const TELLING_WINDOWS: usize = 200;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WriteBudget {
    per_window: Duration,
}

impl Default for WriteBudget {
    fn default() -> Self {
        Self { per_window: FIRST_GUESS }
    }
}

impl WriteBudget {
    /// Windows that the next transaction may write.
    pub(crate) fn windows(&self, engine: Engine) -> usize {
        match engine {
            Engine::Postgres => MOST_WINDOWS,
            Engine::Sqlite => {
                let fitting = HOLD.as_nanos() / self.per_window.as_nanos().max(1);
                usize::try_from(fitting).unwrap_or(MOST_WINDOWS).clamp(FEWEST_WINDOWS, MOST_WINDOWS)
            }
        }
    }

    /// Takes into account that writing `windows` windows held the writer for this time.
    pub(crate) fn learn(&mut self, windows: usize, held: Duration) {
        if windows >= TELLING_WINDOWS {
            let measured = held / u32::try_from(windows).unwrap_or(u32::MAX);
            self.per_window = (self.per_window + measured) / 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_follows_what_is_measured_and_stays_within_bounds() {
        let mut budget = WriteBudget::default();
        assert_eq!(budget.windows(Engine::Sqlite), 1250);
        for _ in 0..20 {
            budget.learn(1000, Duration::from_millis(60));
        }
        assert!((1600..=1700).contains(&budget.windows(Engine::Sqlite)), "{budget:?}");
        budget.learn(10, Duration::from_secs(5));
        assert!((1600..=1700).contains(&budget.windows(Engine::Sqlite)), "a small one says nothing: {budget:?}");
        for _ in 0..20 {
            budget.learn(1000, Duration::from_secs(5));
        }
        assert_eq!(budget.windows(Engine::Sqlite), FEWEST_WINDOWS);
        assert_eq!(budget.windows(Engine::Postgres), MOST_WINDOWS);
    }
}
