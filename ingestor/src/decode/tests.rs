//! What hostile and damaged bytes do: each bad record is named, every good one is kept.

use arrow_array::cast::AsArray;
use opstream_schemas::avro::{WINDOW_V1_ID, encode_operation};
use opstream_schemas::offsets::{Offset, Partition};
use opstream_schemas::{Operation, UtcMicros};
use proptest::prelude::*;

use super::*;
use crate::record::IncomingRecord;

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
    let mut batch = RawBatch::default();
    for (offset, value) in (0..).map(Offset).zip(values) {
        let record = IncomingRecord {
            partition: Partition(0),
            offset,
            timestamp: None,
            key: None,
            value: value.as_deref(),
            headers: Vec::new(),
        };
        batch.push(record, 1, offset);
    }
    batch
}

fn sessions(decoded: &DecodedBatch) -> Vec<String> {
    let Some(columns) = &decoded.columns else { return Vec::new() };
    let column = columns.column_by_name("session_id").unwrap().as_string::<i32>();
    column.iter().map(|session| session.unwrap().to_owned()).collect()
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

    let decoded = decode_batch(&batch(&values));

    assert_eq!(sessions(&decoded), ["a", "b", "c"]);
    assert_eq!(decoded.records, [0, 4, 9]);
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
fn a_reason_never_repeats_the_content() {
    let mut bytes = encoded(&Operation { system_prompt: Some("the secret prompt".to_owned()), ..operation("s") });
    let place = bytes.windows(6).position(|window| window == b"secret").unwrap();
    bytes[place] = 0xff;
    let decoded = decode_batch(&batch(&[Some(bytes)]));
    assert!(!decoded.poison[0].1.to_string().contains("prompt"), "{}", decoded.poison[0].1);
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
        let decoded = decode_batch(&batch(&[Some(good.clone()), Some(damaged), Some(short), Some(good)]));
        prop_assert!(decoded.records.contains(&0) && decoded.records.contains(&3));
        prop_assert_eq!(decoded.records.len() + decoded.poison.len(), 4);
        prop_assert_eq!(decoded.columns.map_or(0, |columns| columns.num_rows()), decoded.records.len());
    }
}
