//! Parameters of a request: those with a field of their own, and the others as one JSON object.

use opstream_schemas::Operation;
use serde_json::{Map, Value as Json};

use super::dialects::{Meaning, Series};
use super::kept::Kept;
use super::model::Value;
use super::said::{Said, clean};
use super::screen::Screen;

/// Parameters of the request: those with a field of their own, and the others as one JSON object.
pub(super) fn set_parameters(operation: &mut Operation, said: &Said<'_, '_>, screen: &mut Screen) {
    let mut parameters = match said.value(Meaning::InvocationParameters).map(Value::to_embedded_json) {
        Some(Json::Object(parameters)) => parameters,
        _ => Map::new(),
    };
    for (_, name, value) in said
        .series
        .iter()
        .filter(|(series, ..)| matches!(series, Series::RequestParameter | Series::OldRequestParameter))
    {
        parameters.insert(clean(name).into_owned(), value.to_json());
    }
    set_asked_model(operation, said, parameters.get("model").and_then(Json::as_str));
    // Fields of their own, and content.
    for name in ["model", "messages", "input", "tools", "functions", "contents"] {
        parameters.remove(name);
    }
    let number = |parameters: &Map<String, Json>, name| parameters.get(name).and_then(Json::as_f64);
    if operation.temperature.is_none() {
        operation.temperature = number(&parameters, "temperature");
    }
    for name in ["max_tokens", "max_completion_tokens", "max_output_tokens"] {
        operation.max_tokens = operation.max_tokens.or_else(|| parameters.get(name)?.as_i64());
    }
    if operation.stream.is_none() {
        operation.stream = parameters.get("stream").and_then(Json::as_bool);
    }
    for name in ["temperature", "max_tokens", "max_completion_tokens", "max_output_tokens", "stream"] {
        parameters.remove(name);
    }
    let mut kept = Kept::default();
    for (name, value) in parameters {
        if let Some(value) = screen.parameter(&name, value) {
            kept.insert(&name, value);
        }
    }
    let parameters = kept.into_object();
    if !parameters.is_empty() {
        operation.request_parameters = Some(Json::Object(parameters).to_string());
    }
}

/// `OpenInference` has names that stand for the model that was asked for until there is an answer, and for the one that answered from then on.
const EITHER_MODEL: [&str; 2] = ["llm.model_name", "embedding.model_name"];

/// The model that the request's parameters name.
fn set_asked_model(operation: &mut Operation, said: &Said<'_, '_>, asked: Option<&str>) {
    let Some(asked) = asked.map(clean).filter(|asked| !asked.is_empty()) else { return };
    let is_either = said.attribute(Meaning::Model).is_none_or(|attribute| EITHER_MODEL.contains(&&*attribute.key));
    if is_either {
        let named = operation.model.replace(asked.into_owned()).filter(|named| Some(named) != operation.model.as_ref());
        operation.response_model = operation.response_model.take().or(named);
    }
}
