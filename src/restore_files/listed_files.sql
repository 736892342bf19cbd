-- The live files, and those of operations that were given up: rows may be theirs, too.
select file_number, path, kind, operations_file, rows, bytes, id_hash, min_operation_id, max_operation_id, failures, unpriced,
       input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, reported_cost_nano_usd, removed_at_ms
from lake_files
where removed_at_ms is null
    or (
        kind = 'operations'
        and exists (
            select 1
            from given_up_files
            where given_up_files.file_number = lake_files.file_number
        )
    )
order by file_number
