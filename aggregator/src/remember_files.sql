-- What ranges refer to: files of the ingestor. Those that compaction made are named by no range.
insert into past_files (file_number, rows, min_operation_id, max_operation_id)
select file_number, rows, min_operation_id, max_operation_id
from lake_files
where file_number in ({rows})
    and kind = 'operations'
    and merges = 0
    and removed_at_ms is not null
on conflict (file_number) do nothing
