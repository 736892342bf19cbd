-- The live contents of a span of operations files.
select file_number, path, operations_file, rows, bytes, id_hash, min_operation_id, max_operation_id,
       failures, unpriced, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
       cost_nano_usd, reported_cost_nano_usd, cast(null as bigint) as windowed_before_ms
from lake_files
where kind = 'contents' and removed_at_ms is null and operations_file between $1 and $2
order by file_number
