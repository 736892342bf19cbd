//! How a role is: that its loop turns, and what holds it up.
//!
//! A role owns a [`Reporter`]; the health endpoint of the same process watches it. Nothing here leaves the process, but the
//! roles and the api, which do not know each other, both need the words. Reasons are answered to everybody who can reach the
//! endpoint: they name no address and nothing that came with an operation.

use std::collections::BTreeMap;
use std::time::Instant;

use tokio::sync::watch;

/// State of a role at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// When the loop turned last.
    pub turned_at: Instant,
    /// What does not work now, and why; empty when all is well.
    pub hindrances: BTreeMap<&'static str, String>,
}

/// The role's side. Clones report for the same role.
#[derive(Clone, Debug)]
pub struct Reporter(watch::Sender<Condition>);

impl Default for Reporter {
    fn default() -> Self {
        Self(watch::Sender::new(Condition { turned_at: Instant::now(), hindrances: BTreeMap::new() }))
    }
}

impl Reporter {
    /// The loop has turned.
    pub fn turned(&self) {
        self.0.send_modify(|condition| condition.turned_at = Instant::now());
    }

    /// `undertaking` does not work now. The loop turns all the same.
    pub fn hindered(&self, undertaking: &'static str, reason: impl Into<String>) {
        let reason = reason.into();
        self.0.send_modify(|condition| {
            condition.turned_at = Instant::now();
            condition.hindrances.insert(undertaking, reason);
        });
    }

    /// `undertaking` works again, or is not tried any more.
    pub fn cleared(&self, undertaking: &'static str) {
        self.0.send_if_modified(|condition| condition.hindrances.remove(undertaking).is_some());
    }

    /// The other side.
    pub fn watch(&self) -> watch::Receiver<Condition> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hindrance_lasts_until_it_is_cleared() {
        let reporter = Reporter::default();
        let watch = reporter.watch();
        let born = watch.borrow().turned_at;
        reporter.hindered("storing", "first");
        reporter.clone().hindered("storing", "second");
        reporter.turned();
        assert_eq!(watch.borrow().hindrances["storing"], "second");
        assert!(watch.borrow().turned_at > born);
        reporter.cleared("storing");
        assert!(watch.borrow().hindrances.is_empty());
    }
}
