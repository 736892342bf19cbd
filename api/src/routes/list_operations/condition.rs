//! That a row of `operations` has a value, as SQL. Names in it come from constants; everything that a client said is bound.

use opstream_schemas::database::{Engine, Value};

use crate::query::Axis;

/// The condition, whose values join those that are bound already.
pub(super) fn condition(engine: Engine, axis: &Axis, value: Option<&str>, values: &mut Vec<Value>) -> String {
    let mut bind = |value: Value| {
        values.push(value);
        format!("${}", values.len())
    };
    let column = match axis {
        Axis::Kept(dimension) => dimension.column(),
        Axis::Text(column) => column,
        Axis::HttpStatus => "http_status",
        Axis::Outcome => return format!("success = {}", bind((value == Some("success")).into())),
        Axis::Tag(name) => return tag(engine, &bind(name.as_str().into()), value.map(|value| bind(value.into()))),
    };
    match (axis, value) {
        (_, None) => format!("{column} is null"),
        (Axis::HttpStatus, Some(status)) => {
            format!("{column} = {}", bind(status.parse::<i64>().unwrap_or(i64::MIN).into()))
        }
        (_, Some(value)) => format!("{column} = {}", bind(value.into())),
    }
}

/// That the tag of a bound name has a bound value, or is not there.
fn tag(engine: Engine, name: &str, value: Option<String>) -> String {
    match (engine, value) {
        (Engine::Sqlite, Some(value)) => {
            format!("exists (select 1 from json_each(tags) t where t.key = {name} and cast(t.value as text) = {value})")
        }
        (Engine::Sqlite, None) => {
            format!("not exists (select 1 from json_each(tags) t where t.key = {name} and t.value is not null)")
        }
        (Engine::Postgres, value) => {
            // The escape of a character that Postgres' text cannot have would be an error of the whole statement.
            let found = format!("case when strpos(tags, '\\u0000') = 0 then tags::json ->> {name} end");
            match value {
                Some(value) => format!("({found}) = {value}"),
                None => format!("({found}) is null"),
            }
        }
    }
}
