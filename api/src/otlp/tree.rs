//! Attributes of names that repeat with numbers, put together again: `llm.input_messages.0.message.role` is a leaf of the tree of message 0.
//! Pure.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::dialects::Series;
use super::model::Value;
use super::said::Said;

/// Most segments of a path, and the highest number in one: what lies beyond is no message.
const MOST_SEGMENTS: usize = 10;
const MOST_ELEMENTS: usize = 100_000;

/// The elements of a series in their order.
pub(super) fn tree(said: &Said<'_, '_>, wanted: Series) -> impl Iterator<Item = Json> {
    let mut tree = BTreeMap::new();
    for (_, path, value) in said.series.iter().filter(|(series, ..)| *series == wanted) {
        insert(&mut tree, path, value);
    }
    tree.into_values()
}

/// Adds `0.message.role` to the tree.
fn insert(tree: &mut BTreeMap<usize, Json>, path: &str, value: &Value<'_>) {
    let mut segments = path.split('.');
    let Some(number) = segments.next().and_then(|first| first.parse().ok()).filter(|number| *number < MOST_ELEMENTS)
    else {
        return;
    };
    let mut node = tree.entry(number).or_insert_with(|| json!({}));
    let segments: Vec<&str> = segments.take(MOST_SEGMENTS).collect();
    let Some((last, way)) = segments.split_last() else { return };
    for segment in way {
        let Json::Object(children) = node else { return };
        node = children.entry(*segment).or_insert_with(|| json!({}));
    }
    if let Json::Object(children) = node {
        children.insert((*last).to_owned(), value.to_json());
    }
}

/// The elements of a node whose keys are numbers, in their order.
pub(super) fn elements(node: Option<&Json>) -> Vec<&Json> {
    let Some(Json::Object(children)) = node else { return Vec::new() };
    let mut elements: Vec<(usize, &Json)> =
        children.iter().filter_map(|(key, child)| Some((key.parse().ok()?, child))).collect();
    elements.sort_unstable_by_key(|(number, _)| *number);
    elements.into_iter().map(|(_, child)| child).collect()
}

/// Texts at this path of elements, as parts of a message. What else is said of a document, its id and score, stays with it.
pub(super) fn documents(elements: impl Iterator<Item = Json>, path: &str) -> Vec<Json> {
    let part = |element: Json| {
        let text = element.pointer(path)?.as_str()?;
        let mut part = json!({"type": "text", "content": text});
        for name in ["id", "score", "metadata"] {
            if let Some(told) = element.pointer(&format!("/document/{name}")) {
                part[name] = told.clone();
            }
        }
        Some(part)
    };
    elements.filter_map(part).collect()
}
