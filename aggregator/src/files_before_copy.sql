-- A live file of operations with ids below $2 that is not in the windows of generation $1.
select file.file_number
from lake_files file
where file.kind = 'operations'
    and file.removed_at_ms is null
    and file.min_operation_id < $2
    and not exists (
        select 1
        from windowed_files done
        where done.generation = $1 and done.file_number = file.file_number
    )
limit 1
