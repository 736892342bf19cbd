//! Axes and selections as expressions over the columns of the files.

use polars::prelude::*;
use serde_json::Value as Json;

use crate::query::{Axis, Selection};

/// The values of an axis as text.
pub(super) fn values_of(axis: &Axis) -> Expr {
    match axis {
        Axis::Kept(dimension) => col(dimension.column()),
        Axis::Text(column) => col(*column),
        Axis::HttpStatus => col("http_status").cast(DataType::String),
        Axis::Outcome => when(col("success")).then(lit("success")).otherwise(lit("failure")),
        Axis::Tag(name) => tag_of(name.clone()),
    }
}

/// That an operation has one of the values of each axis.
pub(super) fn selected(selection: &Selection) -> Expr {
    let any_of = |(axis, values): (&Axis, &[Option<String>])| {
        let alternatives = values.iter().map(|value| has_value(axis, value.as_deref()));
        alternatives.reduce(Expr::or).unwrap_or_else(|| lit(true))
    };
    selection.iter().map(any_of).reduce(Expr::and).unwrap_or_else(|| lit(true))
}

fn has_value(axis: &Axis, value: Option<&str>) -> Expr {
    match (axis, value) {
        (Axis::Outcome, Some("success")) => col("success"),
        (Axis::Outcome, _) => col("success").not(),
        // Compared as numbers, so that the statistics of the files tell what need not be read.
        (Axis::HttpStatus, Some(status)) => match status.parse::<i32>() {
            Ok(status) => col("http_status").eq(lit(status)),
            Err(_) => lit(false),
        },
        (_, Some(value)) => values_of(axis).eq(lit(value)),
        (_, None) => values_of(axis).is_null(),
    }
}

/// The value of a tag, from the JSON object of all.
fn tag_of(name: String) -> Expr {
    let read = move |column: Column| {
        let tags = column.str()?;
        let values: StringChunked = tags.iter().map(|tags| tags.and_then(|tags| tag_in(tags, &name))).collect();
        Ok(values.with_name(column.name().clone()).into_column())
    };
    col("tags").map(read, |_, field| Ok(Field::new(field.name().clone(), DataType::String)))
}

/// Most objects do not have the tag: only what contains its name is parsed.
fn tag_in(tags: &str, name: &str) -> Option<String> {
    // The name may stand there escaped, in other words than its own.
    if !tags.contains(name) && !tags.contains('\\') {
        return None;
    }
    match serde_json::from_str::<Json>(tags).ok()?.get_mut(name)?.take() {
        Json::String(value) => Some(value),
        Json::Null => None,
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_found_however_it_is_written() {
        assert_eq!(tag_in(r#"{"team":"a","x":"team"}"#, "team").as_deref(), Some("a"));
        assert_eq!(tag_in(r#"{"te\u0061m":"a"}"#, "team").as_deref(), Some("a"));
        assert_eq!(tag_in(r#"{"x":"team"}"#, "team"), None);
        assert_eq!(tag_in(r#"{"n":7}"#, "n").as_deref(), Some("7"));
        assert_eq!(tag_in("no object", "no"), None);
    }
}
