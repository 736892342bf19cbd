//! Writes an alert as framed Avro, field by field in the order of `avro/alert.v1.avsc`.

use super::binary::{put_long, put_optional_long, put_optional_map, put_optional_string, put_string};
use super::framing::{SchemaId, put_frame};
use crate::alerts::{Alert, AlertState};

/// Appends the record, framed with this id, to `out`.
pub fn encode_alert_as(alert: &Alert, id: SchemaId, out: &mut Vec<u8>) {
    let (resolved_at, because) = match alert.state {
        AlertState::Open => (None, None),
        AlertState::Resolved { at, because } => (Some(at.millis()), Some(because.name())),
    };
    put_frame(out, id);
    put_string(out, &alert.alert_id);
    put_long(out, alert.revision);
    put_string(out, &alert.rule);
    put_long(out, alert.rule_version);
    put_string(out, &alert.kind);
    put_optional_string(out, alert.workspace.as_deref());
    put_optional_map(out, &alert.dimensions);
    put_long(out, alert.key.period_start.millis());
    put_long(out, alert.period_end.millis());
    put_optional_long(out, alert.threshold_percent());
    put_string(out, alert.unit.name());
    put_long(out, alert.value);
    put_long(out, alert.limit);
    put_long(out, alert.operations);
    put_long(out, alert.raised_at.millis());
    put_optional_long(out, resolved_at);
    put_optional_string(out, because);
    put_string(out, &alert.message());
}
