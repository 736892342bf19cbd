//! SQL for windows whose steps are listed one by one, because no arithmetic tells where local days and months begin.
//!
//! The list is one bound value, and every entry a search in the primary key: a year of days in India reads 27 windows of each
//! combination a day, where quarter-hours alone would be 96.

use opstream_schemas::database::Engine;

use super::SpanOfStep;

/// The list as a JSON array of `[step, level, from, to]`.
pub(super) fn spans_json(spans: &[SpanOfStep]) -> String {
    let entry = |SpanOfStep { step, span }: &SpanOfStep| {
        format!("[{},{},{},{}]", step.millis(), span.level.code(), span.from.millis(), span.to.millis())
    };
    format!("[{}]", spans.iter().map(entry).collect::<Vec<_>>().join(","))
}

/// The windows of all entries of `spans`, each with the `step_ms` of its entry. `conditions` are those on windows beside level
/// and time.
pub(super) fn windows_of_steps(engine: Engine, spans: &str, columns: &str, conditions: &str) -> String {
    let within = format!(
        "{conditions} and windows.level = s.level and windows.window_start_ms >= s.from_ms and windows.window_start_ms < s.to_ms"
    );
    let (entries, joined) = match engine {
        // Reads the tables of a cross join in their order.
        Engine::Sqlite => (format!("json_each({spans})"), format!("cross join windows where {within}")),
        // The offset makes it search for every entry, rather than compare all windows with all entries.
        Engine::Postgres => (
            format!("json_array_elements(cast({spans} as json))"),
            format!("cross join lateral (select * from windows where {within} offset 0) windows"),
        ),
    };
    format!(
        "with s as materialized (select cast(value ->> 0 as bigint) as step_ms, cast(value ->> 1 as bigint) as level, \
         cast(value ->> 2 as bigint) as from_ms, cast(value ->> 3 as bigint) as to_ms from {entries}) \
         select s.step_ms, {columns} from s {joined}"
    )
}
