//! Names of our own, for what no convention has a name for. They win over all others.

use super::{Entry, Meaning};

/// Names in order of precedence.
pub(super) const NAMES: &[Entry] = &[
    (Meaning::Workspace, &["opstream.workspace"]),
    (Meaning::Project, &["opstream.project"]),
    (Meaning::Team, &["opstream.team"]),
    (Meaning::Action, &["opstream.action"]),
    (Meaning::Call, &["opstream.call_id"]),
    (Meaning::Attempt, &["opstream.attempt"]),
];
