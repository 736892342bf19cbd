//! What the ingestor would say to a record, without storing it: the same decoder and the same checks. Pure.
//!
//! It does not know which ids other workspaces use, nor how another version of opstream decides.

use opstream_schemas::OperationId;
use opstream_schemas::offsets::{Offset, Partition};
use opstream_schemas::validate::AcceptedTimes;

use crate::checks::check_columns;
use crate::columns::operation_ids;
use crate::dead_letter::Poison;
use crate::decode::{DecodedBatch, WriterSchemas, decode_batch};
use crate::record::{IncomingRecord, RawBatch};

/// Tries a record's value, with what is known of other writers' schemas; returns the id of its operation.
///
/// # Errors
/// Why it would become a dead letter.
pub fn try_value(
    value: Option<&[u8]>,
    schemas: &WriterSchemas,
    accepted: AcceptedTimes,
) -> Result<OperationId, Poison> {
    let mut batch = RawBatch::default();
    let record = IncomingRecord {
        partition: Partition(0),
        offset: Offset(0),
        timestamp: None,
        key: None,
        value,
        headers: Vec::new(),
    };
    batch.push(record, 0, Offset(0));
    let DecodedBatch { columns, poison, .. } = decode_batch(&batch, schemas);
    if let Some((_, poison)) = poison.into_iter().next() {
        return Err(poison);
    }
    let columns = columns.expect("a record is a row or poison");
    let ids = operation_ids(&columns);
    match check_columns(&columns, &ids, accepted).into_values().next() {
        Some(violation) => Err(violation.into()),
        None => Ok(ids[0]),
    }
}

#[cfg(test)]
mod tests {
    use opstream_schemas::avro::encode_operation;
    use opstream_schemas::validate::DEFAULT_RETENTION_FLOOR;
    use opstream_schemas::{Operation, UtcMillis};

    use super::*;

    #[test]
    fn a_record_is_judged_by_decoder_and_checks() {
        let now = UtcMillis::from_millis(1_790_000_000_000);
        let accepted = AcceptedTimes::at(now, DEFAULT_RETENTION_FLOOR);
        let verdict = |change: fn(&mut Operation)| {
            let mut operation = Operation::starting("chat", now.into());
            change(&mut operation);
            let mut bytes = Vec::new();
            encode_operation(&operation, &mut bytes);
            try_value(Some(&bytes), &WriterSchemas::default(), accepted)
                .map(|id| assert_eq!(id, operation.operation_id))
                .map_err(|poison| poison.code())
        };
        assert_eq!(verdict(|_| {}), Ok(()));
        assert_eq!(verdict(|operation| operation.output_tokens = Some(-1)), Err("negative_count"));
        assert_eq!(verdict(|operation| operation.workspace.clear()), Err("empty_field"));
        assert_eq!(
            try_value(Some(b"{}"), &WriterSchemas::default(), accepted).map_err(|poison| poison.code()),
            Err("not_framed")
        );
        assert_eq!(
            try_value(None, &WriterSchemas::default(), accepted).map_err(|poison| poison.code()),
            Err("no_value")
        );
    }
}
