insert into operations (
    operation_id, time_ms, stream_id, source_partition, source_offset, workspace, attempt, operation_type, started_at_us, success,
    cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, reasoning_tokens, input_audio_tokens, output_audio_tokens,
    input_image_tokens, output_image_tokens, web_searches, cost_status, price_version, content_truncated, content_redacted,
    has_content
)
values ($1, $2, 1, 0, 0, 'w', 1, 'chat', 0, true, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'unpriced', '', false, false, true)
