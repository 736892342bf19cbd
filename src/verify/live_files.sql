-- A page of the live files of one kind.
select files.file_number, files.path, files.operations_file, files.rows, files.bytes, files.id_hash,
       files.min_operation_id, files.max_operation_id, files.failures, files.unpriced,
       files.input_tokens, files.output_tokens, files.cache_read_tokens, files.cache_write_tokens,
       files.cost_nano_usd, files.reported_cost_nano_usd,
       case when windowed.file_number is null then progress.before_ms else 9223372036854775807 end as windowed_before_ms
from lake_files files
left join windowed_files windowed on windowed.generation = $4 and windowed.file_number = files.file_number
left join window_progress progress on progress.generation = $4 and progress.file_number = files.file_number
where files.kind = $1 and files.removed_at_ms is null and files.file_number > $2
order by files.file_number
limit $3
