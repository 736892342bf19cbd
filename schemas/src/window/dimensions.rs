//! What windows are grouped by: the dimensions, the kept sets of them, and one combination of values.

use sha2::{Digest, Sha256};

/// Stands for every value of a dimension beyond the limit of kept combinations.
pub const OTHER: &str = "(other)";

/// One dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// The tenant; part of every set.
    Workspace,
    /// Chosen by the caller.
    Project,
    /// Chosen by the caller.
    Team,
    /// Deployment environment.
    Environment,
    /// OpenTelemetry provider name.
    Provider,
    /// Model as requested.
    Model,
    /// OpenTelemetry operation name.
    OperationType,
    /// Agent that made the call.
    AgentId,
    /// Step of the agent.
    ActionId,
}

/// A kept set of dimensions. Every operation is counted once in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DimensionSet {
    /// All nine dimensions.
    Base,
    /// The workspace alone.
    Workspace,
    /// Workspace, provider and model.
    ProviderModel,
    /// Workspace and project.
    Project,
    /// Workspace and team.
    Team,
    /// Workspace, agent and action.
    AgentAction,
    /// Workspace and operation type.
    OperationType,
}

/// One combination of values. A dimension that the set does not keep is `None`, as is one that the operations did not have.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dimensions {
    /// The tenant.
    pub workspace: String,
    /// Chosen by the caller.
    pub project: Option<String>,
    /// Chosen by the caller.
    pub team: Option<String>,
    /// Deployment environment.
    pub environment: Option<String>,
    /// OpenTelemetry provider name.
    pub provider: Option<String>,
    /// Model as requested.
    pub model: Option<String>,
    /// OpenTelemetry operation name.
    pub operation_type: Option<String>,
    /// Agent that made the call.
    pub agent_id: Option<String>,
    /// Step of the agent.
    pub action_id: Option<String>,
}

/// First 16 bytes of the SHA-256 of [`Dimensions::key_text`]: `window_dimensions.key_hash`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash(pub [u8; 16]);

impl Dimension {
    /// All dimensions in the order of `window_dimensions`.
    pub const ALL: [Self; 9] = [
        Self::Workspace,
        Self::Project,
        Self::Team,
        Self::Environment,
        Self::Provider,
        Self::Model,
        Self::OperationType,
        Self::AgentId,
        Self::ActionId,
    ];

    /// The column in `window_dimensions`, `operations` and the lake's files.
    pub const fn column(self) -> &'static str {
        match self {
            Self::Workspace => "workspace",
            Self::Project => "project",
            Self::Team => "team",
            Self::Environment => "environment",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::OperationType => "operation_type",
            Self::AgentId => "agent_id",
            Self::ActionId => "action_id",
        }
    }

    /// The dimension with this column.
    pub fn from_column(column: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.column() == column)
    }
}

impl DimensionSet {
    /// All sets.
    pub const ALL: [Self; 7] = [
        Self::Base,
        Self::Workspace,
        Self::ProviderModel,
        Self::Project,
        Self::Team,
        Self::AgentAction,
        Self::OperationType,
    ];

    /// The number in `windows.dimension_set`.
    pub const fn code(self) -> i64 {
        match self {
            Self::Base => 0,
            Self::Workspace => 1,
            Self::ProviderModel => 2,
            Self::Project => 3,
            Self::Team => 4,
            Self::AgentAction => 5,
            Self::OperationType => 6,
        }
    }

    /// The set with this number in `windows.dimension_set`.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.code() == code)
    }

    /// The name on the topic and in the api.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Workspace => "workspace",
            Self::ProviderModel => "provider_model",
            Self::Project => "project",
            Self::Team => "team",
            Self::AgentAction => "agent_action",
            Self::OperationType => "operation_type",
        }
    }

    /// The dimensions that the set keeps, in the order of its keys.
    pub const fn dimensions(self) -> &'static [Dimension] {
        match self {
            Self::Base => &Dimension::ALL,
            Self::Workspace => &[Dimension::Workspace],
            Self::ProviderModel => &[Dimension::Workspace, Dimension::Provider, Dimension::Model],
            Self::Project => &[Dimension::Workspace, Dimension::Project],
            Self::Team => &[Dimension::Workspace, Dimension::Team],
            Self::AgentAction => &[Dimension::Workspace, Dimension::AgentId, Dimension::ActionId],
            Self::OperationType => &[Dimension::Workspace, Dimension::OperationType],
        }
    }

    /// The set with the fewest dimensions that keeps all of `needed`: the cheapest one that can group or filter by them.
    /// Always found, since the base keeps every dimension.
    pub fn narrowest_with(needed: &[Dimension]) -> Self {
        let keeps = |set: &Self| needed.iter().all(|dimension| set.dimensions().contains(dimension));
        Self::ALL.into_iter().filter(keeps).min_by_key(|set| set.dimensions().len()).unwrap_or(Self::Base)
    }
}

