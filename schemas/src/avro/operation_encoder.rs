//! Writes an operation as framed Avro, field by field in the order of `avro/operation.v1.avsc`.

use super::OPERATION_V1_ID;
use super::binary::{
    put_array, put_bool, put_long, put_map, put_optional_bool, put_optional_double, put_optional_long,
    put_optional_string, put_string,
};
use super::framing::{SchemaId, put_frame};
use crate::{NanoUsd, Operation};

/// Appends the record, framed with the built-in id, to `out`, which may be reused from record to record.
pub fn encode_operation(operation: &Operation, out: &mut Vec<u8>) {
    encode_operation_as(operation, OPERATION_V1_ID, out);
}

/// The same under the id that a registry gave to the newest schema.
pub fn encode_operation_as(operation: &Operation, id: SchemaId, out: &mut Vec<u8>) {
    put_frame(out, id);
    put_identity(operation, out);
    put_request(operation, out);
    put_outcome(operation, out);
    put_counts(operation, out);
    put_content(operation, out);
}

fn put_identity(operation: &Operation, out: &mut Vec<u8>) {
    out.extend_from_slice(&operation.operation_id.bytes());
    put_string(out, &operation.workspace);
    put_optional_string(out, operation.call_id.as_deref());
    put_long(out, i64::from(operation.attempt));
    put_optional_string(out, operation.trace_id.as_deref());
    put_optional_string(out, operation.span_id.as_deref());
    put_optional_string(out, operation.parent_span_id.as_deref());
    put_optional_string(out, operation.response_id.as_deref());
    put_optional_string(out, operation.producer_id.as_deref());
    put_optional_long(out, operation.producer_seq);
    put_optional_string(out, operation.project.as_deref());
    put_optional_string(out, operation.team.as_deref());
    put_optional_string(out, operation.environment.as_deref());
    put_optional_string(out, operation.service.as_deref());
    put_optional_string(out, operation.session_id.as_deref());
    put_optional_string(out, operation.user_id.as_deref());
    put_optional_string(out, operation.agent_id.as_deref());
    put_optional_string(out, operation.agent_name.as_deref());
    put_optional_string(out, operation.action_id.as_deref());
}

fn put_request(operation: &Operation, out: &mut Vec<u8>) {
    put_string(out, &operation.operation_type);
    put_optional_string(out, operation.source_type.as_deref());
    put_optional_string(out, operation.provider.as_deref());
    put_optional_string(out, operation.model.as_deref());
    put_optional_string(out, operation.response_model.as_deref());
    put_optional_string(out, operation.endpoint.as_deref());
    put_optional_string(out, operation.service_tier.as_deref());
    put_optional_string(out, operation.processing.as_deref());
    put_optional_bool(out, operation.stream);
    put_optional_double(out, operation.temperature);
    put_optional_long(out, operation.max_tokens);
    put_optional_string(out, operation.request_parameters.as_deref());
    put_long(out, operation.started_at.micros());
    put_optional_long(out, operation.latency_us);
    put_optional_long(out, operation.queue_us);
    put_optional_long(out, operation.ttft_us);
    put_optional_long(out, operation.generation_us);
}

fn put_outcome(operation: &Operation, out: &mut Vec<u8>) {
    put_bool(out, operation.success);
    put_optional_string(out, operation.error_type.as_deref());
    put_optional_string(out, operation.error_message.as_deref());
    put_optional_long(out, operation.http_status.map(i64::from));
    put_array(out, &operation.finish_reasons);
}

fn put_counts(operation: &Operation, out: &mut Vec<u8>) {
    put_optional_long(out, operation.input_tokens);
    put_long(out, operation.cache_read_tokens);
    put_long(out, operation.cache_write_tokens);
    put_long(out, operation.cache_write_1h_tokens);
    put_optional_long(out, operation.output_tokens);
    put_long(out, operation.reasoning_tokens);
    put_long(out, operation.input_audio_tokens);
    put_long(out, operation.output_audio_tokens);
    put_long(out, operation.input_image_tokens);
    put_long(out, operation.output_image_tokens);
    put_long(out, operation.web_searches);
    put_optional_string(out, operation.billable_units.as_deref());
    put_optional_long(out, operation.reported_cost_usd.map(NanoUsd::nanos));
}

fn put_content(operation: &Operation, out: &mut Vec<u8>) {
    put_optional_string(out, operation.system_prompt.as_deref());
    put_optional_string(out, operation.input_messages.as_deref());
    put_optional_string(out, operation.output_messages.as_deref());
    put_optional_string(out, operation.tool_definitions.as_deref());
    put_bool(out, operation.content_truncated);
    put_bool(out, operation.content_redacted);
    put_map(out, &operation.tags);
    put_optional_string(out, operation.metadata.as_deref());
}
