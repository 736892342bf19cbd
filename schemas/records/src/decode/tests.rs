//! What hostile and damaged bytes do: each bad record is named, every good one is kept.

use std::collections::BTreeSet;

use arrow_array::cast::AsArray;
use opstream_schemas::avro::{WINDOW_V1_ID, encode_operation};
use opstream_schemas::{Operation, UtcMicros};
use proptest::prelude::*;

use super::hostile::{assert_same, judge};
use super::*;

fn operation(session: &str) -> Operation {
    Operation {
        session_id: Some(session.to_owned()),
        ..Operation::starting("chat", UtcMicros::from_micros(1_790_000_000_000_000))
    }
}

fn encoded(operation: &Operation) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_operation(operation, &mut bytes);
    bytes
}

fn batch(values: &[Option<Vec<u8>>]) -> RawBatch {
    test_batch::batch(values.iter().map(Option::as_deref))
}

fn sessions(decoded: &DecodedBatch) -> Vec<String> {
    let Some(columns) = &decoded.columns else { return Vec::new() };
    let column = columns.column_by_name("session_id").unwrap().as_string::<i32>();
    let mut sessions: Vec<(usize, String)> =
        decoded.records.iter().copied().zip(column.iter().map(|session| session.unwrap().to_owned())).collect();
    sessions.sort();
    sessions.into_iter().map(|(_, session)| session).collect()
}

#[test]
fn bad_records_are_named_and_good_ones_kept() {
    let mut cut = encoded(&operation("cut"));
    cut.truncate(cut.len() - 3);
    let mut long = encoded(&operation("long"));
    long.push(0);
    let mut not_utf8 = encoded(&operation("marker"));
    let place = not_utf8.windows(6).position(|window| window == b"marker").unwrap();
    not_utf8[place] = 0xff;
    let mut unknown = encoded(&operation("unknown"));
    unknown[1..5].copy_from_slice(&99_u32.to_be_bytes());
    let mut newer = encoded(&operation("newer"));
    newer[1..5].copy_from_slice(&(OPERATION_V1_ID.0 + 1).to_be_bytes());
    let mut window = encoded(&operation("window"));
    window[1..5].copy_from_slice(&WINDOW_V1_ID.0.to_be_bytes());
    let values = [
        Some(encoded(&operation("a"))),
        Some(cut),
        None,
        Some(long),
        Some(encoded(&operation("b"))),
        Some(not_utf8),
        Some(unknown),
        Some(b"{}".to_vec()),
        Some(window),
        Some(encoded(&operation("c"))),
        Some(newer),
    ];

    let decoded = decode_batch(&batch(&values), &WriterSchemas::default());

    assert_eq!(sessions(&decoded), ["a", "b", "c"]);
    let records: BTreeSet<usize> = decoded.records.iter().copied().collect();
    assert_eq!(records, BTreeSet::from([0, 4, 9]));
    let codes: Vec<_> = decoded.poison.iter().map(|(index, poison)| (*index, poison.code())).collect();
    let expected = [
        (1, "undecodable"),
        (2, "no_value"),
        (3, "undecodable"),
        (5, "undecodable"),
        (6, "unknown_schema"),
        (7, "not_framed"),
        (8, "unknown_schema"),
        (10, "newer_schema"),
    ];
    assert_eq!(codes, expected);
}

#[test]
fn rows_come_in_the_order_of_their_ids() {
    let mut operations: Vec<Operation> = ["a", "b", "c", "d"].map(operation).to_vec();
    operations[3].operation_id = operations[1].operation_id;
    operations.sort_by_key(|operation| std::cmp::Reverse(operation.operation_id));
    let values: Vec<_> = operations.iter().map(|operation| Some(encoded(operation))).collect();
    let decoded = decode_batch(&batch(&values), &WriterSchemas::default());
    let ids = crate::columns::operation_ids(decoded.columns.as_ref().unwrap());
    let rows: Vec<_> = ids.iter().copied().zip(decoded.records).collect();
    let mut sorted = rows.clone();
    sorted.sort_unstable();
    assert_eq!(rows, sorted, "of one id in the order of the batch");
    assert!(rows.iter().all(|(id, record)| operations[*record].operation_id == *id));
}

#[test]
fn a_reason_never_repeats_the_content() {
    let mut bytes = encoded(&Operation { system_prompt: Some("the secret prompt".to_owned()), ..operation("s") });
    let place = bytes.windows(6).position(|window| window == b"secret").unwrap();
    bytes[place] = 0xff;
    let decoded = decode_batch(&batch(&[Some(bytes)]), &WriterSchemas::default());
    let reason = decoded.poison[0].1.to_string();
    assert!(reason.contains("system_prompt") && !reason.contains("the secret"), "{reason}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_damage_costs_only_the_damaged_record(place in 5_usize..80, byte: u8, cut in 5_usize..80) {
        let good = encoded(&operation("good"));
        let mut damaged = encoded(&operation("good"));
        damaged[place] = byte;
        let mut short = damaged.clone();
        short.truncate(cut);
        let decoded = decode_batch(
            &batch(&[Some(good.clone()), Some(damaged), Some(short), Some(good)]),
            &WriterSchemas::default(),
        );
        prop_assert!(decoded.records.contains(&0) && decoded.records.contains(&3));
        prop_assert_eq!(decoded.records.len() + decoded.poison.len(), 4);
        prop_assert_eq!(decoded.columns.map_or(0, |columns| columns.num_rows()), decoded.records.len());
    }
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let texts = proptest::collection::vec(proptest::option::of(".{0,12}"), 8);
    let longs = proptest::collection::vec(proptest::option::of(any::<i64>()), 4);
    let list = proptest::collection::vec(".{0,4}", 0..3);
    let map = proptest::collection::btree_map(".{0,4}", ".{0,4}", 0..3);
    (texts, longs, list, map, any::<(Option<bool>, Option<f64>, Option<i32>, bool)>()).prop_map(
        |(texts, longs, finish_reasons, tags, (stream, temperature, http_status, success))| Operation {
            session_id: texts[0].clone(),
            model: texts[1].clone(),
            error_message: texts[2].clone(),
            metadata: texts[3].clone(),
            system_prompt: texts[4].clone(),
            billable_units: texts[5].clone(),
            workspace: texts[6].clone().unwrap_or_default(),
            user_id: texts[7].clone(),
            latency_us: longs[0],
            input_tokens: longs[1],
            producer_seq: longs[2],
            cache_read_tokens: longs[3].unwrap_or_default(),
            finish_reasons,
            tags,
            stream,
            temperature,
            http_status,
            success,
            ..operation("any")
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// What we accept apache-avro accepts, with the same values; what is undamaged we accept.
    #[test]
    fn a_stock_avro_reader_finds_the_same(
        operation in any_operation(), damage in proptest::option::of((0_usize..120, any::<u8>()))
    ) {
        let mut bytes = encoded(&operation);
        if let Some((place, byte)) = damage {
            let place = 5 + place % (bytes.len() - 5);
            bytes[place] = byte;
        }
        let expected = judge(&bytes).expect("its frame is whole");
        let decoded = decode_batch(&batch(&[Some(bytes)]), &WriterSchemas::default());
        prop_assert!(damage.is_some() || decoded.columns.is_some());
        if let Some(columns) = decoded.columns {
            for (name, value) in expected.expect("apache-avro reads it") {
                assert_same(&value, columns.column_by_name(&name).unwrap(), 0, &name);
            }
        }
    }
}