impl Dimensions {
    /// The value of one dimension.
    pub fn get(&self, dimension: Dimension) -> Option<&str> {
        match dimension {
            Dimension::Workspace => Some(&self.workspace),
            Dimension::Project => self.project.as_deref(),
            Dimension::Team => self.team.as_deref(),
            Dimension::Environment => self.environment.as_deref(),
            Dimension::Provider => self.provider.as_deref(),
            Dimension::Model => self.model.as_deref(),
            Dimension::OperationType => self.operation_type.as_deref(),
            Dimension::AgentId => self.agent_id.as_deref(),
            Dimension::ActionId => self.action_id.as_deref(),
        }
    }

    /// The combination in which `set` counts operations of this one: dimensions that the set does not keep are dropped.
    #[must_use]
    pub fn kept_by(&self, set: DimensionSet) -> Self {
        Self::from_values(set, |dimension| self.get(dimension).map(str::to_owned))
    }

    /// The combination that takes what is beyond the limit: the workspace stays, the rest of the set is [`OTHER`].
    pub fn other(set: DimensionSet, workspace: &str) -> Self {
        Self::from_values(set, |dimension| {
            Some(if dimension == Dimension::Workspace { workspace } else { OTHER }.to_owned())
        })
    }

    /// Builds a combination from the dimensions that `set` keeps.
    pub fn from_values(set: DimensionSet, mut value: impl FnMut(Dimension) -> Option<String>) -> Self {
        let mut built = Self::default();
        for dimension in set.dimensions() {
            let value = value(*dimension);
            match dimension {
                Dimension::Workspace => built.workspace = value.unwrap_or_default(),
                Dimension::Project => built.project = value,
                Dimension::Team => built.team = value,
                Dimension::Environment => built.environment = value,
                Dimension::Provider => built.provider = value,
                Dimension::Model => built.model = value,
                Dimension::OperationType => built.operation_type = value,
                Dimension::AgentId => built.agent_id = value,
                Dimension::ActionId => built.action_id = value,
            }
        }
        built
    }

    /// A JSON array of the set's name and its values in order, such as `["provider_model","default","openai",null]`.
    pub fn key_text(&self, set: DimensionSet) -> String {
        let values = set.dimensions().iter().map(|dimension| self.get(*dimension).into());
        serde_json::Value::Array(std::iter::once(set.name().into()).chain(values).collect()).to_string()
    }

    /// What identifies the combination in `window_dimensions`.
    pub fn key_hash(&self, set: DimensionSet) -> KeyHash {
        let digest = Sha256::digest(self.key_text(set));
        let mut hash = [0; 16];
        hash.copy_from_slice(&digest[..16]);
        KeyHash(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn combination() -> Dimensions {
        Dimensions {
            workspace: "w".to_owned(),
            provider: Some("openai".to_owned()),
            team: Some("t\"1".to_owned()),
            ..Dimensions::default()
        }
    }

    #[test]
    fn a_key_tells_null_from_text_and_cannot_be_forged_by_quotes() {
        assert_eq!(combination().key_text(DimensionSet::ProviderModel), r#"["provider_model","w","openai",null]"#);
        assert_eq!(combination().key_text(DimensionSet::Team), r#"["team","w","t\"1"]"#);
        let null_text = Dimensions { model: Some("null".to_owned()), ..combination() };
        assert_ne!(
            null_text.key_hash(DimensionSet::ProviderModel),
            combination().key_hash(DimensionSet::ProviderModel)
        );
    }

    #[test]
    fn a_set_drops_what_it_does_not_keep() {
        let kept = combination().kept_by(DimensionSet::Team);
        assert_eq!((kept.team.as_deref(), kept.provider), (Some("t\"1"), None));
        assert_eq!(combination().kept_by(DimensionSet::Base), combination());
        assert_eq!(
            Dimensions::other(DimensionSet::Project, "w").key_text(DimensionSet::Project),
            r#"["project","w","(other)"]"#
        );
    }

    #[test]
    fn the_narrowest_set_is_chosen() {
        assert_eq!(DimensionSet::narrowest_with(&[]), DimensionSet::Workspace);
        assert_eq!(DimensionSet::narrowest_with(&[Dimension::Model]), DimensionSet::ProviderModel);
        assert_eq!(DimensionSet::narrowest_with(&[Dimension::Model, Dimension::Team]), DimensionSet::Base);
        for set in DimensionSet::ALL {
            assert_eq!(DimensionSet::narrowest_with(set.dimensions()), set);
            assert_eq!(DimensionSet::from_code(set.code()), Some(set));
        }
    }
}
