//! By what operations can be told apart: the dimensions that windows keep, and those that only the lake's files have. Pure.

use std::fmt;

use opstream_schemas::providers::canonical_provider;
use opstream_schemas::window::Dimension;

use super::Parameters;
use super::parameters::{excerpt, invalid};
use crate::error::ApiError;

/// Columns of the lake's files that no window keeps, and that operations can be told apart by.
const OPEN: [&str; 14] = [
    "session_id",
    "user_id",
    "service",
    "agent_name",
    "response_model",
    "source_type",
    "service_tier",
    "processing",
    "error_type",
    "cost_status",
    "price_model",
    "call_id",
    "trace_id",
    "response_id",
];
/// Whether an operation succeeded, as a word.
const OUTCOME: &str = "outcome";
const HTTP_STATUS: &str = "http_status";
/// Most bytes of the name of a tag.
const MAX_TAG_BYTES: usize = 256;

/// By what operations are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    /// A dimension that windows keep.
    Kept(Dimension),
    /// A column of text.
    Text(&'static str),
    /// Status of the provider's HTTP answer.
    HttpStatus,
    /// `success` or `failure`.
    Outcome,
    /// The value of a tag.
    Tag(String),
}

impl Axis {
    /// Names of what has one, in the order in which errors list them; a tag is `tag:` and its own name.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        let kept = Dimension::ALL.into_iter().map(Dimension::column);
        kept.chain(OPEN).chain([HTTP_STATUS, OUTCOME])
    }

    /// The axis of a name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        if let Some(tag) = name.strip_prefix("tag:") {
            return (!tag.is_empty() && tag.len() <= MAX_TAG_BYTES).then(|| Self::Tag(tag.to_owned()));
        }
        match name {
            OUTCOME => Some(Self::Outcome),
            HTTP_STATUS => Some(Self::HttpStatus),
            _ => Dimension::from_column(name)
                .map(Self::Kept)
                .or_else(|| OPEN.into_iter().find(|column| *column == name).map(Self::Text)),
        }
    }

    /// The dimension, if windows keep it.
    pub(crate) const fn kept(&self) -> Option<Dimension> {
        match self {
            Self::Kept(dimension) => Some(*dimension),
            Self::Text(_) | Self::HttpStatus | Self::Outcome | Self::Tag(_) => None,
        }
    }

    /// The value as it is stored: providers have aliases.
    fn stored(&self, value: String) -> String {
        match self {
            Self::Kept(Dimension::Provider) => canonical_provider(&value).into_owned(),
            _ => value,
        }
    }

    /// Why no operation can have this value; none where one can.
    fn impossible(&self, value: &str) -> Option<String> {
        match self {
            Self::Kept(Dimension::Workspace | Dimension::OperationType) if value.is_empty() => {
                Some("is empty, but every operation has one".to_owned())
            }
            Self::Outcome if !matches!(value, "success" | "failure") => {
                Some(format!("is {:?}; allowed is success or failure", excerpt(value)))
            }
            Self::HttpStatus if !value.is_empty() && value.parse::<i32>().is_err() => {
                Some(format!("is {:?}, which is no status such as 429", excerpt(value)))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept(dimension) => f.write_str(dimension.column()),
            Self::Text(column) => f.write_str(column),
            Self::HttpStatus => f.write_str(HTTP_STATUS),
            Self::Outcome => f.write_str(OUTCOME),
            Self::Tag(tag) => write!(f, "tag:{tag}"),
        }
    }
}

/// Values for each axis that is asked for, any of which is meant; `None` are operations that have no value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection(Vec<(Axis, Vec<Option<String>>)>);

impl Selection {
    /// Reads the parameters of all axes, each as often as it is given; an empty value asks for operations without one. Tags are
    /// `tag=name:value`.
    ///
    /// # Errors
    /// When there are too many values, or one that no operation can have.
    pub(crate) fn read(parameters: &mut Parameters) -> Result<Self, ApiError> {
        let mut selection = Self::default();
        for name in Axis::names() {
            let Some(axis) = Axis::from_name(name) else { continue };
            for value in parameters.take_all(name)? {
                if let Some(reason) = axis.impossible(&value) {
                    return Err(invalid(name, &reason));
                }
                let value = axis.stored(value);
                selection.allow(&axis, Some(value).filter(|value| !value.is_empty()));
            }
        }
        for tag in parameters.take_all("tag")? {
            let named =
                tag.split_once(':').and_then(|(name, value)| Some((Axis::from_name(&format!("tag:{name}"))?, value)));
            let (axis, value) = named.ok_or_else(|| {
                let reason =
                    format!("is {:?}; say tag=name:value, and tag=name: for operations without it", excerpt(&tag));
                invalid("tag", &reason)
            })?;
            selection.allow(&axis, Some(value.to_owned()).filter(|value| !value.is_empty()));
        }
        selection.0.iter_mut().for_each(|(_, values)| {
            values.sort_unstable();
            values.dedup();
        });
        Ok(selection)
    }

