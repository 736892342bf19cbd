//! Whether the broker takes operations at the moment, judged by its acknowledgements alone. Pure: time comes in.
//!
//! A connection that is there says little: a broker may be frozen, lack its quorum or refuse the topic. So the broker is
//! away when something waits for it and it acknowledges nothing for a while, and back with its next acknowledgement.

use std::time::{Duration, Instant};

/// Longest silence of a broker that works. The start of a client with TLS and the election of a leader take less.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same once the client has said that something is wrong.
const PATIENCE_IN_TROUBLE: Duration = Duration::from_millis(500);

/// What is known about the broker.
#[derive(Debug, Default)]
pub(super) struct Reach {
    is_away: bool,
    acknowledged: u64,
    silent_since: Option<Instant>,
}

/// What the client shows at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sight {
    /// Everything acknowledged so far.
    pub(super) acknowledged: u64,
    /// The client holds something.
    pub(super) is_waiting: bool,
    /// An error was heard of since the last acknowledgement.
    pub(super) in_trouble: bool,
    /// Operations came back undelivered.
    pub(super) gave_back: bool,
}

impl Reach {
    /// Whether the broker was away at the last look.
    pub(super) fn is_away(&self) -> bool {
        self.is_away
    }

    /// Looks, and returns whether the broker went away just now.
    pub(super) fn look(&mut self, sight: Sight, now: Instant) -> bool {
        if sight.acknowledged > self.acknowledged {
            *self = Self { acknowledged: sight.acknowledged, ..Self::default() };
            return false;
        }
        if self.is_away {
            return false;
        }
        let patience = if sight.in_trouble { PATIENCE_IN_TROUBLE } else { PATIENCE };
        let silent_since = self.silent_since.filter(|_| sight.is_waiting).unwrap_or(now);
        self.silent_since = sight.is_waiting.then_some(silent_since);
        self.is_away = sight.gave_back || now.saturating_duration_since(silent_since) >= patience;
        self.is_away
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITING: Sight = Sight { acknowledged: 0, is_waiting: true, in_trouble: false, gave_back: false };

    #[test]
    fn silence_counts_only_while_something_waits() {
        let start = Instant::now();
        let mut reach = Reach::default();
        assert!(!reach.look(WAITING, start));
        assert!(!reach.look(WAITING, start + PATIENCE / 2));
        assert!(!reach.look(Sight { is_waiting: false, ..WAITING }, start + PATIENCE));
        assert!(!reach.look(WAITING, start + 2 * PATIENCE), "a new wait has just begun");
        assert!(reach.look(WAITING, start + 3 * PATIENCE) && reach.is_away());
        assert!(!reach.look(WAITING, start + 9 * PATIENCE) && reach.is_away(), "it went away once");
    }

    #[test]
    fn an_acknowledgement_ends_silence_and_absence() {
        let start = Instant::now();
        let mut reach = Reach::default();
        reach.look(WAITING, start);
        assert!(!reach.look(Sight { acknowledged: 1, ..WAITING }, start + PATIENCE));
        assert!(!reach.look(Sight { acknowledged: 1, ..WAITING }, start + PATIENCE));
        assert!(reach.look(Sight { acknowledged: 1, ..WAITING }, start + 2 * PATIENCE));
        assert!(!reach.look(Sight { acknowledged: 2, ..WAITING }, start + 2 * PATIENCE) && !reach.is_away());
    }

    #[test]
    fn a_known_trouble_shortens_the_wait_and_something_that_came_back_ends_it() {
        let start = Instant::now();
        let mut reach = Reach::default();
        let troubled = Sight { in_trouble: true, ..WAITING };
        assert!(!reach.look(troubled, start));
        assert!(reach.look(troubled, start + PATIENCE_IN_TROUBLE));
        assert!(Reach::default().look(Sight { gave_back: true, ..Sight::default() }, start));
    }
}
