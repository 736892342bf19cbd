//! Takes out of an operation what the ingestor would refuse: a wrong value must not cost the whole operation.

use opstream_schemas::operation::DEFAULT_WORKSPACE;
use opstream_schemas::validate::{
    AcceptedTimes, DEFAULT_RETENTION_FLOOR, MAX_IDENTIFIER_BYTES, Violation, check_operation, check_started_at,
};
use opstream_schemas::{Operation, UtcMicros};

use crate::fields::{number_field, part_field, text_field};
use crate::minter::Minter;
use crate::problems::Problems;

/// More than one operation can have: one for each field that is checked.
const MOST_REPAIRS: usize = 64;

/// Makes the operation acceptable at `now`; what is left out is counted.
///
/// Parts that exceed their whole stay: the pipeline stores such an operation as it is, without a price.
pub(crate) fn repair(operation: &mut Operation, now: UtcMicros, minter: &Minter, problems: &Problems) {
    if operation.operation_type.is_empty() {
        "chat".clone_into(&mut operation.operation_type);
    }
    if operation.workspace.is_empty() {
        DEFAULT_WORKSPACE.clone_into(&mut operation.workspace);
    }
    let accepted = AcceptedTimes::at(now.to_millis(), DEFAULT_RETENTION_FLOOR);
    if check_started_at(operation.started_at, accepted).is_err() {
        problems.note("started_at", "is before 2015 or more than a day ahead");
        operation.started_at = now;
        operation.operation_id = minter.mint(now);
    }
    for _ in 0..MOST_REPAIRS {
        match check_operation(operation, accepted) {
            Ok(()) => return,
            Err(violation) if violation.field() == "operation_id" => {
                problems.note("operation_id", "has a time before 2015 or more than a day ahead, and was replaced");
                operation.operation_id = minter.mint(operation.started_at);
            }
            Err(violation) => {
                let is_repaired = take_out(operation, &violation);
                problems.note(violation.field(), reason(&violation));
                if !is_repaired {
                    return;
                }
            }
        }
    }
}

/// True when something was changed.
fn take_out(operation: &mut Operation, violation: &Violation) -> bool {
    let field = violation.field();
    match violation {
        Violation::PartExceedsWhole { .. } => false,
        Violation::TooLong { .. } => {
            let text = match field {
                "workspace" => Some(&mut operation.workspace),
                "operation_type" => Some(&mut operation.operation_type),
                "provider" => operation.provider.as_mut(),
                "producer_id" => operation.producer_id.as_mut(),
                _ => text_field(operation, field).and_then(Option::as_mut),
            };
            text.map(cut).is_some()
        }
        _ => match field {
            "attempt" => {
                operation.attempt = 1;
                true
            }
            "http_status" => operation.http_status.take().is_some(),
            "reported_cost_usd" => operation.reported_cost_usd.take().is_some(),
            _ => {
                let number = number_field(operation, field).and_then(Option::take);
                let part = part_field(operation, field).map(std::mem::take);
                number.or(part).is_some()
            }
        },
    }
}

fn cut(text: &mut String) {
    text.truncate(text.floor_char_boundary(MAX_IDENTIFIER_BYTES));
}

const fn reason(violation: &Violation) -> &'static str {
    match violation {
        Violation::TooLong { .. } => "is longer than 1024 bytes, and was cut",
        Violation::Negative { .. } => "is negative, and was left out",
        Violation::PartExceedsWhole { .. } => "is more than what it is a part of; the operation has no price",
        _ => "is out of range, and was left out",
    }
}
