//! What is watched, and when that is too much.

use std::collections::BTreeMap;

use super::Condition;
use crate::window::{Dimension, DimensionSet};

/// Rules that a deployment may have: each costs a question every few seconds.
pub const MAX_RULES: usize = 500;

/// A rule whose every part is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Identity among the rules of a deployment.
    pub name: String,
    /// Whether it is looked at.
    pub is_enabled: bool,
    /// The tenant; none for all of them together.
    pub workspace: Option<String>,
    /// Values that operations must have; `None` stands for operations without one. The workspace is not among them.
    pub filter: BTreeMap<Dimension, Option<String>>,
    /// Dimensions of which every combination of values is looked at by itself.
    pub per: Vec<Dimension>,
    /// Names of the webhooks that are told; none for all that there are.
    pub webhooks: Option<Vec<String>>,
    /// When there is an alert.
    pub condition: Condition,
}

impl Rule {
    /// Everything that operations must have, the workspace included.
    pub fn conditions(&self) -> impl Iterator<Item = (Dimension, Option<&str>)> {
        let workspace = self.workspace.as_deref().map(|workspace| (Dimension::Workspace, Some(workspace)));
        workspace.into_iter().chain(self.filter.iter().map(|(dimension, value)| (*dimension, value.as_deref())))
    }

    /// The smallest kept set that can answer it.
    pub fn dimension_set(&self) -> DimensionSet {
        let needed: Vec<Dimension> =
            self.conditions().map(|(dimension, _)| dimension).chain(self.per.iter().copied()).collect();
        DimensionSet::narrowest_with(&needed)
    }

    /// Dimensions with their values, as an alert names them: those of the filter, and of `per` these.
    pub fn dimensions_of(&self, per: &[Option<String>]) -> BTreeMap<&'static str, Option<String>> {
        let filter = self.conditions().map(|(dimension, value)| (dimension.column(), value.map(str::to_owned)));
        filter.chain(self.per.iter().map(|dimension| dimension.column()).zip(per.iter().cloned())).collect()
    }
}
