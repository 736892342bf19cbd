//! Which operations a question is about, and by what the answer is grouped: the dimensions that windows keep. Pure.

use opstream_schemas::providers::canonical_provider;
use opstream_schemas::window::{Dimension, DimensionSet};

use super::Parameters;
use super::parameters::invalid;
use crate::error::ApiError;

/// Values for each dimension that is asked for, any of which is meant; `None` are operations that have no value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filters(Vec<(Dimension, Vec<Option<String>>)>);

impl Filters {
    /// Reads the parameters of dimensions, each as often as it is given; an empty value asks for operations without one.
    ///
    /// # Errors
    /// When there are too many values, or the workspace, which every operation has, is empty.
    pub(crate) fn read(parameters: &mut Parameters) -> Result<Self, ApiError> {
        let mut filters = Vec::new();
        for dimension in Dimension::ALL {
            let given = parameters.take_all(dimension.column())?;
            if given.iter().any(String::is_empty)
                && matches!(dimension, Dimension::Workspace | Dimension::OperationType)
            {
                return Err(invalid(dimension.column(), "is empty, but every operation has one"));
            }
            let stored = |value: String| match dimension {
                Dimension::Provider => canonical_provider(&value).into_owned(),
                _ => value,
            };
            let mut values: Vec<Option<String>> =
                given.into_iter().map(|value| Some(stored(value)).filter(|value| !value.is_empty())).collect();
            values.sort_unstable();
            values.dedup();
            if !values.is_empty() {
                filters.push((dimension, values));
            }
        }
        Ok(Self(filters))
    }

    /// Filters from values, in any order.
    pub(crate) fn new(filters: Vec<(Dimension, Vec<Option<String>>)>) -> Self {
        Self(filters)
    }

    /// Whether every operation passes.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Dimensions and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Dimension, &[Option<String>])> {
        self.0.iter().map(|(dimension, values)| (*dimension, values.as_slice()))
    }

    /// The smallest kept set that has all of these dimensions and those of `group_by`.
    pub(crate) fn narrowest_set(&self, group_by: &[Dimension]) -> DimensionSet {
        let needed: Vec<Dimension> =
            self.iter().map(|(dimension, _)| dimension).chain(group_by.iter().copied()).collect();
        DimensionSet::narrowest_with(&needed)
    }
}

/// Reads `by`: dimensions separated by commas.
///
/// # Errors
/// Names what is no dimension, and those that are.
pub(crate) fn read_group_by(parameters: &mut Parameters) -> Result<Vec<Dimension>, ApiError> {
    let Some(text) = parameters.take("by")? else { return Ok(Vec::new()) };
    let mut group_by = Vec::new();
    for name in text.split(',').map(str::trim) {
        let Some(dimension) = Dimension::from_column(name) else {
            let names: Vec<&str> = Dimension::ALL.iter().map(|dimension| dimension.column()).collect();
            let name: String = name.chars().take(60).collect();
            return Err(invalid("by", &format!("names {name:?}; windows are kept by {}", names.join(", "))));
        };
        if group_by.contains(&dimension) {
            return Err(invalid("by", &format!("names {name} twice")));
        }
        group_by.push(dimension);
    }
    Ok(group_by)
}

#[cfg(test)]
mod tests {
    use super::super::parameters::tests::parameters;
    use super::*;

    #[test]
    fn filters_take_every_dimension_and_stored_provider_names() {
        let mut given = parameters("provider=Gemini&team=&workspace=w&provider=openai&provider=google");
        let filters = Filters::read(&mut given).unwrap();
        given.finish().unwrap();
        let some = |value: &str| Some(value.to_owned());
        let expected = Filters::new(vec![
            (Dimension::Workspace, vec![some("w")]),
            (Dimension::Team, vec![None]),
            (Dimension::Provider, vec![some("gcp.gemini"), some("openai")]),
        ]);
        assert_eq!(filters, expected);
        assert_eq!(filters.narrowest_set(&[]), DimensionSet::Base);
        assert!(
            Filters::read(&mut parameters("workspace=")).unwrap_err().to_string().contains("every operation has one")
        );
        let many = "&model=m".repeat(101);
        assert!(Filters::read(&mut parameters(&many)).unwrap_err().to_string().contains("100 values may be"));
    }

    #[test]
    fn the_narrowest_set_has_filters_and_groups() {
        let filters = Filters::new(vec![(Dimension::Workspace, vec![Some("w".to_owned())])]);
        assert_eq!(filters.narrowest_set(&[]), DimensionSet::Workspace);
        assert_eq!(filters.narrowest_set(&[Dimension::Model]), DimensionSet::ProviderModel);
    }

    #[test]
    fn an_unknown_group_is_refused_with_those_that_are_kept() {
        let refusal = |query: &str| read_group_by(&mut parameters(query)).unwrap_err().to_string();
        assert!(
            refusal("by=session_id").contains("windows are kept by workspace, project, team"),
            "{}",
            refusal("by=session_id")
        );
        assert!(refusal("by=model,model").contains("twice"));
        assert_eq!(
            read_group_by(&mut parameters("by=provider,model")).unwrap(),
            [Dimension::Provider, Dimension::Model]
        );
    }
}
