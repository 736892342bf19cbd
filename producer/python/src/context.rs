//! What surrounds a call: session, agent, user, tags and so on, prepared once and applied to every operation inside.

use std::collections::BTreeMap;

use opstream_schemas::Operation;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::fields::text_field;
use crate::values;

/// Names of the fields that a context can hold, beside tags.
const FIELDS: [&str; 15] = [
    "workspace",
    "project",
    "team",
    "environment",
    "service",
    "session_id",
    "user_id",
    "agent_id",
    "agent_name",
    "action_id",
    "call_id",
    "trace_id",
    "span_id",
    "parent_span_id",
    "endpoint",
];

/// Values for the fields that an operation leaves open. It never changes: an inner context is a new one.
#[pyclass(frozen, module = "opstream._native")]
pub(crate) struct Context {
    workspace: Option<String>,
    texts: Vec<(&'static str, String)>,
    tags: BTreeMap<String, String>,
}

#[pymethods]
impl Context {
    /// The outer context with these values in place of its own. None takes a value away; empty texts are none.
    ///
    /// Raises `ValueError` for a field that no context has, `TypeError` for a value that is no text.
    #[new]
    #[pyo3(signature = (outer, fields, tags=None))]
    fn new(outer: Option<&Self>, fields: &Bound<'_, PyDict>, tags: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let mut context = outer.map_or_else(Self::empty, Self::copy);
        for (name, value) in fields.iter() {
            let name = name.extract::<String>()?;
            let Some(field) = FIELDS.into_iter().find(|field| *field == name) else {
                let known = FIELDS.join(", ");
                return Err(pyo3::exceptions::PyValueError::new_err(format!(
                    "{name} is no field of a context; known are {known}, tags"
                )));
            };
            context.set(field, read_text(field, &value)?);
        }
        for (name, value) in tags.into_iter().flat_map(PyDictMethods::iter) {
            let name = read_text("a tag's name", &name)?.unwrap_or_default();
            match read_text(&format!("tag {name}"), &value)? {
                Some(value) => drop(context.tags.insert(name, value)),
                None => drop(context.tags.remove(&name)),
            }
        }
        Ok(context)
    }

    /// The values by name, tags in `tags`.
    fn as_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        if let Some(workspace) = &self.workspace {
            dict.set_item("workspace", workspace)?;
        }
        for (name, value) in &self.texts {
            dict.set_item(*name, value)?;
        }
        if !self.tags.is_empty() {
            dict.set_item("tags", self.tags.clone())?;
        }
        Ok(dict)
    }
}

impl Context {
    fn empty() -> Self {
        Self { workspace: None, texts: Vec::new(), tags: BTreeMap::new() }
    }

    fn copy(&self) -> Self {
        Self { workspace: self.workspace.clone(), texts: self.texts.clone(), tags: self.tags.clone() }
    }

    fn set(&mut self, field: &'static str, value: Option<String>) {
        if field == "workspace" {
            self.workspace = value;
            return;
        }
        self.texts.retain(|(name, _)| *name != field);
        self.texts.extend(value.map(|value| (field, value)));
    }

    /// Fills what the operation leaves open; an empty workspace is open.
    pub(crate) fn apply_to(&self, operation: &mut Operation) {
        if let Some(workspace) = self.workspace.as_ref().filter(|_| operation.workspace.is_empty()) {
            operation.workspace.clone_from(workspace);
        }
        for (name, value) in &self.texts {
            if let Some(field) = text_field(operation, name).filter(|field| field.is_none()) {
                *field = Some(value.clone());
            }
        }
        for (name, value) in &self.tags {
            if !operation.tags.contains_key(name) {
                operation.tags.insert(name.clone(), value.clone());
            }
        }
    }
}

fn read_text(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    if value.is_none() {
        return Ok(None);
    }
    let text =
        values::text(value).map_err(|reason| pyo3::exceptions::PyTypeError::new_err(format!("{name}: {reason}")))?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}
