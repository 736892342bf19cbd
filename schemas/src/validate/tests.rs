//! Each rule, at its border.

use super::*;

fn accepted() -> AcceptedTimes {
    AcceptedTimes::at(UtcMillis::from_millis(1_790_000_000_000), DEFAULT_RETENTION_FLOOR)
}

fn operation_at(millis: i64) -> Operation {
    Operation::starting("chat", UtcMicros::from_micros(millis * 1000))
}

#[test]
fn the_floor_is_accepted_and_the_ceiling_is_not() {
    let floor = DEFAULT_RETENTION_FLOOR.millis();
    assert_eq!(check_operation(&operation_at(floor), accepted()), Ok(()));
    assert_eq!(check_operation(&operation_at(floor - 1), accepted()).unwrap_err().code(), "before_retention_floor");
    let ceiling = accepted().ceiling.millis();
    assert_eq!(check_operation(&operation_at(ceiling - 1), accepted()), Ok(()));
    assert_eq!(check_operation(&operation_at(ceiling), accepted()).unwrap_err().code(), "too_far_ahead");
}

#[test]
fn a_refusal_names_the_field_and_its_value() {
    let operation = Operation { input_tokens: Some(-3), ..operation_at(1_789_000_000_000) };
    assert_eq!(
        check_operation(&operation, accepted()).unwrap_err().to_string(),
        "input_tokens is -3; it must be 0 or more"
    );
    let operation = Operation { input_tokens: Some(10), cache_read_tokens: 11, ..operation_at(1_789_000_000_000) };
    assert_eq!(check_operation(&operation, accepted()).unwrap_err().code(), "part_exceeds_whole");
}

#[test]
fn a_refused_cost_is_said_in_dollars() {
    let refused = |cost: &str| {
        let reported_cost_usd = Some(NanoUsd::parse(cost).unwrap());
        let operation = Operation { reported_cost_usd, ..operation_at(1_789_000_000_000) };
        check_operation(&operation, accepted()).unwrap_err().to_string()
    };
    assert_eq!(refused("-5"), "reported_cost_usd is -5.00 USD; it must be 0 or more");
    assert_eq!(refused("10000.5"), "reported_cost_usd is 10000.50 USD; allowed is 0 to 10000 USD");
}

#[test]
fn an_identifying_text_that_is_too_long_is_named() {
    for field in IDENTIFIERS {
        let mut json = serde_json::to_value(operation_at(1_789_000_000_000)).unwrap();
        json[field] = "x".repeat(MAX_IDENTIFIER_BYTES).into();
        let longest: Operation = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(check_operation(&longest, accepted()), Ok(()));
        json[field] = "x".repeat(MAX_IDENTIFIER_BYTES + 1).into();
        let too_long: Operation = serde_json::from_value(json).unwrap();
        assert_eq!(check_operation(&too_long, accepted()).unwrap_err().field(), field);
    }
}
