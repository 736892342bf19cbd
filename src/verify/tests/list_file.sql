insert into lake_files (
    path, kind, operations_file, named_at_ms, committed_at_ms, rows, bytes, id_hash,
    min_operation_id, max_operation_id, failures, unpriced, input_tokens, output_tokens,
    cache_read_tokens, cache_write_tokens, cost_nano_usd, reported_cost_nano_usd
) values ($1, $2, $3, 0, 0, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, 0, $13, $14)
returning file_number
