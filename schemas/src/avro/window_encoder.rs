//! Writes a window as framed Avro, field by field in the order of `avro/window.v3.avsc`.

use super::WINDOW_V3_ID;
use super::binary::{put_bytes, put_long, put_optional_string, put_string};
use super::framing::{SchemaId, put_frame};
use crate::window::Window;

/// Appends the record, framed with the built-in id, to `out`, which may be reused from record to record.
pub fn encode_window(window: &Window, out: &mut Vec<u8>) {
    encode_window_as(window, WINDOW_V3_ID, out);
}

/// The same under the id that a registry gave to the newest schema.
pub fn encode_window_as(window: &Window, id: SchemaId, out: &mut Vec<u8>) {
    put_frame(out, id);
    put_string(out, window.dimension_set.name());
    put_string(out, window.level.name());
    put_long(out, window.window_start.millis());
    put_string(out, &window.dimensions.workspace);
    put_optional_string(out, window.dimensions.project.as_deref());
    put_optional_string(out, window.dimensions.team.as_deref());
    put_optional_string(out, window.dimensions.environment.as_deref());
    put_optional_string(out, window.dimensions.provider.as_deref());
    put_optional_string(out, window.dimensions.model.as_deref());
    put_optional_string(out, window.dimensions.operation_type.as_deref());
    put_optional_string(out, window.dimensions.agent_id.as_deref());
    put_optional_string(out, window.dimensions.action_id.as_deref());
    put_long(out, window.generation);
    put_long(out, window.fence.0);
    put_long(out, window.revision);
    for sum in window.sums.to_array() {
        put_long(out, sum);
    }
    put_bytes(out, &window.latency_sketch);
    put_bytes(out, &window.ttft_sketch);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use apache_avro::types::Value;
    use apache_avro::{Schema, from_avro_datum};

    use super::*;
    use crate::avro::{WINDOW_V3, split_frame};
    use crate::offsets::Fence;
    use crate::sketch::Sketch;
    use crate::window::{DimensionSet, Dimensions, Level, SUM_COLUMNS, WindowSums};
    use crate::{NanoUsd, UtcMillis};

    fn window() -> Window {
        let numbers = std::array::from_fn(|i| i64::try_from(i).unwrap() * 1_000_003);
        Window {
            dimension_set: DimensionSet::AgentAction,
            level: Level::QuarterHour,
            window_start: UtcMillis::from_millis(1_790_000_100_000),
            dimensions: Dimensions {
                workspace: "wörk".to_owned(),
                agent_id: Some("planner".to_owned()),
                ..Dimensions::default()
            },
            generation: 2,
            fence: Fence(3),
            revision: 4,
            sums: WindowSums { cost: NanoUsd::from_nanos(-1), ..WindowSums::from_array(numbers) },
            latency_sketch: Sketch::from_values([1, 1000, 1_000_000]).to_bytes(),
            ttft_sketch: Vec::new(),
        }
    }

    #[test]
    fn a_stock_avro_reader_reads_a_window() {
        let mut bytes = Vec::new();
        encode_window(&window(), &mut bytes);
        let framed = split_frame(&bytes).unwrap();
        assert_eq!(framed.schema_id, WINDOW_V3_ID);
        let mut rest = framed.datum;
        let schema = Schema::parse_str(WINDOW_V3).unwrap();
        let Value::Record(fields) = from_avro_datum(&schema, &mut rest, None).unwrap() else { panic!("not a record") };
        assert!(rest.is_empty(), "{} bytes are left over", rest.len());
        let fields: BTreeMap<String, Value> = fields.into_iter().collect();
        assert_eq!(fields["dimension_set"], Value::String("agent_action".to_owned()));
        assert_eq!(fields["level"], Value::String("quarter_hour".to_owned()));
        assert_eq!(fields["window_start"], Value::TimestampMillis(1_790_000_100_000));
        assert_eq!(fields["workspace"], Value::String("wörk".to_owned()));
        assert_eq!(fields["agent_id"], Value::Union(1, Box::new(Value::String("planner".to_owned()))));
        assert_eq!(fields["action_id"], Value::Union(0, Box::new(Value::Null)));
        for (name, number) in [("generation", 2), ("fence", 3), ("revision", 4)] {
            assert_eq!(fields[name], Value::Long(number));
        }
        for (column, sum) in SUM_COLUMNS.iter().zip(window().sums.to_array()) {
            assert_eq!(fields[*column], Value::Long(sum), "{column}");
        }
        assert_eq!(fields["latency_sketch"], Value::Bytes(window().latency_sketch));
        assert_eq!(fields["ttft_sketch"], Value::Bytes(Vec::new()));
    }
}
