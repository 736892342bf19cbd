-- Live files of operations ($1), and the live contents of them.
select file_number, path, kind, operations_file, merges, bytes, rows, id_hash, min_operation_id, max_operation_id,
    failures, unpriced, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, reported_cost_nano_usd
from lake_files
where removed_at_ms is null and kind = $1 and file_number in ({rows})
union all
select file_number, path, kind, operations_file, merges, bytes, rows, id_hash, min_operation_id, max_operation_id,
    failures, unpriced, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, reported_cost_nano_usd
from lake_files
where removed_at_ms is null and kind <> $1 and operations_file in ({rows})
