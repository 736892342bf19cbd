//! Windows made in the plainest way, to compare with.

use std::collections::BTreeMap;

use opstream_schemas::database::Database;
use opstream_schemas::sketch::Sketch;
use opstream_schemas::window::{DimensionSet, Dimensions, Level, WindowSums};
use opstream_schemas::{NanoUsd, UtcMillis};
use proptest::prelude::*;

use super::{MINUTE, NOON};
use crate::publish::read_combination;

/// What windows depend on.
#[derive(Clone, Debug)]
pub(crate) struct TestOperation {
    pub(crate) time_ms: i64,
    pub(crate) dimensions: Dimensions,
    pub(crate) success: bool,
    pub(crate) input_tokens: Option<i64>,
    pub(crate) output_tokens: Option<i64>,
    /// The nine counts that are never null, in the order of the columns.
    pub(crate) parts: [i64; 9],
    pub(crate) cost: Option<i64>,
    /// The five parts of the cost and what caches saved, in the order of [`COST_PARTS`](opstream_schemas::lake::COST_PARTS); a file without any has no such columns, as those of
    /// earlier versions.
    pub(crate) split: Option<[i64; 6]>,
    pub(crate) reported_cost: Option<i64>,
    /// What the catalogue says where a cost was reported; a file without any has no such column.
    pub(crate) catalogue_cost: Option<i64>,
    pub(crate) cost_status: &'static str,
    pub(crate) latency_us: Option<i64>,
    pub(crate) ttft_us: Option<i64>,
}