    fn allow(&mut self, axis: &Axis, value: Option<String>) {
        match self.0.iter_mut().find(|(of, _)| of == axis) {
            Some((_, values)) => values.push(value),
            None => self.0.push((axis.clone(), vec![value])),
        }
    }

    /// This selection, of one value of a text column alone.
    pub(crate) fn only(column: &'static str, value: &str) -> Self {
        Self(vec![(Axis::from_name(column).unwrap_or(Axis::Text(column)), vec![Some(value.to_owned())])])
    }

    /// The same, of one workspace.
    pub(crate) fn within(mut self, workspace: Option<&str>) -> Self {
        if let Some(workspace) = workspace {
            self.allow(&Axis::Kept(Dimension::Workspace), Some(workspace.to_owned()));
        }
        self
    }

    /// Axes and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Axis, &[Option<String>])> {
        self.0.iter().map(|(axis, values)| (axis, values.as_slice()))
    }

    /// The same as filters of windows, if these keep all of it.
    pub(crate) fn kept(&self) -> Option<super::Filters> {
        let kept = self.0.iter().map(|(axis, values)| axis.kept().map(|dimension| (dimension, values.clone())));
        kept.collect::<Option<_>>().map(super::Filters::new)
    }
}

/// Reads `by`: names of axes separated by commas. A comma in the name of a tag cannot be said.
///
/// # Errors
/// Names what is none, and those that are.
pub(crate) fn read_axes(parameters: &mut Parameters) -> Result<Vec<Axis>, ApiError> {
    let Some(text) = parameters.take("by")? else { return Ok(Vec::new()) };
    let mut axes = Vec::new();
    for name in text.split(',').map(str::trim) {
        let Some(axis) = Axis::from_name(name) else {
            let names: Vec<&str> = Axis::names().collect();
            let reason = format!("names {:?}; known are {}, and tag:NAME", excerpt(name), names.join(", "));
            return Err(invalid("by", &reason));
        };
        if axes.contains(&axis) {
            return Err(invalid("by", &format!("names {} twice", excerpt(name))));
        }
        axes.push(axis);
    }
    Ok(axes)
}

#[cfg(test)]
mod tests {
    use super::super::parameters::tests::parameters;
    use super::*;

    #[test]
    fn a_selection_takes_kept_and_open_axes_and_tags() {
        let mut given = parameters(
            "provider=Gemini&provider=google&session_id=s&session_id=&outcome=failure&tag=tier:gold&tag=tier:&tag=a:b:c&http_status=429",
        );
        let selection = Selection::read(&mut given).unwrap();
        given.finish().unwrap();
        let some = |value: &str| Some(value.to_owned());
        let expected = Selection(vec![
            (Axis::Kept(Dimension::Provider), vec![some("gcp.gemini")]),
            (Axis::Text("session_id"), vec![None, some("s")]),
            (Axis::HttpStatus, vec![some("429")]),
            (Axis::Outcome, vec![some("failure")]),
            (Axis::Tag("tier".to_owned()), vec![None, some("gold")]),
            (Axis::Tag("a".to_owned()), vec![some("b:c")]),
        ]);
        assert_eq!(selection, expected);
        assert_eq!(selection.kept(), None);
        assert!(Selection::read(&mut parameters("model=a&team=")).unwrap().kept().is_some());
    }

    #[test]
    fn values_that_no_operation_has_are_refused() {
        let refusal = |query: &str| Selection::read(&mut parameters(query)).unwrap_err().to_string();
        assert!(refusal("workspace=").contains("every operation has one"));
        assert!(refusal("outcome=maybe").contains("success or failure"));
        assert!(refusal("http_status=many").contains("429"));
        assert!(refusal("tag=:x").contains("tag=name:value") && refusal("tag=x").contains("tag=name:value"));
        assert!(refusal(&"&user_id=m".repeat(101)).contains("100 values may be"));
    }

    #[test]
    fn groups_are_by_any_axis_and_unknown_ones_name_those() {
        let axes = read_axes(&mut parameters("by=model,session_id,tag:team%20name")).unwrap();
        let names: Vec<String> = axes.iter().map(Axis::to_string).collect();
        assert_eq!(names, ["model", "session_id", "tag:team name"]);
        let refusal = |query: &str| read_axes(&mut parameters(query)).unwrap_err().to_string();
        assert!(refusal("by=sesion").contains("session_id, user_id"));
        assert!(refusal("by=tag:").contains("tag:NAME"));
        assert!(refusal("by=user_id,user_id").contains("twice"));
    }
}
