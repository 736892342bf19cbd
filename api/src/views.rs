//! Views and dashboards of the page that somebody keeps under a name: [`definition`] says what one may hold, [`store`] keeps them.

mod definition;
mod store;

pub(crate) use definition::{Definition, MAX_DEFINITION_BYTES, has_visible};
pub(crate) use store::{Change, NewView, SavedView, StoreError, change, delete, find, insert, list};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A page with its range and filters.
    View,
    /// Panels side by side.
    Dashboard,
}

impl Kind {
    /// Both, by name.
    pub(crate) const ALL: [(&'static str, Self); 2] = [("view", Self::View), ("dashboard", Self::Dashboard)];

    /// The name, as it is stored.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Dashboard => "dashboard",
        }
    }
}
