-- The live operations files that may hold ids between $1 and $2.
select files.file_number, files.path, files.operations_file, files.rows, files.bytes, files.id_hash,
       files.min_operation_id, files.max_operation_id, files.failures, files.unpriced,
       files.input_tokens, files.output_tokens, files.cache_read_tokens, files.cache_write_tokens,
       files.cost_nano_usd, files.reported_cost_nano_usd,
       case when windowed.file_number is null then progress.before_ms else 9223372036854775807 end as windowed_before_ms
from lake_files files
left join windowed_files windowed on windowed.generation = $3 and windowed.file_number = files.file_number
left join window_progress progress on progress.generation = $3 and progress.file_number = files.file_number
where files.kind = 'operations' and files.removed_at_ms is null
    and files.min_operation_id <= $2 and files.max_operation_id >= $1
order by files.file_number
