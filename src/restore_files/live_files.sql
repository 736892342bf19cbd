select file_number, path, kind, operations_file, rows, bytes, id_hash, min_operation_id, max_operation_id, failures, unpriced,
       input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, reported_cost_nano_usd
from lake_files
where removed_at_ms is null
order by file_number
