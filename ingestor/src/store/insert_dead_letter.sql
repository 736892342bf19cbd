insert into dead_letters (
    stream_id, partition, source_offset, reason_code, reason, operation_id, record_key, record_value, record_headers,
    record_timestamp_ms, stored_at_ms
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
