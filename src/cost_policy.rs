//! The flag that says which cost counts.

use clap::ValueEnum;
use opstream_schemas::prices::CostPolicy;

/// Which cost counts.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct CostPolicyArgs {
    /// Whose cost counts where the provider or the application reported one too. Holds for what is stored from then on; every
    /// ingestor of a pipeline needs the same. Both costs are kept, and their difference is in totals, whichever counts
    #[arg(long, env = "OPSTREAM_COST_POLICY", value_enum, default_value_t = CostPolicyChoice::Catalogue)]
    cost_policy: CostPolicyChoice,
}

/// Whose cost counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CostPolicyChoice {
    /// The price catalogue's alone; an operation without a price has no cost.
    Catalogue,
    /// The price catalogue's; of an operation without a price, the reported one.
    CatalogueOrReported,
    /// The reported one; of an operation without one, the price catalogue's.
    ReportedOrCatalogue,
}

impl CostPolicyArgs {
    /// The policy that this flag names.
    pub(crate) const fn policy(self) -> CostPolicy {
        self.cost_policy.policy()
    }
}

impl CostPolicyChoice {
    /// The policy of this name.
    pub(crate) const fn policy(self) -> CostPolicy {
        match self {
            Self::Catalogue => CostPolicy::Catalogue,
            Self::CatalogueOrReported => CostPolicy::CatalogueOrReported,
            Self::ReportedOrCatalogue => CostPolicy::ReportedOrCatalogue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_has_the_names_of_the_policies() {
        let named = CostPolicyChoice::value_variants().iter().map(|choice| {
            let name = choice.to_possible_value().unwrap().get_name().to_owned();
            (name, CostPolicyArgs { cost_policy: *choice }.policy())
        });
        let known = CostPolicy::ALL.map(|policy| (policy.name().to_owned(), policy));
        assert_eq!(named.collect::<Vec<_>>(), known);
    }
}
