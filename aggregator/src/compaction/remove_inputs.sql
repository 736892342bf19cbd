-- Takes live files of operations and their contents out of the manifest at $1. Returns what they were.
update lake_files
set removed_at_ms = $1
where removed_at_ms is null
    and (file_number in ({rows}) or operations_file in ({rows}))
returning file_number, path, kind, operations_file, merges, bytes, rows, id_hash, min_operation_id, max_operation_id,
    failures, unpriced, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, reported_cost_nano_usd
