//! The topics as any consumer reads them; the latest value of each window against the table.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use opstream_schemas::database::{Database, Row};
use rdkafka::message::Message as _;

use super::{Verdict, examples};
use crate::harness::pipeline::Pipeline;

/// Bytes before the datum in Confluent's framing.
const FRAME_LENGTH: usize = 5;
const STORED: &str = "select cast(w.dimension_set as bigint) as dimension_set, cast(w.level as bigint) as level, window_start_ms, \
                      workspace, project, team, environment, provider, model, operation_type, agent_id, action_id, generation, \
                      fence, revision, operations, failures, unpriced, input_tokens, output_tokens, cost_nano_usd, latency_sum_us, \
                      latency_count from windows w join window_dimensions d on d.dimension_id = w.dimension_id \
                      join settings s on s.name = 'window_generation' and s.value = w.generation";
const SETS: [&str; 7] = ["base", "workspace", "provider_model", "project", "team", "agent_action", "operation_type"];
const LEVELS: [&str; 4] = ["minute", "quarter_hour", "hour", "day"];
const DIMENSIONS: [&str; 9] =
    ["workspace", "project", "team", "environment", "provider", "model", "operation_type", "agent_id", "action_id"];
/// The version of a value and what it says.
const NUMBERS: [&str; 11] = [
    "generation",
    "fence",
    "revision",
    "operations",
    "failures",
    "unpriced",
    "input_tokens",
    "output_tokens",
    "cost_nano_usd",
    "latency_sum_us",
    "latency_count",
];

/// A window by set, level, start and values.
type Place = (String, String, i64, [Option<String>; 9]);
type Numbers = [i64; NUMBERS.len()];

/// Compares the highest version of each window on the topic with the table.
pub(super) async fn compare_windows(pipeline: &Pipeline<'_>, database: &Database, verdict: &mut Verdict) {
    let schema = Schema::parse_str(include_str!("../../../schemas/avro/window.v3.avsc")).expect("the schema is Avro");
    let mut latest: HashMap<Place, Numbers> = HashMap::new();
    let values = pipeline.read_topic("windows", move |message| message.payload().map(|value| decode(&schema, value)));
    for (place, numbers) in values.await.into_iter().flatten() {
        let version = |numbers: &Numbers| (numbers[0], numbers[1], numbers[2]);
        let newest = latest.entry(place).or_insert(numbers);
        if version(&numbers) > version(newest) {
            *newest = numbers;
        }
    }
    let mut wrong = Vec::new();
    for row in database.fetch_all(STORED, &[]).await.expect("windows can be read") {
        let (place, stored) = stored(&row).expect("a window has these columns");
        let published = latest.remove(&place);
        if published != Some(stored) {
            wrong.push(format!("{place:?} is {published:?} on the topic instead of {stored:?}"));
        }
    }
    wrong.extend(latest.into_iter().map(|(place, numbers)| format!("{place:?} is {numbers:?} on the topic only")));
    verdict.wrong += wrong.len() as u64;
    verdict.remark(wrong.len(), "latest values on the topic of windows are wrong", &examples(&wrong));
}

fn stored(row: &Row) -> Result<(Place, Numbers), sqlx::Error> {
    let name = |column: &str, names: &[&str]| {
        let code = usize::try_from(row.int(column)?).unwrap_or(usize::MAX);
        Ok::<_, sqlx::Error>(names.get(code).copied().unwrap_or("unknown").to_owned())
    };
    let mut values: [Option<String>; 9] = Default::default();
    for (value, column) in values.iter_mut().zip(DIMENSIONS) {
        *value = row.optional_text(column)?;
    }
    let mut numbers = [0; NUMBERS.len()];
    for (number, column) in numbers.iter_mut().zip(NUMBERS) {
        *number = row.int(column)?;
    }
    let place = (name("dimension_set", &SETS)?, name("level", &LEVELS)?, row.int("window_start_ms")?, values);
    Ok((place, numbers))
}

fn decode(schema: &Schema, value: &[u8]) -> (Place, Numbers) {
    let datum = apache_avro::from_avro_datum(schema, &mut &value[FRAME_LENGTH..], None);
    let Ok(Avro::Record(fields)) = datum else {
        panic!("a value on the topic of windows is not in its schema: {datum:?}")
    };
    let field = |name: &str| {
        let found = fields.iter().find(|(field, _)| field == name);
        found.map_or_else(|| panic!("the schema has no field {name}"), |(_, value)| value)
    };
    let text = |name: &str| match field(name) {
        Avro::String(text) => Some(text.clone()),
        Avro::Union(_, inner) => match inner.as_ref() {
            Avro::String(text) => Some(text.clone()),
            _ => None,
        },
        other => panic!("{name} is {other:?}"),
    };
    let number = |name: &str| match field(name) {
        Avro::Long(number) | Avro::TimestampMillis(number) => *number,
        other => panic!("{name} is {other:?}"),
    };
    let known = |name: &str| text(name).unwrap_or_default();
    let place = (known("dimension_set"), known("level"), number("window_start"), DIMENSIONS.map(text));
    (place, NUMBERS.map(number))
}