/// The key text of a window's combination, its level and its start.
pub(crate) type Place = (String, &'static str, i64);
/// What a window holds.
pub(crate) type Contents = (WindowSums, Sketch, Sketch);
/// All windows.
pub(crate) type Windows = BTreeMap<Place, Contents>;

impl TestOperation {
    /// A plain operation at `time_ms`.
    pub(crate) fn at(time_ms: i64) -> Self {
        let dimensions =
            Dimensions { workspace: "w".to_owned(), operation_type: Some("chat".to_owned()), ..Dimensions::default() };
        Self {
            time_ms,
            dimensions,
            success: true,
            input_tokens: Some(10),
            output_tokens: Some(5),
            parts: [0; 9],
            cost: Some(1000),
            split: None,
            reported_cost: None,
            catalogue_cost: None,
            cost_status: "priced",
            latency_us: Some(1500),
            ttft_us: None,
        }
    }

    fn contents(&self) -> Contents {
        let known = |value: Option<i64>| (i64::from(value.is_some()), value.unwrap_or(0));
        let sketch = |value: Option<i64>| Sketch::from_values(value.map(|value| u64::try_from(value).unwrap()));
        let ((latency_count, latency_sum_us), (ttft_count, ttft_sum_us)) =
            (known(self.latency_us), known(self.ttft_us));
        let (reported, reported_cost) = known(self.reported_cost);
        let [input_cost, cache_read_cost, cache_write_cost, output_cost, unit_cost, cache_savings] =
            self.split.unwrap_or_default().map(NanoUsd::from_nanos);
        let difference = self.catalogue_cost.map(|catalogue_cost| reported_cost - catalogue_cost);
        let reported_as_cost = if self.cost_status == "reported" { self.cost } else { None };
        let sums = WindowSums {
            operations: 1,
            failures: i64::from(!self.success),
            unpriced: i64::from(self.cost.is_none()),
            reported,
            input_tokens: self.input_tokens.unwrap_or(0),
            cache_read_tokens: self.parts[0],
            cache_write_tokens: self.parts[1],
            cache_write_1h_tokens: self.parts[2],
            output_tokens: self.output_tokens.unwrap_or(0),
            reasoning_tokens: self.parts[3],
            input_audio_tokens: self.parts[4],
            output_audio_tokens: self.parts[5],
            input_image_tokens: self.parts[6],
            output_image_tokens: self.parts[7],
            web_searches: self.parts[8],
            cost: NanoUsd::from_nanos(self.cost.unwrap_or(0)),
            reported_cost: NanoUsd::from_nanos(reported_cost),
            latency_count,
            latency_sum_us,
            ttft_count,
            ttft_sum_us,
            input_cost,
            cache_read_cost,
            cache_write_cost,
            output_cost,
            unit_cost,
            cache_savings,
            compared: i64::from(difference.is_some()),
            reported_difference: NanoUsd::from_nanos(difference.unwrap_or(0)),
            reported_as_cost: NanoUsd::from_nanos(reported_as_cost.unwrap_or(0)),
        };
        (sums, sketch(self.latency_us), sketch(self.ttft_us))
    }
}

/// Every window of these operations, one operation after the other; minutes only from `minute_floor` on.
pub(crate) fn windows_of(operations: &[TestOperation], minute_floor: i64) -> Windows {
    let mut windows = Windows::new();
    for operation in operations {
        let (sums, latency, ttft) = operation.contents();
        for set in DimensionSet::ALL {
            for level in Level::ALL {
                let start = level.window_start(UtcMillis::from_millis(operation.time_ms)).millis();
                if level == Level::Minute && start < minute_floor {
                    continue;
                }
                let place = (operation.dimensions.kept_by(set).key_text(set), level.name(), start);
                let window = windows.entry(place).or_default();
                window.0 = window.0.checked_add(&sums).unwrap();
                window.1 = window.1.merge(&latency).unwrap();
                window.2 = window.2.merge(&ttft).unwrap();
            }
        }
    }
    windows
}

/// Every window of one generation in the tables.
pub(crate) async fn stored_windows(database: &Database, generation: i64) -> Windows {
    let query = "select w.*, cast(w.level as bigint) as level_code, d.workspace, d.project, d.team, d.environment, d.provider, \
                 d.model, d.operation_type, d.agent_id, d.action_id, cast(d.dimension_set as bigint) as set_code \
                 from windows w join window_dimensions d on d.dimension_id = w.dimension_id where w.generation = $1";
    let query = query.replace("w.*", WINDOW_COLUMNS);
    let rows = database.fetch_all(sqlx::AssertSqlSafe(query), &[generation.into()]).await.unwrap();
    let mut windows = Windows::new();
    for row in rows {
        let (set, dimensions) = read_combination(&row).unwrap();
        let level = Level::from_code(row.int("level_code").unwrap()).unwrap().name();
        let place = (dimensions.key_text(set), level, row.int("window_start_ms").unwrap());
        let sketch = |column| Sketch::from_bytes(&row.bytes(column).unwrap()).unwrap();
        let contents = (WindowSums::from_row(&row).unwrap(), sketch("latency_sketch"), sketch("ttft_sketch"));
        assert!(windows.insert(place, contents).is_none(), "a combination has two numbers");
    }
    windows
}

const WINDOW_COLUMNS: &str = "w.window_start_ms, w.operations, w.failures, w.unpriced, w.reported, w.input_tokens, \
    w.cache_read_tokens, w.cache_write_tokens, w.cache_write_1h_tokens, w.output_tokens, w.reasoning_tokens, w.input_audio_tokens, \
    w.output_audio_tokens, w.input_image_tokens, w.output_image_tokens, w.web_searches, w.cost_nano_usd, \
    w.reported_cost_nano_usd, w.latency_count, w.latency_sum_us, w.ttft_count, w.ttft_sum_us, w.input_cost_nano_usd, w.cache_read_cost_nano_usd, \
    w.cache_write_cost_nano_usd, w.output_cost_nano_usd, w.unit_cost_nano_usd, w.cache_savings_nano_usd, w.compared, \
    w.reported_difference_nano_usd, w.reported_as_cost_nano_usd, w.latency_sketch, w.ttft_sketch, \
    cast(d.dimension_set as bigint) as dimension_set";

/// Operations of the last two days, of few combinations, with everything that may be null null at times.
#[expect(clippy::too_many_lines, reason = "one line for each field")]
pub(crate) fn operations(most: usize) -> impl Strategy<Value = Vec<TestOperation>> {
    let choice = |names: &'static [&'static str]| {
        prop_oneof![Just(None), proptest::sample::select(names).prop_map(|name| Some(name.to_owned()))]
    };
    let dimensions = (
        proptest::sample::select(&["a", "b\"", "(other)"][..]),
        choice(&["p", "null"]),
        choice(&["t"]),
        choice(&["prod"]),
        choice(&["openai", "anthropic"]),
        choice(&["m1", "m2", ""]),
        choice(&["chat", "embeddings"]),
        choice(&["planner", "an agent whose name is longer than twelve bytes"]),
        choice(&["(other)", "x"]),
    );
    let dimensions = dimensions.prop_map(
        |(workspace, project, team, environment, provider, model, operation_type, agent_id, action_id)| {
            let workspace = workspace.to_owned();
            Dimensions { workspace, project, team, environment, provider, model, operation_type, agent_id, action_id }
        },
    );
    let count = || proptest::option::of(0_i64..1_000_000_000_000);
    let time = prop_oneof![NOON - 2 * 1440 * MINUTE..NOON, (0_i64..20).prop_map(|minutes| NOON - minutes * MINUTE)];
    let operation = (
        time,
        dimensions,
        any::<bool>(),
        proptest::array::uniform9(0_i64..5000),
        proptest::option::of(proptest::array::uniform6(-1000_i64..5000)),
        count(),
        count(),
        (count(), count(), proptest::option::of(count()), any::<bool>()),
        count(),
        count(),
    );
    let operation = operation.prop_map(
        |(
            time_ms,
            dimensions,
            success,
            parts,
            split,
            input_tokens,
            output_tokens,
            (cost, reported_cost, catalogue_cost, counts_reported),
            latency_us,
            ttft_us,
        )| {
            TestOperation {
                time_ms,
                dimensions,
                success,
                input_tokens,
                output_tokens,
                parts,
                cost,
                split,
                reported_cost,
                catalogue_cost: reported_cost.and(catalogue_cost.flatten()),
                cost_status: if counts_reported { "reported" } else { "priced" },
                latency_us,
                ttft_us,
            }
        },
    );
    proptest::collection::vec(operation, 0..most)
}
